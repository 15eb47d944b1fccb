using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Cli;

/// <summary>The server as a process: start, failures to start, signals, what reaches its log.</summary>
[TestFixture]
[Category(TurboProcess.Category)]
internal sealed partial class ServeCommandTests
{
    private static readonly HttpClient s_client = new() { Timeout = TimeSpan.FromSeconds(30) };

    [GeneratedRegex(@"listening on (?<url>http://[^\s""]+)")]
    private static partial Regex Listening();

    private static async Task<(TurboProcess Turbo, string Url)> StartAsync(TempFolder folder, params (string Name, string Value)[] environment)
    {
        Dictionary<string, string> variables = new() { ["ADDRESS"] = "127.0.0.1:0" };
        foreach ((string name, string value) in environment) variables[name] = value;
        TurboProcess turbo = TurboProcess.Start(folder.Path, variables, "serve", "--mock");
        try
        {
            return (turbo, Listening().Match(await turbo.LineAsync("listening on http://")).Groups["url"].Value);
        }
        catch
        {
            turbo.Dispose();
            throw;
        }
    }

    private static async Task<string> SignUpAsync(string url, string username = "ann", string password = "hunter2-hunter2")
    {
        using HttpResponseMessage response = await s_client.PostAsync(url + "/user/signup",
            new StringContent($$"""{"username":"{{username}}","password":"{{password}}"}""", Encoding.UTF8, "application/json"));
        string body = await response.Content.ReadAsStringAsync();
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK), body);
        return JsonDocument.Parse(body).RootElement.GetProperty("Token").GetString()!;
    }

    private static HttpRequestMessage Request(string url, string token)
    {
        var request = new HttpRequestMessage(System.Net.Http.HttpMethod.Get, url);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return request;
    }

    [TestCase("TERM")]
    [TestCase("INT")]
    [TestCase("HUP")]
    public async Task It_serves_in_the_callers_folder_until_a_signal_stops_it(string signal)
    {
        using var folder = new TempFolder();
        (TurboProcess turbo, string url) = await StartAsync(folder);
        using (turbo)
        {
            Assert.That((await s_client.GetAsync(url + "/healthz")).StatusCode, Is.EqualTo(HttpStatusCode.OK));
            using HttpResponseMessage models = await s_client.SendAsync(Request(url + "/v1/models", await SignUpAsync(url)));
            Assert.That(models.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            Assert.That(File.Exists(folder.File("turbo.db")));
            turbo.Signal(signal);
            Assert.That(await turbo.ExitAsync(), Is.Zero);
            Assert.That(turbo.Error, Is.Empty);
            string[] lines = turbo.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.That(lines.Count(line => line.Contains(" /user/signup 200 ", StringComparison.Ordinal)), Is.EqualTo(1), turbo.Out);
            Assert.That(lines.Count(line => line.Contains(" GET /v1/models 200 ", StringComparison.Ordinal)), Is.EqualTo(1), turbo.Out);
            Assert.That(lines[^1], Does.EndWith(" info stopping"));
        }
    }

    /// <summary>A shell's soft limit is far below what clients may need; OpenSSL is some megabytes and milliseconds.</summary>
    [Test, Platform("Linux")]
    public async Task It_takes_as_many_descriptors_as_it_may_and_OpenSSL_when_it_is_needed()
    {
        using TempFolder folder = new();
        Dictionary<string, string> environment = new() { ["ADDRESS"] = "127.0.0.1:0" };
        using TurboProcess turbo = TurboProcess.StartProgram("bash", folder.Path, environment, ["-c", "ulimit -Sn 256; ulimit -Hn 2000; exec \"$0\" \"$@\"", .. TurboProcess.Command, "serve", "--mock"]);
        string url = Listening().Match(await turbo.LineAsync("listening on http://")).Groups["url"].Value;
        await s_client.GetStringAsync(url + "/healthz");
        Assert.That(File.ReadAllText($"/proc/{turbo.Id}/maps"), Does.Not.Contain("/libcrypto.so"));
        Assert.That(await s_client.GetStringAsync(url + "/metrics"), Does.Contain("\nprocess_max_fds 2000\n"));
        await SignUpAsync(url);
        Assert.That(File.ReadAllText($"/proc/{turbo.Id}/maps"), Does.Contain("/libcrypto.so"));
        turbo.Signal("TERM");
        Assert.That(await turbo.ExitAsync(), Is.Zero);
    }

    [Test]
    public async Task A_stop_lets_a_request_in_flight_finish()
    {
        using var folder = new TempFolder();
        (TurboProcess turbo, string url) = await StartAsync(folder);
        using (turbo)
        {
            HttpRequestMessage slow = Request(url + "/v1/models", await SignUpAsync(url));
            slow.Headers.Add("X-Mock-Delay", "700");
            Task<HttpResponseMessage> answer = s_client.SendAsync(slow);
            await InFlightAsync(turbo);
            turbo.Signal("TERM");
            using HttpResponseMessage response = await answer;
            Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            Assert.That(await turbo.ExitAsync(), Is.Zero);
        }
    }

    [Test]
    public async Task A_second_signal_stops_at_once()
    {
        using var folder = new TempFolder();
        (TurboProcess turbo, string url) = await StartAsync(folder);
        using (turbo)
        {
            HttpRequestMessage slow = Request(url + "/v1/models", await SignUpAsync(url));
            slow.Headers.Add("X-Mock-Delay", "600000");
            Task<HttpResponseMessage> answer = s_client.SendAsync(slow);
            await InFlightAsync(turbo);
            long started = Stopwatch.GetTimestamp();
            turbo.Signal("TERM");
            await turbo.LineAsync(" info stopping");
            turbo.Signal("TERM");
            Assert.That(await turbo.ExitAsync(), Is.EqualTo(128 + 15));
            Assert.That(Stopwatch.GetElapsedTime(started), Is.LessThan(TimeSpan.FromSeconds(20)), "SHUTDOWN_TIMEOUT is 30 s");
            Assert.That(async () => await answer, Throws.InstanceOf<HttpRequestException>());
        }
    }

    [Test]
    public async Task A_stop_is_bounded_by_its_timeout()
    {
        using var folder = new TempFolder();
        (TurboProcess turbo, string url) = await StartAsync(folder, ("SHUTDOWN_TIMEOUT", "100ms"));
        using (turbo)
        {
            HttpRequestMessage slow = Request(url + "/v1/models", await SignUpAsync(url));
            slow.Headers.Add("X-Mock-Delay", "600000");
            Task<HttpResponseMessage> answer = s_client.SendAsync(slow);
            await InFlightAsync(turbo);
            turbo.Signal("TERM");
            Assert.That(await turbo.ExitAsync(), Is.Zero);
            Assert.That(async () => await answer, Throws.InstanceOf<HttpRequestException>());
        }
    }

    [Test]
    public async Task A_database_that_cannot_be_opened_is_one_line()
    {
        using var folder = new TempFolder();
        await File.WriteAllTextAsync(folder.File("not-a-database"), new string('x', 5000));
        foreach (string path in new[] { "no/such/folder/turbo.db", "not-a-database", "." })
        {
            using TurboProcess turbo = TurboProcess.Start(folder.Path, new Dictionary<string, string> { ["ADDRESS"] = "127.0.0.1:0", ["DB_ADDRESS"] = "sqlite:" + path });
            Assert.That(await turbo.ExitAsync(), Is.EqualTo(1), path);
            Assert.That(turbo.Error, Does.StartWith($"turbo: DB_ADDRESS=\"sqlite:{path}\": ").And.EndWith("\n"));
            Assert.That(turbo.Error.Count(c => c == '\n'), Is.EqualTo(1), turbo.Error);
        }
    }

    [TestCase("postgres://ann:hunter2@127.0.0.1:1/turbo", "refused")]     // after a wait, in case it is starting up
    [TestCase("postgres://ann:hunter2@SERVER/no_such_database?sslmode=disable", "ann")]
    public async Task A_server_that_does_not_serve_us_is_one_line(string url, string why)
    {
        using var folder = new TempFolder();
        url = url.Replace("SERVER", $"127.0.0.1:{PostgresTestDatabase.Server.Port}");
        using TurboProcess turbo = TurboProcess.Start(folder.Path, new Dictionary<string, string> { ["ADDRESS"] = "127.0.0.1:0", ["DB_ADDRESS"] = url });
        Assert.That(await turbo.ExitAsync(), Is.EqualTo(1));
        Assert.That(turbo.Error, Does.StartWith("turbo: DB_ADDRESS=\"postgres://ann@127.0.0.1:").And.Contain(why).And.EndWith("\n"));
        Assert.That(turbo.Error.Count(c => c == '\n'), Is.EqualTo(1), turbo.Error);
        Assert.That(turbo.Error, Does.Not.Contain("hunter2"));
    }

    [Test]
    public async Task It_serves_from_PostgreSQL()
    {
        using var folder = new TempFolder();
        await using TestDatabase database = await TestDatabase.CreateAsync(DatabaseKind.Postgres);
        string address = database.Address + "?sslmode=disable";
        (TurboProcess turbo, string url) = await StartAsync(folder, ("DB_ADDRESS", address));
        using (turbo)
        {
            string token = await SignUpAsync(url);
            using HttpResponseMessage session = await s_client.SendAsync(Request(url + "/user/session", token));
            Assert.That(session.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            turbo.Signal("TERM");
            Assert.That(await turbo.ExitAsync(), Is.Zero, turbo.Error);
            Assert.That(turbo.Out, Does.Contain("database PostgreSQL 127.0.0.1:"));
        }
        Assert.That(File.Exists(folder.File("turbo.db")), Is.False);
        Assert.That(await database.CountAsync("SELECT count(*) FROM events WHERE endpoint = '/user/session'"), Is.EqualTo(1));
    }

    [Test]
    public async Task An_address_that_cannot_be_had_is_one_line()
    {
        using var folder = new TempFolder();
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        foreach (string address in new[] { taken.LocalEndpoint.ToString()!, "no-such-host.invalid:80" })
        {
            using TurboProcess turbo = TurboProcess.Start(folder.Path, new Dictionary<string, string> { ["ADDRESS"] = address });
            Assert.That(await turbo.ExitAsync(), Is.EqualTo(1), address);
            Assert.That(turbo.Error, Does.StartWith($"turbo: ADDRESS=\"{address}\": cannot listen: ").And.EndWith("\n"));
            Assert.That(turbo.Error.Count(c => c == '\n'), Is.EqualTo(1), turbo.Error);
        }
    }

    [Test]
    public async Task No_secret_reaches_the_log_at_debug_either([Values("text", "json")] string format)
    {
        const string key = "sk-live-5e1ec7ab1e", password = "hunter2-hunter2", prompt = "the-secret-plan", handle = "sess-in-query";
        using var folder = new TempFolder();
        (TurboProcess turbo, string url) = await StartAsync(folder, ("LOG_LEVEL", "debug"), ("LOG_FORMAT", format), ("OPENAI_API_KEY", key));
        using (turbo)
        {
            string token = await SignUpAsync(url, password: password);
            await s_client.GetAsync($"{url}/user/session?token={handle}");
            await s_client.GetAsync($"{url}/no/such/path?token={handle}");
            await s_client.PostAsync(url + "/user/login", new StringContent($"{{\"username\":\"ann\",\"password\":\"{password}\""));
            using (var request = new HttpRequestMessage(System.Net.Http.HttpMethod.Post, url + "/v1/chat/completions?key=" + handle))
            {
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
                request.Headers.Add("Cookie", "sess=" + handle);
                request.Content = new StringContent($$"""{"model":"m","messages":[{"role":"user","content":"{{prompt}}"}]}""", Encoding.UTF8, "application/json");
                Assert.That((await s_client.SendAsync(request)).StatusCode, Is.EqualTo(HttpStatusCode.OK));
            }
            turbo.Signal("TERM");
            Assert.That(await turbo.ExitAsync(), Is.Zero);
            Assert.That(turbo.Out, Does.Contain("/v1/chat/completions").And.Contain("/no/such/path"));
            foreach (string secret in new[] { key, password, prompt, handle, token })
                Assert.That(turbo.Out + turbo.Error, Does.Not.Contain(secret));
        }
    }

    /// <summary>Until the request is at the mock: only then is it in flight for certain.</summary>
    private static async Task InFlightAsync(TurboProcess turbo)
    {
        string mock = Regex.Match(await turbo.LineAsync("a mock that makes its answers up"), @"upstream (http://[^,]+)").Groups[1].Value;
        long started = Stopwatch.GetTimestamp();
        while (JsonDocument.Parse(await s_client.GetStringAsync(mock + "/mock/stats")).RootElement.GetProperty("active").GetInt64() == 0)
        {
            Assert.That(Stopwatch.GetElapsedTime(started), Is.LessThan(TimeSpan.FromSeconds(20)), "the request never reached the mock");
            await Task.Delay(5);
        }
    }
}

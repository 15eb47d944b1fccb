using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Cli;

/// <summary>What a process that dies, or is asked to stop, leaves behind.</summary>
[TestFixture]
[Category(TurboProcess.Category)]
internal sealed class DurabilityTests
{
    private const int Clients = 8;

    private static readonly Dictionary<string, string> s_environment = new() { ["ADDRESS"] = "127.0.0.1:0", ["BCRYPT_COST"] = "4" };

    [Test]
    public async Task Each_acknowledged_signup_is_there_after_kill_9()
    {
        using var folder = new TempFolder();
        var acknowledged = new ConcurrentDictionary<string, string>();
        for (int round = 0; round < 3; round++)
        {
            (TurboProcess turbo, Uri address) = await StartAsync(folder);
            using (turbo)
            {
                int before = acknowledged.Count;
                using HttpClient client = new() { BaseAddress = address };
                Task[] clients = [.. Enumerable.Range(0, Clients).Select(async number =>
                {
                    try
                    {
                        for (int i = 0; ; i++)
                        {
                            string name = $"user-{round}-{number}-{i}";
                            acknowledged[name] = await SignUpAsync(client, name);
                        }
                    }
                    catch (HttpRequestException)
                    {
                        // The server was killed: what had no answer is not acknowledged.
                    }
                })];
                await Until.TrueAsync(() => acknowledged.Count >= before + 40);
                turbo.Signal("KILL");
                await Until.DoneAsync(Task.WhenAll(clients));
                Assert.That(await turbo.ExitAsync(), Is.EqualTo(128 + 9));
            }
        }

        (TurboProcess again, Uri where) = await StartAsync(folder);
        using (again)
        {
            using HttpClient client = new() { BaseAddress = where };
            foreach ((string name, string token) in acknowledged)
            {
                using var request = new HttpRequestMessage(System.Net.Http.HttpMethod.Get, "/user/session");
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
                using HttpResponseMessage response = await client.SendAsync(request);
                Assert.That(await response.Content.ReadAsStringAsync(), Does.Contain($"\"username\":\"{name}\""));
                using HttpResponseMessage logIn = await client.PostAsync("/user/login", new StringContent($$"""{"username":"{{name}}","password":"password"}"""));
                Assert.That(logIn.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            }
            again.Signal("TERM");
            Assert.That(await again.ExitAsync(), Is.Zero);
        }
        Assert.That(Scalar(folder, "PRAGMA integrity_check"), Is.EqualTo("ok"));
        Assert.That(Scalar(folder, "SELECT count(*) FROM users"), Is.GreaterThanOrEqualTo((long)acknowledged.Count));
    }

    [Test]
    public async Task A_stop_under_load_fails_no_request_and_stores_an_event_for_each()
    {
        using var folder = new TempFolder();
        (TurboProcess turbo, Uri address) = await StartAsync(folder);
        using (turbo)
        {
            using HttpClient client = new(new SocketsHttpHandler { MaxConnectionsPerServer = Clients }) { BaseAddress = address };
            string token = await SignUpAsync(client, "ann");
            long answered = 1, wrong = 0;
            Task[] clients = [.. Enumerable.Range(0, Clients).Select(async number =>
            {
                try
                {
                    while (true)
                    {
                        using var request = new HttpRequestMessage(System.Net.Http.HttpMethod.Get, number % 2 == 0 ? "/v1/models" : "/user/session");
                        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
                        if (number == 0) request.Headers.Add("X-Mock-Delay", "100");
                        using HttpResponseMessage response = await client.SendAsync(request);
                        Interlocked.Increment(ref answered);
                        if (response.StatusCode != HttpStatusCode.OK) Interlocked.Increment(ref wrong);
                    }
                }
                catch (HttpRequestException)
                {
                    // Refused, or closed before any answer. Was it more, then the counts below differ.
                }
            })];
            await Until.TrueAsync(() => Interlocked.Read(ref answered) > 300);
            turbo.Signal("TERM");
            Assert.That(await turbo.ExitAsync(), Is.Zero);
            await Until.DoneAsync(Task.WhenAll(clients));
            Assert.That(wrong, Is.Zero);

            // A request that the server took and did not answer would be a row too many, a lost event one too few.
            Assert.That(Scalar(folder, "SELECT count(*) FROM events"), Is.EqualTo(answered));
            int lines = turbo.Out.Split('\n').Count(line => line.Contains(" bytes_out=", StringComparison.Ordinal));
            Assert.That(lines, Is.EqualTo(answered));
        }
    }

    private static async Task<(TurboProcess Turbo, Uri Address)> StartAsync(TempFolder folder)
    {
        TurboProcess turbo = TurboProcess.Start(folder.Path, s_environment, "serve", "--mock");
        string line = await turbo.LineAsync("listening on http://");
        return (turbo, new Uri(line[line.IndexOf("http://", StringComparison.Ordinal)..]));
    }

    private static async Task<string> SignUpAsync(HttpClient client, string username)
    {
        using HttpResponseMessage response = await client.PostAsync("/user/signup", new StringContent($$"""{"username":"{{username}}","password":"password"}"""));
        string body = await response.Content.ReadAsStringAsync();
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK), body);
        return JsonDocument.Parse(body).RootElement.GetProperty("Token").GetString()!;
    }

    private static object? Scalar(TempFolder folder, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={folder.File("turbo.db")};Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }
}

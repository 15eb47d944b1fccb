using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Turbo.Net.Http1;
using Turbo.Net.Tls;
using Turbo.Server;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Tls;

/// <summary>The whole application in TLS is what it is without, but for the cookie.</summary>
[TestFixture]
internal sealed class TlsAppTests
{
    private readonly List<IAsyncDisposable> _started = [];

    [TearDown]
    public async Task Stop()
    {
        foreach (IAsyncDisposable each in Enumerable.Reverse(_started)) await each.DisposeAsync();
        _started.Clear();
    }

    private T Keep<T>(T started) where T : IAsyncDisposable
    {
        _started.Add(started);
        return started;
    }

    private static AppOptions InTls(AppOptions options) =>
        options with { TlsCertFile = TestCertificates.SharedFiles.Certificate, TlsKeyFile = TestCertificates.SharedFiles.Key };

    private static AppOptions InPlain(AppOptions options) => options with { TlsCertFile = "", TlsKeyFile = "" };

    private async Task<TestApp> StartAsync(Func<AppOptions, AppOptions>? change = null, TimeProvider? time = null) =>
        Keep(await TestApp.StartAsync(options => InTls(change is null ? options : change(options)), time));

    private async Task<(MockServer Mock, TestApp App)> StartOnMockAsync()
    {
        MockServer mock = Keep(new MockServer());
        mock.Start();
        return (mock, await StartAsync(options => options with { Upstream = UpstreamTarget.At(mock.EndPoints[0]), OpenAiApiKey = "sk-test" }));
    }

    /// <summary>Each route, with and without a session, as GET and POST: the same answer, byte for byte, as without TLS.</summary>
    [Test]
    public async Task Every_route_answers_as_it_does_without()
    {
        MockServer mock = Keep(new MockServer());
        mock.Start();
        await using TestDatabase database = await TestDatabase.CreateAsync(DatabaseKind.Sqlite, golden: false);
        // One clock, so that what carries a time is the same.
        ManualTimeProvider time = new();
        TestApp plain = Keep(await TestApp.StartAsync(options => InPlain(options) with { Upstream = UpstreamTarget.At(mock.EndPoints[0]) }, time, shared: database));
        TestApp tls = Keep(await TestApp.StartAsync(options => InTls(options) with { Upstream = UpstreamTarget.At(mock.EndPoints[0]) }, time, shared: database));
        (string token, _) = await plain.SignUpAsync("ann");
        string[] paths = [.. Documented(), "/nowhere", "/v1/models", "/v1/nothing", "/"];
        Assert.That(paths, Has.Length.GreaterThan(25));
        foreach (string path in paths)
        {
            foreach (string? session in new[] { null, token })
            {
                foreach (string method in new[] { "GET", "POST", "DELETE", "OPTIONS" })
                {
                    // A stream has no end; it is opened below.
                    if (session is not null && path is "/event/subscribe" or "/chat/stream") continue;
                    string request = $"{method} {path} HTTP/1.1\r\nHost: h\r\nOrigin: https://page.example\r\n{(session is null ? "" : $"Authorization: Bearer {session}\r\n")}Content-Length: 0\r\nConnection: close\r\n\r\n";
                    using RawClient one = plain.Connect(), other = tls.Connect();
                    Assert.That(Comparable(other.Exchange(request)), Is.EqualTo(Comparable(one.Exchange(request))), $"{method} {path}, {(session is null ? "no session" : "session")}");
                }
            }
        }
    }

    // Without what is made up anew for each: ids, and the mock's count of its answers.
    private static string Comparable(RawResponse response) =>
        Regex.Replace(response.Undated, "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=x-request-id: ).*", "…", RegexOptions.IgnoreCase);

    private static IEnumerable<string> Documented() =>
        Regex.Matches(Repository.Read("Turbo.Server/Routes.cs"), "\"(/[a-z/]+)\"u8").Select(static m => m.Groups[1].Value)
            .Where(static path => path is not ("/user/logout" or "/v1/"));

    [Test]
    public async Task The_cookie_is_secure_and_a_redirect_stays_on_the_host()
    {
        TestApp app = await StartAsync();
        Reply signedUp = await app.FormAsync("/user/signup", "username=ann&password=correct+horse&redirect_url=/home");
        Assert.That((signedUp.Status, signedUp.Field("Location")), Is.EqualTo((302, "/home")));
        Assert.That(signedUp.Field("Set-Cookie"), Does.Match("^sess=[^;]+; Path=/; HttpOnly; SameSite=Lax; Expires=[^;]+; Secure$"));
        Reply out_ = await app.SendAsync(HttpMethod.Post, "/user/logout", null, null, ("Cookie", signedUp.Field("Set-Cookie")!.Split(';')[0]));
        Assert.That(out_.Status, Is.EqualTo(200));
        Assert.That(out_.Field("Set-Cookie"), Does.Contain("; Secure"), "what set it takes it back");

        TestApp plain = Keep(await TestApp.StartAsync(InPlain));
        Reply without = await plain.FormAsync("/user/signup", "username=ann&password=correct+horse");
        Assert.That(without.Field("Set-Cookie"), Does.Not.Contain("Secure"));
    }

    [TestCase(StreamKind.Sse)]
    [TestCase(StreamKind.WebSocket)]
    public async Task A_prompt_streams(StreamKind kind)
    {
        (_, TestApp app) = await StartOnMockAsync();
        (string token, _) = await app.SignUpAsync("ann");
        string chat = (await app.FormAsync("/chat/create", "name=c", token)).Json.GetProperty("id").GetString()!;
        await using StreamClient client = await StreamClient.OpenAsync(kind, app, $"/chat/stream?id={chat}", token);
        await app.FormAsync("/chat/prompt", $"id={chat}&prompt=Say+hello&stream=true", token);
        string text = "";
        while (true)
        {
            System.Text.Json.JsonElement message = await client.NextAsync();
            string reply = message.GetProperty("message").GetProperty("reply").GetString()!;
            if (!message.GetProperty("partial").GetBoolean())
            {
                Assert.That(text, Is.EqualTo(reply).And.EqualTo("Reply to 1 message: Say hello"));
                break;
            }
            text += reply;
        }
    }

    [Test]
    public async Task The_proxy_passes_each_event_on_as_it_comes()
    {
        using SemaphoreSlim next = new(0);
        await using ProxyApp proxy = await ProxyApp.StartAsync(
            peer =>
            {
                peer.ReadRequest();
                peer.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
                for (int i = 0; i < 5; i++)
                {
                    next.Wait(Until.Deadline);
                    peer.Send($"9\r\ndata: {i}\n\n\r\n");
                }
                peer.Send("0\r\n\r\n");
            },
            InTls);
        using RawClient client = proxy.Connect();
        client.Send(proxy.Request("POST /v1/chat/completions", "Content-Length: 15\r\n", "{\"stream\":true}"));
        Assert.That(client.ReadHead(), Does.StartWith("HTTP/1.1 200 OK\r\n"));
        for (int i = 0; i < 5; i++)
        {
            next.Release();
            string chunk = $"9\r\ndata: {i}\n\n\r\n";
            Assert.That(Encoding.ASCII.GetString(client.Take(chunk.Length)), Is.EqualTo(chunk));
        }
        Assert.That(Encoding.ASCII.GetString(client.Take(5)), Is.EqualTo("0\r\n\r\n"));
    }

    [Test]
    public async Task Bodies_of_the_proxy_pass_both_ways_whole()
    {
        const int size = 8 << 20;
        byte[] body = new byte[size];
        new Random(7).NextBytes(body);
        await using ProxyApp proxy = await ProxyApp.StartAsync(
            peer =>
            {
                peer.ReadHead();
                peer.Drop(size, body);
                peer.Send($"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").Send(body);
            },
            InTls);
        using RawClient client = proxy.Connect();
        Task sending = Task.Run(() => client.Send(proxy.Request("POST /v1/files", $"Content-Length: {size}\r\n")).Send(body));
        Assert.That(client.Read().Body, Is.EqualTo(body));
        await sending;
    }

    [Test]
    public async Task A_websocket_is_tunnelled()
    {
        (MockServer mock, TestApp app) = await StartOnMockAsync();
        (string token, _) = await app.SignUpAsync("ann");
        await using WebSocketStreamClient client = await WebSocketStreamClient.OpenAsync(app, "/v1/realtime?model=m", token);
        byte[] hello = "hello"u8.ToArray(), answer = new byte[100];
        await client.Socket.SendAsync(hello, System.Net.WebSockets.WebSocketMessageType.Text, true, CancellationToken.None);
        var received = await Until.DoneAsync(client.Socket.ReceiveAsync(answer, CancellationToken.None));
        Assert.That(Encoding.ASCII.GetString(answer, 0, received.Count), Is.EqualTo("hello"));
    }

    [Test]
    public async Task Plain_http_gets_the_error_shape()
    {
        TestApp app = await StartAsync();
        using RawClient client = new(app.EndPoint);
        RawResponse response = client.Exchange("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
        Assert.That((response.Status, response.Field("Content-Type"), response.Field("Connection")), Is.EqualTo((400, "application/json", "close")));
        Assert.That(response.Text, Is.EqualTo("""{"error":{"message":"this port speaks https, not http","type":"invalid_request_error","param":null,"code":"https_required"}}"""));
        Assert.That(response.Field("Access-Control-Allow-Origin"), Is.EqualTo("*"));
        client.HalfClose().ExpectFin();
    }

    [Test]
    public async Task A_new_certificate_is_taken_and_a_bad_one_told_of()
    {
        using TempFolder folder = new();
        string cert = folder.File("cert.pem"), key = folder.File("key.pem");
        (string first, string firstKey) = TestCertificates.Shared.Make();
        await File.WriteAllTextAsync(cert, first);
        await File.WriteAllTextAsync(key, firstKey);
        ManualTimeProvider time = new(DateTimeOffset.UtcNow);
        TestApp app = await TestApp.StartAsync(options => options with { TlsCertFile = cert, TlsKeyFile = key }, time);
        await using (app)
        {
            using RawClient old = app.Connect();
            Assert.That(old.Exchange("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").Status, Is.EqualTo(200));
            (string second, string secondKey) = TestCertificates.Shared.Make();
            await File.WriteAllTextAsync(cert, second);
            time.Advance(2 * CertificateFiles.Interval);
            using (RawClient during = app.Connect()) Assert.That(Shown(during), Is.EqualTo(first));
            await File.WriteAllTextAsync(key, secondKey);
            time.Advance(CertificateFiles.Interval);
            using (RawClient after = app.Connect()) Assert.That(Shown(after), Is.EqualTo(second));
            Assert.That(old.Exchange("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").Status, Is.EqualTo(200));
        }
        Assert.That(app.Log, Does.Contain($"error TLS_CERT: {cert}: expected a PEM certificate that fits the private key in {key}; the certificate read before is still served"));
        Assert.That(app.Log, Does.Contain($"info TLS_CERT: serving the new certificate of {cert}, valid until "));
        Assert.That(app.Log, Does.Not.Contain("PRIVATE KEY-----"));

        static string Shown(RawClient client) =>
            System.Security.Cryptography.X509Certificates.X509CertificateLoader.LoadCertificate(client.Tls!.RemoteCertificate!.GetRawCertData()).ExportCertificatePem();
    }
}

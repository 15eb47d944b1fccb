using System.Net;
using System.Net.Sockets;
using System.Text;
using Turbo.Server;
using Turbo.Server.Model;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>
/// What Turbo adds to the relay at <c>/v1</c> (contract sections 1, 3 and 8): who may use it, whose credential goes
/// upstream, which errors are its own, and what is recorded. The relay's bytes have their own fixtures.
/// </summary>
internal sealed class ProxyRoutesTests(DatabaseKind kind) : EachKindFixture(kind)
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

    [TestCase("Authorization: Bearer {T}\r\n")]
    [TestCase("authorization: bearer {T}\r\n")]
    [TestCase("Cookie: sess={T}; other=1\r\n")]
    [TestCase("Authorization: Basic {B}\r\n")]
    public async Task A_session_goes_up_as_the_servers_key_and_nothing_of_it_with_it(string credential)
    {
        using FaultyUpstream upstream = new(static peer => { peer.ReadRequest(); peer.Send(Ok); });
        await using TestApp app = await StartAsync(upstream, ProxyAuth.Session);
        (string token, string id) = await app.SignUpAsync("alice");
        using RawClient client = app.Connect();
        string line = credential.Replace("{T}", token).Replace("{B}", Convert.ToBase64String(Encoding.ASCII.GetBytes("any:" + token)));
        RawResponse response = client.Exchange($"POST /v1/x%2Fy?a=b%20c HTTP/1.1\r\nHost: turbo\r\n{line}X-Mine: 1\r\nContent-Length: 2\r\n\r\nhi");
        Assert.That((response.Status, response.Text), Is.EqualTo((200, "{}")));
        string[] received = upstream.Peer(0).Received.ToString().Split("\r\n");
        Assert.That(received[0], Is.EqualTo("POST /v1/x%2Fy?a=b%20c HTTP/1.1"));
        Assert.That(received.Where(static l => l.StartsWith("Authorization:", StringComparison.OrdinalIgnoreCase)), Is.EqualTo(new[] { "Authorization: Bearer sk-server" }));
        Assert.That(received, Has.Member("X-Mine: 1").And.Member($"Host: {upstream.EndPoint}"));
        Assert.That(string.Join('\n', received), Does.Not.Contain(token).And.Not.Contain("Cookie").IgnoreCase);
        EventRecord row = (await app.EventsAsync())[^1];
        Assert.That((row.Method, row.Endpoint, row.Params, row.Status, row.UserId), Is.EqualTo(("POST", "/v1/x%2Fy", "a=b%20c", 200, id)));
    }

    [TestCase("", "missing_session")]
    [TestCase("Authorization: Bearer sk-someone\r\n", "invalid_session")]
    [TestCase("Cookie: sess=none\r\n", "invalid_session")]
    public async Task Without_a_session_nothing_goes_up(string credential, string code)
    {
        using FaultyUpstream upstream = new(static peer => { peer.ReadRequest(); peer.Send(Ok); });
        await using TestApp app = await StartAsync(upstream, ProxyAuth.Session);
        using RawClient client = app.Connect();
        RawResponse response = client.Exchange($"GET /v1/models HTTP/1.1\r\nHost: turbo\r\n{credential}\r\n");
        Assert.That(response.Status, Is.EqualTo(401));
        Assert.That(response.Text, Does.Contain("\"type\":\"authentication_error\"").And.Contain($"\"code\":\"{code}\""));
        Assert.That(upstream.Connections, Is.Zero);
    }

    [TestCase(ProxyAuth.Passthrough, "Authorization: Bearer sk-mine\r\n", "Authorization: Bearer sk-mine")]
    [TestCase(ProxyAuth.Passthrough, "AUTHORIZATION:\tBasic  eDp5 \r\n", "AUTHORIZATION:\tBasic  eDp5 ")]
    [TestCase(ProxyAuth.Passthrough, "", null)]
    [TestCase(ProxyAuth.None, "", "Authorization: Bearer sk-server")]
    [TestCase(ProxyAuth.None, "Authorization: Bearer anything\r\n", "Authorization: Bearer sk-server")]
    public async Task Other_modes_need_no_session(ProxyAuth mode, string credential, string? expected)
    {
        using FaultyUpstream upstream = new(static peer => { peer.ReadRequest(); peer.Send(Ok); });
        await using TestApp app = await StartAsync(upstream, mode);
        using RawClient client = app.Connect();
        Assert.That(client.Exchange($"GET /v1/models HTTP/1.1\r\nHost: turbo\r\n{credential}\r\n").Status, Is.EqualTo(200));
        string[] received = upstream.Peer(0).Received.ToString().Split("\r\n");
        Assert.That(received.SingleOrDefault(static l => l.StartsWith("Authorization:", StringComparison.OrdinalIgnoreCase)), Is.EqualTo(expected));
    }

    [TestCase("", "/v1/models")]
    [TestCase("/", "/v1/models")]
    [TestCase("/v1", "/v1/models")]
    [TestCase("/v1/", "/v1/models")]
    [TestCase("/team/a", "/team/a/v1/models")]
    [TestCase("/team/a/v1/", "/team/a/v1/models")]
    public async Task Every_form_of_the_base_URL_leads_to_one_v1(string path, string expected)
    {
        using FaultyUpstream upstream = new(static peer => { peer.ReadRequest(); peer.Send(Ok); });
        Assert.That(UpstreamTarget.TryParse($"http://127.0.0.1:{upstream.Port}{path}", out UpstreamTarget target));
        await using TestApp app = await StartAsync(upstream, ProxyAuth.None, options => options with { Upstream = target });
        Assert.That((await app.GetAsync("/v1/models")).Status, Is.EqualTo(200));
        Assert.That(upstream.Peer(0).Received.ToString(), Does.StartWith($"GET {expected} HTTP/1.1\r\n"));
    }

    [Test]
    public async Task CORS_fields_are_added_only_where_upstream_sent_none()
    {
        using FaultyUpstream upstream = new(static peer =>
        {
            peer.ReadRequest();
            peer.Send(Ok);
            peer.ReadRequest();
            peer.Send("HTTP/1.1 200 OK\r\naccess-control-allow-origin: https://theirs.example\r\nContent-Length: 0\r\n\r\n");
        });
        await using TestApp app = await StartAsync(upstream, ProxyAuth.None);
        using RawClient client = app.Connect();
        RawResponse response = client.Exchange("GET /v1/a HTTP/1.1\r\nHost: turbo\r\nOrigin: https://app.example\r\n\r\n");
        Assert.That(response.Field("Access-Control-Allow-Origin"), Is.EqualTo("https://app.example"));
        Assert.That(response.Field("Vary"), Is.EqualTo("Origin"));
        response = client.Exchange("GET /v1/b HTTP/1.1\r\nHost: turbo\r\nOrigin: https://app.example\r\n\r\n");
        Assert.That(response.Field("Access-Control-Allow-Origin"), Is.EqualTo("https://theirs.example"));
        Assert.That(response.Head, Does.Not.Contain("app.example").And.Not.Contain("Access-Control-Allow-Methods"));
    }

    [Test]
    public async Task Any_method_goes_up_OPTIONS_that_is_no_preflight_too()
    {
        using FaultyUpstream upstream = new(static peer =>
        {
            while (true)
            {
                peer.ReadRequest();
                peer.Send(Ok);
            }
        });
        await using TestApp app = await StartAsync(upstream, ProxyAuth.None);
        foreach (string method in new[] { "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW" })
        {
            Assert.That((await app.SendAsync(new HttpMethod(method), "/v1/x", null)).Status, Is.EqualTo(200), method);
        }
        Assert.That(upstream.Peer(0).Received.ToString(), Does.Contain("BREW /v1/x HTTP/1.1\r\n").And.Contain("OPTIONS /v1/x HTTP/1.1\r\n"));
    }

    [Test]
    public async Task An_upstream_that_is_not_there_is_502()
    {
        // Bound, not listening: refused, and nobody else gets the port.
        using Socket closed = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        closed.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        await using TestApp app = await StartAppAsync(options => options with { ProxyAuth = ProxyAuth.None, Upstream = UpstreamTarget.At((IPEndPoint)closed.LocalEndPoint!) });
        Reply reply = await app.GetAsync("/v1/models");
        Assert.That(reply.Status, Is.EqualTo(502));
        Assert.That(reply.Json.GetProperty("error").GetProperty("type").GetString(), Is.EqualTo("upstream_error"));
        EventRecord row = (await app.EventsAsync()).Single();
        Assert.That((row.Status, row.Message), Is.EqualTo((502, reply.Json.GetProperty("error").GetProperty("message").GetString())));
        // The caller is not told why; whoever runs the server is.
        await app.App.DisposeAsync();
        Assert.That(app.Log, Does.Contain($" warn no connection to the upstream http://{closed.LocalEndPoint}: Connection refused\n"));
    }

    [TestCase("HTTP/1.1 2OO OK\r\n\r\n", 502)]
    [TestCase("", 502)]
    [TestCase(null, 504)]
    public async Task An_answer_that_is_none_is_502_or_504(string? answer, int status)
    {
        using FaultyUpstream upstream = new(peer =>
        {
            peer.ReadRequest();
            if (answer is null) peer.WaitForEnd();
            else peer.Send(answer).Close();
        });
        await using TestApp app = await StartAsync(upstream, ProxyAuth.None, options => answer is null ? options with { FirstByteTimeout = TimeSpan.FromMilliseconds(100) } : options);
        Reply reply = await app.JsonAsync("/v1/chat/completions", "{}");
        Assert.That(reply.Status, Is.EqualTo(status), reply.Content);
        Assert.That(reply.Json.GetProperty("error").GetProperty("type").GetString(), Is.EqualTo("upstream_error"));
        Assert.That((await app.EventsAsync()).Single().Status, Is.EqualTo(status));
    }

    [Test]
    public async Task A_call_is_recorded_with_its_usage()
    {
        const string Content = """{"model":"gpt-x-1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}""";
        using FaultyUpstream upstream = new(static peer =>
        {
            peer.ReadRequest();
            peer.Send($"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {Content.Length}\r\n\r\n{Content}");
        });
        await using TestApp app = await StartAsync(upstream, ProxyAuth.Session);
        (string token, string id) = await app.SignUpAsync("alice");
        await app.JsonAsync("/v1/chat/completions", """{"model":"gpt-x"}""", token);
        EventRecord row = (await app.EventsAsync())[^1];
        Assert.That((row.Endpoint, row.Request, row.Response, row.UserId), Is.EqualTo(("/v1/chat/completions", """{"model":"gpt-x"}""", Content, id)));
        Assert.That((row.Model, row.PromptTokens, row.CompletionTokens, row.TotalTokens), Is.EqualTo(("gpt-x-1", 3L, 4L, 7L)));
        Assert.That(row.Ttfb, Is.InRange(1, row.Duration));
    }

    [Test]
    public async Task A_client_that_leaves_is_recorded_as_far_as_it_came()
    {
        using ManualResetEventSlim asked = new();
        using FaultyUpstream upstream = new(peer =>
        {
            peer.ReadRequest();
            if (peer.Index == 1) peer.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: x\n\n\r\n");
            asked.Set();
            peer.WaitForEnd();
        });
        await using TestApp app = await StartAsync(upstream, ProxyAuth.None);
        using (RawClient client = app.Connect())
        {
            client.Send("GET /v1/silent HTTP/1.1\r\nHost: turbo\r\n\r\n");
            Assert.That(asked.Wait(Until.Deadline));
            client.Reset();
        }
        await Until.TrueAsync(() => upstream.Peer(0).HasEnded);
        using (RawClient client = app.Connect())
        {
            client.Send("GET /v1/stream HTTP/1.1\r\nHost: turbo\r\n\r\n");
            client.ReadHead();
            client.Take("9\r\ndata: x\n\n\r\n".Length);
            client.Reset();
        }
        await Until.TrueAsync(() => upstream.Peer(1).HasEnded);
        await Until.TrueAsync(() => app.App.Events.QueuedRows + app.App.Events.StoredRows == 2);
        List<EventRecord> rows = await app.EventsAsync();
        Assert.That(rows.Select(static row => (row.Endpoint, row.Status, row.Response, row.Message)), Is.EquivalentTo(new[]
        {
            ("/v1/silent", 499, "", "the client left"), ("/v1/stream", 200, "data: x\n\n", "the client left"),
        }));
    }

    [Test]
    public async Task A_tunnel_is_recorded_as_101_and_a_refusal_as_it_was()
    {
        using FaultyUpstream upstream = new(static peer =>
        {
            peer.ReadHead();
            if (peer.Index == 0)
            {
                peer.Send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
                peer.Send(peer.Take(4));
                peer.WaitForEnd();
                peer.Close();
            }
            else peer.Send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        });
        await using TestApp app = await StartAsync(upstream, ProxyAuth.Session);
        (string token, _) = await app.SignUpAsync("alice");
        string request = $"GET /v1/realtime HTTP/1.1\r\nHost: turbo\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        using (RawClient client = app.Connect())
        {
            Assert.That(client.Send(request).ReadHead(), Does.StartWith("HTTP/1.1 101 "));
            Assert.That(Encoding.ASCII.GetString(client.Send("ping").Take(4)), Is.EqualTo("ping"));
        }
        using (RawClient client = app.Connect()) Assert.That(client.Exchange(request).Text, Is.EqualTo("no"));
        await Until.TrueAsync(() => app.App.Events.QueuedRows + app.App.Events.StoredRows == 3);
        Assert.That((await app.EventsAsync()).Where(static row => row.Endpoint == "/v1/realtime").Select(static row => row.Status), Is.EquivalentTo(new[] { 101, 403 }));
    }

    private Task<TestApp> StartAsync(FaultyUpstream upstream, ProxyAuth mode, Func<AppOptions, AppOptions>? change = null) =>
        StartAppAsync(options =>
        {
            options = options with { ProxyAuth = mode, OpenAiApiKey = "sk-server", Upstream = UpstreamTarget.At(upstream.EndPoint) };
            return change is null ? options : change(options);
        });
}

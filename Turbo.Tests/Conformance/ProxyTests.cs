using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Turbo.Server;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>Contract sections 1 and 8 through the whole application: who may use <c>/v1</c>, and what the origin receives.</summary>
internal sealed class ProxyTests(DatabaseKind kind) : EachKindFixture(kind)
{
    // With a CORS field of its own, so that nothing is added to it.
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAccess-Control-Allow-Origin: *\r\n\r\nok";

    [TestCase("Authorization: Bearer {T}\r\n", "Authorization: Bearer sk-of-the-server\r\n")]
    [TestCase("authorization:   bearer {T}\r\nX: 1\r\n", "Authorization: Bearer sk-of-the-server\r\nX: 1\r\n")]
    [TestCase("Cookie: a=b; sess={T}\r\nX: 1\r\n", "X: 1\r\nAuthorization: Bearer sk-of-the-server\r\n")]
    [TestCase("Authorization: Basic {B}\r\n", "Authorization: Bearer sk-of-the-server\r\n")]
    [TestCase("Authorization: Bearer {T}\r\nCookie: sess=other\r\ncookie: c\r\nApi-Key: own\r\n", "Authorization: Bearer sk-of-the-server\r\nApi-Key: own\r\n")]
    public async Task A_session_opens_v1_and_only_the_servers_key_travels_on(string fields, string received)
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering(Ok));
        using RawClient client = proxy.Connect();
        string basic = Convert.ToBase64String(Encoding.ASCII.GetBytes($"any:{proxy.Token}"));
        RawResponse response = client.Exchange($"GET /v1/models HTTP/1.1\r\nHost: turbo.test\r\n{fields.Replace("{T}", proxy.Token).Replace("{B}", basic)}\r\n");
        Assert.That((response.Status, response.Text), Is.EqualTo((200, "ok")));
        Assert.That(proxy.Origin.Peer(0).Received.ToString(), Is.EqualTo($"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:{proxy.Origin.Port}\r\n{received}\r\n"));
    }

    [TestCase("", "missing_session")]
    [TestCase("Authorization: Bearer bm90LWEtdG9rZW4=\r\n", "invalid_session")]
    [TestCase("Authorization: Bearer sk-a-key-of-openai\r\n", "invalid_session")]
    [TestCase("Cookie: sess=bad\r\n", "invalid_session")]
    public async Task No_session_is_401_and_nothing_reaches_the_origin(string fields, string code)
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering(Ok));
        using RawClient client = proxy.Connect();
        RawResponse response = client.Exchange($"POST /v1/chat/completions?token={Uri.EscapeDataString(proxy.Token)} HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: 2\r\n\r\n{{}}");
        Assert.That((response.Status, response.Field("WWW-Authenticate")), Is.EqualTo((401, "Bearer")));
        Assert.That(response.Text, Does.Match("""^{"error":{"message":"[^"]+","type":"authentication_error","param":null,"code":"CODE"}}$""".Replace("CODE", code)));
        Assert.That(proxy.Origin.Connections, Is.Zero);
    }

    [Test]
    public async Task A_session_that_ended_opens_v1_no_more()
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering(Ok));
        Assert.That((await proxy.App.GetAsync("/v1/models", proxy.Token)).Status, Is.EqualTo(200));
        Assert.That((await proxy.App.PostAsync("/user/logout", proxy.Token)).Status, Is.EqualTo(200));
        (await proxy.App.GetAsync("/v1/models", proxy.Token)).IsError(401, "authentication_error", "invalid_session");
    }

    [TestCase("Authorization: Bearer sk-mine\r\n", "Authorization: Bearer sk-mine\r\n")]
    [TestCase("X: 1\r\nauthorization:Custom  odd \r\nCookie: sess=1\r\n", "X: 1\r\nauthorization:Custom  odd \r\n")]
    [TestCase("", "")]
    public async Task Passthrough_leaves_the_clients_own_credential(string fields, string received)
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering(Ok), static o => o with { ProxyAuth = ProxyAuth.Passthrough });
        using RawClient client = proxy.Connect();
        Assert.That(client.Exchange($"GET /v1/models HTTP/1.1\r\nHost: turbo.test\r\n{fields}\r\n").Text, Is.EqualTo("ok"));
        Assert.That(proxy.Origin.Peer(0).Received.ToString(), Is.EqualTo($"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:{proxy.Origin.Port}\r\n{received}\r\n"));
    }

    [TestCase("Authorization: Bearer sk-mine\r\n")]
    [TestCase("")]
    public async Task Open_to_anyone_with_the_servers_key(string fields)
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering(Ok), static o => o with { ProxyAuth = ProxyAuth.None });
        using RawClient client = proxy.Connect();
        Assert.That(client.Exchange($"GET /v1/models HTTP/1.1\r\nHost: turbo.test\r\n{fields}\r\n").Text, Is.EqualTo("ok"));
        Assert.That(proxy.Origin.Peer(0).Received.ToString(), Is.EqualTo($"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:{proxy.Origin.Port}\r\nAuthorization: Bearer {ProxyApp.Key}\r\n\r\n"));
    }

    [Test]
    public async Task Without_a_key_the_token_still_does_not_travel_on()
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering(Ok), static o => o with { OpenAiApiKey = "" });
        using RawClient client = proxy.Connect();
        Assert.That(client.Exchange(proxy.Request("GET /v1/models")).Text, Is.EqualTo("ok"));
        Assert.That(proxy.Origin.Peer(0).Received.ToString(), Is.EqualTo($"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:{proxy.Origin.Port}\r\n\r\n"));
    }

    [Test]
    public async Task Azure_gets_the_key_in_its_own_field_and_path()
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering(Ok),
            static o => o with { Upstream = o.Upstream with { IsAzure = true, PathPrefix = "/openai"u8.ToArray() } });
        using RawClient client = proxy.Connect();
        client.Exchange(proxy.Request("GET /v1/models?api-version=preview", "API-Key: mine\r\nX: 1\r\n"));
        Assert.That(proxy.Origin.Peer(0).Received.ToString(), Is.EqualTo(
            $"GET /openai/v1/models?api-version=preview HTTP/1.1\r\nHost: 127.0.0.1:{proxy.Origin.Port}\r\napi-key: {ProxyApp.Key}\r\nX: 1\r\n\r\n"));
    }

    [TestCase("", "/v1/a%2Fb?q=%20+", "/v1/a%2Fb?q=%20+")]
    [TestCase("/", "/v1/models", "/v1/models")]
    [TestCase("/v1", "/v1/models", "/v1/models")]
    [TestCase("/v1/", "/v1/models", "/v1/models")]
    [TestCase("/v1/v1", "/v1/models", "/v1/models")]
    [TestCase("/v1", "/v1/v1/models", "/v1/v1/models")]
    [TestCase("/team/proxy", "/v1/models", "/team/proxy/v1/models")]
    [TestCase("/team/proxy/", "/v1/models?", "/team/proxy/v1/models?")]
    [TestCase("/team/proxy/v1/", "/v1/a/../x//y", "/team/proxy/v1/a/../x//y")]
    [TestCase("/t%C3%A9/v1", "/v1/%zz", "/t%C3%A9/v1/%zz")]
    public async Task Every_form_of_the_base_url_leads_to_one_path(string url, string target, string received)
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering(Ok), target: url);
        using RawClient client = proxy.Connect();
        Assert.That(client.Exchange(proxy.Request($"GET {target}")).Text, Is.EqualTo("ok"));
        Assert.That(proxy.Origin.Peer(0).Received.ToString(), Is.EqualTo(proxy.Relayed($"GET {received}")));
    }

    [TestCase("GET")]
    [TestCase("DELETE")]
    [TestCase("PATCH")]
    [TestCase("OPTIONS")]
    [TestCase("TRACE")]
    [TestCase("BREW")]
    [TestCase("get")]
    public async Task Any_method_passes(string method)
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering(Ok));
        using RawClient client = proxy.Connect();
        Assert.That(client.Exchange(proxy.Request($"{method} /v1/files/f", "Content-Length: 3\r\n", "abc")).Text, Is.EqualTo("ok"));
        string relayed = proxy.Relayed($"{method} /v1/files/f", "Content-Length: 3\r\n", "abc");
        // What is traced comes back to whoever asks: the key is no part of it (RFC 9110 §9.3.8).
        if (method == "TRACE") relayed = relayed.Replace($"Authorization: Bearer {ProxyApp.Key}\r\n", "", StringComparison.Ordinal);
        Assert.That(proxy.Origin.Peer(0).Received.ToString(), Is.EqualTo(relayed));
    }

    [Test]
    public async Task Odd_and_repeated_fields_pass_both_ways_as_they_are()
    {
        const string sent = "X-A: 1\r\nx-a: 2\r\nX-A:\t3 \r\nAccept-Encoding: gzip, br\r\nX-Empty:\r\nX-Latin: caf\u00e9\r\nOpenAI-Beta: assistants=v2\r\nUser-Agent: u/1\r\n";
        const string answer = "HTTP/1.1 200 Very  OK\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nx-ratelimit-remaining: 5\r\nX-Empty:\r\nX-Latin: caf\u00e9\r\nserver: o\r\nDate: then\r\nAccess-Control-Allow-Origin: x\r\nContent-Length:  2\r\n\r\nok";
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering(answer));
        using RawClient client = proxy.Connect();
        client.Send(proxy.Request("GET /v1/x", sent));
        Assert.That(Encoding.Latin1.GetString(client.Take(answer.Length)), Is.EqualTo(answer));
        Assert.That(client.IsQuiet);
        Assert.That(proxy.Origin.Peer(0).Received.ToString(), Is.EqualTo(proxy.Relayed("GET /v1/x", sent)));
    }

    [TestCase("", "Access-Control-Allow-Origin: *\r\nVary: Origin\r\n")]
    [TestCase("Origin: https://app.example\r\n", "Access-Control-Allow-Origin: https://app.example\r\nVary: Origin\r\n")]
    public async Task Cors_fields_are_added_where_the_origin_sent_none(string origin, string added)
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering("HTTP/1.1 200 OK\r\nVary: Accept\r\nContent-Length: 2\r\n\r\nok"));
        using RawClient client = proxy.Connect();
        RawResponse response = client.Exchange(proxy.Request("GET /v1/x", origin));
        Assert.That(response.Head, Does.StartWith($"HTTP/1.1 200 OK\r\nVary: Accept\r\nContent-Length: 2\r\n{added}Access-Control-Allow-Methods: "));
        Assert.That(response.Head, Does.Contain("\r\nAccess-Control-Allow-Headers: Authorization, "));
    }

    [TestCase("Access-Control-Allow-Origin: https://other.example")]
    [TestCase("access-control-allow-headers: X")]
    [TestCase("Access-Control-Allow-Credentials: true")]
    public async Task Cors_fields_of_the_origin_stand(string field)
    {
        string answer = $"HTTP/1.1 200 OK\r\n{field}\r\nContent-Length: 2\r\n\r\nok";
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering(answer));
        using RawClient client = proxy.Connect();
        client.Send(proxy.Request("GET /v1/x", "Origin: https://app.example\r\n"));
        Assert.That(Encoding.Latin1.GetString(client.Take(answer.Length)), Is.EqualTo(answer));
    }

    [Test]
    public async Task A_preflight_needs_no_session_and_is_not_the_origins()
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering(Ok));
        using RawClient client = proxy.Connect();
        RawResponse response = client.Exchange("OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization, x-own\r\n\r\n");
        Assert.That(response.Status, Is.EqualTo(204));
        Assert.That(response.Field("Access-Control-Allow-Headers"), Is.EqualTo("authorization, x-own"));
        Assert.That(proxy.Origin.Connections, Is.Zero);
        // Another OPTIONS is a request like any other.
        Assert.That(client.Exchange("OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: a\r\n\r\n").Status, Is.EqualTo(401));
        Assert.That(client.Exchange(proxy.Request("OPTIONS /v1/chat/completions")).Text, Is.EqualTo("ok"));
    }

    [TestCase("HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer\r\n", """{"error":{"message":"Incorrect API key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}""")]
    [TestCase("HTTP/1.1 404 Not Found\r\n", "{\"error\": {}}\n")]
    [TestCase("HTTP/1.1 429 Too Many Requests\r\nretry-after: 20\r\nretry-after-ms: 20000\r\nx-should-retry: true\r\n", "{\n  \"error\": {\n    \"message\": \"Rate limit\" } }")]
    [TestCase("HTTP/1.1 500 Oh\r\n", "<html>")]
    [TestCase("HTTP/1.1 503 \r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", "")]
    public async Task The_origins_errors_come_byte_for_byte(string head, string body)
    {
        string answer = $"{head}Content-Type: application/json\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: {body.Length}\r\n\r\n{body}";
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering(answer));
        using RawClient client = proxy.Connect();
        client.Send(proxy.Request("POST /v1/chat/completions", "Content-Length: 2\r\n", "{}"));
        Assert.That(Encoding.Latin1.GetString(client.Take(answer.Length)), Is.EqualTo(answer));
        Assert.That(client.IsQuiet);
    }

    [Test]
    public async Task A_coded_body_is_not_touched()
    {
        using MemoryStream coded = new();
        using (GZipStream gzip = new(coded, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write("""{"usage":{"prompt_tokens":1}}"""u8);
        string answer = $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: {coded.Length}\r\n\r\n{Encoding.Latin1.GetString(coded.ToArray())}";
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering(answer));
        using RawClient client = proxy.Connect();
        // Twice on one connection: reading the copy disturbs nothing.
        for (int i = 0; i < 2; i++)
        {
            client.Send(proxy.Request("GET /v1/x", "Accept-Encoding: gzip\r\n"));
            Assert.That(Encoding.Latin1.GetString(client.Take(answer.Length)), Is.EqualTo(answer));
        }
    }

    [TestCase("gzip")]
    [TestCase("br")]
    [TestCase("deflate")]
    [TestCase("zstd")]
    public async Task A_body_that_is_not_in_its_coding_comes_as_sent(string coding)
    {
        string answer = $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: {coding}\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 12\r\n\r\nnot that one";
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering(answer));
        using RawClient client = proxy.Connect();
        for (int i = 0; i < 2; i++)
        {
            client.Send(proxy.Request("GET /v1/x"));
            Assert.That(Encoding.Latin1.GetString(client.Take(answer.Length)), Is.EqualTo(answer));
        }
        Assert.That((await proxy.EventsAsync()).Select(static row => (row.Status, row.Message)), Is.All.EqualTo((200, "")));
    }

    [Test]
    public async Task An_upload_may_be_larger_than_any_body_of_turbos_own_routes()
    {
        const int Bytes = 200_000;
        int received = 0;
        await using ProxyApp proxy = await StartProxyAsync(
            peer =>
            {
                peer.ReadHead();
                received = peer.Take(Bytes).Length;
                peer.Send(Ok).WaitForEnd();
            },
            static o => o with { Limits = o.Limits with { MaxBodyBytes = 1024 } });
        using RawClient client = proxy.Connect();
        string body = new('x', Bytes);
        Assert.That(client.Exchange(proxy.Request("POST /v1/files", $"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {Bytes}\r\n", body)).Text, Is.EqualTo("ok"));
        Assert.That(received, Is.EqualTo(Bytes));
        Assert.That(client.Exchange(proxy.Request("POST /user/update", "Content-Length: 1025\r\n", new string('x', 1025))).Status, Is.EqualTo(413));
    }

    [Test]
    public async Task A_refused_origin_is_502()
    {
        await using ProxyApp proxy = await StartProxyAsync(static _ => { }, static o => o with { Upstream = UpstreamTarget.At(new IPEndPoint(IPAddress.Loopback, ClosedPort())) });
        (await proxy.App.GetAsync("/v1/models", proxy.Token)).IsError(502, "upstream_error", "upstream_error");
    }

    [TestCase("")]
    [TestCase("HTTP/1.1 200")]
    [TestCase("nonsense\r\n\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n")]
    public async Task An_origin_without_an_answer_is_502(string wire)
    {
        await using ProxyApp proxy = await StartProxyAsync(peer =>
        {
            peer.ReadRequest();
            peer.Send(wire).Close();
        });
        Reply reply = await proxy.App.JsonAsync("/v1/chat/completions", "{}", proxy.Token);
        reply.IsError(502, "upstream_error", "upstream_error");
        Assert.That(reply.Field("Access-Control-Allow-Origin"), Is.EqualTo("*"));
        Assert.That((await proxy.EventAsync()).Status, Is.EqualTo(502));
    }

    [Test]
    public async Task A_silent_origin_is_504()
    {
        await using ProxyApp proxy = await StartProxyAsync(
            static peer =>
            {
                peer.ReadRequest();
                peer.WaitForEnd();
            },
            static o => o with { FirstByteTimeout = TimeSpan.FromMilliseconds(50) });
        (await proxy.App.GetAsync("/v1/models", proxy.Token)).IsError(504, "upstream_error", "upstream_error");
        Assert.That((await proxy.EventAsync()).Status, Is.EqualTo(504));
    }

    [Test]
    public async Task More_connections_than_allowed_are_503_with_Retry_After()
    {
        using SemaphoreSlim answer = new(0);
        await using ProxyApp proxy = await StartProxyAsync(
            peer =>
            {
                peer.ReadRequest();
                answer.Wait(Until.Deadline);
                peer.Send(Ok).WaitForEnd();
            },
            static o => o with { UpstreamMaxConnections = 1 });
        using RawClient first = proxy.Connect();
        first.Send(proxy.Request("GET /v1/models"));
        await Until.TrueAsync(() => proxy.Origin.Connections == 1);
        Reply refused = await proxy.App.GetAsync("/v1/models", proxy.Token);
        refused.IsError(503, "server_error", "overloaded");
        Assert.That(refused.Field("Retry-After"), Is.EqualTo("1"));
        answer.Release();
        Assert.That(first.Read().Text, Is.EqualTo("ok"));
    }

    [Test]
    public async Task A_silent_event_stream_is_kept_alive_where_asked()
    {
        ManualTimeProvider time = new();
        await using ProxyApp proxy = await StartProxyAsync(
            static peer =>
            {
                peer.ReadRequest();
                peer.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nAccess-Control-Allow-Origin: *\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n");
                peer.WaitForEnd();
            },
            static o => o with { SseKeepAlive = TimeSpan.FromSeconds(15) }, time);
        using RawClient client = proxy.Connect();
        client.Send(proxy.Request("POST /v1/chat/completions", "Content-Length: 2\r\n", "{}"));
        client.ReadHead();
        Assert.That(Encoding.ASCII.GetString(client.Take(14)), Is.EqualTo("9\r\ndata: 1\n\n\r\n"));
        Task<byte[]> comment = Task.Run(() => client.Take(19));
        await Until.TrueAsync(() =>
        {
            if (!comment.IsCompleted) time.Advance(TimeSpan.FromSeconds(1));
            return comment.IsCompleted;
        });
        Assert.That(Encoding.ASCII.GetString(await comment), Is.EqualTo("e\r\n: keep-alive\n\n\r\n"));
    }

    private static int ClosedPort()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}

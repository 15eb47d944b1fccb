using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Turbo.Net.WebSocket;
using Turbo.Server;
using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;
using WebSocketMessageKind = Turbo.Net.WebSocket.WebSocketMessageKind;

namespace Turbo.Tests.Server.Framework;

/// <summary>Contract section 11: an application's endpoints, beside Turbo's own, on one server for all cases.</summary>
[TestFixture(DatabaseKind.Sqlite)]
[TestFixture(DatabaseKind.Postgres)]
internal sealed class TurboAppTests(DatabaseKind kind)
{
    private readonly List<string> _seen = [];
    private AppFixture _app = null!;

    [OneTimeSetUp]
    public async Task StartAsync() => _app = await AppFixture.StartAsync(Register, kind);

    [OneTimeTearDown]
    public async Task StopAsync() => await _app.DisposeAsync();

    private void Register(TurboApp app)
    {
        app.Register("/", request => request.Text($"{request.Method} {request.Session?.Username ?? "nobody"}"), isPrivate: false);
        app.Get("/inline", request => request.Text("inline"), isPrivate: false, isInline: true);
        app.Get("/private", request => request.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("user_id", request.User.UserId);
            json.WriteString("username", request.User.Username);
            json.WriteEndObject();
        }));
        app.Get("/note/{id}", request => request.Text(request.PathValue("id")), isPrivate: false);
        app.Delete("/note/{id}", request => request.Empty(), isPrivate: false);
        app.Get("/note/{id}/{wrong}", request => request.Text(request.PathValue("nothing")), isPrivate: false);
        app.Post("/sum", async request =>
        {
            AppParameters parameters = await request.ParametersAsync();
            int sum = (parameters.Number("a", 0, 100) ?? 1) + (parameters.Number("b") ?? 10);
            request.Text($"{parameters.Required("name", 5)} {sum} {parameters.Flag("loud")} {string.Join('+', parameters.List("tags") ?? [])}");
        }, isPrivate: false);
        app.Post("/json", async request =>
        {
            using JsonDocument json = await request.JsonAsync();
            request.Text(json.RootElement.GetProperty("name").GetString()!);
        }, isPrivate: false);
        app.Put("/echo", async request => request.Bytes((await request.ContentAsync()).ToArray(), request.Header("Content-Type") ?? ""), isPrivate: false);
        app.Post("/copy", async request =>
        {
            long length = 0;
            byte[] buffer = new byte[4096];
            await using Stream content = request.ContentStream(maxBytes: 100_000);
            while (await content.ReadAsync(buffer) is > 0 and int read) length += read;
            request.Text($"{length}");
        }, isPrivate: false);
        app.Get("/gone", request => request.Redirect("/note/7", 303), isPrivate: false);
        app.Get("/page", request =>
        {
            request.SetHeader("Cache-Control", "max-age=60");
            request.SetHeader("content-type", "text/html; charset=latin1");
            request.Html("<p>hi</p>");
        }, isPrivate: false);
        app.Get("/fail/{how}", Fail, isPrivate: false);
        app.Get("/stream", async request =>
        {
            await using Stream stream = request.Stream("text/csv");
            stream.Write("a,b\n"u8);
            await stream.WriteAsync("1,2\n"u8.ToArray());
            stream.Write(new byte[200_000]);
        }, isPrivate: false);
        app.Get("/events", async request =>
        {
            using AppSubscription subscription = request.App.Events.Subscribe("news");
            AppEventStream events = await request.EventsAsync();
            await events.SendAsync("hello\nworld", "greeting", "1");
            await events.SendAllAsync(subscription);
        });
        app.Get("/socket", async request =>
        {
            WebSocketConnection? socket = await request.AcceptWebSocketAsync();
            if (socket is null) return;
            while (await socket.ReceiveAsync() is { } message) await socket.SendAsync(message.Kind, message.Payload);
        });
        app.Post("/ask", async request => request.Text(await request.App.Ai.CompleteAsync((await request.ParametersAsync()).Required("prompt"), request.User.UserId)));
        app.Get("/ask/stream", async request =>
        {
            AppEventStream events = await request.EventsAsync();
            await foreach (string word in request.App.Ai.StreamAsync("one two three", request.User.UserId)) await events.SendAsync(word);
        });
        app.Register("/blocks", request =>
        {
            request.App.Cache.Set("k", "v", TimeSpan.FromMinutes(1));
            Thread.Sleep(1);
            request.Text(request.App.Cache.Get("k") + request.App.Cache.Delete("k") + request.App.Cache.Delete("k") + (request.App.Cache.Get("k") ?? "-"));
        }, isPrivate: false);
        app.Before(request =>
        {
            request.Items["seen"] = true;
            if (request.Header("X-Stop") is { } why) request.Fail(418, why, code: "teapot");
        });
        app.After(request =>
        {
            lock (_seen) _seen.Add($"{request.Method} {request.Path} {request.Status} {request.Items["seen"]}");
            if (request.Path == "/note/hooked") request.SetHeader("X-Hook", "after");
            if (request.Path == "/note/bad-hook") throw new InvalidOperationException("of the hook");
        });
    }

    private static void Fail(AppRequest request)
    {
        switch (request.PathValue("how"))
        {
            case "thrown": throw new AppException(409, "taken already", "name", "name_taken");
            case "told": request.Fail(403, "not yours"); break;
            case "bug": throw new InvalidOperationException("secret of the handler");
            case "silent": break;
            case "twice":
                request.Text("once");
                request.Text("twice");
                break;
            case "header": request.SetHeader("X", "a\r\nSet-Cookie: b"); break;
            case "framing": request.SetHeader("content-length", "5"); break;
            case "half":
                request.Stream("text/plain").Write("half"u8);
                throw new InvalidOperationException("in the middle");
        }
    }

    [Test]
    public async Task Public_endpoints_take_anyone_and_know_a_session_that_is_good()
    {
        Assert.That((await _app.GetAsync("/")).Content, Is.EqualTo("GET nobody"));
        Assert.That((await _app.GetAsync("/", _app.Token)).Content, Is.EqualTo("GET alice"));
        Assert.That((await _app.GetAsync("/", "of-nobody")).Content, Is.EqualTo("GET nobody"));
        foreach (string method in (string[])["POST", "PUT", "PATCH", "DELETE"])
            Assert.That((await _app.SendAsync(new HttpMethod(method), "/", null, null)).Content, Is.EqualTo(method + " nobody"));
        Assert.That((await _app.GetAsync("/inline")).Content, Is.EqualTo("inline"));
        using RawClient client = _app.Connect();
        RawResponse head = client.Exchange("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", isHead: true);
        Assert.That((head.Status, head.Field("Content-Length"), head.Field("Content-Type")), Is.EqualTo((200, "11", "text/plain; charset=utf-8")));
        RawResponse options = client.Exchange("OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n");
        Assert.That((options.Status, options.Field("Allow")), Is.EqualTo((204, "GET, HEAD, POST, PUT, DELETE, PATCH")));
    }

    [Test]
    public async Task Private_endpoints_take_holders_of_a_session()
    {
        (await _app.GetAsync("/private")).IsError(401, "authentication_error", "missing_session");
        (await _app.GetAsync("/private", "of-nobody")).IsError(401, "authentication_error", "invalid_session");
        Reply reply = await _app.GetAsync("/private", _app.Token);
        Assert.That(reply.Content, Is.EqualTo($$"""{"user_id":"{{_app.UserId}}","username":"alice"}"""));
        Assert.That(reply.Field("Content-Type"), Is.EqualTo("application/json"));
    }

    [TestCase("/note/7", "7")]
    [TestCase("/note/a%2Fb%20%C3%BC+c", "a/b ü+c")]
    public async Task Path_values_are_decoded(string target, string value) => Assert.That((await _app.GetAsync(target)).Content, Is.EqualTo(value));

    [Test]
    public async Task Path_values_that_are_no_text_are_refused()
    {
        foreach (string bad in (string[])["/note/%zz", "/note/%f", "/note/%ff", "/note/%00"]) (await _app.GetAsync(bad)).IsError(400, "invalid_request_error", "invalid_parameter", "id");
        (await _app.GetAsync("/note/7/x")).IsError(500, "server_error", "internal_error");
        (await _app.GetAsync("/note/")).IsError(404, "not_found_error", "not_found");
        Assert.That((await _app.SendAsync(HttpMethod.Delete, "/note/7", null, null)).Status, Is.EqualTo(204));
        Reply wrong = await _app.SendAsync(HttpMethod.Post, "/note/7", null, null);
        wrong.IsError(405, "invalid_request_error", "method_not_allowed");
        Assert.That(wrong.Field("Allow"), Is.EqualTo("GET, HEAD, DELETE"));
    }

    [Test]
    public async Task Parameters_come_from_query_form_and_json()
    {
        Assert.That((await _app.SendAsync(HttpMethod.Post, "/sum?name=q&b=5", null, null)).Content, Is.EqualTo("q 6 False "));
        Assert.That((await _app.SendAsync(HttpMethod.Post, "/sum?name=q&b=5", "name=form&a=2&loud=1&tags=x,y", null)).Content, Is.EqualTo("form 7 True x+y"));
        Assert.That((await _app.SendAsync(HttpMethod.Post, "/sum", """{"name":"json","a":3,"loud":true,"tags":["x"]}""", null)).Content, Is.EqualTo("json 13 True x"));
        (await _app.SendAsync(HttpMethod.Post, "/sum", "a=101&name=n", null)).IsError(400, "invalid_request_error", "invalid_parameter", "a");
        (await _app.SendAsync(HttpMethod.Post, "/sum", "a=1", null)).IsError(400, "invalid_request_error", "missing_parameter", "name");
        (await _app.SendAsync(HttpMethod.Post, "/sum", "name=toolong", null)).IsError(400, "invalid_request_error", "invalid_parameter", "name");
        (await _app.SendAsync(HttpMethod.Post, "/sum", "{\"name\":", null)).IsError(400, "invalid_request_error", "malformed_content");
        (await _app.SendAsync(HttpMethod.Post, "/sum", "x", null, "text/csv")).IsError(415, "invalid_request_error", "unsupported_media_type");
    }

    [Test]
    public async Task Content_is_read_whole_as_json_and_as_it_comes()
    {
        Assert.That((await _app.SendAsync(HttpMethod.Post, "/json", """{"name":"x"}""", null)).Content, Is.EqualTo("x"));
        (await _app.SendAsync(HttpMethod.Post, "/json", "{", null)).IsError(400, "invalid_request_error", "malformed_content");
        Reply echo = await _app.SendAsync(HttpMethod.Put, "/echo", "a=b", null, "text/x");
        Assert.That((echo.Content, echo.Field("Content-Type")), Is.EqualTo(("a=b", "text/x; charset=utf-8")));
        Assert.That((await _app.SendAsync(HttpMethod.Post, "/copy", new string('x', 100_000), null)).Content, Is.EqualTo("100000"));
        (await _app.SendAsync(HttpMethod.Post, "/copy", new string('x', 100_001), null)).IsError(413, "invalid_request_error", null);
    }

    [Test]
    public async Task Each_request_has_its_event_row()
    {
        await _app.SendAsync(HttpMethod.Post, "/sum?b=row", "name=row", _app.Token);
        await _app.SendAsync(HttpMethod.Post, "/json?row", """{"name":"row","password":"of nobody"}""", _app.Token);
        // What is neither a form nor JSON may have a secret anywhere.
        await _app.SendAsync(HttpMethod.Put, "/echo?bare", "password: hunter2", _app.Token, "text/plain");
        await _app.SendAsync(HttpMethod.Put, "/echo?said", """{"kept":1}""", _app.Token, "application/problem+json");
        await _app.App.Host.Events.FlushAsync();
        IReadOnlyList<EventRecord> rows = await _app.App.Host.Db.Events.QueryAsync(new EventQuery());
        Assert.That(rows.Single(static row => row.Params == "bare").Request, Is.Empty);
        Assert.That(rows.Single(static row => row.Params == "said").Request, Is.EqualTo("""{"kept":1}"""));
        EventRecord sum = rows.Single(static row => row.Params == "b=row"), json = rows.Single(static row => row.Params == "row");
        Assert.That((sum.Endpoint, sum.Status, sum.UserId, sum.Request), Is.EqualTo(("/sum", 400L, _app.UserId, "name=row")));
        Assert.That(sum.Response, Does.Contain("b is not a whole number"));
        Assert.That((json.Endpoint, json.Status, json.UserId, json.Response), Is.EqualTo(("/json", 200L, _app.UserId, "row")));
        Assert.That(json.Request, Does.Contain("row").And.Not.Contain("nobody"));
    }

    [Test]
    public async Task Answers_have_fields_redirections_and_streams()
    {
        Reply page = await _app.GetAsync("/page");
        Assert.That((page.Content, page.Field("Cache-Control"), page.Field("Content-Type")), Is.EqualTo(("<p>hi</p>", "max-age=60", "text/html; charset=latin1")));
        Reply gone = await _app.GetAsync("/gone");
        Assert.That((gone.Status, gone.Field("Location")), Is.EqualTo((303, "/note/7")));
        Reply stream = await _app.GetAsync("/stream");
        Assert.That((stream.Content.Length, stream.Content[..8], stream.Field("Content-Type")), Is.EqualTo((200_008, "a,b\n1,2\n", "text/csv")));
    }

    [Test]
    public async Task Errors_have_the_one_shape()
    {
        (await _app.GetAsync("/fail/thrown")).IsError(409, "conflict_error", "name_taken", "name");
        (await _app.GetAsync("/fail/told")).IsError(403, "permission_error", null);
        Reply bug = await _app.GetAsync("/fail/bug");
        bug.IsError(500, "server_error", "internal_error");
        Assert.That(bug.Content, Does.Not.Contain("secret"));
        foreach (string own in (string[])["silent", "twice", "header", "framing"]) (await _app.GetAsync("/fail/" + own)).IsError(500, "server_error", "internal_error");
        using RawClient client = _app.Connect();
        client.Send("GET /fail/half HTTP/1.1\r\nHost: x\r\n\r\n").ReadToEnd(out byte[] rest);
        // Cut off: the last chunk is missing.
        Assert.That(Encoding.ASCII.GetString(rest), Does.Not.Contain("0\r\n\r\n"));
    }

    [Test]
    public async Task The_model_completes_and_streams()
    {
        Reply whole = await _app.SendAsync(HttpMethod.Post, "/ask", "prompt=ping", _app.Token);
        Assert.That((whole.Status, whole.Content), Is.EqualTo((200, whole.Content)));
        Assert.That(whole.Content, Is.Not.Empty);
        Reply stream = await _app.GetAsync("/ask/stream", _app.Token);
        Assert.That(stream.Content.Split("data: ").Length, Is.GreaterThan(2));
    }

    [Test]
    public async Task Handlers_may_block_in_the_cache() => Assert.That((await _app.GetAsync("/blocks")).Content, Is.EqualTo("vTrueFalse-"));

    [Test]
    public async Task Hooks_see_every_route_and_may_answer_first()
    {
        await _app.GetAsync("/user/session", _app.Token);
        Reply hooked = await _app.GetAsync("/note/hooked");
        Assert.That((hooked.Content, hooked.Field("X-Hook")), Is.EqualTo(("hooked", "after")));
        Assert.That((await _app.GetAsync("/note/bad-hook")).Status, Is.EqualTo(200));
        using RawClient client = _app.Connect();
        RawResponse stopped = client.Exchange("GET /note/stopped HTTP/1.1\r\nHost: x\r\nX-Stop: no tea\r\n\r\n");
        Assert.That((stopped.Status, stopped.Text), Is.EqualTo((418, """{"error":{"message":"no tea","type":"invalid_request_error","param":null,"code":"teapot"}}""")));
        RawResponse own = client.Exchange($"GET /user/read HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {_app.Token}\r\nX-Stop: no\r\n\r\n");
        Assert.That(own.Status, Is.EqualTo(418));
        await _app.GetAsync("/healthz");
        lock (_seen)
        {
            Assert.That(_seen, Does.Contain("GET /user/session 200 True"));
            Assert.That(_seen, Does.Contain("GET /note/stopped 418 True"));
            Assert.That(_seen, Has.None.Contains("/healthz"));
        }
    }

    [Test]
    public async Task Events_come_to_a_stream_until_its_session_ends()
    {
        (string token, _) = await _app.SignUpAsync("reader");
        using RawClient client = _app.Connect();
        client.Send($"GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
        string head = client.ReadHead();
        Assert.That(head, Does.Contain("Content-Type: text/event-stream"));
        StringBuilder text = new();
        void ReadTo(string part)
        {
            text.Clear();
            while (!text.ToString().Contains(part, StringComparison.Ordinal)) text.Append(Encoding.UTF8.GetString(client.Take(1)));
        }
        ReadTo("event: greeting\n");
        ReadTo("id: 1\n");
        ReadTo("data: hello\n");
        ReadTo("data: world\n");
        Assert.That(await _app.App.Events.PublishAsync("news", "first"), Is.True);
        ReadTo("data: first");
        await _app.SendAsync(HttpMethod.Post, "/user/logout", null, token);
        // An orderly end.
        ReadTo("\r\n0\r\n\r\n");
    }

    [Test]
    public async Task A_websocket_echoes_and_closes_when_its_session_ends()
    {
        (string token, _) = await _app.SignUpAsync("talker");
        using ClientWebSocket socket = new();
        socket.Options.SetRequestHeader("Authorization", $"Bearer {token}");
        await socket.ConnectAsync(new Uri($"ws://{_app.App.EndPoints[0]}/socket"), CancellationToken.None);
        await socket.SendAsync("hi"u8.ToArray(), WebSocketMessageType.Text, true, CancellationToken.None);
        byte[] buffer = new byte[64];
        WebSocketReceiveResult received = await socket.ReceiveAsync(buffer, CancellationToken.None);
        Assert.That(Encoding.UTF8.GetString(buffer, 0, received.Count), Is.EqualTo("hi"));
        await _app.SendAsync(HttpMethod.Post, "/user/logout", null, token);
        received = await socket.ReceiveAsync(buffer, CancellationToken.None);
        Assert.That((int)received.CloseStatus!, Is.EqualTo(1008));
        (await _app.GetAsync("/socket", _app.Token)).IsError(426, "invalid_request_error", null);
        using RawClient foreign = _app.Connect();
        RawResponse malformed = foreign.Exchange($"GET /event/subscribe?topic=x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {_app.Token}\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 12\r\n\r\n");
        Assert.That((malformed.Status, malformed.Field("Sec-WebSocket-Version")), Is.EqualTo((426, "13")), "Turbo's own streams, too");
        RawResponse refused = foreign.Exchange($"GET /socket HTTP/1.1\r\nHost: x\r\nCookie: sess={_app.Token}\r\nOrigin: https://evil.example\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
        Assert.That(refused.Status, Is.EqualTo(403));
    }
}

using System.Text;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>Contract section 2, over sockets.</summary>
internal sealed class RequestsAndResponsesTests(DatabaseKind kind) : EachKindFixture(kind)
{
    private TestApp _app = null!;
    private string _token = "";

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        _app = await StartAppAsync();
        (_token, _) = await _app.SignUpAsync("alice");
    }

    [OneTimeTearDown]
    public async Task StopAsync() => await _app.DisposeAsync();

    // What the body says, and the last name that comes of it.
    [TestCase("application/x-www-form-urlencoded", "last_name=a+b%21", "a b!")]
    [TestCase("application/x-www-form-urlencoded; charset=utf-8", "last_name=%C3%BC", "ü")]
    [TestCase("APPLICATION/X-WWW-FORM-URLENCODED", "last_name=x", "x")]
    [TestCase("application/json", """{"last_name":"\u00fc \"q\""}""", "ü \"q\"")]
    [TestCase("application/json; charset=utf-8", """ {"last_name":"x"} """, "x")]
    [TestCase("application/vnd.api+json", """{"last_name":"x"}""", "x")]
    [TestCase("application/x-www-form-urlencoded", """{"last_name":"x"}""", "x")]       // curl -d '{…}'
    [TestCase("text/plain", "\r\n\t {\"last_name\":\"x\"}", "x")]
    [TestCase("application/json", """{"unknown":{"a":[1,{"b":null}]},"last_name":"x","more":[1,2]}""", "x")]
    [TestCase("application/json", """{"last_name":"first","last_name":"last"}""", "last")]
    [TestCase("application/x-www-form-urlencoded", "last_name=first&last_name=last", "first")]
    [TestCase(null, "last_name=x", "x")]
    public async Task Parameters_come_from_a_form_or_JSON(string? type, string body, string expected)
    {
        Reply reply = await PostAsync("/user/update", type, body);
        Assert.That(reply.Status, Is.EqualTo(200), reply.Content);
        Assert.That(reply.Json.GetProperty("user").GetProperty("last_name").GetString(), Is.EqualTo(expected));
    }

    [TestCase("?last_name=query", "application/json", """{"last_name":"body"}""", "body")]
    [TestCase("?last_name=query", "application/x-www-form-urlencoded", "last_name=body", "body")]
    [TestCase("?last_name=query", "application/json", """{"last_name":null}""", "query")]
    [TestCase("?last_name=query", "application/json", "{}", "query")]
    [TestCase("?last_name=qu%20e+ry", null, "", "qu e ry")]
    public async Task The_body_wins_over_the_query(string query, string? type, string body, string expected)
    {
        Reply reply = await PostAsync("/user/update" + query, type, body);
        Assert.That(reply.Json.GetProperty("user").GetProperty("last_name").GetString(), Is.EqualTo(expected), reply.Content);
    }

    [TestCase("""{"last_name":5}""")]
    [TestCase("""{"last_name":true}""")]
    [TestCase("""{"last_name":["x"]}""")]
    [TestCase("""{"last_name":{"x":1}}""")]
    public async Task A_wrong_type_is_400_naming_the_field(string body) =>
        (await PostAsync("/user/update", "application/json", body)).IsError(400, "invalid_request_error", "invalid_parameter", "last_name");

    [TestCase("application/json", "{")]
    [TestCase("application/json", """{"last_name":"x",}""")]
    [TestCase("application/json", "[]")]
    [TestCase("application/json", "last_name=x")]
    [TestCase("application/json", "\"x\"")]
    [TestCase("application/json", """{"a":"\ud800"}""")]
    [TestCase("application/x-www-form-urlencoded", "last_name=%zz")]
    [TestCase("application/x-www-form-urlencoded", "%=x")]
    public async Task Malformed_content_is_400(string type, string body) =>
        (await PostAsync("/user/update", type, body)).IsError(400, "invalid_request_error", "malformed_content");

    [Test]
    public async Task A_malformed_query_is_400() =>
        (await _app.GetAsync("/user/read?id=%4", _token)).IsError(400, "invalid_request_error", "malformed_content");

    [Test]
    public async Task Too_many_fields_are_400()
    {
        string form = string.Join('&', Enumerable.Range(0, 257).Select(static i => $"a{i}=x"));
        (await PostAsync("/user/update", "application/x-www-form-urlencoded", form)).IsError(400, "invalid_request_error", "too_many_fields");
        string json = $$"""{"array":[{{string.Join(',', Enumerable.Repeat("\"x\"", 5000))}}],"last_name":"after a long array"}""";
        Assert.That((await PostAsync("/user/update", "application/json", json)).Status, Is.EqualTo(200), "an unknown field may hold anything");
    }

    [TestCase("text/plain")]
    [TestCase("application/xml")]
    [TestCase("multipart/form-data; boundary=x")]
    [TestCase("application/octet-stream")]
    [TestCase("garbage")]
    public async Task Content_of_another_type_is_415(string type)
    {
        (await PostAsync("/user/update", type, "last_name=x")).IsError(415, "invalid_request_error", "unsupported_media_type");
        Assert.That((await PostAsync("/user/update", type, "")).Status, Is.EqualTo(200), "an empty body has no type");
    }

    [Test]
    public async Task Compressed_content_is_415()
    {
        ByteArrayContent content = new([1, 2, 3]);
        content.Headers.ContentEncoding.Add("gzip");
        (await _app.SendAsync(HttpMethod.Post, "/user/update", content, _token)).IsError(415, "invalid_request_error", "unsupported_media_type");
    }

    [Test]
    public async Task A_body_over_the_limit_is_413_and_one_at_it_is_not()
    {
        int limit = (int)_app.App.Options.Limits.MaxBodyBytes;
        string start = "last_name=x&pad=";
        Assert.That((await PostAsync("/user/update", "application/x-www-form-urlencoded", start.PadRight(limit, 'x'))).Status, Is.EqualTo(200));
        (await PostAsync("/user/update", "application/x-www-form-urlencoded", start.PadRight(limit + 1, 'x'))).IsError(413, "invalid_request_error", null);
    }

    [TestCase("/nowhere")]
    [TestCase("/user")]
    [TestCase("/user/")]
    [TestCase("/user/read/")]
    [TestCase("/User/read")]
    [TestCase("/user/%72ead")]
    public async Task An_unknown_path_is_404(string target) => (await _app.GetAsync(target, _token)).IsError(404, "not_found_error", "not_found");

    [TestCase("/user/signup", "GET", "POST")]
    [TestCase("/user/login", "GET", "POST")]
    [TestCase("/user/update", "GET", "POST")]
    [TestCase("/user/password/update", "HEAD", "POST")]
    [TestCase("/user/read", "PUT", "GET, HEAD, POST")]
    [TestCase("/user/session", "DELETE", "GET, HEAD, POST")]
    [TestCase("/user/logout", "PATCH", "GET, HEAD, POST")]
    [TestCase("/healthz", "BREW", "GET, HEAD, POST")]
    public async Task Another_method_is_405_with_Allow(string target, string method, string allow)
    {
        Reply reply = await _app.SendAsync(new HttpMethod(method), target, null, _token);
        Assert.That(reply.Status, Is.EqualTo(405));
        Assert.That(reply.Field("Allow"), Is.EqualTo(allow));
        if (method != "HEAD") reply.IsError(405, "invalid_request_error", "method_not_allowed");
    }

    [Test]
    public void Options_for_the_whole_server_is_204()
    {
        using RawClient client = _app.Connect();
        for (int i = 0; i < 2; i++)
        {
            RawResponse response = client.Exchange("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
            Assert.That((response.Status, response.Field("Content-Length"), response.Field("Connection")), Is.EqualTo((204, (string?)null, (string?)null)));
        }
    }

    [Test]
    public async Task Head_is_get_without_the_content()
    {
        Reply get = await _app.GetAsync("/user/session", _token), head = await _app.SendAsync(HttpMethod.Head, "/user/session", null, _token);
        Assert.That((head.Status, head.Content), Is.EqualTo((200, "")));
        Assert.That(head.Field("Content-Length"), Is.EqualTo(get.Field("Content-Length")));
        Assert.That(head.Field("Content-Type"), Is.EqualTo("application/json"));
    }

    // What the server itself refuses, before or within a handler, is told in the same shape.
    [TestCase("BAD\r\n\r\n", 400, "invalid_request_error")]
    [TestCase("GET / HTTP/1.1\r\n\r\n", 400, "invalid_request_error")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\nno colon\r\n\r\n", 400, "invalid_request_error")]
    [TestCase("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n", 414, "invalid_request_error")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nX: {long}{long}\r\n\r\n", 431, "invalid_request_error")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nExpect: something\r\n\r\n", 417, "invalid_request_error")]
    [TestCase("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501, "server_error")]
    [TestCase("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "server_error")]
    [TestCase("POST /user/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "server_error")]
    [TestCase("POST /user/login HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", 413, "invalid_request_error")]
    public void What_the_server_refuses_has_the_error_shape(string request, int status, string type)
    {
        using RawClient client = _app.Connect();
        RawResponse response = client.Exchange(request.Replace("{long}", new string('x', 16 * 1024)));
        Assert.That(response.Status, Is.EqualTo(status));
        Assert.That((response.Field("Content-Type"), response.Field("Connection")), Is.EqualTo(("application/json", "close")));
        Assert.That(response.Field("Access-Control-Allow-Origin"), Is.Not.Null);
        Assert.That(response.Text, Does.Match($"^{{\"error\":{{\"message\":\"[^\"]+\",\"type\":\"{type}\",\"param\":null,\"code\":null}}}}$"));
    }

    [Test]
    public async Task A_connection_too_many_is_503_in_the_error_shape()
    {
        await using TestApp app = await StartAppAsync(static options => options with { Limits = options.Limits with { MaxConnections = 1 } });
        using RawClient first = app.Connect();
        Assert.That(first.Exchange("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").Status, Is.EqualTo(200));
        using RawClient second = app.Connect();
        RawResponse refused = second.Read();
        second.ExpectFin();
        Assert.That((refused.Status, refused.Field("Retry-After"), refused.Field("Access-Control-Allow-Origin")), Is.EqualTo((503, "1", "*")));
        Assert.That(refused.Text, Is.EqualTo("""{"error":{"message":"too many connections; try again","type":"server_error","param":null,"code":"overloaded"}}"""));
    }

    [Test]
    public async Task A_body_that_does_not_come_is_408()
    {
        await using TestApp app = await StartAppAsync(static options => options with { Limits = options.Limits with { BodyTimeout = TimeSpan.FromMilliseconds(50) } });
        using RawClient client = app.Connect();
        RawResponse response = client.Exchange("POST /user/login HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nuser");
        Assert.That((response.Status, response.Field("Connection")), Is.EqualTo((408, "close")));
        Assert.That(response.Text, Does.Contain("\"type\":\"invalid_request_error\""));
        Assert.That((await app.EventsAsync()).Single().Status, Is.EqualTo(408));
    }

    [Test]
    public async Task Health()
    {
        Reply healthy = await _app.GetAsync("/healthz"), ready = await _app.GetAsync("/readyz");
        Assert.That((healthy.Status, healthy.Content), Is.EqualTo((200, """{"status":"ok"}""")));
        Assert.That((ready.Status, ready.Content), Is.EqualTo((200, """{"status":"ready"}""")));
    }

    private Task<Reply> PostAsync(string target, string? type, string body)
    {
        ByteArrayContent content = new(Encoding.UTF8.GetBytes(body));
        if (type is not null) content.Headers.TryAddWithoutValidation("Content-Type", type);
        return _app.SendAsync(HttpMethod.Post, target, content, _token);
    }
}

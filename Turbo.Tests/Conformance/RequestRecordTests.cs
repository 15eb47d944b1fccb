using System.Net;
using Turbo.Server.Logging;
using Turbo.Server.Model;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>What a request leaves behind: a log line (contract section 1) and an event row (section 9).</summary>
internal sealed class RequestRecordTests(DatabaseKind kind) : EachKindFixture(kind)
{
    [Test]
    public async Task One_row_a_request_whatever_its_answer()
    {
        await using TestApp app = await StartAppAsync();
        (string token, string id) = await app.SignUpAsync("alice", "secret");
        Reply update = await app.FormAsync("/user/update?x=y%20z", "first_name=Al&last_name=Li+ddell", token);
        await app.GetAsync("/nowhere?token=abc");
        await app.GetAsync("/user/update", token);
        await app.GetAsync("/user/session", "bad");
        await app.GetAsync("/healthz");
        await app.FormAsync("/user/update", "username=%", token);

        List<EventRecord> rows = await app.EventsAsync();
        Assert.That(rows.Select(static row => $"{row.Method} {row.Endpoint} {row.Status}"), Is.EqualTo(new[]
        {
            "POST /user/signup 200", "POST /user/update 200", "GET /nowhere 404", "GET /user/update 405",
            "GET /user/session 401", "GET /healthz 200", "POST /user/update 400",
        }));
        EventRecord row = rows[1];
        Assert.That((row.ClientIp, row.UserId, row.Message), Is.EqualTo(("127.0.0.1", id, "")));
        Assert.That((row.Params, row.Request), Is.EqualTo(("x=y%20z", "first_name=Al&last_name=Li+ddell")));
        Assert.That(row.Response, Is.EqualTo(update.Content));
        Assert.That(row.Duration, Is.InRange(1_000, 60_000_000_000));
        Assert.That(row.Timestamp, Is.EqualTo(DateTime.UtcNow).Within(TimeSpan.FromMinutes(1)));
        Assert.That(rows[0].UserId, Is.EqualTo(id), "who has just signed up");
        Assert.That(rows[4].UserId, Is.Empty);
        Assert.That(rows[4].Message, Does.StartWith("the session is unknown"));
    }

    [Test]
    public async Task No_password_and_no_token_is_in_a_row_or_a_log_line()
    {
        const string Password = "hunter2-hunter2", Other = "correct-horse";
        TestApp app = await StartAppAsync(static options => options with { LogLevel = LogLevel.Debug });
        List<string> secrets = [Password, Other];
        List<EventRecord> rows;
        try
        {
            (string token, _) = await app.SignUpAsync("alice", Password);
            secrets.Add(token);
            Reply logIn = await app.FormAsync($"/user/login?password={Other}", $"username=alice&password={Password}");
            secrets.Add(logIn.Json.GetProperty("Token").GetString()!);
            await app.JsonAsync("/user/password/update", $$"""{"old_password":"{{Password}}","new_password":"{{Other}}"}""", secrets[^1]);
            await app.FormAsync("/user/update", $"first_name=Al&password={Other}", secrets[^1]);
            await app.JsonAsync("/user/update", $$"""{"first_name":"Al","token":"{{token}}"}""", secrets[^1]);
            await app.GetAsync($"/user/read?p%61ssword={Other}&token={Uri.EscapeDataString(token)}", secrets[^1]);
            await app.GetAsync($"/user/logout?token={Uri.EscapeDataString(secrets[^1])}");
            rows = await app.EventsAsync();
        }
        finally
        {
            await app.DisposeAsync();
        }
        Assert.That(rows, Has.Count.EqualTo(7));
        foreach (EventRecord row in rows)
        {
            string all = string.Join('\n', row.Params, row.Request, row.Response, row.Message, row.Endpoint, row.Model);
            foreach (string secret in secrets) Assert.That(Uri.UnescapeDataString(all), Does.Not.Contain(secret), row.Endpoint);
            if (row.Endpoint is "/user/signup" or "/user/login" or "/user/logout" or "/user/password/update") Assert.That(row.Request + row.Response, Is.Empty);
        }
        foreach (string secret in secrets) Assert.That(Uri.UnescapeDataString(app.Log), Does.Not.Contain(secret));
    }

    [Test]
    public async Task One_line_a_request()
    {
        TestApp app = await StartAppAsync();
        string id;
        await using (app)
        {
            (string token, id) = await app.SignUpAsync("alice");
            await app.GetAsync("/user/session?a=b", token);
            await app.GetAsync("/nowhere");
        }
        string[] lines = app.Log.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(static line => line.Contains("client_ip=", StringComparison.Ordinal)).ToArray();
        Assert.That(lines, Has.Length.EqualTo(3), app.Log);
        Assert.That(lines[1], Does.Match($" info GET /user/session 200 .*client_ip=127\\.0\\.0\\.1 user_id={id}"));
        Assert.That(lines[2], Does.Contain(" GET /nowhere 404 ").And.Not.Contain("user_id"));
    }

    [Test]
    public async Task A_request_that_cannot_be_read_has_a_line_and_the_error_shape()
    {
        TestApp app = await StartAppAsync();
        RawResponse answer;
        await using (app)
        {
            using RawClient client = app.Connect();
            answer = client.Exchange("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
            Assert.That(await app.EventsAsync(), Is.Empty);
        }
        Assert.That(answer.Status, Is.EqualTo(400));
        Assert.That(answer.Field("Access-Control-Allow-Origin"), Is.EqualTo("*"));
        Assert.That(answer.Field("Content-Type"), Is.EqualTo("application/json"));
        Assert.That(answer.Text, Is.EqualTo("""{"error":{"message":"missing or malformed Host","type":"invalid_request_error","param":null,"code":null}}"""));
        Assert.That(app.Log, Does.Contain(" 400 ").And.Contain("client_ip=127.0.0.1"));
    }

    [Test]
    public async Task A_body_cut_short_or_malformed_has_its_row()
    {
        await using TestApp app = await StartAppAsync();
        using RawClient client = app.Connect();
        RawResponse answer = client.Exchange("POST /user/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
        Assert.That((answer.Status, answer.Field("Connection")), Is.EqualTo((400, "close")));
        Assert.That(answer.Text, Does.Contain("malformed chunked body"));
        EventRecord row = (await app.EventsAsync()).Single();
        Assert.That((row.Endpoint, row.Status, row.Message), Is.EqualTo(("/user/login", 400, "malformed chunked body")));
    }

    [TestCase("10.0.0.0/8", "203.0.113.9", "127.0.0.1")]                                  // the peer is no proxy of ours
    [TestCase("127.0.0.1", "203.0.113.9", "203.0.113.9")]
    [TestCase("127.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9")]                        // the first is what the client said
    [TestCase("127.0.0.1,10.0.0.0/8", "6.6.6.6, 203.0.113.9, 10.1.2.3", "203.0.113.9")]
    [TestCase("127.0.0.1,10.0.0.0/8", "10.9.9.9, 10.1.2.3", "10.9.9.9")]
    [TestCase("127.0.0.1", "203.0.113.9:1234", "203.0.113.9")]
    [TestCase("127.0.0.1", "[2001:db8::9]:443", "2001:db8::9")]
    [TestCase("127.0.0.1", "2001:DB8::9", "2001:db8::9")]
    [TestCase("127.0.0.1", "::ffff:203.0.113.9", "203.0.113.9")]
    [TestCase("127.0.0.1", "unknown", "127.0.0.1")]
    [TestCase("127.0.0.1", "203.0.113.9, garbage", "127.0.0.1")]
    [TestCase("127.0.0.1", "", "127.0.0.1")]
    [TestCase("127.0.0.1", " , ,", "127.0.0.1")]
    [TestCase("", "203.0.113.9", "127.0.0.1")]
    public async Task The_client_is_the_peer_or_what_trusted_proxies_say(string trusted, string forwarded, string expected)
    {
        await using TestApp app = await StartAppAsync(options => options with
        {
            TrustedProxies = [.. trusted.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(static text => IPNetwork.Parse(text.Contains('/') ? text : text + "/32"))],
        });
        using RawClient client = app.Connect();
        client.Exchange($"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {forwarded}\r\nConnection: close\r\n\r\n");
        Assert.That((await app.EventsAsync()).Single().ClientIp, Is.EqualTo(expected));
    }

    [Test]
    public async Task Forwarded_addresses_in_several_fields_are_one_list()
    {
        await using TestApp app = await StartAppAsync(static options => options with { TrustedProxies = [IPNetwork.Parse("127.0.0.1/32"), IPNetwork.Parse("10.0.0.0/8")] });
        using RawClient client = app.Connect();
        client.Exchange("GET /healthz HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 203.0.113.9, 10.0.0.1\r\nx-forwarded-for: 10.0.0.2\r\nConnection: close\r\n\r\n");
        Assert.That((await app.EventsAsync()).Single().ClientIp, Is.EqualTo("203.0.113.9"));
    }

    [Test]
    public async Task Event_bodies_may_be_cut_or_left_out([Values(0, 10)] int bytes)
    {
        await using TestApp app = await StartAppAsync(options => options with { EventBodiesBytes = bytes });
        (string token, _) = await app.SignUpAsync("alice");
        await app.FormAsync("/user/update", "first_name=Al", token);
        EventRecord row = (await app.EventsAsync())[^1];
        Assert.That((row.Request, row.Response), Is.EqualTo(bytes == 0 ? ("", "") : ("first_name", "{\"user\":{\"")));
    }
}

using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json;
using Turbo.Server;
using Turbo.Server.Events;
using Turbo.Server.Logging;
using Turbo.Server.Mock;
using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>The event row of a proxied call (contract sections 8 and 9); those of Turbo's own routes are in RequestRecordTests.</summary>
internal sealed class EventTests(DatabaseKind kind) : EachKindFixture(kind)
{
    private const string Json = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    private const string Stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";

    private const string Completion =
        """{"id":"c","model":"gpt-4o-2024-08-06","choices":[{"message":{"content":"say \"usage\":{\"prompt_tokens\":9}"}}],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46,"prompt_tokens_details":{"cached_tokens":0}}}""";

    [Test]
    public async Task A_call_has_every_column()
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering($"{Json}Content-Length: {Completion.Length}\r\n\r\n{Completion}"));
        using RawClient client = proxy.Connect();
        const string body = """{"model":"gpt-4o","messages":[]}""";
        client.Exchange(proxy.Request("POST /v1/chat/completions?a=b%20c&token=hidden", $"Content-Type: application/json\r\nContent-Length: {body.Length}\r\n", body));
        EventRecord row = await proxy.EventAsync();
        Assert.That((row.Method, row.Endpoint, row.Params, row.Status), Is.EqualTo(("POST", "/v1/chat/completions", "a=b%20c&token=***", 200)));
        Assert.That((row.ClientIp, row.UserId, row.Message), Is.EqualTo(("127.0.0.1", proxy.UserId, "")));
        Assert.That((row.Request, row.Response), Is.EqualTo((body, Completion)));
        Assert.That((row.Model, row.PromptTokens, row.CompletionTokens, row.TotalTokens), Is.EqualTo(("gpt-4o-2024-08-06", 12L, 34L, 46L)));
        Assert.That(row.Ttfb, Is.InRange(1, row.Duration));
        Assert.That(row.Timestamp, Is.EqualTo(DateTime.UtcNow).Within(TimeSpan.FromMinutes(1)));
        Assert.That(Guid.Parse(row.Id), Is.Not.EqualTo(Guid.Empty));
    }

    [Test]
    public async Task One_row_a_call_whatever_its_end()
    {
        await using ProxyApp proxy = await StartProxyAsync(static peer =>
        {
            while (true)
            {
                string request = peer.ReadRequest();
                peer.Send(request.StartsWith("GET /v1/ok ", StringComparison.Ordinal) ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
                    : request.StartsWith("GET /v1/missing ", StringComparison.Ordinal) ? "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
                    : "nonsense\r\n\r\n");
            }
        });
        using RawClient client = proxy.Connect();
        string[] calls = ["/v1/ok", "/v1/missing", "/v1/ok", "/v1/malformed", "/v1/ok"];
        foreach (string call in calls) client.Exchange(proxy.Request($"GET {call}"));
        await proxy.App.GetAsync("/v1/ok");
        Assert.That((await proxy.EventsAsync()).Select(static row => $"{row.Method} {row.Endpoint} {row.Status} {row.Message}"), Is.EqualTo(new[]
        {
            "GET /v1/ok 200 ", "GET /v1/missing 404 ", "GET /v1/ok 200 ", "GET /v1/malformed 502 the upstream server's answer was malformed", "GET /v1/ok 200 ",
            "GET /v1/ok 401 this path needs a session: log in and send its token as Authorization: Bearer",
        }));
    }

    [Test]
    public async Task Nobodys_calls_have_no_user()
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering($"{Json}Content-Length: 2\r\n\r\n{{}}"), static o => o with { ProxyAuth = ProxyAuth.None });
        await proxy.App.GetAsync("/v1/models", proxy.Token);
        Assert.That((await proxy.EventAsync()).UserId, Is.Empty);
    }

    [TestCase(0, "", "")]
    [TestCase(5, "{\"a\":", "{\"id\"")]
    public async Task Bodies_are_kept_up_to_the_limit(int bytes, string request, string response)
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering($"{Json}Content-Length: {Completion.Length}\r\n\r\n{Completion}"), o => o with { EventBodiesBytes = bytes });
        await proxy.App.JsonAsync("/v1/chat/completions", """{"a":1}""", proxy.Token);
        EventRecord row = await proxy.EventAsync();
        Assert.That((row.Request, row.Response), Is.EqualTo((request, response)));
        Assert.That((row.Model, row.TotalTokens), Is.EqualTo(("gpt-4o-2024-08-06", 46L)), "usage does not depend on it");
    }

    [TestCase("multipart/form-data; boundary=b", "audio/mpeg")]
    [TestCase("application/octet-stream", "application/pdf")]
    public async Task What_is_no_text_is_not_kept(string sent, string answered)
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering($"HTTP/1.1 200 OK\r\nContent-Type: {answered}\r\nContent-Length: 3\r\n\r\n\u0001\u0002\u00ff"));
        using RawClient client = proxy.Connect();
        client.Exchange(proxy.Request("POST /v1/audio/speech", $"Content-Type: {sent}\r\nContent-Length: 3\r\n", "\0\u0001\u00fe"));
        EventRecord row = await proxy.EventAsync();
        Assert.That((row.Request, row.Response, row.Status), Is.EqualTo(("", "", 200)));
    }

    [TestCase("curl's form type", "Content-Type: application/x-www-form-urlencoded\r\n", """{"password":"SECRET","n":1}""", """{"password":"***","n":1}""")]
    [TestCase("a form", "Content-Type: application/x-www-form-urlencoded\r\n", "a=1&password=SECRET&token=SECRET", "a=1&password=***&token=***")]
    [TestCase("text", "Content-Type: text/plain\r\n", "hello, world", "hello, world")]
    [TestCase("no type", "", """{"password":"SECRET"}""", "")]
    public async Task A_requests_secrets_are_left_out(string what, string type, string body, string kept)
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering("HTTP/1.1 204 No Content\r\n\r\n"));
        using RawClient client = proxy.Connect();
        client.Exchange(proxy.Request("POST /v1/x", $"{type}Content-Length: {body.Length}\r\n", body));
        Assert.That((await proxy.EventAsync()).Request, Is.EqualTo(kept), what);
    }

    [Test]
    public async Task Usage_comes_from_the_last_chunk_of_a_stream()
    {
        await using MockServer mock = new(new MockOptions { Interval = TimeSpan.Zero });
        mock.Start();
        await using TestApp app = await StartAppAsync(o => o with { Upstream = UpstreamTarget.At(mock.EndPoints[0]) });
        (string token, string id) = await app.SignUpAsync("alice");
        Reply reply = await app.JsonAsync("/v1/chat/completions", """{"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hello there"}]}""", token);
        string last = reply.Content.Split("data: ")[^2];
        JsonElement usage = JsonDocument.Parse(last).RootElement.GetProperty("usage");
        Reply inline = await app.JsonAsync("/v1/chat/completions", """{"model":"gpt-4o","messages":[{"role":"user","content":"hello there"}]}""", token);
        JsonElement inlineUsage = inline.Json.GetProperty("usage");
        Reply silent = await app.JsonAsync("/v1/chat/completions", """{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hello"}]}""", token);
        Assert.That(silent.Content, Does.EndWith("data: [DONE]\n\n"));

        List<EventRecord> rows = (await app.EventsAsync())[1..];
        Assert.That((rows[0].Model, rows[0].UserId, rows[0].Response), Is.EqualTo(("gpt-4o-mini", id, reply.Content)));
        Assert.That(Usage(rows[0]), Is.EqualTo(Usage(usage)));
        Assert.That(rows[1].Model, Is.EqualTo("gpt-4o"));
        Assert.That(Usage(rows[1]), Is.EqualTo(Usage(inlineUsage)));
        Assert.That(rows[2].Model, Is.EqualTo("gpt-4o"));
        Assert.That(Usage(rows[2]), Is.EqualTo(((long?)null, (long?)null, (long?)null)), "the stream told none");
        Assert.That(rows, Has.All.Matches<EventRecord>(static row => row.Ttfb > 0 && row.Ttfb <= row.Duration));

        static (long?, long?, long?) Usage(object from) => from is EventRecord row
            ? (row.PromptTokens, row.CompletionTokens, row.TotalTokens)
            : (Number((JsonElement)from, "prompt_tokens"), Number((JsonElement)from, "completion_tokens"), Number((JsonElement)from, "total_tokens"));
        static long? Number(JsonElement usage, string name) => usage.GetProperty(name).GetInt64();
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task Usage_comes_from_the_responses_api(bool isStream)
    {
        await using MockServer mock = new(new MockOptions { Interval = TimeSpan.Zero });
        mock.Start();
        await using TestApp app = await StartAppAsync(o => o with { Upstream = UpstreamTarget.At(mock.EndPoints[0]) });
        (string token, _) = await app.SignUpAsync("alice");
        Reply reply = await app.JsonAsync("/v1/responses", $$"""{"model":"gpt-5","input":"hello there","stream":{{(isStream ? "true" : "false")}}}""", token);
        Assert.That(reply.Status, Is.EqualTo(200), reply.Content);
        string json = isStream ? reply.Content.Split("data: ")[^1] : reply.Content;
        JsonElement response = isStream ? JsonDocument.Parse(json).RootElement.GetProperty("response") : JsonDocument.Parse(json).RootElement;
        JsonElement usage = response.GetProperty("usage");
        EventRecord row = (await app.EventsAsync())[^1];
        Assert.That(row.Model, Is.EqualTo("gpt-5"));
        Assert.That((row.PromptTokens, row.CompletionTokens, row.TotalTokens),
            Is.EqualTo((usage.GetProperty("input_tokens").GetInt64(), usage.GetProperty("output_tokens").GetInt64(), usage.GetProperty("total_tokens").GetInt64())));
    }

    [TestCase("gzip", false)]
    [TestCase("x-gzip", false)]
    [TestCase("br", false)]
    [TestCase("deflate", false)]
    [TestCase("deflate", true)]
    public async Task Usage_comes_from_coded_bodies_too(string coding, bool isBare)
    {
        string coded = Encoding.Latin1.GetString(Coded(coding, isBare, Completion));
        int half = coded.Length / 2;
        using SemaphoreSlim next = new(0);
        await using ProxyApp proxy = await StartProxyAsync(peer =>
        {
            peer.ReadRequest();
            peer.Send($"{Json}Content-Encoding: {coding}\r\nTransfer-Encoding: chunked\r\n\r\n{half:x}\r\n{coded[..half]}\r\n");
            next.Wait(Until.Deadline);
            peer.Send($"{coded.Length - half:x}\r\n{coded[half..]}\r\n0\r\n\r\n").WaitForEnd();
        });
        using RawClient client = proxy.Connect();
        client.Send(proxy.Request("POST /v1/chat/completions", "Content-Length: 2\r\n", "{}"));
        client.ReadHead();
        string first = $"{half:x}\r\n{coded[..half]}\r\n";
        Assert.That(Encoding.Latin1.GetString(client.Take(first.Length)), Is.EqualTo(first), "nothing is held back to be decoded");
        next.Release();
        client.Take($"{coded.Length - half:x}\r\n{coded[half..]}\r\n0\r\n\r\n".Length);
        EventRecord row = await proxy.EventAsync();
        Assert.That((row.Model, row.PromptTokens, row.CompletionTokens, row.TotalTokens), Is.EqualTo(("gpt-4o-2024-08-06", 12L, 34L, 46L)));
        Assert.That(row.Response, Is.EqualTo(Completion), "decoded");
    }

    [Test]
    public async Task A_stream_that_the_client_left_is_recorded_as_far_as_it_came()
    {
        const string first = "data: {\"model\":\"gpt-4o\",\"choices\":[{\"delta\":{\"content\":\"one\"}}]}\n\n";
        await using ProxyApp proxy = await StartProxyAsync(peer =>
        {
            peer.ReadRequest();
            peer.Send($"{Stream}{first.Length:x}\r\n{first}\r\n").WaitForEnd();
        });
        using (RawClient client = proxy.Connect())
        {
            client.Send(proxy.Request("POST /v1/chat/completions", "Content-Length: 2\r\n", "{}"));
            client.ReadHead();
            client.Take(first.Length);
        }
        EventRecord row = await proxy.EventAsync();
        Assert.That((row.Status, row.Message, row.Model, row.Response), Is.EqualTo((200, "the client left", "gpt-4o", first)));
        Assert.That(row.Ttfb, Is.InRange(1, row.Duration));
        await Until.TrueAsync(() => proxy.Origin.Peer(0).HasEnded);
    }

    [Test]
    public async Task A_client_that_left_before_the_answer_has_its_row()
    {
        await using ProxyApp proxy = await StartProxyAsync(static peer =>
        {
            peer.ReadRequest();
            peer.WaitForEnd();
        });
        using (RawClient client = proxy.Connect())
        {
            client.Send(proxy.Request("POST /v1/chat/completions", "Content-Type: application/json\r\nContent-Length: 2\r\n", "{}"));
            await Until.TrueAsync(() => proxy.Origin.Connections == 1 && proxy.Origin.Peer(0).Received.Length > 0);
            client.Reset();
        }
        EventRecord row = await proxy.EventAsync();
        Assert.That((row.Status, row.Message, row.Request, row.Response, row.Ttfb), Is.EqualTo((499, "the client left", "{}", "", (long?)null)));
    }

    [Test]
    public async Task A_stream_that_the_origin_broke_off_says_so()
    {
        await using ProxyApp proxy = await StartProxyAsync(static peer =>
        {
            peer.ReadRequest();
            peer.Send($"{Stream}3\r\nabc\r\n").Close();
        });
        using RawClient client = proxy.Connect();
        client.Send(proxy.Request("GET /v1/x"));
        client.ReadToEnd(out byte[] all);
        Assert.That(Encoding.ASCII.GetString(all), Does.EndWith("\r\n3\r\nabc\r\n"), "no last chunk");
        EventRecord row = await proxy.EventAsync();
        Assert.That((row.Status, row.Message, row.Response), Is.EqualTo((200, "the upstream server broke off its response", "abc")));
    }

    [Test]
    public async Task A_tunnel_is_101()
    {
        await using ProxyApp proxy = await StartProxyAsync(static peer =>
        {
            peer.ReadHead();
            peer.Send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
            peer.Send(peer.Take(4)).Close();
        });
        using RawClient client = proxy.Connect();
        client.Send(proxy.Request("GET /v1/realtime?model=m", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
        client.ReadHead();
        Assert.That(Encoding.ASCII.GetString(client.Send("ping").Take(4)), Is.EqualTo("ping"));
        Assert.That(await proxy.EventsAsync(), Is.Empty, "its row comes with its end");
        client.ExpectFin();
        client.Dispose();
        EventRecord row = await proxy.EventAsync();
        Assert.That((row.Method, row.Endpoint, row.Params, row.Status, row.Message), Is.EqualTo(("GET", "/v1/realtime", "model=m", 101, "")));
    }

    [Test]
    public async Task A_refused_tunnel_has_the_origins_status()
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering("HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nnope"));
        using RawClient client = proxy.Connect();
        Assert.That(client.Exchange(proxy.Request("GET /v1/realtime", "Connection: Upgrade\r\nUpgrade: websocket\r\n")).Text, Is.EqualTo("nope"));
        Assert.That((await proxy.EventAsync()).Status, Is.EqualTo(403));
    }

    [TestCase("127.0.0.1/32", "203.0.113.9")]
    [TestCase("10.0.0.0/8", "127.0.0.1")]
    public async Task The_client_is_whom_a_trusted_proxy_names(string trusted, string expected)
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering($"{Json}Content-Length: 2\r\n\r\n{{}}"), o => o with { TrustedProxies = [IPNetwork.Parse(trusted)] });
        using RawClient client = proxy.Connect();
        client.Exchange(proxy.Request("GET /v1/models", "X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\n"));
        Assert.That((await proxy.EventAsync()).ClientIp, Is.EqualTo(expected));
        Assert.That(proxy.Origin.Peer(0).Received.ToString(), Does.Contain("\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.9\r\n"), "and the field travels on as it is");
    }

    [Test]
    public async Task Every_event_is_published()
    {
        await using ProxyApp proxy = await StartProxyAsync(ProxyApp.Answering($"{Json}Content-Length: {Completion.Length}\r\n\r\n{Completion}"));
        await proxy.App.EventsAsync();
        using ISubscription events = proxy.App.App.EventBus.Subscribe(EventWriter.Topic);
        await proxy.App.GetAsync("/v1/models?token=hidden", proxy.Token);
        await proxy.App.GetAsync("/user/session", proxy.Token);
        foreach (string endpoint in new[] { "/v1/models", "/user/session" })
        {
            ReadOnlyMemory<byte>? message = await Until.DoneAsync(events.NextAsync(CancellationToken.None).AsTask());
            JsonElement row = JsonDocument.Parse(message!.Value).RootElement;
            Assert.That(row.GetProperty("Endpoint").GetString(), Is.EqualTo(endpoint));
            Assert.That(row.GetProperty("UserID").GetString(), Is.EqualTo(proxy.UserId));
            Assert.That(row.GetProperty("Status").GetInt32(), Is.EqualTo(200));
            if (endpoint == "/v1/models") Assert.That((row.GetProperty("Params").GetString(), row.GetProperty("Response").GetString()), Is.EqualTo(("token=***", Completion)));
        }
    }

    /// <summary>The file itself, free pages and log included: not only what a query returns.</summary>
    [Test]
    public async Task No_secret_is_anywhere_in_the_database_or_the_log()
    {
        const string Password = "hunter2-hunter2", NewPassword = "correct-horse-77", UpstreamEcho = "sk-of-the-server";
        List<string> secrets = [Password, NewPassword, UpstreamEcho, "sk-from-a-field"];
        string echo = $$"""{"headers":{"authorization":"Bearer {{UpstreamEcho}}","Api-Key":"{{UpstreamEcho}}"} }""";
        ProxyApp proxy = await StartProxyAsync(
            ProxyApp.Answering($"{Json}Content-Length: {echo.Length}\r\n\r\n{echo}"), static o => o with { LogLevel = LogLevel.Debug });
        StringBuilder stored = new();
        try
        {
            secrets.Add(proxy.Token);
            TestApp app = proxy.App;
            (string token, _) = await app.SignUpAsync("bob", Password);
            secrets.Add(token);
            Reply logIn = await app.FormAsync("/user/login", $"username=bob&password={Password}");
            string current = logIn.Json.GetProperty("Token").GetString()!;
            secrets.Add(current);
            string generated = (await app.FormAsync("/user/signup", "username=carol")).Json.GetProperty("password").GetString()!;
            secrets.Add(generated);
            Assert.That((await app.FormAsync("/user/login", $"username=bob&password={Password}x")).Status, Is.EqualTo(401));
            Assert.That((await app.JsonAsync("/user/password/update", $$"""{"old_password":"{{Password}}","new_password":"{{NewPassword}}"}""", current)).Status, Is.EqualTo(200));
            foreach (string secret in secrets.ToArray())
            {
                string escaped = Uri.EscapeDataString(secret);
                await app.GetAsync($"/v1/models?token={escaped}&api_key={escaped}&pass%77ord={escaped}", current);
                await app.JsonAsync("/v1/chat/completions", $$"""{"messages":[],"metadata":{"password":"{{secret}}","Token":"{{secret}}","api_key":["{{secret}}"]} }""", current);
                await app.SendAsync(HttpMethod.Get, "/v1/models", null, null, ("Cookie", $"sess={current}; other={escaped}"), ("X-Api-Key", secret));
                await app.GetAsync($"/v1/models?sess={escaped}", secret);
                await app.FormAsync($"/user/login?password={escaped}", $"username=nobody&password={escaped}");
                await app.FormAsync("/user/update", $"first_name=B&token={escaped}&old_password={escaped}", current);
                await app.GetAsync($"/nowhere?cookie={escaped}", secret);
                await app.PostAsync($"/user/logout?token={escaped}x");
            }
            Assert.That((await app.EventsAsync()).Count, Is.GreaterThan(40));
            stored.Append(await app.Database.RowsAsync(TestDatabase.Tables));
            // What was overwritten or deleted may be in the file still.
            if (app.App.Options.Database is SqliteAddress { Path: var path })
            {
                foreach (string file in new[] { path, path + "-wal" }) stored.Append(ReadAll(file));
            }
        }
        finally
        {
            await proxy.DisposeAsync();
        }
        string all = stored.ToString();
        Assert.That(all, Does.Contain("/v1/chat/completions"), "it is the database that was searched");
        foreach (string secret in secrets)
        {
            foreach (string form in new[] { secret, Uri.EscapeDataString(secret) })
            {
                Assert.That(all.Contains(form, StringComparison.Ordinal), Is.False, $"{form} is in the database");
                Assert.That(proxy.App.Log, Does.Not.Contain(form));
            }
        }

        static string ReadAll(string file)
        {
            using FileStream stream = new(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using StreamReader reader = new(stream, Encoding.Latin1);
            return reader.ReadToEnd();
        }
    }

    private static byte[] Coded(string coding, bool isBare, string text)
    {
        using MemoryStream coded = new();
        using (Stream coder = coding switch
        {
            "br" => new BrotliStream(coded, CompressionLevel.Fastest, leaveOpen: true),
            "deflate" when isBare => new DeflateStream(coded, CompressionLevel.Fastest, leaveOpen: true),
            "deflate" => new ZLibStream(coded, CompressionLevel.Fastest, leaveOpen: true),
            _ => new GZipStream(coded, CompressionLevel.Fastest, leaveOpen: true),
        }) coder.Write(Encoding.UTF8.GetBytes(text));
        return coded.ToArray();
    }
}

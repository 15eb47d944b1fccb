using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Turbo.Server;
using Turbo.Server.Model;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>Contract section 7: whose a chat's stream is, and what ends it.</summary>
internal sealed class StreamAccessTests(DatabaseKind kind) : StreamFixture(kind)
{
    [Test]
    public async Task A_stream_needs_a_chat()
    {
        await StartAsync();
        (await App.GetAsync("/chat/stream", Owner.Token)).IsError(400, "invalid_request_error", "missing_parameter", "id");
        IsDenied(await App.GetAsync($"/chat/stream?id={await ChatAsync()}", Stranger.Token), 404, "chat");
        IsDenied(await App.GetAsync("/chat/stream?id=none", Owner.Token), 404, "chat");
        Assert.That((await App.SendAsync(HttpMethod.Put, "/chat/stream", null, Owner.Token)).Field("Allow"), Is.EqualTo("GET, HEAD, POST"));
        await Until.TrueAsync(() => App.App.Streams.Count == 0);
    }

    [Test]
    public async Task The_first_credential_counts([Values] StreamKind stream)
    {
        await StartAsync();
        string chat = await ChatAsync(), basic = Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes($"any:{Owner.Token}"));
        // Bearer, then the parameter, then the cookie, then Basic: one that is bad is not made up for by one that is good.
        Assert.That(await WithAsync("bad", Owner.Token, Owner.Token, null), Is.EqualTo(401));
        Assert.That(await WithAsync(Owner.Token, "bad", "bad", null), Is.EqualTo(200));
        Assert.That(await WithAsync(null, "bad", Owner.Token, basic), Is.EqualTo(401));
        Assert.That(await WithAsync(null, Owner.Token, "bad", null), Is.EqualTo(200));
        Assert.That(await WithAsync(null, null, "bad", basic), Is.EqualTo(401));
        Assert.That(await WithAsync(null, null, null, basic), Is.EqualTo(200));

        async Task<int> WithAsync(string? bearer, string? parameter, string? cookie, string? basic)
        {
            string target = $"/chat/stream?id={chat}" + (parameter is null ? "" : $"&token={Uri.EscapeDataString(parameter)}");
            if (stream == StreamKind.WebSocket)
            {
                int status = await RefusedAsync(target, bearer, options =>
                {
                    if (cookie is not null) options.SetRequestHeader("Cookie", $"sess={cookie}");
                    if (basic is not null && bearer is null) options.SetRequestHeader("Authorization", $"Basic {basic}");
                });
                return status == 101 ? 200 : status;
            }
            // HEAD: an answer that ends.
            List<(string, string)> fields = [];
            if (cookie is not null) fields.Add(("Cookie", $"sess={cookie}"));
            if (basic is not null) fields.Add(("Authorization", $"Basic {basic}"));
            return (await App.SendAsync(HttpMethod.Head, target, null, bearer, [.. fields])).Status;
        }
    }

    [Test]
    public async Task The_token_may_be_a_parameter([Values] StreamKind stream)
    {
        await StartAsync();
        string chat = await ChatAsync();
        await using StreamClient client = await StreamClient.OpenAsync(stream, App, $"/chat/stream?id={chat}&token={Uri.EscapeDataString(Owner.Token!)}", null);
        await PromptAsync(Owner, chat, "x");
        await client.NextAsync();
        await client.DisposeAsync();
        await Until.TrueAsync(() => App.App.Streams.Count == 0);
        await StreamRowAsync(row => Assert.That(row.Params, Does.Not.Contain(Owner.Token!).And.Not.Contain(Uri.EscapeDataString(Owner.Token!)).And.Contain(chat)));
        (await App.GetAsync($"/chat/read?id={chat}&token={Uri.EscapeDataString(Owner.Token!)}")).IsError(401, "authentication_error", "missing_session");
    }

    [TestCase("application/x-www-form-urlencoded", "id={C}&token={T}")]
    [TestCase("application/json", """{"id":"{C}","token":"{T}"}""")]
    public async Task The_token_may_be_a_parameter_of_the_body(string type, string body)
    {
        await StartAsync();
        string chat = await ChatAsync();
        Assert.That(Post(Owner.Token!, null), Is.EqualTo(200));
        Assert.That(Post(Stranger.Token!, null), Is.EqualTo(404));
        Assert.That(Post("bad", null), Is.EqualTo(401));
        Assert.That(Post("", null), Is.EqualTo(401));
        // It wins over the query and the cookie, and a Bearer over it.
        Assert.That(Post(Owner.Token!, null, "?token=bad", ("Cookie", "sess=bad")), Is.EqualTo(200));
        Assert.That(Post("bad", null, "", ("Cookie", $"sess={Owner.Token}")), Is.EqualTo(401));
        Assert.That(Post("", null, "", ("Cookie", $"sess={Owner.Token}")), Is.EqualTo(200));
        Assert.That(Post("bad", Owner.Token), Is.EqualTo(200));
        await Until.TrueAsync(() => App.App.Streams.Count == 0);
        foreach (EventRecord row in (await App.EventsAsync()).Where(static row => row.Endpoint == "/chat/stream"))
            Assert.That(row.Request, Does.Contain(chat).And.Not.Contain(Owner.Token!).And.Not.Contain(Uri.EscapeDataString(Owner.Token!)));

        int Post(string token, string? bearer, string query = "", params (string, string)[] fields)
        {
            string filled = body.Replace("{C}", chat).Replace("{T}", type == "application/json" ? token : Uri.EscapeDataString(token));
            string more = string.Concat(fields.Select(static field => $"{field.Item1}: {field.Item2}\r\n")) + (bearer is null ? "" : $"Authorization: Bearer {bearer}\r\n");
            using RawClient client = App.Connect();
            client.Send($"POST /chat/stream{query} HTTP/1.1\r\nHost: h\r\n{more}Content-Type: {type}\r\nContent-Length: {filled.Length}\r\n\r\n{filled}");
            return int.Parse(client.ReadHead().AsSpan(9, 3), System.Globalization.CultureInfo.InvariantCulture);
        }
    }

    [TestCase(StreamKind.Sse, "end")]
    [TestCase(StreamKind.WebSocket, "1008")]
    public async Task A_user_who_is_removed_sees_nothing_more(StreamKind stream, string end)
    {
        await StartAsync();
        string chat = await ChatAsync();
        await using StreamClient member = await OpenAsync(stream, chat, Member), owner = await OpenAsync(stream, chat, Owner);
        await PromptAsync(Owner, chat, "seen");
        await member.NextAsync();
        await DoneAsync(Owner, "/chat/user/remove", $"chat_id={chat}&user_id={Member.Id}");
        await PromptAsync(Owner, chat, "unseen");
        Assert.That(await member.EndAsync(), Is.EqualTo(end));
        foreach (string prompt in new[] { "seen", "unseen" }) Assert.That(Text((await owner.NextAsync()).GetProperty("message"), "prompt"), Is.EqualTo(prompt));
    }

    [TestCase(StreamKind.Sse, "end")]
    [TestCase(StreamKind.WebSocket, "1008")]
    public async Task A_deleted_chats_streams_end(StreamKind stream, string end)
    {
        await StartAsync();
        string chat = await ChatAsync();
        await using StreamClient member = await OpenAsync(stream, chat, Member), owner = await OpenAsync(stream, chat, Owner);
        await DoneAsync(Owner, "/chat/delete", $"id={chat}");
        Assert.That((await member.EndAsync(), await owner.EndAsync()), Is.EqualTo((end, end)));
    }

    [TestCase(StreamKind.Sse, "end")]
    [TestCase(StreamKind.WebSocket, "1008")]
    public async Task What_another_program_takes_away_ends_within_a_second(StreamKind stream, string end)
    {
        await StartAsync();
        string chat = await ChatAsync();
        await using StreamClient member = await OpenAsync(stream, chat, Member);
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        await App.App.Db.Chats.RemoveUserAsync(chat, Owner.Id, Member.Id);
        Assert.That(await member.EndAsync(), Is.EqualTo(end));
        Assert.That(System.Diagnostics.Stopwatch.GetElapsedTime(start), Is.LessThan(TimeSpan.FromSeconds(3)), "a second, and this machine's delays");
    }

    [TestCase(StreamKind.Sse, "logout", "end")]
    [TestCase(StreamKind.Sse, "password", "end")]
    [TestCase(StreamKind.WebSocket, "logout", "1008")]
    [TestCase(StreamKind.WebSocket, "password", "1008")]
    public async Task A_session_takes_its_streams_along(StreamKind stream, string how, string end)
    {
        await StartAsync();
        string chat = await ChatAsync();
        string token = Text((await App.FormAsync("/user/login", "username=owner&password=correct+horse")).Json, "Token");
        await using StreamClient ending = await StreamClient.OpenAsync(stream, App, $"/chat/stream?id={chat}", token), staying = await OpenAsync(stream, chat, Owner);
        if (how == "logout") await App.PostAsync("/user/logout", token);
        else await DoneAsync(Owner, "/user/password/update", "old_password=correct+horse&new_password=other");
        Assert.That(await ending.EndAsync(), Is.EqualTo(end));
        await PromptAsync(Owner, chat, "x");
        await staying.NextAsync();
    }

    [Test]
    public async Task A_coming_reply_ends_when_its_user_loses_access()
    {
        using SemaphoreSlim ended = new(0);
        using FaultyUpstream upstream = new(peer =>
        {
            peer.ReadRequest();
            peer.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 1000\r\n\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n");
            peer.WaitForEnd();
            ended.Release();
        });
        await StartOnAsync(upstream.EndPoint);
        string chat = await ChatAsync();
        await using StreamClient owner = await OpenAsync(StreamKind.Sse, chat, Owner);
        await PromptAsync(Member, chat, "x", "&stream=true");
        Assert.That((Text((await owner.NextAsync()).GetProperty("message"), "reply"), Text((await owner.NextAsync()).GetProperty("message"), "reply")), Is.EqualTo(("", "Hi")));
        await DoneAsync(Owner, "/chat/user/remove", $"chat_id={chat}&user_id={Member.Id}");
        JsonElement last = await owner.NextAsync();
        Assert.That((Text(last, "error"), Text(last.GetProperty("message"), "reply"), last.GetProperty("partial").GetBoolean()), Is.EqualTo(("the user is no longer in the chat", "Hi", false)));
        Assert.That(await ended.WaitAsync(Until.Deadline), "the upstream request went on");
        Assert.That((await StoredAsync(chat)).ToString(), Is.EqualTo("[]"));
    }

    [TestCase(StreamKind.Sse, "end")]
    [TestCase(StreamKind.WebSocket, "1001")]
    public async Task Streams_end_when_the_server_stops(StreamKind stream, string end)
    {
        await StartAsync();
        await using StreamClient client = await OpenAsync(stream, await ChatAsync(), Owner);
        Task stop = StopAppAsync();
        Assert.That(await client.EndAsync(), Is.EqualTo(end));
        await Until.DoneAsync(stop);
    }

    [Test]
    public async Task A_server_that_stops_lets_a_coming_reply_finish()
    {
        using SemaphoreSlim answer = new(0);
        using FaultyUpstream upstream = new(peer =>
        {
            peer.ReadRequest();
            Assert.That(answer.Wait(Until.Deadline));
            peer.Send(Answer(200, "data: {\"choices\":[{\"delta\":{\"content\":\"done\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", type: "text/event-stream"));
        });
        await StartOnAsync(upstream.EndPoint);
        string chat = await ChatAsync();
        await using StreamClient client = await OpenAsync(StreamKind.Sse, chat, Owner);
        IPEndPoint server = App.EndPoint;
        await PromptAsync(Owner, chat, "x", "&stream=true");
        Task stop = StopAppAsync();
        await Until.TrueAsync(() => IsRefused(server));
        answer.Release();
        List<string> rest = await client.RestAsync();
        Assert.That(rest, Has.Count.EqualTo(3));
        Assert.That(JsonDocument.Parse(rest[^1]).RootElement.TryGetProperty("error", out _), Is.False, rest[^1]);
        await Until.DoneAsync(stop);

        static bool IsRefused(IPEndPoint server)
        {
            try
            {
                using RawClient client = new(server);
                return false;
            }
            catch (SocketException)
            {
                return true;
            }
        }
    }

    [Test]
    public async Task A_server_that_stops_cuts_a_reply_off_that_takes_too_long()
    {
        using FaultyUpstream upstream = new(peer =>
        {
            peer.ReadRequest();
            peer.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 1000\r\n\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n");
            peer.WaitForEnd();
        });
        await StartOnAsync(upstream.EndPoint, options => options with { ShutdownTimeout = TimeSpan.FromSeconds(2) });
        string chat = await ChatAsync();
        await using StreamClient client = await OpenAsync(StreamKind.Sse, chat, Owner);
        await PromptAsync(Owner, chat, "x", "&stream=true");
        Task stop = StopAppAsync();
        JsonElement last = JsonDocument.Parse((await client.RestAsync())[^1]).RootElement;
        Assert.That((Text(last, "error"), Text(last.GetProperty("message"), "reply")), Is.EqualTo(("the server stops", "Hi")));
        await Until.DoneAsync(stop);
    }

    [Test]
    public async Task A_foreign_page_does_not_get_in_on_a_cookie()
    {
        await StartAsync(options => options with { CorsOrigins = ["https://friend.example"] });
        string target = $"/chat/stream?id={await ChatAsync()}", cookie = $"sess={Owner.Token}", own = App.Origin();
        Assert.That(await OpensAsync("https://evil.example", null), Is.EqualTo(403));
        Assert.That(await OpensAsync("null", null), Is.EqualTo(403));
        Assert.That(await OpensAsync("https://friend.example", null), Is.EqualTo(101));
        Assert.That(await OpensAsync(own, null), Is.EqualTo(101));
        Assert.That(await OpensAsync(null, null), Is.EqualTo(101));
        // A page that has the token needs no cookie.
        Assert.That(await OpensAsync("https://evil.example", Owner.Token), Is.EqualTo(101));

        Task<int> OpensAsync(string? origin, string? token) => RefusedAsync(target, token, options =>
        {
            options.SetRequestHeader("Cookie", cookie);
            if (origin is not null) options.SetRequestHeader("Origin", origin);
        });
    }

    [Test]
    public async Task Whoever_leaves_is_let_go()
    {
        await StartAsync();
        string chat = await ChatAsync();
        foreach (StreamKind stream in Enum.GetValues<StreamKind>())
        {
            await using (StreamClient client = await OpenAsync(stream, chat, Owner)) Assert.That(App.App.Streams.Count, Is.EqualTo(1));
            await Until.TrueAsync(() => App.App.Streams.Count == 0);
        }
        // Over Redis there may be some on other nodes.
        if (Kind == DatabaseKind.Sqlite) Assert.That(App.App.EventBus.HasSubscribers("chat:" + chat), Is.False);
    }

    /// <summary>Looks at the row of the stream, which is written when it has ended.</summary>
    private async Task StreamRowAsync(Action<EventRecord> look)
    {
        EventRecord? row = null;
        await Until.DoneAsync(Task.Run(async () =>
        {
            while ((row = (await App.EventsAsync()).Find(static row => row.Endpoint == "/chat/stream")) is null) await Task.Delay(5);
        }));
        look(row!);
    }
}

using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Turbo.Server;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>Contract section 7: what subscribers of a chat get, in both ways to subscribe.</summary>
internal sealed class StreamTests(DatabaseKind kind) : PromptFixture(kind)
{
    [Test]
    public async Task A_streamed_reply_comes_word_by_word_and_then_whole([Values] StreamKind stream)
    {
        await StartAsync();
        string chat = await ChatAsync();
        await using StreamClient one = await OpenAsync(stream, chat, Member), other = await OpenAsync(stream, chat, Owner);
        JsonElement answer = await PromptAsync(Owner, chat, "say ☃ \"hi\"", "&stream=true");
        Assert.That(Reply.Names(answer), Is.EqualTo("message reply"));
        Assert.That((Text(answer, "reply"), Text(answer.GetProperty("message"), "reply")), Is.EqualTo(("", "")));

        string[] words = ["", "Reply", " to", " 1", " message:", " say", " ☃", " \"hi\""];
        foreach (StreamClient client in new[] { one, other })
        {
            foreach (string word in words)
            {
                JsonElement next = await client.NextAsync();
                Assert.That(Reply.Names(next), Is.EqualTo("message partial"));
                Assert.That(next.GetProperty("partial").GetBoolean());
                Assert.That(Text(next.GetProperty("message"), "reply"), Is.EqualTo(word));
                // But for the words it is the message that was answered.
                Assert.That(Without(next.GetProperty("message")), Is.EqualTo(Without(answer.GetProperty("message"))));
            }
            JsonElement last = await client.NextAsync();
            Assert.That(Reply.Names(last), Is.EqualTo("message partial"));
            Assert.That(last.GetProperty("partial").GetBoolean(), Is.False);
            Assert.That(Reply.Names(last.GetProperty("message")), Is.EqualTo(MessageNames));
            Assert.That(Text(last.GetProperty("message"), "reply"), Is.EqualTo(string.Concat(words)));
            // Stored before it was published.
            Assert.That((await StoredAsync(chat)).ToString(), Is.EqualTo($"[{last.GetProperty("message")}]"));
        }
        Assert.That(Reply.Names(Sent.Single()), Is.EqualTo("model messages user stream"));
        Assert.That(Sent.Single().GetProperty("stream").GetBoolean());

        static string Without(JsonElement message) => string.Join(',', message.EnumerateObject().Where(static member => member.Name is not ("reply" or "UpdatedAt")).Select(static member => member.ToString()));
    }

    [Test]
    public async Task Other_prompts_are_one_message([Values] StreamKind stream)
    {
        await StartAsync();
        string chat = await ChatAsync();
        await using StreamClient client = await OpenAsync(stream, chat, Member);
        JsonElement plain = await PromptAsync(Owner, chat, "one"), secret = await PromptAsync(Member, chat, "two", "&otr=true"), both = await PromptAsync(Owner, chat, "three", "&otr=true&stream=true");
        await PromptAsync(Owner, await ChatAsync(), "of another chat");
        foreach (JsonElement answer in new[] { plain, secret, both })
            Assert.That((await client.NextAsync()).ToString(), Is.EqualTo($$"""{"message":{{answer.GetProperty("message")}},"partial":false}"""));
        // Nothing else came of them.
        JsonElement next = await PromptAsync(Owner, chat, "four");
        Assert.That(Text((await client.NextAsync()).GetProperty("message"), "id"), Is.EqualTo(Text(next.GetProperty("message"), "id")));
    }

    [Test]
    public async Task The_next_prompt_sees_a_streamed_reply()
    {
        await StartAsync();
        string chat = await ChatAsync();
        await using StreamClient client = await OpenAsync(StreamKind.Sse, chat, Owner);
        await PromptAsync(Owner, chat, "one", "&stream=true");
        await LastAsync(client);
        await PromptAsync(Owner, chat, "two");
        Assert.That(Turns(Sent[^1]), Is.EqualTo("user: one\nassistant: Reply to 1 message: one\nuser: two"));
    }

    [TestCase("data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n", "Hi", "the upstream server broke off its response")]
    [TestCase("data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\ndata: {\"error\":{\"message\":\"out of words\"}}\n\n", "Hi", "out of words")]
    [TestCase("data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\nevent: error\ndata: {\"error\":\"gone\"}\n\n", "Hi", "gone")]
    [TestCase("data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\ndata: nonsense\n\n", "Hi", "the upstream server's answer was malformed")]
    [TestCase("data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"123456789\"}}]}\n\n", "Hi", "the upstream server's reply is too large")]
    [TestCase("", "", "the upstream server broke off its response")]
    [TestCase("data: {\"error\":{\"message\":\"overloaded\"}}\n\n", "", "overloaded")]
    // Whole: by its finish reason, or by [DONE].
    [TestCase("data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\n", "Hi", null)]
    [TestCase("data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\ndata: [DONE]\n\n", "Hi", null)]
    [TestCase(": hello\n\ndata: {\"choices\":[]}\n\ndata: {\"choices\":[{\"delta\":{}}]}\n\ndata: {\"choices\":null,\"error\":null}\n\ndata: [DONE]\n\n", "", null)]
    public async Task A_stream_that_breaks_ends_with_the_error_and_the_text_so_far(string events, string reply, string? error)
    {
        using FaultyUpstream upstream = new(peer =>
        {
            peer.ReadRequest();
            peer.Send(Answer(200, events, type: "text/event-stream"));
        });
        await StartOnAsync(upstream.EndPoint, options => options with { ChatReplyBytes = 10 });
        await ExpectEndAsync(reply, error);
    }

    [TestCase(429, """{"error":{"message":"slow down"}}""", "slow down")]
    [TestCase(500, "", "the upstream server answered with status 500")]
    [TestCase(200, "{}", "the upstream server's answer was malformed")]
    public async Task A_stream_that_is_refused_ends_with_the_error(int status, string content, string error)
    {
        using FaultyUpstream upstream = new(peer =>
        {
            peer.ReadRequest();
            peer.Send(Answer(status, content));
        });
        await StartOnAsync(upstream.EndPoint);
        await ExpectEndAsync("", error);
    }

    [Test]
    public async Task A_stream_that_is_reset_or_stalls_ends_with_the_error([Values] bool stalls)
    {
        using FaultyUpstream upstream = new(peer =>
        {
            peer.ReadRequest();
            peer.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n2f\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\r\n1\r\n\n\r\n");
            if (stalls) peer.WaitForEnd();
            else peer.Close();
        });
        await StartOnAsync(upstream.EndPoint, options => options with { IdleTimeout = TimeSpan.FromMilliseconds(300) });
        await ExpectEndAsync("Hi", stalls ? "the upstream server did not answer in time" : "the upstream server broke off its response");
    }

    [Test]
    public async Task The_head_says_that_it_is_a_stream()
    {
        await StartAsync();
        string chat = await ChatAsync();
        await using SseClient client = await SseClient.OpenAsync(App, $"/chat/stream?id={chat}", Owner.Token);
        Assert.That(client.Response.Content.Headers.ContentType!.ToString(), Is.EqualTo("text/event-stream"));
        Assert.That(client.Response.Headers.CacheControl!.ToString(), Is.EqualTo("no-cache"));
        Reply head = await App.SendAsync(HttpMethod.Head, $"/chat/stream?id={chat}", null, Owner.Token);
        Assert.That((head.Status, head.Field("Content-Type"), head.Content), Is.EqualTo((200, "text/event-stream", "")));
        using RawClient old = new(App.EndPoint);
        old.Send($"GET /chat/stream?chat_id={chat} HTTP/1.0\r\nAuthorization: Bearer {Owner.Token}\r\n\r\n");
        Assert.That(old.ReadHead(), Does.Contain("Content-Type: text/event-stream"));
        JsonElement answer = await PromptAsync(Owner, chat, "x");
        string line = $"data: {{\"message\":{answer.GetProperty("message")},\"partial\":false}}\n\n";
        Assert.That(Encoding.UTF8.GetString(old.Take(Encoding.UTF8.GetByteCount(line))), Is.EqualTo(line));
    }

    [Test]
    public async Task A_comment_comes_every_15_seconds()
    {
        ManualTimeProvider time = new();
        await StartAsync(time: time);
        string chat = await ChatAsync();
        await using SseClient client = await SseClient.OpenAsync(App, $"/chat/stream?id={chat}", Owner.Token);
        await Until.TrueAsync(() => App.App.Streams.Count == 1);
        for (int i = 1; i <= 3; i++)
        {
            time.Advance(TimeSpan.FromSeconds(14));
            // A message in between says that nothing else came.
            await PromptAsync(Owner, chat, "x");
            await client.NextAsync();
            Assert.That(client.Comments, Is.EqualTo(i - 1));
            time.Advance(TimeSpan.FromSeconds(1));
            await client.CommentAsync();
        }
    }

    // Owner, member, removed member, stranger, nobody.
    [Test]
    public async Task Who_may_subscribe([Values] StreamKind stream)
    {
        await StartAsync();
        string chat = await ChatAsync();
        foreach ((string role, int status) in Roles.Zip([200, 200, 404, 404, 401]))
        {
            if (status == 200) await (await OpenAsync(stream, chat, Person(role))).DisposeAsync();
            else if (stream == StreamKind.Sse) IsDenied(await App.GetAsync($"/chat/stream?id={chat}", Person(role).Token), status, "chat");
            else Assert.That(await RefusedAsync($"/chat/stream?id={chat}", Person(role).Token), Is.EqualTo(status));
        }
        (await App.GetAsync("/chat/stream", Owner.Token)).IsError(400, "invalid_request_error", "missing_parameter", "id");
        IsDenied(await App.GetAsync("/chat/stream?id=none", Owner.Token), 404, "chat");
        Assert.That((await App.SendAsync(HttpMethod.Put, "/chat/stream", null, Owner.Token)).Field("Allow"), Is.EqualTo("GET, HEAD, POST"));
        await Until.TrueAsync(() => App.App.Streams.Count == 0);
    }

    [Test]
    public async Task The_token_may_be_a_parameter([Values] StreamKind stream)
    {
        await StartAsync();
        string chat = await ChatAsync();
        await using StreamClient client = await StreamClient.OpenAsync(stream, App, $"/chat/stream?id={chat}&token={Uri.EscapeDataString(Owner.Token!)}", null);
        await PromptAsync(Owner, chat, "x");
        await client.NextAsync();
        (await App.GetAsync($"/chat/read?id={chat}&token={Uri.EscapeDataString(Owner.Token!)}")).IsError(401, "authentication_error", "missing_session");
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
    public async Task A_websocket_takes_the_first_subprotocol_and_no_long_messages()
    {
        await StartAsync();
        string chat = await ChatAsync();
        await using WebSocketStreamClient client = await WebSocketStreamClient.OpenAsync(App, $"/chat/stream?id={chat}", Owner.Token, options =>
        {
            options.AddSubProtocol("chat.v2");
            options.AddSubProtocol("chat.v1");
        });
        Assert.That(client.Socket.SubProtocol, Is.EqualTo("chat.v2"));
        await client.Socket.SendAsync(new byte[512], WebSocketMessageType.Text, true, CancellationToken.None);
        await PromptAsync(Owner, chat, "x");
        await client.NextAsync();
        await client.Socket.SendAsync(new byte[513], WebSocketMessageType.Binary, true, CancellationToken.None);
        Assert.That(await client.EndAsync(), Is.EqualTo("1009"));
    }

    [Test]
    public async Task A_websocket_client_that_closes_is_answered()
    {
        await StartAsync();
        string chat = await ChatAsync();
        await using WebSocketStreamClient client = await WebSocketStreamClient.OpenAsync(App, $"/chat/stream?id={chat}", Owner.Token);
        await client.Socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", CancellationToken.None).WaitAsync(Until.Deadline);
        await Until.TrueAsync(() => App.App.Streams.Count == 0);
        Assert.That((await App.EventsAsync())[^1], Has.Property("Endpoint").EqualTo("/chat/stream").And.Property("Status").EqualTo(101));
    }

    [Test]
    public async Task A_foreign_page_does_not_get_in_on_a_cookie()
    {
        await StartAsync(options => options with { CorsOrigins = ["https://friend.example"] });
        string target = $"/chat/stream?id={await ChatAsync()}", cookie = $"sess={Owner.Token}", own = $"http://127.0.0.1:{App.EndPoint.Port}";
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
        Assert.That(App.App.EventBus.HasSubscribers("chat:" + chat), Is.False);
    }

    private Task<StreamClient> OpenAsync(StreamKind stream, string chat, Caller caller) => StreamClient.OpenAsync(stream, App, $"/chat/stream?id={chat}", caller.Token);

    /// <summary>The status that a WebSocket is answered with.</summary>
    private async Task<int> RefusedAsync(string target, string? token, Action<ClientWebSocketOptions>? with = null)
    {
        using ClientWebSocket socket = new();
        socket.Options.Proxy = null;
        socket.Options.CollectHttpResponseDetails = true;
        if (token is not null) socket.Options.SetRequestHeader("Authorization", $"Bearer {token}");
        with?.Invoke(socket.Options);
        try
        {
            await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{App.EndPoint.Port}{target}"), CancellationToken.None).WaitAsync(Until.Deadline);
        }
        catch (WebSocketException)
        {
            // Its status says why.
        }
        return (int)socket.HttpStatusCode;
    }

    private async Task ExpectEndAsync(string reply, string? error)
    {
        string chat = await ChatAsync();
        await using StreamClient client = await OpenAsync(StreamKind.Sse, chat, Member);
        await PromptAsync(Owner, chat, "x", "&stream=true");
        JsonElement last = await LastAsync(client);
        Assert.That(Reply.Names(last), Is.EqualTo(error is null ? "message partial" : "message partial error"));
        Assert.That(error is null ? null : Text(last, "error"), Is.EqualTo(error));
        Assert.That(Text(last.GetProperty("message"), "reply"), Is.EqualTo(reply));
        // Without a word of reply there is nothing to keep.
        string expected = error is null || reply.Length > 0 ? $"[{last.GetProperty("message")}]" : "[]";
        Assert.That((await StoredAsync(chat)).ToString(), Is.EqualTo(expected));
        await Until.TrueAsync(() => App.App.Prompts.ComingCount == 0);
    }

    private static async Task<JsonElement> LastAsync(StreamClient client)
    {
        while (true)
        {
            JsonElement next = await client.NextAsync();
            if (!next.GetProperty("partial").GetBoolean()) return next;
        }
    }
}

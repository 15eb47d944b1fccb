using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Turbo.Server;
using Turbo.Server.Model;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>Contract section 7: what subscribers of a chat get, in both ways to subscribe.</summary>
internal sealed class StreamTests(DatabaseKind kind) : StreamFixture(kind)
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
        Assert.That(Reply.Names(Sent.Single()), Is.EqualTo("model messages user stream stream_options"));
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
        using RawClient old = App.Connect();
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
    public async Task A_websocket_is_pinged_every_15_seconds_and_closed_after_60_without_a_pong()
    {
        ManualTimeProvider time = new();
        await StartAsync(time: time);
        using RawClient client = App.Connect();
        client.Send($"GET /chat/stream?id={await ChatAsync()} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer {Owner.Token}\r\n\r\n");
        Assert.That(client.ReadHead(), Does.StartWith("HTTP/1.1 101"));
        // Its pong says that the server is receiving.
        client.Send([0x89, 0x80, 0, 0, 0, 0]);
        Assert.That(client.Take(2), Is.EqualTo(new byte[] { 0x8A, 0 }));
        for (int i = 0; i < 3; i++)
        {
            time.Advance(TimeSpan.FromSeconds(14));
            Assert.That(client.IsQuiet);
            time.Advance(TimeSpan.FromSeconds(1));
            Assert.That(client.Take(2), Is.EqualTo(new byte[] { 0x89, 0 }));
        }
        time.Advance(TimeSpan.FromSeconds(15.25));
        // A last ping may come first; then the Close frame, whose code is 1008.
        byte[] frame = client.Take(2);
        if (frame[0] == 0x89) frame = client.Take(2);
        Assert.That(frame[0], Is.EqualTo(0x88));
        Assert.That(client.Take(frame[1])[..2], Is.EqualTo(new byte[] { 1008 >> 8, 1008 & 255 }));
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

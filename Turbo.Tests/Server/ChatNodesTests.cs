using System.Diagnostics;
using System.Text.Json;
using Turbo.Server;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server;

/// <summary>Two nodes on one PostgreSQL and one Redis: a chat's users need not know on which they are.</summary>
[TestFixture]
internal sealed class ChatNodesTests
{
    private RedisServer _redis = null!;
    private TestDatabase _database = null!;
    private MockServer _mock = null!;
    private TestApp _one = null!, _other = null!;
    private readonly List<string> _sent = [];
    private string _owner = "", _member = "", _memberId = "", _chat = "";

    [SetUp]
    public async Task StartAsync()
    {
        _redis = new RedisServer();
        _database = await TestDatabase.CreateAsync(DatabaseKind.Postgres);
        _sent.Clear();
        _mock = new MockServer(new MockOptions
        {
            Interval = TimeSpan.Zero,
            Observe = (_, content) =>
            {
                lock (_sent) _sent.Add(string.Join(' ', JsonDocument.Parse(content).RootElement.GetProperty("messages").EnumerateArray().Select(static turn => turn.GetProperty("content").GetString())));
            },
        });
        _mock.Start();
        _one = await NodeAsync();
        _other = await NodeAsync();
        (_owner, _) = await _one.SignUpAsync("ann");
        (_member, _memberId) = await _other.SignUpAsync("bob");
        _chat = (await DoneAsync(_one, _owner, "/chat/create", "")).GetProperty("id").GetString()!;
        await DoneAsync(_other, _owner, "/chat/user/add", $"chat_id={_chat}&user_id={_memberId}");
    }

    [TearDown]
    public async Task StopAsync()
    {
        if (_one is not null) await _one.DisposeAsync();
        if (_other is not null) await _other.DisposeAsync();
        if (_mock is not null) await _mock.DisposeAsync();
        if (_database is not null) await _database.DisposeAsync();
        _redis?.Dispose();
    }

    [Test]
    public async Task A_reply_streams_to_every_node()
    {
        List<StreamClient> clients = [];
        foreach (TestApp node in new[] { _one, _other })
        {
            foreach (StreamKind kind in Enum.GetValues<StreamKind>()) clients.Add(await StreamClient.OpenAsync(kind, node, $"/chat/stream?id={_chat}", _member));
        }
        await PromptAsync(_one, _owner, "hello", "&stream=true");
        await PromptedAsync(_other);
        await PromptAsync(_other, _member, "again");
        foreach (StreamClient client in clients)
        {
            foreach (string reply in new[] { "", "Reply", " to", " 1", " message:", " hello", "Reply to 1 message: hello", "Reply to 3 messages: again" })
                Assert.That((await client.NextAsync()).GetProperty("message").GetProperty("reply").GetString(), Is.EqualTo(reply));
            await client.DisposeAsync();
        }
    }

    [Test]
    public async Task Context_is_one_for_all_nodes()
    {
        await PromptAsync(_one, _owner, "a");
        await PromptAsync(_other, _member, "b");
        await Task.WhenAll(Enumerable.Range(0, 6).Select(i => PromptAsync(i % 2 == 0 ? _one : _other, i % 2 == 0 ? _owner : _member, "at-once-" + i)));
        await PromptAsync(_one, _owner, "last");
        Assert.That(_sent[1], Is.EqualTo("a Reply to 1 message: a b"));
        for (int i = 0; i < 6; i++) Assert.That(_sent[^1], Does.Contain("at-once-" + i + " "));
        Assert.That(_sent[^1], Does.StartWith("a Reply to 1 message: a b Reply to 3 messages: b at-once-"));
    }

    [TestCase("/chat/user/remove", "chat_id={C}&user_id={M}")]
    [TestCase("/chat/delete", "id={C}")]
    [TestCase("/user/logout", "token={T}")]
    public async Task What_ends_on_one_ends_streams_on_the_other(string target, string form)
    {
        await using StreamClient sse = await StreamClient.OpenAsync(StreamKind.Sse, _other, $"/chat/stream?id={_chat}", _member);
        await using StreamClient socket = await StreamClient.OpenAsync(StreamKind.WebSocket, _other, $"/chat/stream?id={_chat}", _member);
        long start = Stopwatch.GetTimestamp();
        string filled = form.Replace("{C}", _chat).Replace("{M}", _memberId).Replace("{T}", Uri.EscapeDataString(_member));
        await DoneAsync(_one, target == "/user/logout" ? _member : _owner, target, filled);
        Assert.That((await sse.EndAsync(), await socket.EndAsync()), Is.EqualTo(("end", "1008")));
        Assert.That(Stopwatch.GetElapsedTime(start), Is.LessThan(TimeSpan.FromSeconds(3)), "a second, and this machine's delays");
    }

    [Test]
    public async Task Events_reach_every_node()
    {
        await using StreamClient client = await StreamClient.OpenAsync(StreamKind.Sse, _other, "/event/subscribe?topic=t", _owner);
        await DoneAsync(_one, _owner, "/event/publish", "topic=t&data=x");
        Assert.That((await client.NextAsync()).GetProperty("data").GetString(), Is.EqualTo("x"));
    }

    [Test]
    public async Task Without_redis_prompts_go_on_and_streams_come_back_with_it()
    {
        await PromptAsync(_one, _owner, "a");
        await using StreamClient client = await StreamClient.OpenAsync(StreamKind.Sse, _other, $"/chat/stream?id={_chat}", _member);
        _redis.Stop();
        // What may have missed a message ends, and is to come back.
        Assert.That(await client.EndAsync(), Is.EqualTo("end"));
        await PromptAsync(_one, _owner, "b");
        Assert.That(_sent[^1], Is.EqualTo("a Reply to 1 message: a b"));
        _redis.Start();
        await Until.DoneAsync(Task.Run(async () =>
        {
            foreach (TestApp node in new[] { _one, _other })
            {
                while ((await node.GetAsync("/readyz")).Status != 200) await Task.Delay(20);
            }
        }));
        await using StreamClient again = await StreamClient.OpenAsync(StreamKind.Sse, _other, $"/chat/stream?id={_chat}", _member);
        await PromptAsync(_one, _owner, "c");
        Assert.That(_sent[^1], Is.EqualTo("a Reply to 1 message: a b Reply to 3 messages: b c"));
        Assert.That((await again.NextAsync()).GetProperty("message").GetProperty("prompt").GetString(), Is.EqualTo("c"));
    }

    private Task<TestApp> NodeAsync() =>
        TestApp.StartAsync(options => options with { Redis = _redis.Address, Upstream = UpstreamTarget.At(_mock.EndPoints[0]) }, shared: _database);

    private static async Task<JsonElement> DoneAsync(TestApp node, string token, string target, string form)
    {
        Reply reply = await node.FormAsync(target, form, token);
        Assert.That(reply.Status, Is.EqualTo(200), $"{target}: {reply.Content}");
        return reply.Json;
    }

    private Task<JsonElement> PromptAsync(TestApp node, string token, string prompt, string fields = "") => DoneAsync(node, token, "/chat/prompt", $"id={_chat}&prompt={prompt}{fields}");

    private async Task PromptedAsync(TestApp node)
    {
        await Until.DoneAsync(Task.Run(async () =>
        {
            while ((await node.GetAsync($"/chat/read?id={_chat}", _owner)).Json.GetProperty("messages").GetArrayLength() == 0) await Task.Delay(5);
        }));
    }
}

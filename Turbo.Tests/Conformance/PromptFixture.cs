using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Turbo.Net.Http1;
using Turbo.Server;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>The application with an upstream: the mock, which shows what it was sent, or one that does as it is told.</summary>
internal abstract class PromptFixture(DatabaseKind kind) : ContractFixture(kind)
{
    protected const string MessageNames = $"{TimeNames} id chat_id user_id group_id prompt reply model otr";

    private readonly ConcurrentQueue<JsonElement> _sent = new();
    private MockServer? _mock;

    protected MockServer Mock => _mock ?? throw new InvalidOperationException("the test has not started the mock");

    /// <summary>What the mock was sent so far.</summary>
    protected JsonElement[] Sent => [.. _sent];

    [TearDown]
    public async Task StopMockAsync()
    {
        if (_mock is not null) await _mock.DisposeAsync();
        _mock = null;
        _sent.Clear();
    }

    /// <summary>Starts the mock and the application on it, and signs the four up.</summary>
    protected async Task StartAsync(Func<AppOptions, AppOptions>? change = null, TimeProvider? time = null)
    {
        StartMock();
        await StartAppAsync(options => (change ?? (static o => o))(options with { Upstream = UpstreamTarget.At(Mock.EndPoints[0]) }), time);
        await SignUpAllAsync();
    }

    protected void StartMock(TimeSpan interval = default)
    {
        _mock = new MockServer(new MockOptions { Interval = interval, Observe = (_, content) => _sent.Enqueue(JsonDocument.Parse(content).RootElement.Clone()) });
        _mock.Start();
    }

    /// <summary>Starts the application on an upstream of the test's own, and signs the four up.</summary>
    protected async Task StartOnAsync(IPEndPoint upstream, Func<AppOptions, AppOptions>? change = null)
    {
        await StartAppAsync(options => (change ?? (static o => o))(options with { Upstream = UpstreamTarget.At(upstream) }));
        await SignUpAllAsync();
    }

    /// <summary>A chat of the owner's with the member in it, and one who was.</summary>
    protected async Task<string> ChatAsync(string fields = "")
    {
        string id = Text(await DoneAsync(Owner, "/chat/create", fields), "id");
        await DoneAsync(Owner, "/chat/user/add", $"chat_id={id}&user_id={Member.Id}");
        await DoneAsync(Owner, "/chat/user/add", $"chat_id={id}&user_id={Removed.Id}");
        await DoneAsync(Owner, "/chat/user/remove", $"chat_id={id}&user_id={Removed.Id}");
        return id;
    }

    protected async Task<JsonElement> PromptAsync(Caller caller, string chat, string prompt, string fields = "") =>
        await DoneAsync(caller, "/chat/prompt", $"id={chat}&prompt={Uri.EscapeDataString(prompt)}{fields}");

    /// <summary>The messages of an upstream request, as `role: text` lines.</summary>
    protected static string Turns(JsonElement request) =>
        string.Join('\n', request.GetProperty("messages").EnumerateArray().Select(turn =>
        {
            Assert.That(Reply.Names(turn), Is.EqualTo("role content"));
            return $"{Text(turn, "role")}: {Text(turn, "content")}";
        }));

    /// <summary>The chat's stored messages.</summary>
    protected async Task<JsonElement> StoredAsync(string chat) => (await ReadAsync(Owner, $"/chat/read?id={chat}")).GetProperty("messages");

    protected Task<string> StoredPromptsAsync(string chat) => Until.DoneAsync(StoredTextsAsync(chat, "prompt"));

    private async Task<string> StoredTextsAsync(string chat, string name) => Texts(await StoredAsync(chat), name);

    /// <summary>An answer of an upstream of the test's own.</summary>
    protected static string Answer(int status, string content, string fields = "", string type = "application/json") =>
        $"HTTP/1.1 {status} X\r\nContent-Type: {type}\r\n{fields}Content-Length: {content.Length}\r\n\r\n{content}";

    /// <summary>A whole completion.</summary>
    protected static string Completed(string reply) =>
        Answer(200, $$$"""{"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":{{{JsonSerializer.Serialize(reply)}}}},"finish_reason":"stop"}]}""");
}

using System.Text.Json;
using Turbo.Server;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Admin;

/// <summary>The admin commands for chats, as processes of their own beside a running server, on each kind of database.</summary>
[TestFixture(DatabaseKind.Sqlite)]
[TestFixture(DatabaseKind.Postgres)]
[Category(TurboProcess.Category)]
internal sealed class ChatAdminTests(DatabaseKind kind)
{
    private readonly List<string> _sent = [];
    private TempFolder _folder = null!;
    private TestDatabase _database = null!;

    [SetUp]
    public void MakeFolder()
    {
        _folder = new TempFolder();
        _sent.Clear();
    }

    [TearDown]
    public async Task Drop()
    {
        if (_database is not null) await _database.DisposeAsync();
        _folder.Dispose();
    }

    private async Task<(int Code, string Out, string Error)> RunAsync(params string[] args)
    {
        using TurboProcess turbo = TurboProcess.Start(_folder.Path, new Dictionary<string, string> { ["DB_ADDRESS"] = _database.Url }, ["admin", .. args]);
        int code = await turbo.ExitAsync();
        return (code, turbo.Out, turbo.Error);
    }

    private async Task<string[][]> RowsAsync(params string[] args)
    {
        (int code, string text, string error) = await RunAsync(args);
        Assert.That((code, error), Is.EqualTo((0, "")));
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => line.Split('\t'))];
    }

    [Test]
    public async Task A_deleted_message_leaves_the_chat_and_the_context_of_a_running_server()
    {
        _database = await TestDatabase.CreateAsync(kind);
        await using MockServer mock = new(new MockOptions { Observe = Observe });
        mock.Start();
        await using TestApp app = await TestApp.StartAsync(options => options with { Upstream = UpstreamTarget.At(mock.EndPoints[0]) }, shared: _database);
        (string ann, string annId) = await app.SignUpAsync("ann");
        (_, string bobId) = await app.SignUpAsync("bob");
        Reply made = await app.FormAsync("/chat/create", "name=two%09words&model=m", ann);
        string chat = made.Json.GetProperty("id").GetString()!, group = made.Json.GetProperty("group_id").GetString()!;
        await app.FormAsync("/chat/user/add", $"chat_id={chat}&user_id={bobId}", ann);
        await app.FormAsync("/chat/user/remove", $"chat_id={chat}&user_id={bobId}", ann);
        foreach (string prompt in new[] { "a", "b", "c&otr=true", "d" }) Assert.That((await app.FormAsync("/chat/prompt", $"id={chat}&prompt={prompt}", ann)).Status, Is.EqualTo(200));

        string[] row = (await RowsAsync("chat", chat)).Single();
        Assert.That(row[..5], Is.EqualTo(new[] { chat, "two words", "m", annId, group }), "a tab within a value is no column");
        Assert.That(row, Has.Length.EqualTo(7));

        string[][] users = await RowsAsync("chatUsers", chat);
        Assert.That(users.Select(static user => user[1]), Is.EqualTo(new[] { "ann", "bob" }));
        Assert.That(users.Select(static user => user[4].Length > 0), Is.EqualTo(new[] { false, true }), "who was removed has a time of it");

        string[][] messages = await RowsAsync("messages", chat);
        Assert.That(messages.Select(static message => string.Join('|', message[2..])), Is.EqualTo(new[]
        {
            $"{chat}|{annId}|m|false|a|Reply to 1 message: a",
            $"{chat}|{annId}|m|false|b|Reply to 3 messages: b",
            $"{chat}|{annId}|m|true|c|",
            $"{chat}|{annId}|m|false|d|Reply to 5 messages: d",
        }));
        Assert.That(await RowsAsync("messages", chat, "--limit", "2"), Is.EqualTo(messages[2..]));

        Assert.That(await RowsAsync("deleteMessage", messages[1][0]), Is.EqualTo(new[] { messages[1] }));
        Assert.That(await RunAsync("deleteMessage", messages[1][0]), Is.EqualTo((1, "", "turbo admin: no such message\n")));
        Assert.That((await RowsAsync("messages", chat)).Select(static message => message[6]), Is.EqualTo(new[] { "a", "c", "d" }));
        Assert.That((await app.FormAsync("/chat/prompt", $"id={chat}&prompt=e", ann)).Status, Is.EqualTo(200));
        lock (_sent) Assert.That(_sent[^1], Is.EqualTo("a|Reply to 1 message: a|d|Reply to 5 messages: d|e"));
        Assert.That((await app.GetAsync($"/chat/read?id={chat}", ann)).Json.GetProperty("messages").GetArrayLength(), Is.EqualTo(4));
    }

    [Test]
    public async Task The_go_programs_chat()
    {
        _database = await TestDatabase.CreateAsync(kind, golden: true);
        string chat = Golden.Id("chat", kind);
        (_, string text, _) = await RunAsync("messages", chat, "--json");
        JsonElement first = JsonDocument.Parse(text.Split('\n')[0]).RootElement;
        Assert.That(Reply.Names(first), Is.EqualTo("id created_at chat_id user_id model otr prompt reply"));
        Assert.That(first.GetProperty("otr").ValueKind, Is.EqualTo(JsonValueKind.False));
        (_, text, _) = await RunAsync("chat", chat, "--json");
        Assert.That(Reply.Names(JsonDocument.Parse(text).RootElement), Is.EqualTo("id name model user_id group_id created_at updated_at"));
        (_, text, _) = await RunAsync("chatUsers", chat, "--json");
        JsonElement user = JsonDocument.Parse(text.Split('\n')[0]).RootElement;
        Assert.That(Reply.Names(user), Is.EqualTo("id username first_name last_name removed_at"));
        Assert.That(user.GetProperty("removed_at").ValueKind, Is.EqualTo(JsonValueKind.Null));

        string gone = Golden.Id("deleted_chat", kind);
        foreach (string command in new[] { "chat", "chatUsers", "messages" })
            Assert.That(await RunAsync(command, gone), Is.EqualTo((1, "", "turbo admin: no such chat\n")));
    }

    private void Observe(Turbo.Net.Exchange exchange, ReadOnlyMemory<byte> content)
    {
        lock (_sent)
            _sent.Add(string.Join('|', JsonDocument.Parse(content).RootElement.GetProperty("messages").EnumerateArray().Select(static turn => turn.GetProperty("content").GetString())));
    }
}

using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Storage;

/// <summary>Rows in the forms in which the Go program keeps them in SQLite.</summary>
[TestFixture]
internal sealed class SqliteFormTests
{
    private TestDatabase _database = null!;

    [SetUp]
    public async Task Copy() => _database = await TestDatabase.CreateAsync(DatabaseKind.Sqlite, golden: true);

    [TearDown]
    public async Task Remove() => await _database.DisposeAsync();

    [Test]
    public async Task What_is_written_has_the_forms_of_the_Go_program()
    {
        await using Db db = await _database.OpenAsync(new ManualTimeProvider());
        string alice = Golden.Read("alice").Id;
        Chat chat = (await db.Chats.CreateAsync(new NewChat("n", "gpt-4", alice, null)))!;
        ChatMessage message = new() { Id = Ids.New(), CreatedAt = chat.CreatedAt.AddTicks(1_234_500), UpdatedAt = chat.CreatedAt, ChatId = chat.Id, UserId = alice, Prompt = "p", Otr = true };
        await db.Chats.AppendAsync(message);
        await db.Chats.AppendAsync(message with { Id = Ids.New(), Otr = false });

        Assert.That(await _database.RunAsync($"SELECT group_concat(typeof(otr) || otr) FROM (SELECT otr FROM messages WHERE chat_id = '{chat.Id}' ORDER BY rowid)"), Is.EqualTo("integer1,integer0"));
        Assert.That(await _database.RunAsync($"SELECT typeof(created_at) || ' ' || created_at FROM messages WHERE id = '{message.Id}'"), Is.EqualTo("text 2026-11-23 09:00:00.12345+00:00"));
        Assert.That(await _database.RunAsync($"SELECT llm || typeof(updated_at) FROM chats WHERE id = '{chat.Id}'"), Is.EqualTo("gpt-4text"));
    }

    [Test]
    public async Task Event_rows_are_texts_and_their_times_keep_what_there_is()
    {
        await using Db db = await _database.OpenAsync();
        var row = new EventRow
        {
            Id = Guid.CreateVersion7(), Timestamp = new DateTime(2026, 11, 23, 12, 0, 0, DateTimeKind.Utc).AddTicks(1_234_567),
            CreatedAt = new DateTime(2026, 11, 23, 12, 0, 1, DateTimeKind.Utc),
        };
        await db.Events.InsertAsync([row]);
        Assert.That(await _database.RunAsync($"SELECT typeof(request)||typeof(response)||typeof(message)||typeof(params) FROM events WHERE id = '{row.Id}'"),
            Is.EqualTo("texttexttexttext"));
        Assert.That(await _database.RunAsync($"SELECT timestamp||' '||created_at FROM events WHERE id = '{row.Id}'"),
            Is.EqualTo("2026-11-23 12:00:00.1234567+00:00 2026-11-23 12:00:01+00:00"));
    }

    [Test]
    public async Task Messages_of_another_zone_are_in_the_order_of_their_instants()
    {
        await _database.RunAsync($"""
            UPDATE messages SET created_at = '2026-11-23 10:48:06.133346476+02:00' WHERE prompt = 'first question';
            UPDATE messages SET created_at = '2026-11-22 20:48:06.141995302-12:00' WHERE prompt = 'third'
            """);
        await using Db db = await _database.OpenAsync();
        string[] expected = ["first question", "second: ünïcödé ☃ \"quotes\"", "third"];
        ChatOpening chat = (await db.Chats.OpenAsync(Golden.Id("chat"), Golden.Read("bob").Id, 10))!;
        Assert.That(chat.Exchanges.Select(message => message.Prompt), Is.EqualTo(expected));
        chat = (await db.Chats.OpenAsync(Golden.Id("chat"), Golden.Read("bob").Id, 1))!;
        Assert.That(chat.Exchanges.Select(message => message.Prompt), Is.EqualTo(expected[2..]));
    }
}

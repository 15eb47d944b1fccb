using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Storage;

/// <summary>Contract section 6, below the routes: a chat's messages and its context.</summary>
internal sealed class ChatMessageStoreTests(DatabaseKind kind) : StoreFixture(kind)
{
    private User _ann = null!, _bob = null!;
    private Chat _chat = null!;

    private IChatStore Chats => Db.Chats;

    [SetUp]
    public async Task MakeChat()
    {
        _ann = await UserAsync("ann");
        _bob = await UserAsync("bob");
        _chat = (await Chats.CreateAsync(new NewChat("general", "gpt-3", _ann.Id, null)))!;
        Tick();
    }

    private ChatMessage Message(string prompt, string? userId = null, bool otr = false) => new()
    {
        Id = Ids.New(), CreatedAt = Now, UpdatedAt = Now, ChatId = _chat.Id, UserId = userId ?? _ann.Id, GroupId = _chat.GroupId,
        Prompt = prompt, Reply = otr ? "" : "reply to " + prompt, Model = "gpt-3", Otr = otr,
    };

    private async Task<ChatMessage> AppendAsync(string prompt, bool otr = false)
    {
        ChatMessage message = Message(prompt, otr: otr);
        Assert.That(await Chats.AppendAsync(message));
        Tick();
        return message;
    }

    private async Task<string[]> ContextAsync(int exchanges)
    {
        ChatOpening opening = (await Chats.OpenAsync(_chat.Id, _ann.Id, exchanges))!;
        ChatRecall recall = (await Chats.RecallAsync(_chat.Id, _ann.Id, exchanges))!;
        Assert.That(recall.ExchangeIds, Is.EqualTo(opening.Exchanges.Select(message => message.Id)));
        Assert.That(recall.Chat, Is.EqualTo(opening.Chat));
        return opening.Exchanges.Select(message => message.Prompt).ToArray();
    }

    [Test]
    public async Task A_message_comes_back_whole_and_marks_its_chat()
    {
        ChatMessage message = Message("ünïcödé ☃ 😀 \"quotes\" '; DROP TABLE messages; --\n") with { Reply = new string('r', 100_000) };
        Assert.That(await Chats.AppendAsync(message));
        ChatReading reading = (await Chats.ReadAsync(_chat.Id, _ann.Id, 100))!;
        Assert.That(reading.Messages, Is.EqualTo(new[] { message }));
        Assert.That(reading.Chat, Is.EqualTo(_chat with { UpdatedAt = Now }));
    }

    [Test]
    public async Task Messages_come_oldest_first_and_the_newest_where_there_are_too_many()
    {
        for (int i = 0; i < 12; i++)
            await AppendAsync("p" + i);
        Assert.That((await Chats.ReadAsync(_chat.Id, _ann.Id, 100))!.Messages.Select(message => message.Prompt), Is.EqualTo(Enumerable.Range(0, 12).Select(i => "p" + i)));
        Assert.That((await Chats.ReadAsync(_chat.Id, _ann.Id, 3))!.Messages.Select(message => message.Prompt), Is.EqualTo(new[] { "p9", "p10", "p11" }));
        Assert.That((await Chats.InspectAsync(_chat.Id, 1))!.Messages.Single().Prompt, Is.EqualTo("p11"));
    }

    [Test]
    public async Task Context_is_the_last_exchanges_without_those_off_the_record()
    {
        Assert.That(await ContextAsync(10), Is.Empty);
        for (int i = 0; i < 6; i++)
            await AppendAsync("p" + i, otr: i is 1 or 5);
        Assert.That(await ContextAsync(10), Is.EqualTo(new[] { "p0", "p2", "p3", "p4" }));
        Assert.That(await ContextAsync(2), Is.EqualTo(new[] { "p3", "p4" }));
        Assert.That(await ContextAsync(0), Is.Empty);
        Assert.That((await Chats.ReadAsync(_chat.Id, _ann.Id, 100))!.Messages.Count(message => message.Otr), Is.EqualTo(2));
    }

    [Test]
    public async Task A_message_without_the_otr_column_set_is_on_the_record()
    {
        ChatMessage old = await AppendAsync("old");
        await Database.RunAsync($"UPDATE messages SET otr = NULL WHERE id = '{old.Id}'");
        Assert.That(await ContextAsync(10), Is.EqualTo(new[] { "old" }));
    }

    [Test]
    public async Task A_message_appended_again_stays_as_it_is()
    {
        ChatMessage message = await AppendAsync("once");
        Assert.That(await Chats.AppendAsync(message with { Prompt = "twice" }));
        ChatReading reading = (await Chats.ReadAsync(_chat.Id, _ann.Id, 100))!;
        Assert.That(reading.Messages, Is.EqualTo(new[] { message }));
        Assert.That(reading.Chat.UpdatedAt, Is.EqualTo(message.CreatedAt));
    }

    [Test]
    public async Task Who_is_not_in_the_chat_appends_nothing()
    {
        Assert.That(await Chats.AppendAsync(Message("stranger", _bob.Id)), Is.False);
        await Chats.AddUserAsync(_chat.Id, _ann.Id, _bob.Id);
        Assert.That(await Chats.AppendAsync(Message("user", _bob.Id)));
        await Chats.RemoveUserAsync(_chat.Id, _ann.Id, _bob.Id);
        Assert.That(await Chats.AppendAsync(Message("removed", _bob.Id)), Is.False);
        await Chats.DeleteAsync(_chat.Id, _ann.Id);
        Assert.That(await Chats.AppendAsync(Message("deleted")), Is.False);
        Assert.That(await Database.RunAsync("SELECT prompt FROM messages"), Is.EqualTo("user"));
        Assert.That(await Database.CountAsync("SELECT count(*) FROM messages"), Is.EqualTo(1));
    }

    [Test]
    public async Task Many_append_at_once_and_all_are_kept()
    {
        ChatMessage[] messages = Enumerable.Range(0, 50).Select(i => Message("p" + i)).ToArray();
        Assert.That(await Task.WhenAll(messages.Select(Chats.AppendAsync)), Is.All.True);
        Assert.That((await Chats.ReadAsync(_chat.Id, _ann.Id, 100))!.Messages, Is.EquivalentTo(messages));
    }

    [Test]
    public async Task A_deleted_message_is_in_no_reading_and_no_context()
    {
        ChatMessage first = await AppendAsync("first"), second = await AppendAsync("second");
        Assert.That(await Chats.DeleteMessageAsync(first.Id), Is.EqualTo(first with { DeletedAt = Now }));
        Assert.That(await Chats.DeleteMessageAsync(first.Id), Is.Null);
        Assert.That(await Chats.DeleteMessageAsync("no such"), Is.Null);
        Assert.That((await Chats.ReadAsync(_chat.Id, _ann.Id, 100))!.Messages, Is.EqualTo(new[] { second }));
        Assert.That(await ContextAsync(10), Is.EqualTo(new[] { "second" }));
        Assert.That(await Database.CountAsync("SELECT count(*) FROM messages"), Is.EqualTo(2));
    }
}

using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Storage;

/// <summary>The databases that the Go program wrote, opened as they are; and the way back.</summary>
[TestFixture(DatabaseKind.Sqlite)]
[TestFixture(DatabaseKind.Postgres)]
internal sealed class GoldenStoreTests(DatabaseKind kind)
{
    private readonly Golden.Person _alice = Golden.Read("alice", kind), _bob = Golden.Read("bob", kind), _carol = Golden.Read("carol", kind);
    private readonly string _team = Golden.Id("group", kind), _chat = Golden.Id("chat", kind), _deletedChat = Golden.Id("deleted_chat", kind);
    private TestDatabase _database = null!;
    private Db _db = null!;

    [SetUp]
    public async Task Open()
    {
        _database = await TestDatabase.CreateAsync(kind, golden: true);
        _db = await _database.OpenAsync();
    }

    [TearDown]
    public async Task Close()
    {
        await _db.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Test]
    public async Task Users_sessions_and_events_are_read_as_they_are()
    {
        User user = (await _db.Users.FindByUsernameAsync("alice"))!;
        Assert.That((user.Id, user.FirstName, user.LastName), Is.EqualTo((_alice.Id, "Alice", "Test")));
        Assert.That(user.CreatedAt, Is.EqualTo(new DateTime(2026, 11, 23, 8, 48, kind == DatabaseKind.Sqlite ? 6 : 9)).Within(TimeSpan.FromSeconds(1)));
        Assert.That(user.Groups.Select(group => group.Id), Is.EqualTo(new[] { _alice.PersonalGroup, _team }));
        foreach (Golden.Person person in new[] { _alice, _bob, _carol })
        {
            Session session = (await _db.Users.FindSessionAsync("sha256:none", person.Token))!;
            Assert.That((session.UserId, session.Username), Is.EqualTo((person.Id, person.Username)));
        }
        Assert.That(await _db.Events.QueryAsync(new EventQuery()), Has.Count.EqualTo(15));
    }

    [Test]
    public async Task The_team_and_its_members_are_there()
    {
        Assert.That((await _db.Groups.ReadAsync(_team, _bob.Id))!.Description, Is.EqualTo("golden team"));
        Assert.That(await _db.Groups.ReadAsync(_team, _carol.Id), Is.Null);
        Assert.That((await _db.Groups.MembersAsync(_team, _alice.Id))!.Select(user => user.Username), Is.EqualTo(new[] { "alice", "bob" }));
    }

    [Test]
    public async Task The_chat_reads_back_with_its_unicode_and_who_was_removed()
    {
        ChatReading reading = (await _db.Chats.ReadAsync(_chat, _bob.Id, 100))!;
        Assert.That((reading.Chat.Name, reading.Chat.Model, reading.Chat.UserId, reading.Chat.GroupId), Is.EqualTo(("golden", "gpt-4", _alice.Id, _team)));
        Assert.That(reading.Messages.Select(message => (message.Prompt, message.Reply, message.Otr)), Is.EqualTo(new[]
        {
            ("first question", "Hi there", false), ("second: ünïcödé ☃ \"quotes\"", "Hi there", false),
            ("third", "Hi there", false), ("off the record", "", true),
        }));
        Assert.That(reading.Users.Select(user => (user.Username, user.DeletedAt is not null)), Is.EqualTo(new[] { ("alice", false), ("bob", false), ("carol", true) }));
        Assert.That(await _db.Chats.ReadAsync(_chat, _carol.Id, 100), Is.Null);
    }

    [Test]
    public async Task Its_context_goes_on_without_what_was_off_the_record()
    {
        ChatOpening opening = (await _db.Chats.OpenAsync(_chat, _alice.Id, 2))!;
        Assert.That(opening.Exchanges.Select(message => message.Prompt), Is.EqualTo(new[] { "second: ünïcödé ☃ \"quotes\"", "third" }));
        ChatMessage next = new()
        {
            Id = Ids.New(), CreatedAt = _db.Now, UpdatedAt = _db.Now, ChatId = _chat, UserId = _bob.Id, GroupId = _team, Prompt = "next", Reply = "r", Model = "gpt-4",
        };
        Assert.That(await _db.Chats.AppendAsync(next));
        Assert.That((await _db.Chats.OpenAsync(_chat, _alice.Id, 2))!.Exchanges, Is.EqualTo(new[] { opening.Exchanges[1], next }));
    }

    [Test]
    public async Task The_deleted_stay_hidden()
    {
        Assert.That(await _db.Chats.ReadAsync(_deletedChat, _alice.Id, 100), Is.Null);
        Assert.That(await _db.Chats.InspectAsync(_deletedChat, 100), Is.Null);
        Assert.That((await _db.Chats.OfUserAsync(_alice.Id)).Select(chat => chat.Id), Is.EqualTo(new[] { _chat }));
        Assert.That(await _db.Chats.OfUserAsync(_carol.Id), Is.Empty);
    }

    [Test]
    public async Task New_rows_follow_the_old_ones()
    {
        // The keys of sessions, members and chat users go on where the Go program's ended.
        SignUp dave = (await _db.Users.CreateAsync(new NewUser("dave", "h", "Dave", "", "Personal"), new NewSession("sha256:x", DateTime.UtcNow)))!;
        Assert.That(dave.Session!.Id, Is.EqualTo(4));
        Assert.That((await _db.Groups.AddMembersAsync(_team, _alice.Id, [_carol.Id, dave.User.Id])).Status, Is.EqualTo(AccessStatus.Done));
        Assert.That(await _db.Chats.AddUserAsync(_chat, _alice.Id, _carol.Id), Is.EqualTo(AccessStatus.Done));
        Assert.That(await _db.Chats.AddUserAsync(_chat, _alice.Id, dave.User.Id), Is.EqualTo(AccessStatus.Done));
        Assert.That(await _database.CountAsync($"SELECT count(*) FROM chat_users WHERE chat_id = '{_chat}' AND deleted_at IS NULL"), Is.EqualTo(4));
        Assert.That(await _db.Users.CreateAsync(new NewUser("alice", "h", "", "", null), null), Is.Null);
    }
}

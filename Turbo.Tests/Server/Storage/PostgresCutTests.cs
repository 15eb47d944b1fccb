using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Storage;

/// <summary>
/// Connections that break at the moment that matters: what cannot have been stored is done again, what may have been is
/// never done twice, and what is the same once or twice is simply done.
/// </summary>
[TestFixture]
internal sealed class PostgresCutTests
{
    /// <summary>As a statement, ended by a zero; "READ COMMITTED" opens every transaction.</summary>
    private const string Commit = "COMMIT\0";

    private TestDatabase _database = null!;
    private CuttingProxy _proxy = null!;
    private Db _db = null!;
    private User _ann = null!;
    private Group _team = null!;
    private Chat _chat = null!;

    [SetUp]
    public async Task Open()
    {
        _database = await TestDatabase.CreateAsync(DatabaseKind.Postgres);
        _proxy = new CuttingProxy(PostgresTestDatabase.Server.Port);
        var address = (Turbo.Server.PostgresAddress)_database.Address;
        // One connection: its first statements of a kind go over as text, where the proxy can see them.
        var options = new DbOptions { Connections = 1, CommandTimeout = TimeSpan.FromSeconds(1) };
        _db = await Db.OpenAsync(address with { Host = "127.0.0.1", Port = _proxy.Port, Tls = Turbo.Server.PostgresTls.Disable }, options, TimeProvider.System);
        _ann = (await _db.Users.CreateAsync(Someone("ann"), null))!.User;
        _team = (await _db.Groups.CreateAsync("team", "", _ann.Id, [])).Group!;
        _chat = (await _db.Chats.CreateAsync(new NewChat("c", "m", _ann.Id, null)))!;
    }

    [TearDown]
    public async Task Close()
    {
        if (_db is not null) await _db.DisposeAsync();
        if (_proxy is not null) await _proxy.DisposeAsync();
        await _database.DisposeAsync();
    }

    private static NewUser Someone(string name) => new(name, "h", "", "", "Personal");

    private ChatMessage Message() => new() { Id = Ids.New(), CreatedAt = _db.Now, UpdatedAt = _db.Now, ChatId = _chat.Id, UserId = _ann.Id };

    [Test]
    public async Task A_transaction_cut_before_its_commit_is_done_again([Values(Cut.Before, Cut.After)] Cut cut)
    {
        _proxy.Await("FOR NO KEY UPDATE", cut);
        Assert.That((await _db.Groups.UpdateAsync(_team.Id, _ann.Id, "crew", null)).Group!.Name, Is.EqualTo("crew"));
        Assert.That(_proxy.Cuts, Is.EqualTo(1));
    }

    [Test]
    public async Task A_commit_whose_answer_is_lost_is_told_as_unknown_and_not_done_twice()
    {
        _proxy.Await(Commit, Cut.After);
        Assert.That((await Catch(_db.Users.CreateAsync(Someone("bob"), null))).Failure, Is.EqualTo(StorageFailure.Unavailable));
        Assert.That(_proxy.Cuts, Is.EqualTo(1));
        Assert.That(await _database.CountAsync("SELECT count(*) FROM users WHERE username = 'bob'"), Is.EqualTo(1), "as it happens");
        Assert.That(await _db.Users.FindByUsernameAsync("bob"), Is.Not.Null);
    }

    [Test]
    public async Task What_may_be_done_twice_is_done_though_its_commits_answer_is_lost()
    {
        User bob = (await _db.Users.CreateAsync(Someone("bob"), null))!.User;
        _proxy.Await(Commit, Cut.After);
        Assert.That((await _db.Groups.AddMembersAsync(_team.Id, _ann.Id, [bob.Id])).Status, Is.EqualTo(AccessStatus.Done));
        _proxy.Await(Commit, Cut.Before);
        Assert.That(await _db.Chats.AddUserAsync(_chat.Id, _ann.Id, bob.Id), Is.EqualTo(AccessStatus.Done));
        Assert.That(_proxy.Cuts, Is.EqualTo(2));
        Assert.That(await _database.CountAsync($"SELECT count(*) FROM group_members WHERE group_id = '{_team.Id}'"), Is.EqualTo(2));
    }

    [Test]
    public async Task A_message_and_an_event_are_stored_once_however_often_they_are_sent([Values(Cut.Before, Cut.After)] Cut cut)
    {
        _proxy.Await("INSERT INTO messages", cut);
        Assert.That(await _db.Chats.AppendAsync(Message()));
        _proxy.Await("INSERT INTO events", cut);
        await _db.Events.InsertAsync([new EventRow { Id = Guid.NewGuid() }, new EventRow { Id = Guid.NewGuid() }]);
        Assert.That(_proxy.Cuts, Is.EqualTo(2));
        Assert.That(await _database.CountAsync("SELECT count(*) FROM messages"), Is.EqualTo(1));
        Assert.That(await _database.CountAsync("SELECT count(*) FROM events"), Is.EqualTo(2));
    }

    [Test]
    public async Task A_server_that_falls_silent_is_given_up_in_time_and_found_again()
    {
        _proxy.Await("FROM messages", Cut.Silence);
        Assert.That((await Catch(Until.DoneAsync(_db.Chats.ReadAsync(_chat.Id, _ann.Id, 10)))).Failure, Is.EqualTo(StorageFailure.Unavailable));
        Assert.That(_proxy.Cuts, Is.EqualTo(1));
        Assert.That(await Until.DoneAsync(_db.Chats.ReadAsync(_chat.Id, _ann.Id, 10)), Is.Not.Null);
    }

    private static async Task<StorageException> Catch(Task task)
    {
        try
        {
            await task;
        }
        catch (StorageException e)
        {
            return e;
        }
        throw new AssertionException("nothing was thrown");
    }
}

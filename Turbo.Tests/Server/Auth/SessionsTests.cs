using System.Text;
using Turbo.Server;
using Turbo.Server.Auth;
using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Auth;

[TestFixture]
internal sealed class SessionsTests
{
    private TempFolder _folder = null!;
    private ManualTimeProvider _time = null!;
    private Db _db = null!;
    private CountingUsers _users = null!;
    private Sessions _sessions = null!;
    private List<Exception> _failures = null!;

    [SetUp]
    public async Task Open()
    {
        _folder = new TempFolder();
        _time = new ManualTimeProvider();
        _db = await Db.OpenAsync(new SqliteAddress(Golden.CopyTo(_folder)), new DbOptions(), _time);
        _users = new CountingUsers(_db.Users);
        _failures = [];
        _sessions = Make(new SessionOptions());
    }

    [TearDown]
    public async Task Close()
    {
        await _sessions.DisposeAsync();
        await _db.DisposeAsync();
        _folder.Dispose();
    }

    private Sessions Make(SessionOptions options) => new(_users, options, _time, (_, e) => _failures.Add(e));

    private static byte[] Bytes(string token) => Encoding.ASCII.GetBytes(token);

    private async Task<(byte[] Token, Session Row)> AddAsync(string username, TimeSpan? lifetime = null)
    {
        User user = (await _db.Users.FindByUsernameAsync(username))!;
        string token = SessionTokens.Create();
        var session = new NewSession(
            SessionTokens.Stored(token), _time.GetUtcNow().UtcDateTime + (lifetime ?? SessionTokens.Lifetime));
        return (Bytes(token), (await _db.Users.AddSessionAsync(user, session, null))!);
    }

    [Test]
    public async Task A_golden_token_and_one_of_ours_are_accepted()
    {
        Golden.Person bob = Golden.Read("bob");
        LiveSession session = (await _sessions.AuthenticateAsync(Bytes(bob.Token)))!;
        Assert.That((session.UserId, session.Username), Is.EqualTo((bob.Id, "bob")));

        (byte[] token, Session row) = await AddAsync("alice");
        Assert.That((await _sessions.AuthenticateAsync(token))!.Id, Is.EqualTo(row.Id));
    }

    [Test]
    public async Task What_the_table_holds_is_no_token()
    {
        (byte[] token, Session row) = await AddAsync("alice");
        Assert.That(await _sessions.AuthenticateAsync(Bytes(row.StoredToken)), Is.Null);
        Assert.That(_users.Lookups, Is.Zero);
        Assert.That(await _sessions.AuthenticateAsync(token), Is.Not.Null);
    }

    [Test]
    public async Task A_hit_is_synchronous_the_same_object_and_allocates_nothing()
    {
        byte[] token = Bytes(Golden.Read("alice").Token);
        LiveSession session = (await _sessions.AuthenticateAsync(token))!;
        Hit(1000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Hit(1000);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Assert.That(_users.Lookups, Is.EqualTo(1));

        void Hit(int times)
        {
            for (int i = 0; i < times; i++)
            {
                if (!_sessions.TryGet(token, out LiveSession? hit) || hit != session ||
                    !_sessions.AuthenticateAsync(token).IsCompletedSuccessfully)
                    throw new AssertionException("no hit");
                using SessionHold hold = _sessions.Hold(hit);
            }
        }
    }

    [Test]
    public async Task Misses_at_once_ask_once()
    {
        byte[] token = Bytes(Golden.Read("alice").Token);
        _users.Gate = new TaskCompletionSource();
        Task<LiveSession?>[] all = Enumerable.Range(0, 50).Select(_ => _sessions.AuthenticateAsync(token).AsTask()).ToArray();
        _users.Gate.SetResult();
        LiveSession?[] found = await Task.WhenAll(all);
        Assert.That(found, Is.All.SameAs(found[0]).And.All.Not.Null);
        Assert.That(_users.Lookups, Is.EqualTo(1));
    }

    [Test]
    public async Task Unknown_tokens_leave_nothing_behind()
    {
        for (int i = 0; i < 100; i++)
            Assert.That(await _sessions.AuthenticateAsync(Bytes("unknown" + i)), Is.Null);
        Assert.That(_sessions.Cached, Is.Zero);
    }

    [Test]
    public async Task Too_many_lookups_are_busy()
    {
        await using Sessions sessions = Make(new SessionOptions { Lookups = 2 });
        _users.Gate = new TaskCompletionSource();
        Task<LiveSession?> one = sessions.AuthenticateAsync("one"u8).AsTask(), two = sessions.AuthenticateAsync("two"u8).AsTask();
        Assert.ThrowsAsync<StorageBusyException>(async () => await sessions.AuthenticateAsync("three"u8));
        _users.Gate.SetResult();
        Assert.That((await one, await two), Is.EqualTo(((LiveSession?)null, (LiveSession?)null)));
        Assert.That(await sessions.AuthenticateAsync("three"u8), Is.Null);
    }

    [Test]
    public async Task Logging_out_ends_the_session_and_its_streams()
    {
        byte[] token = Bytes(Golden.Read("alice").Token);
        LiveSession session = (await _sessions.AuthenticateAsync(token))!;
        using SessionHold hold = _sessions.Hold(session);
        CancellationToken ended = hold.Session.Ended;

        Assert.That(await _sessions.EndAsync(token));
        Assert.That(await _sessions.AuthenticateAsync(token), Is.Null);
        Assert.That(ended.IsCancellationRequested && session.IsEnded);
        Assert.That(await _sessions.EndAsync(token), Is.False);
        Assert.That(_sessions.Cached, Is.Zero);
    }

    [Test]
    public async Task Ending_a_users_sessions_keeps_the_one()
    {
        (byte[] kept, Session row) = await AddAsync("alice");
        (byte[] other, _) = await AddAsync("alice");
        LiveSession keptSession = (await _sessions.AuthenticateAsync(kept))!, otherSession = (await _sessions.AuthenticateAsync(other))!;
        Assert.That(await _sessions.EndAllAsync(row.UserId, row.Id), Is.EqualTo(2), "the golden one too");
        Assert.That((keptSession.IsEnded, otherSession.IsEnded), Is.EqualTo((false, true)));
        Assert.That(_sessions.TryGet(kept, out _));
        Assert.That(await _sessions.AuthenticateAsync(other), Is.Null);
    }

    [Test]
    public async Task A_session_ended_by_another_process_ends_here_with_the_next_sweep()
    {
        (byte[] token, Session row) = await AddAsync("alice");
        LiveSession session = (await _sessions.AuthenticateAsync(token))!;
        await _db.Users.EndSessionAsync(row.Id);
        Assert.That(_sessions.TryGet(token, out _), "not known yet");

        _time.Advance(TimeSpan.FromSeconds(1));
        await _sessions.SweepAsync();
        Assert.That(session.IsEnded && session.Ended.IsCancellationRequested);
        Assert.That(await _sessions.AuthenticateAsync(token), Is.Null);
    }

    [Test]
    public async Task A_held_session_is_swept_though_no_request_uses_it()
    {
        (byte[] token, Session row) = await AddAsync("alice");
        LiveSession session = (await _sessions.AuthenticateAsync(token))!;
        using SessionHold hold = _sessions.Hold(session);
        for (int i = 0; i < 5; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await _sessions.SweepAsync();
        }
        Assert.That(hold.Session.IsEnded, Is.False);
        await _db.Users.EndSessionAsync(row.Id);
        _time.Advance(TimeSpan.FromSeconds(1));
        await _sessions.SweepAsync();
        Assert.That(hold.Session.Ended.IsCancellationRequested);
    }

    [Test]
    public async Task An_idle_session_is_looked_up_before_its_next_request()
    {
        (byte[] token, Session row) = await AddAsync("alice");
        LiveSession session = (await _sessions.AuthenticateAsync(token))!;
        for (int i = 0; i < 4; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await _sessions.SweepAsync();
        }
        Assert.That(_sessions.TryGet(token, out _), Is.False);
        Assert.That(await _sessions.AuthenticateAsync(token), Is.SameAs(session), "and still is the same");
        await _db.Users.EndSessionAsync(row.Id);
        _time.Advance(TimeSpan.FromSeconds(4));
        Assert.That(await _sessions.AuthenticateAsync(token), Is.Null);
        Assert.That(session.IsEnded);
    }

    /// <summary>The second that the contract gives, whether or not a sweep gets an answer within it.</summary>
    [Test]
    public async Task What_ended_elsewhere_is_accepted_for_no_second()
    {
        (byte[] token, Session row) = await AddAsync("alice");
        await _sessions.AuthenticateAsync(token);
        await _db.Users.EndSessionAsync(row.Id);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.That(_sessions.TryGet(token, out _), Is.False, "not without a look into the database");
        Assert.That(await _sessions.AuthenticateAsync(token), Is.Null);
    }

    [Test]
    public async Task A_session_in_use_stays_a_hit()
    {
        byte[] token = Bytes(Golden.Read("alice").Token);
        await _sessions.AuthenticateAsync(token);
        for (int i = 0; i < 10; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await _sessions.SweepAsync();
            Assert.That(_sessions.TryGet(token, out _), $"second {i}");
        }
        Assert.That(_users.Lookups, Is.EqualTo(1));
    }

    [Test]
    public async Task An_expired_session_is_none()
    {
        (byte[] token, _) = await AddAsync("alice", TimeSpan.FromSeconds(1.5));
        LiveSession session = (await _sessions.AuthenticateAsync(token))!;
        using SessionHold hold = _sessions.Hold(session);
        _time.Advance(TimeSpan.FromSeconds(1.4));
        // One that the clock began may have asked before it moved on: the next has not.
        await _sessions.SweepAsync();
        await _sessions.SweepAsync();
        Assert.That(_sessions.TryGet(token, out _));
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.That(_sessions.TryGet(token, out _), Is.False);
        await _sessions.SweepAsync();
        Assert.That(session.Ended.IsCancellationRequested);
        Assert.That(await _sessions.AuthenticateAsync(token), Is.Null);
    }

    [Test]
    public async Task A_database_that_fails_is_reported_once_and_does_not_let_anyone_stay()
    {
        byte[] token = Bytes(Golden.Read("alice").Token);
        await _sessions.AuthenticateAsync(token);
        _users.Failure = new StorageException(StorageFailure.Unavailable, "gone");
        for (int i = 0; i < 3; i++)
        {
            _sessions.TryGet(token, out _);
            _time.Advance(TimeSpan.FromSeconds(1));
            await _sessions.SweepAsync();
        }
        Assert.That(_failures, Has.Count.EqualTo(1));
        Assert.ThrowsAsync<StorageException>(async () => await _sessions.AuthenticateAsync(token));
        _users.Failure = null;
        Assert.That(await _sessions.AuthenticateAsync(token), Is.Not.Null);
    }

    [Test]
    public async Task A_lookup_that_a_logout_overtakes_is_read_again()
    {
        (byte[] token, Session row) = await AddAsync("alice");
        _users.AfterRead = async () =>
        {
            _users.AfterRead = null;
            await _db.Users.EndSessionAsync(row.Id);
            _sessions.Forget([row.Id]);
        };
        Assert.That(await _sessions.AuthenticateAsync(token), Is.Null);
        Assert.That(_users.Lookups, Is.EqualTo(2));
    }

    [Test]
    public async Task A_full_cache_evicts_the_idle_and_keeps_the_held()
    {
        await using Sessions sessions = Make(new SessionOptions { Capacity = 4 });
        (byte[] heldToken, _) = await AddAsync("alice");
        using SessionHold hold = sessions.Hold((await sessions.AuthenticateAsync(heldToken))!);
        for (int i = 0; i < 20; i++)
        {
            (byte[] token, _) = await AddAsync("bob");
            Assert.That(await sessions.AuthenticateAsync(token), Is.Not.Null);
            Assert.That(sessions.TryGet(token, out _));
        }
        Assert.That(sessions.Cached, Is.EqualTo(4));
        Assert.That(sessions.TryGet(heldToken, out LiveSession? still) && still == hold.Session);
    }

    [Test]
    public async Task A_session_evicted_before_it_is_held_is_watched_all_the_same()
    {
        await using Sessions sessions = Make(new SessionOptions { Capacity = 1 });
        (byte[] first, Session row) = await AddAsync("alice");
        (byte[] second, _) = await AddAsync("alice");
        LiveSession evicted = (await sessions.AuthenticateAsync(first))!;
        await sessions.AuthenticateAsync(second);
        Assert.That(sessions.TryGet(first, out _), Is.False);

        using SessionHold hold = sessions.Hold(evicted);
        await _db.Users.EndSessionAsync(row.Id);
        _time.Advance(TimeSpan.FromSeconds(1));
        await sessions.SweepAsync();
        Assert.That(hold.Session.Ended.IsCancellationRequested);
    }

    [Test]
    public void Hash_and_equality_of_a_span_and_an_array_agree()
    {
        TokenComparer comparer = TokenComparer.Instance;
        for (int length = 0; length < 70; length++)
        {
            byte[] token = new byte[length];
            Random.Shared.NextBytes(token);
            Assert.That(comparer.GetHashCode(token.AsSpan()), Is.EqualTo(comparer.GetHashCode(token)));
            Assert.That(comparer.Equals(token.AsSpan(), token));
            if (length == 0)
                continue;
            byte[] other = [.. token];
            other[^1] ^= 1;
            Assert.That(comparer.Equals(other.AsSpan(), token), Is.False);
            Assert.That(comparer.GetHashCode(other), Is.Not.EqualTo(comparer.GetHashCode(token)));
        }
    }

    /// <summary>The store, with lookups that can be counted, held up and made to fail.</summary>
    private sealed class CountingUsers(IUserStore store) : IUserStore
    {
        private int _lookups;

        public int Lookups => _lookups;
        public TaskCompletionSource? Gate { get; set; }
        public Exception? Failure { get; set; }
        public Func<Task>? AfterRead { get; set; }

        public async Task<Session?> FindSessionAsync(string hashedToken, string plainToken)
        {
            Interlocked.Increment(ref _lookups);
            if (Gate is { } gate)
                await gate.Task;
            if (Failure is { } failure)
                throw failure;
            Session? found = await store.FindSessionAsync(hashedToken, plainToken);
            if (AfterRead is { } after)
                await after();
            return found;
        }

        public Task<IReadOnlyList<long>> LiveSessionsAsync(IReadOnlyList<long> ids) =>
            Failure is { } failure ? Task.FromException<IReadOnlyList<long>>(failure) : store.LiveSessionsAsync(ids);

        public Task<SignUp?> CreateAsync(NewUser user, NewSession? session) => store.CreateAsync(user, session);
        public Task<User?> FindAsync(string id) => store.FindAsync(id);
        public Task<User?> FindByUsernameAsync(string username) => store.FindByUsernameAsync(username);
        public Task<IReadOnlyList<User>> ListAsync(User? after, int limit) => store.ListAsync(after, limit);
        public Task<UserUpdate> UpdateAsync(string id, string? firstName, string? lastName, string? username) =>
            store.UpdateAsync(id, firstName, lastName, username);
        public Task<IReadOnlyList<long>?> ChangePasswordAsync(string userId, string? expectedHash, string newHash, long? keepSession) =>
            store.ChangePasswordAsync(userId, expectedHash, newHash, keepSession);
        public Task<Session?> AddSessionAsync(User user, NewSession session, string? newHash) =>
            store.AddSessionAsync(user, session, newHash);
        public Task<IReadOnlyList<Session>> SessionsOfAsync(string userId) => store.SessionsOfAsync(userId);
        public Task<bool> EndSessionAsync(long id) => store.EndSessionAsync(id);
        public Task<IReadOnlyList<long>> EndSessionsAsync(string userId, long? keepSession) =>
            store.EndSessionsAsync(userId, keepSession);
    }
}

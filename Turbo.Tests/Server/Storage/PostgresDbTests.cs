using Npgsql;
using Turbo.Server;
using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Storage;

/// <summary>Opening, migrating, sharing with other nodes, and the ways in which PostgreSQL can fail.</summary>
[TestFixture]
internal sealed class PostgresDbTests
{
    private const string Shape = """
        SELECT string_agg(line, E'\n' ORDER BY line) FROM (
            SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '') AS line
            FROM information_schema.columns WHERE table_schema = 'public'
            UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace) shape
        """;

    private TestDatabase _database = null!;

    [SetUp]
    public async Task Create() => _database = await TestDatabase.CreateAsync(DatabaseKind.Postgres);

    [TearDown]
    public async Task Drop() => await _database.DisposeAsync();

    private static NewUser Someone(string name) => new(name, "hash", "First", "", "Personal");

    [Test]
    public async Task Tables_are_the_Go_programs_with_ours_added()
    {
        await using TestDatabase golden = await TestDatabase.CreateAsync(DatabaseKind.Postgres, golden: true);
        string before = (string)(await golden.RunAsync(Shape))!;
        await (await golden.OpenAsync()).DisposeAsync();
        await (await _database.OpenAsync()).DisposeAsync();

        string[] made = ((string)(await _database.RunAsync(Shape))!).Split('\n');
        Assert.That(made, Is.EquivalentTo(((string)(await golden.RunAsync(Shape))!).Split('\n')));
        Assert.That(before.Split('\n'), Is.SubsetOf(made));
        Assert.That(made, Has.Some.StartsWith("CREATE UNIQUE INDEX turbo_users_username"));
    }

    [Test]
    public async Task Many_nodes_open_a_new_database_at_once_and_again_later()
    {
        for (int round = 0; round < 2; round++)
        {
            Db[] all = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => _database.OpenAsync()));
            await Task.WhenAll(all.Select(db => db.CheckAsync()));
            foreach (Db db in all) await db.DisposeAsync();
            Assert.That(await _database.CountAsync("SELECT count(*) FROM turbo_migrations"), Is.EqualTo(6));
        }
    }

    [Test]
    public async Task Opening_a_database_that_is_up_to_date_waits_for_no_writer()
    {
        await (await _database.OpenAsync()).DisposeAsync();
        await using NpgsqlConnection writer = await ConnectAsync();
        await using NpgsqlTransaction transaction = await writer.BeginTransactionAsync();
        await RunAsync(writer, "LOCK TABLE users, events, messages IN EXCLUSIVE MODE");
        await (await Until.DoneAsync(_database.OpenAsync())).DisposeAsync();
    }

    [Test]
    public async Task Repeated_usernames_of_old_rows_are_lived_with()
    {
        await using TestDatabase golden = await TestDatabase.CreateAsync(DatabaseKind.Postgres, golden: true);
        await golden.RunAsync("INSERT INTO users (id, created_at, username, password) VALUES ('twin', '2026-12-01', 'alice', 'x')");
        await using Db db = await golden.OpenAsync(), other = await golden.OpenAsync();
        Assert.That((await db.Users.FindByUsernameAsync("alice"))!.Id, Is.EqualTo(Golden.Read("alice", DatabaseKind.Postgres).Id), "the elder");
        SignUp?[] all = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => (i % 2 == 0 ? db : other).Users.CreateAsync(Someone("same"), null)));
        Assert.That(all.Count(signUp => signUp is not null), Is.EqualTo(1), "though no index keeps them apart");
        Assert.That(await db.Users.CreateAsync(Someone("alice"), null), Is.Null);
    }

    [Test]
    public async Task A_name_that_another_program_took_meanwhile_is_taken()
    {
        await using Db db = await _database.OpenAsync();
        await using NpgsqlConnection other = await ConnectAsync();
        await using NpgsqlTransaction transaction = await other.BeginTransactionAsync();
        await RunAsync(other, "INSERT INTO users (id, username) VALUES ('other', 'ann')");
        Task<SignUp?> signUp = db.Users.CreateAsync(Someone("ann"), null);
        await WaitForBlockedAsync(other);
        await transaction.CommitAsync();
        Assert.That(await signUp, Is.Null);
        SignUp bob = (await db.Users.CreateAsync(Someone("bob"), null))!;
        Assert.That((await db.Users.UpdateAsync(bob.User.Id, null, null, "ann")).Status, Is.EqualTo(UserUpdateStatus.UsernameTaken));
    }

    [Test]
    public async Task Connections_ended_by_the_server_are_replaced_unnoticed()
    {
        await using Db db = await _database.OpenAsync();
        User ann = (await db.Users.CreateAsync(Someone("ann"), null))!.User;
        for (int round = 0; round < 3; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => db.Users.FindAsync(ann.Id)));
            await EndConnectionsAsync();
            Assert.That(await db.Users.FindAsync(ann.Id), Is.Not.Null, "a read is repeated");
            await EndConnectionsAsync();
            Assert.That(await db.Chats.CreateAsync(new NewChat("c", "m", ann.Id, null)), Is.Not.Null, "a write that cannot have been stored is, too");
        }
        Assert.That(await db.Chats.OfUserAsync(ann.Id), Has.Count.EqualTo(3));
    }

    [Test]
    public async Task Transactions_that_deadlock_are_done_again()
    {
        await using Db db = await _database.OpenAsync();
        User ann = (await db.Users.CreateAsync(Someone("ann"), null))!.User;
        Chat chat = (await db.Chats.CreateAsync(new NewChat("c", "m", ann.Id, null)))!;
        await using NpgsqlConnection other = await ConnectAsync();
        await using NpgsqlTransaction transaction = await other.BeginTransactionAsync();
        // The other holds what deleting comes to second, and then wants what it took first; it is patient, so that the
        // server gives the deletion up.
        await RunAsync(other, "SET LOCAL deadlock_timeout = '1min'; SELECT 1 FROM chat_users FOR UPDATE");
        Task<AccessStatus> deletion = db.Chats.DeleteAsync(chat.Id, ann.Id);
        await WaitForBlockedAsync(other);
        await RunAsync(other, "UPDATE chats SET name = 'theirs'");
        await transaction.CommitAsync();
        Assert.That(await Until.DoneAsync(deletion), Is.EqualTo(AccessStatus.Done));
        Assert.That(await _database.RunAsync("SELECT name FROM chats WHERE deleted_at IS NOT NULL"), Is.EqualTo("theirs"));
    }

    [Test]
    public async Task A_lock_held_elsewhere_is_busy_and_passes()
    {
        await using Db db = await _database.OpenAsync(options: new DbOptions { BusyTimeout = TimeSpan.FromMilliseconds(100) });
        await using NpgsqlConnection other = await ConnectAsync();
        await using (NpgsqlTransaction transaction = await other.BeginTransactionAsync())
        {
            await RunAsync(other, "LOCK TABLE users IN EXCLUSIVE MODE");
            Assert.That(await Catch(db.Users.CreateAsync(Someone("a"), null)), Is.TypeOf<StorageBusyException>());
            Assert.That(await db.Users.FindAsync("a"), Is.Null, "reads go on");
        }
        Assert.That(await db.Users.CreateAsync(Someone("a"), null), Is.Not.Null);
    }

    [Test]
    public async Task A_statement_that_takes_too_long_is_given_up_and_its_connection_serves_on()
    {
        var options = new DbOptions { Connections = 1, CommandTimeout = TimeSpan.FromSeconds(1), BusyTimeout = TimeSpan.FromSeconds(30) };
        await using Db db = await _database.OpenAsync(options: options);
        await using NpgsqlConnection other = await ConnectAsync();
        await using (NpgsqlTransaction transaction = await other.BeginTransactionAsync())
        {
            await RunAsync(other, "LOCK TABLE users IN ACCESS EXCLUSIVE MODE");
            Assert.That((await Catch(db.Users.FindAsync("a"))).Failure, Is.EqualTo(StorageFailure.Unavailable));
        }
        Assert.That(await db.Users.FindAsync("a"), Is.Null);
    }

    [Test]
    public async Task More_than_may_wait_is_busy_and_so_is_waiting_too_long_for_a_connection()
    {
        var options = new DbOptions { Connections = 1, Queue = 4, ConnectTimeout = TimeSpan.FromSeconds(1) };
        await using Db db = await _database.OpenAsync(options: options);
        await using NpgsqlConnection other = await ConnectAsync();
        await using (NpgsqlTransaction transaction = await other.BeginTransactionAsync())
        {
            await RunAsync(other, "LOCK TABLE users IN ACCESS EXCLUSIVE MODE");
            List<Task> reads = [.. Enumerable.Range(0, 5).Select(_ => db.Users.FindAsync("a"))];
            Assert.That((await Catch(reads[4])).Message, Does.Contain("too many"));
            reads.RemoveAt(4);
            while (reads.Count > 1)
            {
                Task late = await Until.DoneAsync(Task.WhenAny(reads));
                Assert.That((await Catch(late)).Message, Does.Contain("no connection"));
                reads.Remove(late);
            }
            await transaction.RollbackAsync();
            await Until.DoneAsync(reads[0]);
        }
    }

    [Test]
    public async Task A_value_that_a_column_cannot_hold_is_that_rows_fault()
    {
        await using Db db = await _database.OpenAsync();
        StorageException refused = await Catch(db.Users.CreateAsync(Someone("a\0secret"), null));
        Assert.That(refused.Failure, Is.EqualTo(StorageFailure.Failed));
        Assert.That(StorageException.IsRowsFault(refused));
        Assert.That(refused.Message, Does.Not.Contain("secret"));
        var row = new EventRow { Id = Guid.NewGuid() };
        row.Request.Set("\0"u8);
        Assert.That(StorageException.IsRowsFault(await Catch(db.Events.InsertAsync([new EventRow { Id = Guid.NewGuid() }, row]))));
        Assert.That(await db.Events.QueryAsync(new EventQuery()), Is.Empty, "all rows or none");
    }

    [Test]
    public async Task Readiness_needs_a_database_that_takes_writes()
    {
        await using Db db = await _database.OpenAsync();
        await db.CheckAsync();
        await _database.RunAsync("DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET default_transaction_read_only = on'; END $$");
        await EndConnectionsAsync();
        Assert.That((await Catch(db.CheckAsync())).Failure, Is.EqualTo(StorageFailure.ReadOnly));
        Assert.That((await Catch(db.Users.CreateAsync(Someone("a"), null))).Failure, Is.EqualTo(StorageFailure.ReadOnly));
    }

    [Test]
    public async Task Answers_come_on_the_thread_pool()
    {
        await using Db db = await _database.OpenAsync();
        bool read = await db.Users.FindAsync("x").ContinueWith(_ => Thread.CurrentThread.IsThreadPoolThread, TaskContinuationOptions.ExecuteSynchronously);
        Assert.That(read);
    }

    [Test]
    public async Task A_closed_database_finishes_what_runs_and_says_closed()
    {
        Db db = await _database.OpenAsync();
        Task<SignUp?>[] running = Enumerable.Range(0, 50).Select(i => db.Users.CreateAsync(Someone("user" + i), null)).ToArray();
        await db.DisposeAsync();
        Assert.That(await Until.DoneAsync(Task.WhenAll(running)), Has.None.Null);
        Assert.That((await Catch(db.Users.FindAsync("x"))).Failure, Is.EqualTo(StorageFailure.Closed));
    }

    [Test]
    public async Task A_start_without_a_database_says_why()
    {
        var hasty = new DbOptions { BusyTimeout = TimeSpan.FromMilliseconds(200) };
        PostgresAddress here = PostgresTestDatabase.Server;
        Assert.That((await Catch(Db.OpenAsync(here with { Database = "no_such" }, new DbOptions(), TimeProvider.System))).Message, Does.Contain("no_such"));
        Assert.That((await Catch(Db.OpenAsync(here with { User = "no_such" }, new DbOptions(), TimeProvider.System))).Failure, Is.EqualTo(StorageFailure.Unavailable));
        // Port 1 of loopback refuses.
        StorageException refused = await Catch(Db.OpenAsync(here with { Port = 1, Password = "hunter2" }, hasty, TimeProvider.System));
        Assert.That((refused.Failure, refused.Message.Contains("hunter2")), Is.EqualTo((StorageFailure.Unavailable, false)));
        Assert.That((await Catch(Db.OpenAsync(here with { Tls = PostgresTls.Require }, hasty, TimeProvider.System))).Failure, Is.EqualTo(StorageFailure.Unavailable));
    }

    private async Task<NpgsqlConnection> ConnectAsync()
    {
        var address = (PostgresAddress)_database.Address;
        var connection = new NpgsqlConnection($"Host={address.Host};Port={address.Port};Username={address.User};Database={address.Database};Pooling=false");
        await connection.OpenAsync();
        return connection;
    }

    private static async Task RunAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Waits until another session of this database waits for a lock of this one's.</summary>
    private static async Task WaitForBlockedAsync(NpgsqlConnection holder)
    {
        await using var command = new NpgsqlCommand("SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))", holder);
        using var patience = new CancellationTokenSource(Until.Deadline);
        while ((long)(await command.ExecuteScalarAsync(patience.Token))! == 0) await Task.Delay(5, patience.Token);
    }

    private Task EndConnectionsAsync() => _database.RunAsync(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");

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

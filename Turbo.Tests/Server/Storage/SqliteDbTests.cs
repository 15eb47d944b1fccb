using Microsoft.Data.Sqlite;
using Turbo.Server;
using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Server.Storage.Sqlite;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Storage;

/// <summary>Opening, migrating, grouping writes, and each way a database can fail.</summary>
[TestFixture]
internal sealed class SqliteDbTests
{
    private TempFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TempFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    private Task<Db> OpenAsync(string path, DbOptions? options = null) =>
        Db.OpenAsync(new SqliteAddress(path), options ?? new DbOptions(), TimeProvider.System);

    private static NewUser Someone(string name) => new(name, "hash", "First", "", "Personal");

    [Test]
    public async Task Tables_are_the_Go_programs_with_ours_added()
    {
        string golden = Golden.CopyTo(_folder), fresh = _folder.File("fresh.db");
        Dictionary<string, string> before = Schema(golden);
        await (await OpenAsync(fresh)).DisposeAsync();
        await (await OpenAsync(golden)).DisposeAsync();

        Dictionary<string, string> made = Schema(fresh);
        foreach ((string name, string sql) in before)
            if (name != "events")
                Assert.That(made[name], Is.EqualTo(sql), name);
        Assert.That(made, Is.EquivalentTo(Schema(golden)));
        Assert.That(made["events"], Does.StartWith(before["events"][..before["events"].IndexOf("PRIMARY", StringComparison.Ordinal)]));
        foreach (string column in new[] { "model", "prompt_tokens", "completion_tokens", "total_tokens", "ttfb" })
            Assert.That(made["events"], Does.Contain(column));
        Assert.That(made["turbo_users_username"], Does.StartWith("CREATE UNIQUE INDEX"));
    }

    [Test]
    public async Task Golden_rows_are_read_as_they_are()
    {
        Golden.Person alice = Golden.Read("alice"), carol = Golden.Read("carol");
        await using Db db = await OpenAsync(Golden.CopyTo(_folder));

        User user = (await db.Users.FindByUsernameAsync("alice"))!;
        Assert.That((user.Id, user.FirstName, user.LastName), Is.EqualTo((alice.Id, "Alice", "Test")));
        Assert.That(user.CreatedAt, Is.EqualTo(new DateTime(2026, 11, 23, 8, 48, 6).AddTicks(829373)));
        Assert.That(user.Groups.Select(group => group.Id), Is.EqualTo(new[] { alice.PersonalGroup, Golden.Id("group") }));

        Session session = (await db.Users.FindSessionAsync("sha256:none", carol.Token))!;
        Assert.That((session.UserId, session.Username), Is.EqualTo((carol.Id, "carol")));
        Assert.That(await db.Events.QueryAsync(new EventQuery()), Has.Count.EqualTo(15));
    }

    [Test]
    public async Task Opening_again_changes_nothing()
    {
        string path = _folder.File("turbo.db");
        await (await OpenAsync(path)).DisposeAsync();
        Dictionary<string, string> first = Schema(path);
        await (await OpenAsync(path)).DisposeAsync();
        Assert.That(Schema(path), Is.EquivalentTo(first));
    }

    /// <summary>It has password hashes, and what people said.</summary>
    [Test]
    [Platform(Exclude = "Win")]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public async Task A_new_file_is_its_owners_alone_and_one_that_is_there_stays_as_it_is()
    {
        string path = _folder.File("new.db"), golden = Golden.CopyTo(_folder);
        UnixFileMode shared = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        File.SetUnixFileMode(golden, shared);
        await using (Db db = await OpenAsync(path))
        await using (Db other = await OpenAsync(golden))
        {
            string[] mine = Directory.GetFiles(_folder.Path, "new.db*");
            Assert.That(mine, Has.Length.EqualTo(3), "the file, its log and the log's index");
            Assert.That(mine.Select(File.GetUnixFileMode), Is.All.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
            Assert.That(Directory.GetFiles(_folder.Path, Path.GetFileName(golden) + "*").Select(File.GetUnixFileMode), Is.All.EqualTo(shared));
        }
        Assert.That(Directory.GetFiles(_folder.Path), Has.Length.EqualTo(2));
    }

    [Test]
    public async Task Many_open_a_new_file_at_once()
    {
        string path = _folder.File("turbo.db");
        Db[] all = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => OpenAsync(path)));
        await Task.WhenAll(all.Select(db => db.CheckAsync()));
        foreach (Db db in all)
            await db.DisposeAsync();
        Assert.That(Scalar(path, "SELECT count(*) FROM turbo_migrations"), Is.EqualTo(7));
    }

    [Test]
    public async Task A_file_locked_while_opening_is_busy()
    {
        string path = Golden.CopyTo(_folder);
        using (Lock(path))
            Assert.That(await Catch(OpenAsync(path, new DbOptions { BusyTimeout = TimeSpan.FromMilliseconds(100) })), Is.TypeOf<StorageBusyException>());
        await (await OpenAsync(path)).DisposeAsync();
    }

    [Test]
    public async Task A_statement_whose_value_is_refused_is_usable_again()
    {
        await using var db = (SqliteDb)await OpenAsync(_folder.File("turbo.db"));
        for (int i = 0; i < 2; i++)
            Assert.That((await Catch(db.Writer.WriteAsync(0, static (session, _) =>
            {
                using SqliteStatement statement = session.Use("SELECT ?").Bind(1, 1L).Bind(2, 2L);
                return statement.Step();
            }))).Failure, Is.EqualTo(StorageFailure.Failed));
    }

    [Test]
    public async Task Repeated_usernames_of_old_rows_are_lived_with()
    {
        string path = Golden.CopyTo(_folder);
        Execute(path, "INSERT INTO users (id, created_at, username, password) VALUES ('twin', '2026-12-01 00:00:00+00:00', 'alice', 'x')");
        await using Db db = await OpenAsync(path);

        Assert.That((await db.Users.FindByUsernameAsync("alice"))!.Id, Is.EqualTo(Golden.Read("alice").Id), "the elder");
        SignUp?[] all = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => db.Users.CreateAsync(Someone("same"), null)));
        Assert.That(all.Count(signUp => signUp is not null), Is.EqualTo(1));
        Assert.That(await db.Users.CreateAsync(Someone("alice"), null), Is.Null);
    }

    [Test]
    public async Task Writes_queued_together_share_a_commit()
    {
        await using var db = (SqliteDb)await OpenAsync(_folder.File("turbo.db"));
        long before = db.Writer.Commits;
        SignUp?[] all = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => db.Users.CreateAsync(Someone("user" + i), null)));
        Assert.That(all, Has.None.Null);
        Assert.That(db.Writer.Commits - before, Is.LessThan(100));
    }

    [Test]
    public async Task Only_relaxed_writes_alone_are_committed_without_a_sync()
    {
        const long normal = 1, full = 2;
        await using var db = (SqliteDb)await OpenAsync(_folder.File("turbo.db"));
        Assert.That(await db.Writer.WriteRelaxedAsync("a", Synchronous), Is.EqualTo(normal));
        Assert.That(await db.Writer.WriteAsync("b", Synchronous), Is.EqualTo(full));
        Assert.That(await Together(relaxed: 2, others: 0), Is.All.EqualTo(normal));
        Assert.That(await Together(relaxed: 2, others: 1), Is.All.EqualTo(full), "one that must last makes all of its transaction last");
        Assert.That(await Together(relaxed: 0, others: 2), Is.All.EqualTo(full));

        async Task<long[]> Together(int relaxed, int others)
        {
            using ManualResetEventSlim taken = new(), held = new();
            long commits = db.Writer.Commits;
            Task holding = db.Writer.WriteAsync((taken, held), static (_, both) =>
            {
                both.taken.Set();
                return both.held.Wait(TimeSpan.FromSeconds(30));
            });
            // Those that follow would share its transaction if the writer had not begun with it.
            Assert.That(taken.Wait(TimeSpan.FromSeconds(30)));
            Task<long>[] group =
            [
                .. Enumerable.Range(0, relaxed).Select(i => db.Writer.WriteRelaxedAsync($"{commits} r{i}", Synchronous)),
                .. Enumerable.Range(0, others).Select(i => db.Writer.WriteAsync($"{commits} o{i}", Synchronous)),
            ];
            held.Set();
            await holding;
            long[] all = await Task.WhenAll(group);
            Assert.That(db.Writer.Commits - commits, Is.EqualTo(2), "one transaction held the others up, which then shared one");
            return all;
        }
    }

    // SQLite reads the value while it prepares the statement, so each asks in words of its own.
    private static long Synchronous(SqliteSession session, string asker)
    {
        using SqliteStatement statement = session.Use($"PRAGMA synchronous -- {asker}");
        return statement.Step() ? statement.Int64(0) : -1;
    }

    [Test]
    public async Task A_new_file_has_larger_pages_and_an_old_one_keeps_its_own()
    {
        string golden = Golden.CopyTo(_folder), fresh = _folder.File("fresh.db");
        long before = Scalar(golden, "PRAGMA page_size");
        await (await OpenAsync(golden)).DisposeAsync();
        await (await OpenAsync(fresh)).DisposeAsync();
        Assert.That((Scalar(golden, "PRAGMA page_size"), Scalar(fresh, "PRAGMA page_size")), Is.EqualTo((before, 8192)));
    }

    [Test]
    public async Task A_write_that_fails_leaves_its_neighbours()
    {
        await using var db = (SqliteDb)await OpenAsync(_folder.File("turbo.db"));
        var good = new List<Task>();
        var bad = new List<Task>();
        for (int i = 0; i < 50; i++)
        {
            good.Add(db.Users.CreateAsync(Someone("user" + i), null));
            bad.Add(db.Writer.WriteAsync(i, static (session, i) =>
            {
                foreach (string id in new[] { $"bad{i}", "twin", "twin" })
                {
                    using SqliteStatement insert = session.Use("INSERT INTO users (id, username) VALUES (?, ?)")
                        .Bind(1, id).Bind(2, $"bad{i}");
                    insert.Run();
                }
                return i;
            }));
        }
        await Task.WhenAll(good);
        foreach (Task task in bad)
            Assert.That((await Catch(task)).Failure, Is.EqualTo(StorageFailure.Conflict));
        Assert.That(await db.Users.ListAsync(null, 100), Has.Count.EqualTo(50), "all of a write or none of it");
    }

    [Test]
    public async Task Acknowledged_means_committed()
    {
        string path = _folder.File("turbo.db");
        await using Db db = await OpenAsync(path);
        for (int i = 0; i < 20; i++)
        {
            await db.Users.CreateAsync(Someone("user" + i), null);
            Assert.That(Scalar(path, "SELECT count(*) FROM users"), Is.EqualTo(i + 1));
        }
    }

    [Test]
    public async Task Answers_come_on_the_thread_pool()
    {
        await using Db db = await OpenAsync(_folder.File("turbo.db"));
        bool read = await db.Users.FindAsync("x").ContinueWith(
            _ => Thread.CurrentThread.IsThreadPoolThread, TaskContinuationOptions.ExecuteSynchronously);
        bool written = await db.Users.CreateAsync(Someone("a"), null).ContinueWith(
            _ => Thread.CurrentThread.IsThreadPoolThread, TaskContinuationOptions.ExecuteSynchronously);
        Assert.That((read, written), Is.EqualTo((true, true)));
    }

    [Test]
    public async Task A_full_queue_is_busy()
    {
        string path = _folder.File("turbo.db");
        await using Db db = await OpenAsync(path, new DbOptions { Queue = 4, BusyTimeout = TimeSpan.FromSeconds(30) });
        var writes = new List<Task>();
        using (Lock(path))
        {
            // The writer waits for the lock with the first; four more fill the queue.
            while (writes.Count(task => task.IsFaulted) == 0)
                writes.Add(db.Users.CreateAsync(Someone("user" + writes.Count), null));
            Assert.That(writes, Has.Count.LessThan(20));
            Assert.That(await Catch(writes[^1]), Is.TypeOf<StorageBusyException>());
        }
        await Task.WhenAll(writes[..^1]);
    }

    [Test]
    public async Task A_lock_held_elsewhere_is_busy_and_passes()
    {
        string path = _folder.File("turbo.db");
        await using Db db = await OpenAsync(path, new DbOptions { BusyTimeout = TimeSpan.FromMilliseconds(50) });
        using (Lock(path))
        {
            Assert.That(await Catch(db.Users.CreateAsync(Someone("a"), null)), Is.TypeOf<StorageBusyException>());
            Assert.That(await Catch(db.CheckAsync()), Is.TypeOf<StorageBusyException>());
            Assert.That(await db.Users.FindAsync("a"), Is.Null, "reads go on");
        }
        Assert.That(await db.Users.CreateAsync(Someone("a"), null), Is.Not.Null);
        await db.CheckAsync();
    }

    [Test]
    public async Task A_file_that_is_no_database_is_corrupt()
    {
        string path = _folder.File("turbo.db");
        await File.WriteAllTextAsync(path, string.Concat(Enumerable.Repeat("not a database ", 1000)));
        Assert.That((await Catch(OpenAsync(path))).Failure, Is.EqualTo(StorageFailure.Corrupt));
    }

    [Test]
    public async Task A_missing_folder_is_unavailable() =>
        Assert.That((await Catch(OpenAsync(_folder.File("no/such/turbo.db")))).Failure, Is.EqualTo(StorageFailure.Unavailable));

    [Test]
    public async Task A_full_disk_is_said_and_outlived()
    {
        string path = _folder.File("turbo.db");
        await using var db = (SqliteDb)await OpenAsync(path);
        await db.Writer.WriteAsync(0, static (session, _) => { session.Execute("PRAGMA max_page_count=80"); return 0; });
        string large = new('x', 400_000);

        Task<SignUp?>[] writes =
        [
            db.Users.CreateAsync(Someone("small1"), null),
            db.Users.CreateAsync(Someone("large") with { FirstName = large }, null),
            db.Users.CreateAsync(Someone("small2"), null),
        ];
        Assert.That(await writes[0], Is.Not.Null);
        Assert.That((await Catch(writes[1])).Failure, Is.EqualTo(StorageFailure.DiskFull));
        Assert.That(await writes[2], Is.Not.Null);
    }

    [Test]
    public async Task A_closed_database_finishes_its_queue_and_says_closed()
    {
        string path = _folder.File("turbo.db");
        Db db = await OpenAsync(path);
        Task<SignUp?>[] queued = Enumerable.Range(0, 50).Select(i => db.Users.CreateAsync(Someone("user" + i), null)).ToArray();
        await db.DisposeAsync();
        Assert.That(await Task.WhenAll(queued), Has.None.Null);
        Assert.That((await Catch(db.Users.FindAsync("x"))).Failure, Is.EqualTo(StorageFailure.Closed));
        Assert.That(File.Exists(path + "-wal"), Is.False, "the log is folded in");
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

    private static SqliteConnection Connect(string path)
    {
        var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        return connection;
    }

    /// <summary>Another program's write lock, until disposed.</summary>
    private static SqliteConnection Lock(string path)
    {
        SqliteConnection connection = Connect(path);
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "BEGIN IMMEDIATE";
        command.ExecuteNonQuery();
        return connection;
    }

    private static void Execute(string path, string sql)
    {
        using SqliteConnection connection = Connect(path);
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private static long Scalar(string path, string sql)
    {
        using SqliteConnection connection = Connect(path);
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return (long)command.ExecuteScalar()!;
    }

    private static Dictionary<string, string> Schema(string path)
    {
        using SqliteConnection connection = Connect(path);
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL";
        using SqliteDataReader reader = command.ExecuteReader();
        var schema = new Dictionary<string, string>();
        while (reader.Read())
            schema[reader.GetString(0)] = reader.GetString(1);
        return schema;
    }
}

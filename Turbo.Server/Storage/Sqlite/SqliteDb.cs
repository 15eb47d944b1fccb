using System.Diagnostics;
using Turbo.Server.Storage.Rows;

namespace Turbo.Server.Storage.Sqlite;

/// <summary>The SQLite dialect: one writer, a few readers, one file in WAL mode.</summary>
internal sealed class SqliteDb : Db
{
    private static readonly TimeSpan s_openPause = TimeSpan.FromMilliseconds(20);

    private readonly string _path;
    private readonly SqliteWriter _writer;
    private readonly SqliteReaders _readers;
    private readonly TimeProvider _time;
    private readonly DbOptions _options;

    private SqliteDb(string path, SqliteWriter writer, SqliteReaders readers, DbOptions options, TimeProvider time)
    {
        _path = path;
        _options = options;
        _writer = writer;
        _readers = readers;
        _time = time;
        Users = new SqliteUserStore(writer, readers, time);
        Groups = new SqliteGroupStore(writer, readers, time);
        Chats = new SqliteChatStore(writer, readers, time);
        SavedPrompts = new SqliteSavedPromptStore(writer, readers, time);
        Events = new SqliteEventStore(writer, readers);
        Rows = new SqliteRowStore(writer, readers);
    }

    public override IUserStore Users { get; }
    public override IGroupStore Groups { get; }
    public override IChatStore Chats { get; }
    public override ISavedPromptStore SavedPrompts { get; }
    public override IEventStore Events { get; }
    public override IRowStore Rows { get; }
    public override DateTime Now => _time.GetUtcNow().UtcDateTime;
    public override int Queued => _readers.Queued + _writer.Queued;
    public override string Description => $"SQLite {_path}";

    /// <summary>The writer, for what has no store.</summary>
    internal SqliteWriter Writer => _writer;

    /// <summary>
    /// Opens, migrates, and starts the threads, off the caller's thread. Switching a file to WAL mode does not wait for
    /// the busy timeout, so processes that open a new file at once trip over each other: they try again until that
    /// time has passed.
    /// </summary>
    public static async Task<Db> OpenAsync(string path, DbOptions options, TimeProvider time)
    {
        long started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return await Task.Run(() => Open(path, options, time));
            }
            catch (StorageBusyException) when (Stopwatch.GetElapsedTime(started) < options.BusyTimeout)
            {
                await Task.Delay(s_openPause);
            }
        }
    }

    public override async Task CheckAsync()
    {
        await _readers.ReadAsync(0, static (session, _) =>
        {
            using SqliteStatement read = session.Use("SELECT version FROM turbo_migrations LIMIT 1");
            return read.Step();
        });
        // Nothing is written: the transaction takes the lock, which is what is asked, and syncs nothing.
        await _writer.WriteAsync(0, static (_, _) => true);
    }

    /// <summary>
    /// Copies the database as it is now into a new file, which only this user may read; how many bytes. Writers go on
    /// meanwhile, while the log cannot be folded into the file. The copy has its name when it is whole and on the disk.
    /// Throws <see cref="IOException"/> where the file exists or cannot be made.
    /// </summary>
    public Task<long> BackUpAsync(string path) => Task.Run(() =>
    {
        string partial = Partial(path);
        using FileStream file = CreatePrivate(partial);
        try
        {
            using (SqliteSession session = SqliteSession.Open(_path, _options, readOnly: false))
            {
                using SqliteStatement copy = session.Use("VACUUM INTO ?").Bind(1, partial);
                copy.Step();
            }
            // SQLite itself does not wait for the disk here.
            file.Flush(flushToDisk: true);
            File.Move(partial, path, overwrite: false);
            return file.Length;
        }
        catch
        {
            File.Delete(partial);
            throw;
        }
    });

    public override async ValueTask DisposeAsync()
    {
        // The writer last: the last connection to close folds the log into the file and removes it.
        await _readers.StopAsync();
        await _writer.StopAsync();
    }

    private static SqliteDb Open(string path, DbOptions options, TimeProvider time)
    {
        var opened = new List<SqliteSession>();
        try
        {
            MakeFile(path);
            SqliteSession writer = SqliteSession.Open(path, options, readOnly: false);
            opened.Add(writer);
            SqliteMigrations.Apply(writer, time.GetUtcNow().UtcDateTime);
            for (int i = 0; i < options.Readers; i++)
                opened.Add(SqliteSession.Open(path, options, readOnly: true));
            return new SqliteDb(path, new SqliteWriter(writer, options), new SqliteReaders(opened[1..], options), options, time);
        }
        catch
        {
            foreach (SqliteSession session in opened)
                session.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Makes the file, empty, where there is none, since SQLite would let every user of the machine read it. The log and its
    /// index get the file's mode from SQLite. It is closed before it has its name: closing it later would give up the locks
    /// that this process may hold on it by then (fcntl(2)).
    /// </summary>
    private static void MakeFile(string path)
    {
        if (File.Exists(path)) return;
        string partial = Partial(path);
        try
        {
            CreatePrivate(partial).Dispose();
            File.Move(partial, path, overwrite: false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another process was first; or it cannot be made, which SQLite reports in its own words.
            if (File.Exists(partial)) File.Delete(partial);
        }
    }

    private static string Partial(string path) => $"{path}.{Guid.NewGuid():N}.partial";

    private static FileStream CreatePrivate(string path)
    {
        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.ReadWrite };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        return new FileStream(path, options);
    }
}

using System.Globalization;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Turbo.Server.Storage.Sqlite;

/// <summary>
/// One connection and its prepared statements; used by one thread at a time. Statements are keyed by their
/// SQL, which is always a constant.
/// </summary>
internal sealed class SqliteSession : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly sqlite3 _database;
    // A power of two from 512 to 65536. Rows of events are a kilobyte or more, most of them: in pages of 8 KiB they take half the
    // writes of SQLite's 4 KiB. Larger ones would make each small write of a user's larger.
    private const int PageBytes = 8192;

    // How far the log grows before it is folded into the file. Pages that many commits touch are then written once.
    private const int LogBytes = 16 << 20;

    // Turbo's own, of which there are fewer than a hundred on a connection, and most applications'.
    private const int KeptStatements = 512;

    private readonly Dictionary<string, SqliteStatement> _statements = new(StringComparer.Ordinal);

    private bool _syncsCommits = true;

    private SqliteSession(SqliteConnection connection)
    {
        _connection = connection;
        _database = connection.Handle!;
    }

    /// <summary>Opens the file in WAL mode, creating it unless <paramref name="readOnly"/>.</summary>
    public static SqliteSession Open(string path, DbOptions options, bool readOnly)
    {
        EmbeddedSqlite.Use();
        var address = new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Mode = readOnly ? SqliteOpenMode.ReadWrite : SqliteOpenMode.ReadWriteCreate,
            Pooling = false,
            // The Go program's driver leaves foreign keys unchecked; its rows may rely on that.
            ForeignKeys = false,
        };
        var connection = new SqliteConnection(address.ToString());
        try
        {
            connection.Open();
            var session = new SqliteSession(connection);
            session.Configure(options, readOnly);
            return session;
        }
        catch (Exception e)
        {
            connection.Dispose();
            if (e is SqliteException sqlite)
                throw SqliteErrors.From(sqlite);
            throw;
        }
    }

    /// <summary>
    /// Whether a commit waits until the log is on the disk, so that it survives the loss of power; true at first. Without
    /// it the file stays whole all the same, and what was committed survives the end of the process. Set between
    /// transactions.
    /// </summary>
    public bool SyncsCommits
    {
        get => _syncsCommits;
        set
        {
            if (value == _syncsCommits)
                return;
            // SQLite sets this while it prepares the statement: one that is kept would do nothing the second time.
            ExecuteOnce(value ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
            _syncsCommits = value;
        }
    }

    public bool InTransaction => raw.sqlite3_get_autocommit(_database) == 0;

    /// <summary>The prepared statement of <paramref name="sql"/>, a constant; `using` gives it back.</summary>
    public SqliteStatement Use(string sql)
    {
        if (!_statements.TryGetValue(sql, out SqliteStatement? statement))
        {
            if (raw.sqlite3_prepare_v2(_database, sql, out sqlite3_stmt prepared) != raw.SQLITE_OK)
                throw Error();
            _statements[sql] = statement = new SqliteStatement(_database, prepared);
        }
        return statement.Begin();
    }

    /// <summary>As <see cref="Use"/>, of SQL that may be any: only so many of them are kept, a further one is closed after its use.</summary>
    public SqliteStatement UseAny(string sql)
    {
        if (_statements.ContainsKey(sql) || _statements.Count < KeptStatements)
            return Use(sql);
        if (raw.sqlite3_prepare_v2(_database, sql, out sqlite3_stmt prepared) != raw.SQLITE_OK)
            throw Error();
        return new SqliteStatement(_database, prepared, isOnce: true).Begin();
    }

    /// <summary>Runs a statement without parameters or rows.</summary>
    public void Execute(string sql)
    {
        using SqliteStatement statement = Use(sql);
        statement.Step();
    }

    /// <summary>As <see cref="Execute"/>, of a statement that does not come again, and is not kept.</summary>
    public void ExecuteOnce(string sql)
    {
        if (raw.sqlite3_exec(_database, sql) != raw.SQLITE_OK)
            throw Error();
    }

    public long LastInsertedId => raw.sqlite3_last_insert_rowid(_database);

    /// <summary>Runs <paramref name="read"/> on one snapshot.</summary>
    public TResult Snapshot<TState, TResult>(TState state, Func<SqliteSession, TState, TResult> read)
    {
        if (InTransaction)
            return read(this, state);
        Execute("BEGIN");
        try
        {
            return read(this, state);
        }
        finally
        {
            // A failed statement may have ended the transaction already.
            if (InTransaction)
                Execute("ROLLBACK");
        }
    }

    public void Dispose()
    {
        foreach (SqliteStatement statement in _statements.Values)
            statement.Close();
        _statements.Clear();
        _connection.Dispose();
    }

    private void Configure(DbOptions options, bool readOnly)
    {
        raw.sqlite3_busy_timeout(_database, (int)options.BusyTimeout.TotalMilliseconds);
        raw.sqlite3_extended_result_codes(_database, 1);
        if (Scalar("PRAGMA encoding") is not "UTF-8" and var encoding)
            throw new StorageException(StorageFailure.Failed, $"the database is {encoding}, not UTF-8");
        // Of a file that is new; one that has pages keeps their size.
        Scalar($"PRAGMA page_size={PageBytes}");
        if (!readOnly && Scalar("PRAGMA journal_mode=WAL") is not "wal" and var mode)
            throw new StorageException(StorageFailure.Failed, $"the database stays in journal mode {mode}; WAL is needed");
        // An acknowledged write survives the loss of power: the log is synced at every commit.
        Execute("PRAGMA synchronous=FULL");
        Execute("PRAGMA temp_store=MEMORY");
        // As in PostgreSQL.
        Execute("PRAGMA case_sensitive_like=ON");
        Scalar("PRAGMA journal_size_limit=67108864");
        long pageBytes = long.Parse(Scalar("PRAGMA page_size")!, CultureInfo.InvariantCulture);
        Scalar($"PRAGMA wal_autocheckpoint={LogBytes / pageBytes}");
        if (readOnly)
            Execute("PRAGMA query_only=ON");
    }

    private string? Scalar(string sql)
    {
        using SqliteStatement statement = Use(sql);
        return statement.Step() ? statement.Text(0) : null;
    }

    private StorageException Error() => SqliteErrors.From(
        raw.sqlite3_extended_errcode(_database), raw.sqlite3_errmsg(_database).utf8_to_string());
}

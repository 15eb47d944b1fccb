using Microsoft.Data.Sqlite;
using Turbo.Server;
using Turbo.Server.Storage;

namespace Turbo.Tests.Support;

/// <summary>
/// The databases that Turbo runs on; an application of a test has memory beside SQLite, and Redis beside PostgreSQL.
/// Fixtures that hold for all of them take one as their parameter:
/// <c>[TestFixture(DatabaseKind.Sqlite)] [TestFixture(DatabaseKind.Postgres)]</c>.
/// </summary>
public enum DatabaseKind { Sqlite, Postgres }

/// <summary>A database of one test, gone with it: empty, or as the Go program left it.</summary>
internal abstract class TestDatabase : IAsyncDisposable
{
    /// <summary>The Go program's tables.</summary>
    public static readonly string[] Tables = ["users", "sessions", "groups", "group_members", "user_groups", "chats", "chat_users", "messages", "events"];

    public abstract DbAddress Address { get; }

    /// <summary>The address as DB_ADDRESS has it, for another process.</summary>
    public string Url => Address switch
    {
        SqliteAddress sqlite => "sqlite:" + sqlite.Path,
        PostgresAddress postgres => UrlOf(postgres),
        _ => throw new InvalidOperationException(),
    };

    public static async Task<TestDatabase> CreateAsync(DatabaseKind kind, bool golden = false) => kind switch
    {
        DatabaseKind.Sqlite => new SqliteTestDatabase(golden),
        DatabaseKind.Postgres => await PostgresTestDatabase.CreateAsync(golden),
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    public Task<Db> OpenAsync(TimeProvider? time = null, DbOptions? options = null) =>
        Db.OpenAsync(Address, options ?? new DbOptions(), time ?? TimeProvider.System);

    /// <summary>Runs SQL beside whatever has the database open; the first value of its first row, null where there is none.</summary>
    public abstract Task<object?> RunAsync(string sql);

    /// <summary>A count that the SQL answers.</summary>
    public async Task<long> CountAsync(string sql) => (long)(await RunAsync(sql))!;

    /// <summary>The tables' rows as JSON objects, one a line, in the order of their text, with an empty line after each table.</summary>
    public async Task<string> RowsAsync(params string[] tables)
    {
        List<string> rows = [];
        foreach (string table in tables) rows.Add($"coalesce(({await RowsSqlAsync(table)}), '')");
        return (string)(await RunAsync($"SELECT {string.Join(" || '\n\n' || ", rows)}"))!;
    }

    public abstract ValueTask DisposeAsync();

    /// <summary>SQL for the lines of one table, in one value.</summary>
    protected abstract Task<string> RowsSqlAsync(string table);

    public static string UrlOf(PostgresAddress address)
    {
        string password = address.Password is { } given ? ":" + Uri.EscapeDataString(given) : "";
        string tls = address.Tls switch
        {
            PostgresTls.VerifyCa => "verify-ca",
            PostgresTls.VerifyFull => "verify-full",
            PostgresTls other => other.ToString().ToLowerInvariant(),
        };
        return $"postgres://{Uri.EscapeDataString(address.User)}{password}@{address.Host}:{address.Port}/{Uri.EscapeDataString(address.Database)}?sslmode={tls}";
    }
}

internal sealed class SqliteTestDatabase : TestDatabase
{
    private readonly TempFolder _folder = new();
    private readonly string _path;

    public SqliteTestDatabase(bool golden) => _path = golden ? Golden.CopyTo(_folder) : _folder.File("turbo.db");

    public override DbAddress Address => new SqliteAddress(_path);

    public override async Task<object?> RunAsync(string sql)
    {
        await using var connection = new SqliteConnection($"Data Source={_path};Pooling=False");
        await connection.OpenAsync();
        await using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        object? value = await command.ExecuteScalarAsync();
        return value is DBNull ? null : value;
    }

    protected override async Task<string> RowsSqlAsync(string table)
    {
        object? columns = await RunAsync($"SELECT group_concat(printf('%Q, \"%w\"', name, name)) FROM pragma_table_info('{table}')");
        return $"SELECT group_concat(line, char(10)) FROM (SELECT json_object({columns}) AS line FROM \"{table}\" ORDER BY 1)";
    }

    public override ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return default;
    }
}

using Npgsql;
using Turbo.Server;

namespace Turbo.Tests.Support;

/// <summary>
/// A database of one test on the server that TURBO_TEST_POSTGRES names, copied from a template: an empty one, or the Go
/// program's dump restored.
/// </summary>
internal sealed class PostgresTestDatabase : TestDatabase
{
    private static readonly string s_prefix = $"turbo_test_{Environment.ProcessId}_{Guid.NewGuid():N}"[..32];
    private static readonly Lazy<Task<string>> s_golden = new(MakeGoldenAsync);
    private static int s_count;

    private readonly string _name;

    private PostgresTestDatabase(string name) => _name = name;

    /// <summary>Where the server is. A run without one is no run: it fails, and says how to have one.</summary>
    public static PostgresAddress Server
    {
        get
        {
            string? url = Environment.GetEnvironmentVariable("TURBO_TEST_POSTGRES");
            if (string.IsNullOrEmpty(url))
                throw new InvalidOperationException("TURBO_TEST_POSTGRES is not set: run scripts/test, or start a server as scripts/services.sh says");
            return PostgresAddress.TryParse(url, out PostgresAddress address)
                ? address
                : throw new InvalidOperationException("TURBO_TEST_POSTGRES is no postgres:// URL");
        }
    }

    public override PostgresAddress Address => Server with { Database = _name };

    public static async Task<PostgresTestDatabase> CreateAsync(bool golden)
    {
        string template = golden ? await s_golden.Value : "template0";
        string name = $"{s_prefix}_{Interlocked.Increment(ref s_count)}";
        await RunAsync(Server, $"CREATE DATABASE {name} TEMPLATE {template}");
        return new PostgresTestDatabase(name);
    }

    /// <summary>Drops the template. Called once, after all tests.</summary>
    public static async Task DropTemplatesAsync()
    {
        if (s_golden.IsValueCreated)
            await RunAsync(Server, $"DROP DATABASE IF EXISTS {await s_golden.Value} WITH (FORCE)");
    }

    public override Task<object?> RunAsync(string sql) => RunAsync(Address, sql);

    protected override Task<string> RowsSqlAsync(string table) =>
        Task.FromResult($"SELECT string_agg(line, chr(10) ORDER BY line) FROM (SELECT row_to_json(t)::text AS line FROM \"{table}\" t) lines");

    public override async ValueTask DisposeAsync() => await RunAsync(Server, $"DROP DATABASE {_name} WITH (FORCE)");

    /// <summary>Connects, runs and leaves.</summary>
    public static async Task<object?> RunAsync(PostgresAddress address, string sql)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder
        {
            Host = address.Host, Port = address.Port, Username = address.User, Password = address.Password,
            Database = address.Database, Pooling = false,
        }.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        object? value = await command.ExecuteScalarAsync();
        return value is DBNull ? null : value;
    }

    private static async Task<string> MakeGoldenAsync()
    {
        string name = $"{s_prefix}_golden";
        await RunAsync(Server, $"CREATE DATABASE {name} TEMPLATE template0");
        await RunAsync(Server with { Database = name }, Golden.PostgresDump);
        return name;
    }
}

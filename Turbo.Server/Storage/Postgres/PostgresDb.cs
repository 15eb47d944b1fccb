using System.Diagnostics;
using Npgsql;
using Turbo.Server.Storage.Rows;

namespace Turbo.Server.Storage.Postgres;

/// <summary>The PostgreSQL dialect: a bounded pool of connections, shared with other nodes' on one database.</summary>
internal sealed class PostgresDb : Db
{
    /// <summary>Statements that a connection keeps prepared: more than there are.</summary>
    private const int PreparedStatements = 200;

    private static readonly TimeSpan s_openPause = TimeSpan.FromMilliseconds(100);

    private readonly PostgresAddress _address;
    private readonly PostgresPool _pool;
    private readonly TimeProvider _time;

    private PostgresDb(PostgresAddress address, PostgresPool pool, TimeProvider time)
    {
        _address = address;
        _pool = pool;
        _time = time;
        Users = new PostgresUserStore(pool, this);
        Groups = new PostgresGroupStore(pool, this);
        Chats = new PostgresChatStore(pool, this);
        SavedPrompts = new PostgresSavedPromptStore(pool, this);
        Events = new PostgresEventStore(pool);
        Rows = new PostgresRowStore(pool);
    }

    public override IUserStore Users { get; }
    public override IGroupStore Groups { get; }
    public override IChatStore Chats { get; }
    public override ISavedPromptStore SavedPrompts { get; }
    public override IEventStore Events { get; }
    public override IRowStore Rows { get; }
    public override DateTime Now => _time.GetUtcNow().UtcDateTime.ToMicroseconds();
    public override int Queued => _pool.Running;
    public override string Description => $"PostgreSQL {_address.Host}:{_address.Port}/{_address.Database}";

    /// <summary>
    /// Opens and migrates. A server that is starting up is waited for, as long as a lock would be; one that refuses the
    /// user, the password or the database is not.
    /// </summary>
    public static async Task<Db> OpenAsync(PostgresAddress address, DbOptions options, TimeProvider time)
    {
        NpgsqlDataSource source = Build(address, options);
        try
        {
            await MigrateAsync(source, options, time);
            return new PostgresDb(address, new PostgresPool(source, options), time);
        }
        catch
        {
            await source.DisposeAsync();
            throw;
        }
    }

    public override Task CheckAsync() => _pool.ReadAsync(0, static async (connection, _) =>
    {
        if (await connection.Use("SELECT version FROM turbo_migrations WHERE current_setting('transaction_read_only') = 'on' LIMIT 1").AnyAsync())
            throw new StorageException(StorageFailure.ReadOnly, "PostgreSQL: the database takes no writes");
        return true;
    });

    public override ValueTask DisposeAsync() => _pool.DisposeAsync();

    private static async Task MigrateAsync(NpgsqlDataSource source, DbOptions options, TimeProvider time)
    {
        long started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                await PostgresMigrations.ApplyAsync(source, options, time.GetUtcNow().UtcDateTime);
                return;
            }
            catch (Exception e) when (PostgresErrors.From(e) is { } failure)
            {
                bool mayPass = failure.Failure is StorageFailure.Unavailable or StorageFailure.Busy && !PostgresErrors.IsRefusal(e);
                if (!mayPass || Stopwatch.GetElapsedTime(started) > options.BusyTimeout)
                    throw failure;
            }
            await Task.Delay(s_openPause);
        }
    }

    private static NpgsqlDataSource Build(PostgresAddress address, DbOptions options)
    {
        // The slim builder is the one that a trimmed, ahead-of-time compiled binary can have: what is used is named.
        var builder = new NpgsqlSlimDataSourceBuilder(new NpgsqlConnectionStringBuilder
        {
            Host = address.Host,
            Port = address.Port,
            Username = address.User,
            Password = address.Password,
            Database = address.Database,
            SslMode = address.Tls switch
            {
                PostgresTls.Disable => SslMode.Disable,
                PostgresTls.Allow => SslMode.Allow,
                PostgresTls.Prefer => SslMode.Prefer,
                PostgresTls.Require => SslMode.Require,
                PostgresTls.VerifyCa => SslMode.VerifyCA,
                _ => SslMode.VerifyFull,
            },
            ApplicationName = "turbo",
            MaxPoolSize = options.Connections,
            Timeout = Seconds(options.ConnectTimeout),
            CommandTimeout = Seconds(options.CommandTimeout),
            // How long the server may take to confirm that it gave a statement up.
            CancellationTimeout = 2000,
            MaxAutoPrepare = PreparedStatements,
            AutoPrepareMinUsages = 2,
            // Connections carry no state of their own from one use to the next.
            NoResetOnClose = true,
            TcpKeepAlive = true,
        }.ConnectionString);
        builder.EnableTransportSecurity();
        builder.EnableArrays();
        string session = $"""
            SET lock_timeout = {(int)options.BusyTimeout.TotalMilliseconds};
            SET idle_in_transaction_session_timeout = {2 * (int)options.CommandTimeout.TotalMilliseconds};
            SET default_transaction_isolation = 'read committed'
            """;
        builder.UsePhysicalConnectionInitializer(
            static _ => throw new NotSupportedException("connections are opened asynchronously"),
            async connection =>
            {
                await using var command = new NpgsqlCommand(session, connection);
                await command.ExecuteNonQueryAsync();
            });
        return builder.Build();
    }

    private static int Seconds(TimeSpan time) => Math.Max(1, (int)Math.Ceiling(time.TotalSeconds));
}

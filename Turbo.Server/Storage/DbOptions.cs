namespace Turbo.Server.Storage;

/// <summary>How much may wait for the database and what works on it.</summary>
internal sealed record DbOptions
{
    /// <summary>
    /// SQLite: writes that may wait for the writer, and reads for the readers. PostgreSQL: operations that may run or wait.
    /// One more is <see cref="StorageBusyException"/>. Default 65536.
    /// </summary>
    public int Queue { get; init; } = 65_536;

    /// <summary>SQLite: reader connections, each with a thread of its own. Default 2.</summary>
    public int Readers { get; init; } = 2;

    /// <summary>SQLite: queued writes that share one transaction at most. Default 256.</summary>
    public int GroupedWrites { get; init; } = 256;

    /// <summary>
    /// How long a statement waits for another's lock, and opening for another process or for a server that starts up.
    /// Default 5 s.
    /// </summary>
    public TimeSpan BusyTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>PostgreSQL: connections at most. Default 20.</summary>
    public int Connections { get; init; } = 20;

    /// <summary>PostgreSQL: to be connected, or to get a connection that others use. Default 5 s.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>PostgreSQL: for a statement's answer; then it is given up. Default 15 s.</summary>
    public TimeSpan CommandTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>PostgreSQL: for a step of the migration, and for another node that migrates. Default 10 min.</summary>
    public TimeSpan MigrationTimeout { get; init; } = TimeSpan.FromMinutes(10);
}

namespace Turbo.Server.Storage;

/// <summary>How much may wait for the database and what works on it.</summary>
internal sealed record DbOptions
{
    /// <summary>
    /// Writes that may wait for the writer, and reads for the readers; one more is <see cref="StorageBusyException"/>.
    /// Default 65536.
    /// </summary>
    public int Queue { get; init; } = 65_536;

    /// <summary>Reader connections, each with a thread of its own. Default 2.</summary>
    public int Readers { get; init; } = 2;

    /// <summary>Queued writes that share one transaction at most. Default 256.</summary>
    public int GroupedWrites { get; init; } = 256;

    /// <summary>How long a statement waits for another process's lock. Default 5 s.</summary>
    public TimeSpan BusyTimeout { get; init; } = TimeSpan.FromSeconds(5);
}

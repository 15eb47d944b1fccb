namespace Turbo.Server.Events;

/// <summary>How event rows are kept, gathered and bounded.</summary>
internal sealed record EventWriterOptions
{
    /// <summary>EVENT_BODIES: bytes of a request and of a response that a row keeps; 0 keeps none. Default 64 KiB.</summary>
    public int BodyBytes { get; init; } = 65_536;

    /// <summary>EVENT_QUEUE_BYTES: memory of rows that wait for the database; beyond it new requests wait. Default 64 MiB.</summary>
    public long QueueBytes { get; init; } = 64 << 20;

    /// <summary>EVENT_QUEUE_WAIT: how long a new request waits for room at most; then it is answered 503. Default 5 s.</summary>
    public TimeSpan RoomTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Rows that may wait, whatever their size. Default 262144.</summary>
    public int QueueRows { get; init; } = 262_144;

    /// <summary>How long a row waits for others at most. Default 200 ms.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Rows of one batch. Default 512.</summary>
    public int BatchRows { get; init; } = 512;

    /// <summary>Memory of one batch's rows, so that other writes get their turn. Default 4 MiB.</summary>
    public long BatchBytes { get; init; } = 4 << 20;

    /// <summary>The first and the longest pause before a failed batch is tried again. Default 100 ms and 5 s.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <inheritdoc cref="FirstPause"/>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long stopping goes on trying to store what is queued. Default 10 s.</summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(10);
}

namespace Turbo.Server.Storage;

/// <summary>Why the database could not do what was asked.</summary>
public enum StorageFailure
{
    /// <summary>Too much queued, or another process holds the lock: try again (503).</summary>
    Busy,

    /// <summary>No space left for the write.</summary>
    DiskFull,

    /// <summary>The file is damaged or is no database.</summary>
    Corrupt,

    /// <summary>The file or its folder cannot be written.</summary>
    ReadOnly,

    /// <summary>The database cannot be opened or reached.</summary>
    Unavailable,

    /// <summary>A constraint of the schema refused the row.</summary>
    Conflict,

    /// <summary>The database was closed.</summary>
    Closed,

    /// <summary>Anything else; the message says what.</summary>
    Failed,
}

/// <summary>A failed read or write. The message names no value that was stored.</summary>
public class StorageException : Exception
{
    internal StorageException(StorageFailure failure, string message, Exception? inner = null) : base(message, inner) => Failure = failure;

    /// <summary>Why.</summary>
    public StorageFailure Failure { get; }

    /// <summary>
    /// Whether what was to be written is at fault, rather than the database: others may be written, and trying this
    /// again is no use.
    /// </summary>
    internal static bool IsRowsFault(Exception e) =>
        e is not StorageException storage || storage.Failure is StorageFailure.Conflict or StorageFailure.Failed;
}

/// <summary>The database has too much to do, or another process holds its lock: the client may try again.</summary>
internal sealed class StorageBusyException(string message, Exception? inner = null)
    : StorageException(StorageFailure.Busy, message, inner);

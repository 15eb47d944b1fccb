using System.Net.Sockets;
using System.Security.Authentication;
using Npgsql;

namespace Turbo.Server.Storage.Postgres;

/// <summary>What the driver and the server throw, as storage failures.</summary>
internal static class PostgresErrors
{
    /// <summary>Null: nothing of the database's, but a bug of ours.</summary>
    public static StorageException? From(Exception e) => e switch
    {
        StorageException known => known,
        PostgresException server => FromServer(server),
        NpgsqlException { InnerException: TimeoutException } timeout when timeout.Message.Contains("pool", StringComparison.Ordinal) =>
            new StorageBusyException("PostgreSQL: no connection became free in time", e),
        NpgsqlException { InnerException: TimeoutException } =>
            new StorageException(StorageFailure.Unavailable, "PostgreSQL: no answer in time", e),
        NpgsqlException or SocketException or IOException or AuthenticationException or TimeoutException =>
            new StorageException(StorageFailure.Unavailable, $"PostgreSQL: {Innermost(e).Message}", e),
        ObjectDisposedException => new StorageException(StorageFailure.Closed, "the database is closed", e),
        _ => null,
    };

    /// <summary>The server gave the transaction up for the sake of another: done again, it may well succeed.</summary>
    public static bool IsRolledBack(Exception e) =>
        e is PostgresException { SqlState: PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected };

    /// <summary>The connection was lost or refused; a fresh one may be had at once.</summary>
    public static bool IsLost(Exception e, StorageException failure) =>
        failure.Failure == StorageFailure.Unavailable && !IsRefusal(e) && e is not (TimeoutException or NpgsqlException { InnerException: TimeoutException });

    /// <summary>The server answers and will not have us: the user, the password or the database is wrong.</summary>
    public static bool IsRefusal(Exception e) =>
        e is PostgresException { SqlState: ['2', '8', ..] or PostgresErrorCodes.InvalidCatalogName } or AuthenticationException;

    // The server's message names columns and constraints; the row is in its detail, which the driver keeps back.
    private static StorageException FromServer(PostgresException e)
    {
        string text = $"PostgreSQL: {e.MessageText} ({e.SqlState})";
        StorageFailure failure = e.SqlState switch
        {
            PostgresErrorCodes.DiskFull => StorageFailure.DiskFull,
            // Too many connections or locks, no memory left; a lock or a deadlock that did not resolve; a statement timeout.
            ['5', '3', ..] or ['4', '0', ..] or PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.QueryCanceled => StorageFailure.Busy,
            ['0', '8', ..] or ['5', '7', 'P', ..] or ['2', '8', ..] or PostgresErrorCodes.InvalidCatalogName => StorageFailure.Unavailable,
            ['2', '3', ..] => StorageFailure.Conflict,
            PostgresErrorCodes.ReadOnlySqlTransaction or PostgresErrorCodes.InsufficientPrivilege => StorageFailure.ReadOnly,
            ['X', 'X', '0', '0', '1' or '2'] => StorageFailure.Corrupt,
            _ => StorageFailure.Failed,
        };
        return failure == StorageFailure.Busy ? new StorageBusyException(text, e) : new StorageException(failure, text, e);
    }

    private static Exception Innermost(Exception e) => e.InnerException is { } inner ? Innermost(inner) : e;
}

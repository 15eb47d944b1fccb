using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Turbo.Server.Storage.Sqlite;

/// <summary>SQLite's result codes as storage failures, one table.</summary>
internal static class SqliteErrors
{
    public static StorageException From(int code, string message, Exception? inner = null)
    {
        string text = $"SQLite: {message} ({code})";
        return (code & 0xff) switch
        {
            raw.SQLITE_BUSY or raw.SQLITE_LOCKED => new StorageBusyException(text, inner),
            raw.SQLITE_FULL => new StorageException(StorageFailure.DiskFull, text, inner),
            raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB => new StorageException(StorageFailure.Corrupt, text, inner),
            raw.SQLITE_READONLY or raw.SQLITE_PERM => new StorageException(StorageFailure.ReadOnly, text, inner),
            raw.SQLITE_CANTOPEN or raw.SQLITE_IOERR => new StorageException(StorageFailure.Unavailable, text, inner),
            raw.SQLITE_CONSTRAINT => new StorageException(StorageFailure.Conflict, text, inner),
            _ => new StorageException(StorageFailure.Failed, text, inner),
        };
    }

    // The driver puts SQLite's own message into quotes: SQLite Error 14: 'unable to open database file'.
    public static StorageException From(SqliteException e)
    {
        int first = e.Message.IndexOf('\'', StringComparison.Ordinal), last = e.Message.LastIndexOf('\'');
        return From(e.SqliteExtendedErrorCode, first < last ? e.Message[(first + 1)..last] : e.Message, e);
    }
}

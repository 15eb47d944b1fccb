using Turbo.Server.Storage.Postgres;
using Turbo.Server.Storage.Rows;
using Turbo.Server.Storage.Sqlite;

namespace Turbo.Server.Storage;

/// <summary>
/// An open, migrated database and its stores. Every call answers on the thread pool, never on a storage thread,
/// and fails with a <see cref="StorageException"/>.
/// </summary>
internal abstract class Db : IAsyncDisposable
{
    public abstract IUserStore Users { get; }
    public abstract IGroupStore Groups { get; }
    public abstract IChatStore Chats { get; }
    public abstract ISavedPromptStore SavedPrompts { get; }
    public abstract IEventStore Events { get; }

    /// <summary>The tables of an application built on Turbo.</summary>
    public abstract IRowStore Rows { get; }

    /// <summary>The time now, as precise as a row keeps it: what is answered before it is stored is then what is read back.</summary>
    public abstract DateTime Now { get; }

    /// <summary>What was opened, for a log line: never a password.</summary>
    public abstract string Description { get; }

    /// <summary>Opens and migrates the database at <paramref name="address"/>.</summary>
    public static Task<Db> OpenAsync(DbAddress address, DbOptions options, TimeProvider time) => address switch
    {
        SqliteAddress sqlite => SqliteDb.OpenAsync(sqlite.Path, options, time),
        PostgresAddress postgres => PostgresDb.OpenAsync(postgres, options, time),
        _ => throw new ArgumentOutOfRangeException(nameof(address)),
    };

    /// <summary>Operations that were asked for and wait for their turn; over PostgreSQL also those that run.</summary>
    public abstract int Queued { get; }

    /// <summary>Completes when the database answers a read and grants the write lock: readiness.</summary>
    public abstract Task CheckAsync();

    /// <summary>Finishes what is queued, then closes.</summary>
    public abstract ValueTask DisposeAsync();
}

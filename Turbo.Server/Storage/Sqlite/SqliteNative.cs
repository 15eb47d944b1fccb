using System.Runtime.InteropServices;

namespace Turbo.Server.Storage.Sqlite;

/// <summary>
/// The binds of a bulk insert straight to the library that SQLitePCLRaw loads, without a safe handle's count and a
/// delegate for each of 18 values a row.
/// </summary>
/// <remarks>
/// Each stores a pointer or a number, takes nanoseconds, calls nothing back and waits for nobody: the connection's
/// mutex is free, since one thread at a time uses a session. So the runtime's transition to native code can be spared.
/// </remarks>
internal static class SqliteNative
{
    /// <summary>By the name, too, that SQLitePCLRaw imports from: both reach one library.</summary>
    public const string Library = "e_sqlite3";

    /// <summary>SQLITE_STATIC: SQLite reads the text where it is and does not free it.</summary>
    public const nint Static = 0;

    [DllImport(Library, EntryPoint = "sqlite3_bind_text", ExactSpelling = true), SuppressGCTransition]
    public static extern int BindText(nint statement, int index, nint utf8, int bytes, nint lifetime);

    [DllImport(Library, EntryPoint = "sqlite3_bind_int64", ExactSpelling = true), SuppressGCTransition]
    public static extern int BindInt64(nint statement, int index, long value);

    [DllImport(Library, EntryPoint = "sqlite3_bind_null", ExactSpelling = true), SuppressGCTransition]
    public static extern int BindNull(nint statement, int index);
}

using System.Buffers;
using System.Text;
using SQLitePCL;
using Turbo.Server.Model;

namespace Turbo.Server.Storage.Sqlite;

/// <summary>
/// A prepared statement kept by its <see cref="SqliteSession"/>. Values are bound and read as UTF-8 in place, so
/// neither a row nor a parameter passes through an object. <see cref="Dispose"/> makes it ready for its next use.
/// Parameters count from 1, columns from 0, as in SQLite.
/// </summary>
/// <param name="database">The connection.</param>
/// <param name="statement">The prepared statement.</param>
/// <param name="isOnce">Whether it is closed after its one use.</param>
internal sealed class SqliteStatement(sqlite3 database, sqlite3_stmt statement, bool isOnce = false) : IStoredRow, IDisposable
{
    private bool _inUse;

    internal SqliteStatement Begin()
    {
        if (_inUse)
            throw new InvalidOperationException("the statement is already in use");
        _inUse = true;
        return this;
    }

    /// <summary>True: there is a row to read. False: done.</summary>
    public bool Step() => raw.sqlite3_step(statement) switch
    {
        raw.SQLITE_ROW => true,
        raw.SQLITE_DONE => false,
        _ => throw Error(),
    };

    /// <summary>Runs a statement that returns no rows; how many it changed.</summary>
    public int Run()
    {
        Step();
        return raw.sqlite3_changes(database);
    }

    /// <summary>Ready to be bound and stepped again, its parameters as they were.</summary>
    public void Rewind() => raw.sqlite3_reset(statement);

    /// <summary>Ends this use: reset, nothing bound. The failure of a step was already thrown by that step.</summary>
    public void Dispose()
    {
        _inUse = false;
        if (isOnce)
        {
            Close();
            return;
        }
        raw.sqlite3_reset(statement);
        raw.sqlite3_clear_bindings(statement);
    }

    internal void Close() => statement.Dispose();

    public SqliteStatement Bind(int index, long value) => Checked(raw.sqlite3_bind_int64(statement, index, value));

    public SqliteStatement Bind(int index, long? value) =>
        value is { } number ? Bind(index, number) : Checked(raw.sqlite3_bind_null(statement, index));

    public SqliteStatement Bind(int index, ReadOnlySpan<byte> utf8) =>
        // An empty span has no address, which SQLite takes for NULL; its zero-terminated form has one.
        Checked(utf8.IsEmpty
            ? raw.sqlite3_bind_text(statement, index, utf8z.FromSpan("\0"u8))
            : raw.sqlite3_bind_text(statement, index, utf8));

    public SqliteStatement Bind(int index, double value) => Checked(raw.sqlite3_bind_double(statement, index, value));

    public SqliteStatement BindBlob(int index, ReadOnlySpan<byte> bytes) =>
        // An empty span has no address, which SQLite takes for NULL.
        Checked(bytes.IsEmpty ? raw.sqlite3_bind_zeroblob(statement, index, 0) : raw.sqlite3_bind_blob(statement, index, bytes));

    /// <summary>
    /// Binds text without a copy: its bytes neither move nor change until the statement is bound anew, or disposed. For
    /// the writer's bulk insert, as are the next two.
    /// </summary>
    public void BindInPlace(int index, nint utf8, int bytes) =>
        Checked(SqliteNative.BindText(statement.DangerousGetHandle(), index, utf8, bytes, SqliteNative.Static));

    public void BindFast(int index, long value) =>
        Checked(SqliteNative.BindInt64(statement.DangerousGetHandle(), index, value));

    public void BindFast(int index, long? value)
    {
        if (value is { } number)
            BindFast(index, number);
        else
            Checked(SqliteNative.BindNull(statement.DangerousGetHandle(), index));
    }

    public SqliteStatement Bind(int index, string? text)
    {
        if (text is null)
            return Checked(raw.sqlite3_bind_null(statement, index));

        int most = Encoding.UTF8.GetMaxByteCount(text.Length);
        if (most <= 512)
        {
            Span<byte> small = stackalloc byte[most];
            return Bind(index, small[..Encoding.UTF8.GetBytes(text, small)]);
        }
        byte[] large = ArrayPool<byte>.Shared.Rent(most);
        try
        {
            return Bind(index, large.AsSpan(0, Encoding.UTF8.GetBytes(text, large)));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(large);
        }
    }

    public SqliteStatement Bind(int index, DateTime utc)
    {
        Span<byte> text = stackalloc byte[GoTime.MaxLength];
        return Bind(index, text[..GoTime.FormatSql(utc, text)]);
    }

    public bool IsNull(int column) => raw.sqlite3_column_type(statement, column) == raw.SQLITE_NULL;

    /// <summary>0 for NULL.</summary>
    public long Int64(int column) => raw.sqlite3_column_int64(statement, column);

    /// <summary>0 for NULL.</summary>
    public double Double(int column) => raw.sqlite3_column_double(statement, column);

    public long? Int64OrNull(int column) => IsNull(column) ? null : Int64(column);

    /// <summary>Empty for NULL.</summary>
    public string Text(int column) => Encoding.UTF8.GetString(Utf8(column));

    /// <summary>The text's bytes; gone with the next <see cref="Step"/>.</summary>
    public ReadOnlySpan<byte> Utf8(int column) => raw.sqlite3_column_blob(statement, column);

    /// <summary>A time in any form Go writes; <see cref="DateTime.MinValue"/> for NULL, as Go's zero time.</summary>
    public DateTime Time(int column) => TimeOrNull(column) ?? DateTime.MinValue;

    public DateTime? TimeOrNull(int column)
    {
        int type = raw.sqlite3_column_type(statement, column);
        if (type == raw.SQLITE_NULL)
            return null;
        bool read = type == raw.SQLITE_INTEGER
            ? GoTime.TryFromUnix(Int64(column), out DateTime utc)
            : GoTime.TryParse(Utf8(column), out utc);
        return read ? utc : throw new StorageException(
            StorageFailure.Corrupt, $"column {raw.sqlite3_column_name(statement, column).utf8_to_string()} holds no time");
    }

    private SqliteStatement Checked(int code)
    {
        if (code == raw.SQLITE_OK)
            return this;
        // A chain of binds ends here before its `using` has begun.
        StorageException error = Error();
        Dispose();
        throw error;
    }

    private StorageException Error() => SqliteErrors.From(
        raw.sqlite3_extended_errcode(database), raw.sqlite3_errmsg(database).utf8_to_string());
}

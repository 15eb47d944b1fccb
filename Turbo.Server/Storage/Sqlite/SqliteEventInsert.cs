using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Turbo.Server.Model;

namespace Turbo.Server.Storage.Sqlite;

/// <summary>
/// Inserts a batch of event rows, <see cref="Rows"/> of them a statement: its cursors stay open from row to row, and rows
/// that ascend are added at the end of each index without a search. The texts lie side by side in one pinned array, where
/// SQLite reads them. Used on the writer's thread alone.
/// </summary>
internal sealed class SqliteEventInsert
{
    /// <summary>Rows of one statement; what is left of a batch is inserted row by row.</summary>
    internal const int Rows = 16;

    private const int Columns = 18;

    // Some rows of usual size. A text that finds no room is copied by SQLite.
    private const int TextBytes = 128 * 1024;

    internal static readonly string One = Sql(1);
    internal static readonly string Many = Sql(Rows);

    private byte[]? _texts;
    private nint _address;
    private int _used;

    public void Run(SqliteSession session, IReadOnlyList<EventRow> rows, bool isAtLeisure)
    {
        _texts ??= GC.AllocateUninitializedArray<byte>(TextBytes, pinned: true);
        _address = Marshal.UnsafeAddrOfPinnedArrayElement(_texts, 0);
        int done = 0;
        if (rows.Count >= Rows)
        {
            using SqliteStatement many = session.Use(Many);
            for (; done + Rows <= rows.Count; done += Rows)
            {
                Run(many, rows, done, Rows);
                if (isAtLeisure)
                    BackgroundThread.StandBack();
            }
        }
        if (done == rows.Count)
            return;
        using SqliteStatement one = session.Use(One);
        for (; done < rows.Count; done++)
            Run(one, rows, done, 1);
    }

    private static string Sql(int rows)
    {
        var sql = new StringBuilder($"INSERT INTO events ({StoredEvent.AllColumns}, created_at, updated_at) VALUES ");
        for (int row = 0; row < rows; row++)
        {
            sql.Append(row == 0 ? "(" : ", (");
            for (int column = 1; column <= Columns; column++)
                sql.Append(CultureInfo.InvariantCulture, $"?{row * Columns + column}, ");
            sql.Append(CultureInfo.InvariantCulture, $"?{(row + 1) * Columns})");
        }
        return sql.Append(" ON CONFLICT (id) DO NOTHING").ToString();
    }

    private void Run(SqliteStatement insert, IReadOnlyList<EventRow> rows, int first, int count)
    {
        _used = 0;
        for (int i = 0; i < count; i++)
            Bind(insert, i * Columns, rows[first + i]);
        insert.Step();
        insert.Rewind();
    }

    private void Bind(SqliteStatement insert, int at, EventRow row)
    {
        Span<byte> small = stackalloc byte[36];
        row.Id.TryFormat(small, out _);
        Text(insert, at + 1, small);
        Time(insert, at + 2, row.Timestamp);
        Text(insert, at + 3, row.ClientIp.Span);
        Text(insert, at + 4, row.Endpoint.Span);
        insert.BindFast(at + 5, row.Status);
        Text(insert, at + 6, row.Message.Span);
        insert.BindFast(at + 7, row.Duration);
        Text(insert, at + 8, row.Method.Span);
        Text(insert, at + 9, row.Params.Span);
        Text(insert, at + 10, row.UserId);
        Text(insert, at + 11, row.Model.Span);
        insert.BindFast(at + 12, row.PromptTokens);
        insert.BindFast(at + 13, row.CompletionTokens);
        insert.BindFast(at + 14, row.TotalTokens);
        insert.BindFast(at + 15, row.Ttfb);
        Text(insert, at + 16, row.Request.Span);
        Text(insert, at + 17, row.Response.Span);
        Time(insert, at + 18, row.CreatedAt);
    }

    private void Text(SqliteStatement insert, int index, ReadOnlySpan<byte> utf8)
    {
        if (!utf8.TryCopyTo(_texts.AsSpan(_used)))
        {
            insert.Bind(index, utf8);
            return;
        }
        Placed(insert, index, utf8.Length);
    }

    private void Text(SqliteStatement insert, int index, string text)
    {
        if (Encoding.UTF8.TryGetBytes(text, _texts.AsSpan(_used), out int length))
            Placed(insert, index, length);
        else
            insert.Bind(index, text);
    }

    private void Time(SqliteStatement insert, int index, DateTime utc)
    {
        Span<byte> text = stackalloc byte[GoTime.MaxLength];
        Text(insert, index, text[..GoTime.FormatSql(utc, text)]);
    }

    /// <summary>Binds what was just put behind the texts before it.</summary>
    private void Placed(SqliteStatement insert, int index, int length)
    {
        insert.BindInPlace(index, _address + _used, length);
        _used += length;
    }
}

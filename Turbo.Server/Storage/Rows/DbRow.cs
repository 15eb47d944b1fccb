using Turbo.Server.Storage.Rows;

namespace Turbo.Server;

/// <summary>
/// One row that was found, for a table's reader to make its record of. A column that is NULL, because the row is older than
/// the column, reads as empty, zero, false or <see cref="DateTime.MinValue"/> by the methods that do not end in OrNull.
/// </summary>
public abstract class DbRow
{
    private readonly TableShape _table;

    private protected DbRow(TableShape table) => _table = table;

    /// <summary>A text; empty for NULL.</summary>
    public string Text(string column) => TextOrNull(column) ?? "";

    /// <summary>A text, or null.</summary>
    public string? TextOrNull(string column) => At(column, ColumnType.Text, out int at) ? null : ReadText(at);

    /// <summary>A number of 32 bits; 0 for NULL.</summary>
    public int Int(string column) => IntOrNull(column) ?? 0;

    /// <summary>A number of 32 bits, or null.</summary>
    public int? IntOrNull(string column) => At(column, ColumnType.Int, out int at) ? null : ReadInt(at);

    /// <summary>A number of 64 bits; 0 for NULL.</summary>
    public long Long(string column) => LongOrNull(column) ?? 0;

    /// <summary>A number of 64 bits, or null.</summary>
    public long? LongOrNull(string column) => At(column, ColumnType.Long, out int at) ? null : ReadLong(at);

    /// <summary>A floating-point number; 0 for NULL.</summary>
    public double Double(string column) => DoubleOrNull(column) ?? 0;

    /// <summary>A floating-point number, or null.</summary>
    public double? DoubleOrNull(string column) => At(column, ColumnType.Double, out int at) ? null : ReadDouble(at);

    /// <summary>A flag; false for NULL.</summary>
    public bool Bool(string column) => BoolOrNull(column) ?? false;

    /// <summary>A flag, or null.</summary>
    public bool? BoolOrNull(string column) => At(column, ColumnType.Bool, out int at) ? null : ReadBool(at);

    /// <summary>A time, in UTC.</summary>
    public DateTime Time(string column) => TimeOrNull(column) ?? DateTime.MinValue;

    /// <summary>A time, in UTC, or null.</summary>
    public DateTime? TimeOrNull(string column) => At(column, ColumnType.Time, out int at) ? null : ReadTime(at);

    /// <summary>A Guid; empty for NULL.</summary>
    public Guid Guid(string column) => GuidOrNull(column) ?? System.Guid.Empty;

    /// <summary>A Guid, or null.</summary>
    public Guid? GuidOrNull(string column) => At(column, ColumnType.Guid, out int at) ? null : ReadGuid(at);

    /// <summary>Bytes; none for NULL.</summary>
    public byte[] Bytes(string column) => BytesOrNull(column) ?? [];

    /// <summary>Bytes, or null.</summary>
    public byte[]? BytesOrNull(string column) => At(column, ColumnType.Bytes, out int at) ? null : ReadBytes(at);

    private protected abstract bool IsNull(int column);

    private protected abstract string ReadText(int column);

    private protected abstract int ReadInt(int column);

    private protected abstract long ReadLong(int column);

    private protected abstract double ReadDouble(int column);

    private protected abstract bool ReadBool(int column);

    private protected abstract DateTime ReadTime(int column);

    private protected abstract Guid ReadGuid(int column);

    private protected abstract byte[] ReadBytes(int column);

    // Rows are read on the database's threads: a mistake is told with its name, and answers whoever asked.
    private bool At(string column, ColumnType type, out int at)
    {
        IReadOnlyList<ColumnShape> columns = _table.Columns;
        for (at = 0; at < columns.Count; at++)
        {
            if (columns[at].Name != column) continue;
            if (columns[at].Type != type) throw new InvalidOperationException($"{_table.Name}.{column} is {columns[at].Type}, and is read as {type}");
            return IsNull(at);
        }
        throw new InvalidOperationException($"the table {_table.Name} has no column {column}");
    }
}

using System.Collections;
using Turbo.Server.Storage.Rows;

namespace Turbo.Server;

/// <summary>
/// A record that is a row of a table, which it describes. Nothing is looked up by reflection, so it works in a trimmed or
/// AOT-compiled program, too.
/// <code>
/// sealed record Note(string Id, string UserId, string Text, DateTime CreatedAt) : IRow&lt;Note&gt;
/// {
///     public static Table&lt;Note&gt; Table { get; } = new("notes", row => new(row.Text("id"), row.Text("user_id"), row.Text("text"), row.Time("created_at")))
///     {
///         { "id", note => note.Id },
///         { "user_id", note => note.UserId, ColumnIndex.Plain },
///         { "text", note => note.Text },
///         { "created_at", note => note.CreatedAt },
///     };
/// }
/// </code>
/// </summary>
/// <typeparam name="TSelf">The record itself.</typeparam>
public interface IRow<TSelf> where TSelf : IRow<TSelf>
{
    /// <summary>The table.</summary>
    static abstract Table<TSelf> Table { get; }
}

/// <summary>Whether a column has an index.</summary>
public enum ColumnIndex : byte
{
    /// <summary>It has none.</summary>
    None,

    /// <summary>It is looked up by.</summary>
    Plain,

    /// <summary>No two rows have the same; NULL may stand in several.</summary>
    Unique,
}

/// <summary>
/// The table of a record: its name, how a row is read, and its columns, of which the first is the key, never null. Names are small
/// letters, digits and '_', at most 63; others, and names of Turbo's own tables, throw <see cref="ArgumentException"/>.
/// </summary>
/// <typeparam name="T">The record.</typeparam>
public sealed class Table<T> : IEnumerable<string>
{
    private readonly List<(ColumnShape Shape, Func<T, DbValue> Value)> _columns = [];
    private TableShape? _shape;

    /// <param name="name">The table's name.</param>
    /// <param name="read">Makes a record of a row. Runs on a thread of the database: it must not wait.</param>
    public Table(string name, Func<DbRow, T> read)
    {
        RowSql.CheckTable(name);
        Name = name;
        Read = read;
    }

    /// <summary>The table's name.</summary>
    public string Name { get; }

    internal Func<DbRow, T> Read { get; }

    internal TableShape Shape
    {
        get
        {
            if (_shape is { } known && known.Columns.Count == _columns.Count) return known;
            if (_columns.Count == 0) throw new InvalidOperationException($"the table {Name} has no columns");
            if (_columns[0].Shape.Type is not (ColumnType.Text or ColumnType.Int or ColumnType.Long or ColumnType.Guid))
                throw new InvalidOperationException($"the key of {Name}, its first column, is a string, an int, a long or a Guid");
            return _shape = new TableShape(Name, [.. _columns.Select(static column => column.Shape)]);
        }
    }

    /// <summary>Adds a column of text.</summary>
    /// <param name="column">Its name.</param>
    /// <param name="value">Reads it from a record.</param>
    /// <param name="index">Whether it has an index; the key needs none.</param>
    public void Add(string column, Func<T, string?> value, ColumnIndex index = ColumnIndex.None) => Add(column, ColumnType.Text, row => value(row), index);

    /// <summary>Adds a column of 32-bit numbers.</summary>
    /// <inheritdoc cref="Add(string, Func{T, string}, ColumnIndex)"/>
    public void Add(string column, Func<T, int> value, ColumnIndex index = ColumnIndex.None) => Add(column, ColumnType.Int, row => value(row), index);

    /// <summary>Adds a column of 32-bit numbers that may be null.</summary>
    /// <inheritdoc cref="Add(string, Func{T, string}, ColumnIndex)"/>
    public void Add(string column, Func<T, int?> value, ColumnIndex index = ColumnIndex.None) => Add(column, ColumnType.Int, row => value(row), index);

    /// <summary>Adds a column of 64-bit numbers.</summary>
    /// <inheritdoc cref="Add(string, Func{T, string}, ColumnIndex)"/>
    public void Add(string column, Func<T, long> value, ColumnIndex index = ColumnIndex.None) => Add(column, ColumnType.Long, row => value(row), index);

    /// <summary>Adds a column of 64-bit numbers that may be null.</summary>
    /// <inheritdoc cref="Add(string, Func{T, string}, ColumnIndex)"/>
    public void Add(string column, Func<T, long?> value, ColumnIndex index = ColumnIndex.None) => Add(column, ColumnType.Long, row => value(row), index);

    /// <summary>Adds a column of floating-point numbers.</summary>
    /// <inheritdoc cref="Add(string, Func{T, string}, ColumnIndex)"/>
    public void Add(string column, Func<T, double> value, ColumnIndex index = ColumnIndex.None) => Add(column, ColumnType.Double, row => value(row), index);

    /// <summary>Adds a column of floating-point numbers that may be null.</summary>
    /// <inheritdoc cref="Add(string, Func{T, string}, ColumnIndex)"/>
    public void Add(string column, Func<T, double?> value, ColumnIndex index = ColumnIndex.None) => Add(column, ColumnType.Double, row => value(row), index);

    /// <summary>Adds a column of flags.</summary>
    /// <inheritdoc cref="Add(string, Func{T, string}, ColumnIndex)"/>
    public void Add(string column, Func<T, bool> value, ColumnIndex index = ColumnIndex.None) => Add(column, ColumnType.Bool, row => value(row), index);

    /// <summary>Adds a column of flags that may be null.</summary>
    /// <inheritdoc cref="Add(string, Func{T, string}, ColumnIndex)"/>
    public void Add(string column, Func<T, bool?> value, ColumnIndex index = ColumnIndex.None) => Add(column, ColumnType.Bool, row => value(row), index);

    /// <summary>Adds a column of times.</summary>
    /// <inheritdoc cref="Add(string, Func{T, string}, ColumnIndex)"/>
    public void Add(string column, Func<T, DateTime> value, ColumnIndex index = ColumnIndex.None) => Add(column, ColumnType.Time, row => value(row), index);

    /// <summary>Adds a column of times that may be null.</summary>
    /// <inheritdoc cref="Add(string, Func{T, string}, ColumnIndex)"/>
    public void Add(string column, Func<T, DateTime?> value, ColumnIndex index = ColumnIndex.None) => Add(column, ColumnType.Time, row => value(row), index);

    /// <summary>Adds a column of Guids.</summary>
    /// <inheritdoc cref="Add(string, Func{T, string}, ColumnIndex)"/>
    public void Add(string column, Func<T, Guid> value, ColumnIndex index = ColumnIndex.None) => Add(column, ColumnType.Guid, row => value(row), index);

    /// <summary>Adds a column of Guids that may be null.</summary>
    /// <inheritdoc cref="Add(string, Func{T, string}, ColumnIndex)"/>
    public void Add(string column, Func<T, Guid?> value, ColumnIndex index = ColumnIndex.None) => Add(column, ColumnType.Guid, row => value(row), index);

    /// <summary>Adds a column of bytes.</summary>
    /// <inheritdoc cref="Add(string, Func{T, string}, ColumnIndex)"/>
    public void Add(string column, Func<T, byte[]?> value, ColumnIndex index = ColumnIndex.None) => Add(column, ColumnType.Bytes, row => value(row), index);

    /// <summary>The names of the columns, in their order.</summary>
    public IEnumerator<string> GetEnumerator() => _columns.Select(static column => column.Shape.Name).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <exception cref="ArgumentException">Its key is null.</exception>
    internal DbValue[] Values(T row)
    {
        var values = new DbValue[_columns.Count];
        values[0] = Key(row);
        for (int i = 1; i < values.Length; i++) values[i] = _columns[i].Value(row);
        return values;
    }

    /// <exception cref="ArgumentException">It is null, which SQLite would take as often as it comes.</exception>
    internal DbValue Key(T row) =>
        _columns[0].Value(row) is { IsNull: false } key ? key : throw new ArgumentException($"the key of a row of {Name} is null", nameof(row));

    private void Add(string column, ColumnType type, Func<T, DbValue> value, ColumnIndex index)
    {
        RowSql.CheckIdentifier(column);
        if (_columns.Exists(other => other.Shape.Name == column)) throw new ArgumentException($"{Name} has a column {column} already", nameof(column));
        _columns.Add((new ColumnShape(column, type, index), value));
    }
}

namespace Turbo.Server.Storage.Rows;

/// <summary>What a column of an application's table holds.</summary>
internal enum ColumnType : byte { Text, Int, Long, Double, Bool, Time, Guid, Bytes }

/// <summary>One column: its name and what it holds.</summary>
internal readonly record struct ColumnShape(string Name, ColumnType Type, ColumnIndex Index);

/// <summary>A table as the database sees it. The first column is its key.</summary>
internal sealed record TableShape(string Name, IReadOnlyList<ColumnShape> Columns)
{
    private string? _insert, _save, _update, _delete, _get;

    public ColumnShape Key => Columns[0];

    /// <summary>The statements on one row, made once.</summary>
    public string Insert => _insert ??= RowSql.Insert(this);

    public string Save => _save ??= RowSql.Save(this);

    public string Update => _update ??= RowSql.Update(this);

    public string Delete => _delete ??= RowSql.Delete(this, RowSql.HasKey(this));

    public string Get => _get ??= RowSql.Select(this, RowSql.HasKey(this), null);
}

namespace Turbo.Server.Storage.Rows;

/// <summary>What a column of an application's table holds.</summary>
internal enum ColumnType : byte { Text, Int, Long, Double, Bool, Time, Guid, Bytes }

/// <summary>One column: its name and what it holds.</summary>
internal readonly record struct ColumnShape(string Name, ColumnType Type, ColumnIndex Index);

/// <summary>A table as the database sees it. The first column is its key.</summary>
internal sealed record TableShape(string Name, IReadOnlyList<ColumnShape> Columns)
{
    public ColumnShape Key => Columns[0];
}

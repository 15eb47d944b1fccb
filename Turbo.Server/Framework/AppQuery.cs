using Turbo.Server.Storage;
using Turbo.Server.Storage.Rows;

namespace Turbo.Server;

/// <summary>Which rows of a table, in which order, and how many. Immutable: each step gives a query of its own.</summary>
public sealed class AppQuery
{
    /// <summary>The rows that a query without <see cref="Limit"/> may find; one that finds more is a failure, not a part.</summary>
    public const int MaxUnlimited = 10_000;

    /// <summary>The most that <see cref="Limit"/> takes.</summary>
    public const int MaxLimit = 1_000_000;

    private readonly AppDb _db;

    internal AppQuery(AppDb db) => _db = db;

    private string? Condition { get; init; }

    private DbValue[] Values { get; init; } = [];

    private string? Columns { get; init; }

    private int? Rows { get; init; }

    /// <summary>The rows for which this condition holds, too; see <see cref="AppDb.Where"/>.</summary>
    public AppQuery Where(string condition, params ReadOnlySpan<DbValue> values)
    {
        RowSql.CheckCondition(condition, values.Length);
        string all = Condition is null ? $"({condition})" : $"{Condition} AND ({condition})";
        return new AppQuery(_db) { Condition = all, Values = [.. Values, .. values], Columns = Columns, Rows = Rows };
    }

    /// <summary>
    /// The order: columns with ASC or DESC, such as <c>"age DESC, name"</c>. Texts go by their bytes, NULL comes before all
    /// else, and what is equal goes by the key; without an order all does.
    /// </summary>
    public AppQuery Order(string columns) => new(_db) { Condition = Condition, Values = Values, Columns = columns, Rows = Rows };

    /// <summary>At most so many rows, 1 to <see cref="MaxLimit"/>.</summary>
    public AppQuery Limit(int rows)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, MaxLimit);
        return new(_db) { Condition = Condition, Values = Values, Columns = Columns, Rows = rows };
    }

    /// <summary>The rows. Without <see cref="Limit"/> more than <see cref="MaxUnlimited"/> are a <see cref="StorageException"/>.</summary>
    public async Task<List<T>> FindAsync<T>() where T : IRow<T>
    {
        List<T> rows = await SelectAsync<T>(Rows ?? MaxUnlimited + 1);
        if (Rows is null && rows.Count > MaxUnlimited) throw new StorageException(StorageFailure.Failed, $"more than {MaxUnlimited} rows of {T.Table.Name} were found by a query without a limit");
        return rows;
    }

    /// <summary>The first row, or null.</summary>
    public async Task<T?> FirstAsync<T>() where T : class, IRow<T> => (await SelectAsync<T>(1)).FirstOrDefault();

    /// <summary>How many rows there are, whatever the limit.</summary>
    public Task<long> CountAsync<T>() where T : IRow<T> => _db.Rows.CountAsync(RowSql.Count(T.Table.Shape, Condition), Values);

    /// <summary>Deletes the rows; how many. Order and limit do not go with it.</summary>
    public Task<int> DeleteAsync<T>() where T : IRow<T>
    {
        if (Columns is not null || Rows is not null) throw new InvalidOperationException("what is deleted is named by conditions alone");
        return _db.Rows.RunAsync(RowSql.Delete(T.Table.Shape, Condition), Values, isRepeatable: false);
    }

    /// <summary>As <see cref="FindAsync"/>, blocking.</summary>
    public List<T> Find<T>() where T : IRow<T> => FindAsync<T>().GetAwaiter().GetResult();

    /// <summary>As <see cref="FirstAsync"/>, blocking.</summary>
    public T? First<T>() where T : class, IRow<T> => FirstAsync<T>().GetAwaiter().GetResult();

    /// <summary>As <see cref="CountAsync"/>, blocking.</summary>
    public long Count<T>() where T : IRow<T> => CountAsync<T>().GetAwaiter().GetResult();

    /// <summary>As <see cref="DeleteAsync"/>, blocking.</summary>
    public int Delete<T>() where T : IRow<T> => DeleteAsync<T>().GetAwaiter().GetResult();

    private Task<List<T>> SelectAsync<T>(int limit) where T : IRow<T>
    {
        TableShape shape = T.Table.Shape;
        return _db.Rows.FindAsync(shape, RowSql.Select(shape, Condition, Columns), [.. Values, limit], T.Table.Read);
    }
}

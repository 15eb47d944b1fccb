using Turbo.Server.Storage.Rows;

namespace Turbo.Server;

/// <summary>
/// An application's own tables, in Turbo's database (DB_ADDRESS): the same calls do the same on SQLite and PostgreSQL.
/// Failures are a <see cref="Storage.StorageException"/>. The calls that end in <c>Async</c> wait without a thread; those of
/// the same name without it block theirs until the database has answered, which is for programs' starts and small tools.
/// </summary>
public sealed class AppDb
{
    private readonly TurboApp _app;

    internal AppDb(TurboApp app) => _app = app;

    /// <summary>The time now, in UTC, as precise as a column keeps it: what is answered before it is stored is then what is read back.</summary>
    public DateTime Now => ((DbValue)_app.Host.Time.GetUtcNow().UtcDateTime).Time;

    /// <summary>
    /// Makes the record's table where it is missing, and adds the columns and indexes that it lacks. Nothing is dropped or
    /// changed: a column whose type is another than the record's is a failure. Called before the application starts, it is
    /// done at the start, before the first request.
    /// </summary>
    public Task MigrateAsync<T>() where T : IRow<T>
    {
        TableShape shape = T.Table.Shape;
        if (_app.HasHost) return Rows.MigrateAsync(shape);
        _app.OnStart(() => Rows.MigrateAsync(shape));
        return Task.CompletedTask;
    }

    /// <summary>Stores a new row. One whose key, or whose value of a unique column, is there already is a <see cref="Storage.StorageFailure.Conflict"/>.</summary>
    public Task CreateAsync<T>(T row) where T : IRow<T> => Rows.RunAsync(T.Table.Shape.Insert, T.Table.Values(row), isRepeatable: false);

    /// <summary>Stores a row, in place of the one of the same key where there is one.</summary>
    public Task SaveAsync<T>(T row) where T : IRow<T> => Rows.RunAsync(T.Table.Shape.Save, T.Table.Values(row), isRepeatable: true);

    /// <summary>Stores all columns of the row of the same key; false when there is none.</summary>
    public async Task<bool> UpdateAsync<T>(T row) where T : IRow<T>
    {
        DbValue[] values = T.Table.Values(row);
        return await Rows.RunAsync(T.Table.Shape.Update, [.. values[1..], values[0]], isRepeatable: true) > 0;
    }

    /// <summary>Deletes the row of the same key; false when there is none.</summary>
    public Task<bool> DeleteAsync<T>(T row) where T : IRow<T> => DeleteByKeyAsync<T>(T.Table.Key(row));

    /// <summary>Deletes the row of a key; false when there is none.</summary>
    public async Task<bool> DeleteByKeyAsync<T>(DbValue key) where T : IRow<T> =>
        await Rows.RunAsync(T.Table.Shape.Delete, [key], isRepeatable: false) > 0;

    /// <summary>The row of a key, or null.</summary>
    public async Task<T?> GetAsync<T>(DbValue key) where T : class, IRow<T>
    {
        TableShape shape = T.Table.Shape;
        return (await Rows.FindAsync(shape, shape.Get, [key, 1], T.Table.Read)).FirstOrDefault();
    }

    /// <summary>All rows; see <see cref="AppQuery.FindAsync"/>.</summary>
    public Task<List<T>> FindAsync<T>() where T : IRow<T> => new AppQuery(this).FindAsync<T>();

    /// <summary>The rows for which a condition holds.</summary>
    /// <param name="condition">
    /// SQL of the program's own, such as <c>age > ? AND name LIKE ?</c>: columns, comparisons, AND, OR, NOT, functions that
    /// both databases have, texts in single quotes. LIKE wants <c>ESCAPE '\'</c> where its pattern may hold a backslash, which
    /// PostgreSQL alone takes for an escape by itself. Never put a client's text in it: that is what each <c>?</c> is for.
    /// </param>
    /// <param name="values">One for each '?'.</param>
    /// <exception cref="ArgumentException">The condition is more than one, has a comment, or has not a '?' for each value.</exception>
    public AppQuery Where(string condition, params ReadOnlySpan<DbValue> values) => new AppQuery(this).Where(condition, values);

    /// <summary>All rows, in an order; see <see cref="AppQuery.Order"/>.</summary>
    public AppQuery Order(string columns) => new AppQuery(this).Order(columns);

    /// <summary>The first rows; see <see cref="AppQuery.Limit"/>.</summary>
    public AppQuery Limit(int rows) => new AppQuery(this).Limit(rows);

    /// <summary>As <see cref="MigrateAsync"/>, blocking.</summary>
    public void Migrate<T>() where T : IRow<T> => MigrateAsync<T>().GetAwaiter().GetResult();

    /// <summary>As <see cref="CreateAsync"/>, blocking.</summary>
    public void Create<T>(T row) where T : IRow<T> => CreateAsync(row).GetAwaiter().GetResult();

    /// <summary>As <see cref="SaveAsync"/>, blocking.</summary>
    public void Save<T>(T row) where T : IRow<T> => SaveAsync(row).GetAwaiter().GetResult();

    /// <summary>As <see cref="UpdateAsync"/>, blocking.</summary>
    public bool Update<T>(T row) where T : IRow<T> => UpdateAsync(row).GetAwaiter().GetResult();

    /// <summary>As <see cref="DeleteAsync"/>, blocking.</summary>
    public bool Delete<T>(T row) where T : IRow<T> => DeleteAsync(row).GetAwaiter().GetResult();

    /// <summary>As <see cref="GetAsync"/>, blocking.</summary>
    public T? Get<T>(DbValue key) where T : class, IRow<T> => GetAsync<T>(key).GetAwaiter().GetResult();

    /// <summary>As <see cref="FindAsync"/>, blocking.</summary>
    public List<T> Find<T>() where T : IRow<T> => FindAsync<T>().GetAwaiter().GetResult();

    internal IRowStore Rows => _app.Host.Db.Rows;
}

namespace Turbo.Server.Storage.Rows;

/// <summary>The tables of an application. SQL comes with a '?' for each value, and identifiers in double quotes.</summary>
internal interface IRowStore
{
    /// <summary>Makes the table, or adds the columns and indexes that it lacks. Drops and changes nothing.</summary>
    Task MigrateAsync(TableShape table);

    /// <summary>Runs a statement; how many rows it changed.</summary>
    /// <param name="sql">The statement.</param>
    /// <param name="values">Its values.</param>
    /// <param name="isRepeatable">Whether running it twice leaves and answers what running it once does.</param>
    Task<int> RunAsync(string sql, DbValue[] values, bool isRepeatable);

    /// <summary>The rows that a query finds.</summary>
    Task<List<T>> FindAsync<T>(TableShape table, string sql, DbValue[] values, Func<DbRow, T> read);

    /// <summary>The number that a query answers.</summary>
    Task<long> CountAsync(string sql, DbValue[] values);
}

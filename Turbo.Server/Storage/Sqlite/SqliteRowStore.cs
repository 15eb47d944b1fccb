using System.Globalization;
using Turbo.Server.Storage.Rows;

namespace Turbo.Server.Storage.Sqlite;

internal sealed class SqliteRowStore(SqliteWriter writer, SqliteReaders readers) : IRowStore
{
    public Task MigrateAsync(TableShape table) => writer.WriteAsync(table, static (session, table) =>
    {
        Dictionary<string, string> present = new(StringComparer.Ordinal);
        using (SqliteStatement columns = session.Use("SELECT name, type FROM pragma_table_info(?)").Bind(1, table.Name))
        {
            while (columns.Step()) present.Add(columns.Text(0), columns.Text(1));
        }
        if (present.Count == 0)
        {
            session.ExecuteOnce($"CREATE TABLE \"{table.Name}\" ({string.Join(", ", table.Columns.Select(Definition))}, PRIMARY KEY (\"{table.Key.Name}\"))");
        }
        else
        {
            foreach (ColumnShape column in table.Columns)
            {
                if (!present.TryGetValue(column.Name, out string? type)) session.ExecuteOnce($"ALTER TABLE \"{table.Name}\" ADD COLUMN {Definition(column)}");
                else if (!type.Equals(TypeOf(column.Type), StringComparison.OrdinalIgnoreCase)) throw RowSql.OtherType(table, column, type.ToLowerInvariant(), TypeOf(column.Type));
            }
        }
        foreach (ColumnShape column in table.Columns)
        {
            if (column.Index != ColumnIndex.None) session.ExecuteOnce(RowSql.CreateIndex(table, column));
        }
        return true;
    });

    public Task<int> RunAsync(string sql, DbValue[] values, bool isRepeatable) => writer.WriteAsync((sql, values), static (session, work) =>
    {
        using SqliteStatement statement = Bound(session, work.sql, work.values);
        return statement.Run();
    });

    public Task<List<T>> FindAsync<T>(TableShape table, string sql, DbValue[] values, Func<DbRow, T> read) =>
        readers.ReadAsync((table, sql, values, read), static (session, work) =>
        {
            using SqliteStatement found = Bound(session, work.sql, work.values);
            Row row = new(work.table, found);
            List<T> rows = [];
            while (found.Step()) rows.Add(work.read(row));
            return rows;
        });

    public Task<long> CountAsync(string sql, DbValue[] values) => readers.ReadAsync((sql, values), static (session, work) =>
    {
        using SqliteStatement found = Bound(session, work.sql, work.values);
        return found.Step() ? found.Int64(0) : 0;
    });

    private static string Definition(ColumnShape column) => $"\"{column.Name}\" {TypeOf(column.Type)}";

    private static string TypeOf(ColumnType type) => type switch
    {
        ColumnType.Int => "integer",
        ColumnType.Long => "bigint",
        ColumnType.Double => "double",
        ColumnType.Bool => "boolean",
        ColumnType.Time => "datetime",
        ColumnType.Bytes => "blob",
        _ => "text",
    };

    private static SqliteStatement Bound(SqliteSession session, string sql, DbValue[] values)
    {
        SqliteStatement statement = session.UseAny(sql);
        for (int i = 0; i < values.Length; i++)
        {
            DbValue value = values[i];
            _ = value switch
            {
                { IsNull: true } => statement.Bind(i + 1, (string?)null),
                { Type: ColumnType.Text } => statement.Bind(i + 1, value.Text),
                { Type: ColumnType.Double } => statement.Bind(i + 1, value.Real),
                { Type: ColumnType.Time } => statement.Bind(i + 1, value.Time),
                { Type: ColumnType.Guid } => statement.Bind(i + 1, value.Guid.ToString("D", CultureInfo.InvariantCulture)),
                { Type: ColumnType.Bytes } => statement.BindBlob(i + 1, value.Bytes),
                _ => statement.Bind(i + 1, value.Number),
            };
        }
        return statement;
    }

    private sealed class Row(TableShape table, SqliteStatement row) : DbRow(table)
    {
        private protected override bool IsNull(int column) => row.IsNull(column);

        private protected override string ReadText(int column) => row.Text(column);

        private protected override int ReadInt(int column) => checked((int)row.Int64(column));

        private protected override long ReadLong(int column) => row.Int64(column);

        private protected override double ReadDouble(int column) => row.Double(column);

        private protected override bool ReadBool(int column) => row.Int64(column) != 0;

        private protected override DateTime ReadTime(int column) => row.Time(column);

        private protected override Guid ReadGuid(int column) => System.Guid.Parse(row.Text(column), CultureInfo.InvariantCulture);

        private protected override byte[] ReadBytes(int column) => row.Utf8(column).ToArray();
    }
}

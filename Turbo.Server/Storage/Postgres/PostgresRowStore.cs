using Npgsql;
using NpgsqlTypes;
using Turbo.Server.Storage.Rows;

namespace Turbo.Server.Storage.Postgres;

internal sealed class PostgresRowStore(PostgresPool pool) : IRowStore
{
    /// <summary>The advisory lock of a migration, beside that of Turbo's own: "tables" in ASCII.</summary>
    private const long LockKey = 0x74_61_62_6c_65_73;

    public Task MigrateAsync(TableShape table) => pool.WriteAsync(table, static async (connection, table) =>
    {
        // Nodes that start at once do this one after the other.
        await connection.Use($"SELECT pg_advisory_xact_lock({LockKey})").RunAsync();
        List<(string Name, string Type)> columns = await connection
            .Use("SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1")
            .Text(table.Name).ListAsync(static row => (row.GetString(0), row.GetString(1)));
        Dictionary<string, string> present = columns.ToDictionary(static column => column.Name, static column => column.Type, StringComparer.Ordinal);
        if (present.Count == 0)
        {
            await connection.Use($"CREATE TABLE \"{table.Name}\" ({string.Join(", ", table.Columns.Select(Definition))}, PRIMARY KEY (\"{table.Key.Name}\"))").RunAsync();
        }
        else
        {
            foreach (ColumnShape column in table.Columns)
            {
                if (!present.TryGetValue(column.Name, out string? type)) await connection.Use($"ALTER TABLE \"{table.Name}\" ADD COLUMN {Definition(column)}").RunAsync();
                else if (type != TypeOf(column.Type)) throw RowSql.OtherType(table, column, type, TypeOf(column.Type));
            }
        }
        foreach (ColumnShape column in table.Columns)
        {
            if (column.Index != ColumnIndex.None) await connection.Use(RowSql.CreateIndex(table, column)).RunAsync();
        }
        return true;
    }, isRepeatable: true);

    public Task<int> RunAsync(string sql, DbValue[] values, bool isRepeatable) => isRepeatable
        ? pool.WriteOnceAsync((sql, values), static (connection, work) => Bound(connection, work.sql, work.values).RunAsync())
        : pool.WriteAsync((sql, values), static (connection, work) => Bound(connection, work.sql, work.values).RunAsync());

    public Task<List<T>> FindAsync<T>(TableShape table, string sql, DbValue[] values, Func<DbRow, T> read) =>
        pool.ReadAsync((table, sql, values, read), static async (connection, work) =>
        {
            await using NpgsqlCommand command = Bound(connection, work.sql, work.values);
            await using NpgsqlDataReader found = await command.ExecuteReaderAsync();
            Row row = new(work.table, found);
            List<T> rows = [];
            while (await found.ReadAsync()) rows.Add(work.read(row));
            return rows;
        });

    public Task<long> CountAsync(string sql, DbValue[] values) => pool.ReadAsync((sql, values), static async (connection, work) =>
        (await Bound(connection, work.sql, work.values).ListAsync(static row => row.GetInt64(0)))[0]);

    // Texts compare by their bytes, as in SQLite, whatever the database's language.
    private static string Definition(ColumnShape column) => $"\"{column.Name}\" {TypeOf(column.Type)}{(column.Type == ColumnType.Text ? " COLLATE \"C\"" : "")}";

    private static string TypeOf(ColumnType type) => type switch
    {
        ColumnType.Int => "integer",
        ColumnType.Long => "bigint",
        ColumnType.Double => "double precision",
        ColumnType.Bool => "boolean",
        ColumnType.Time => "timestamp with time zone",
        ColumnType.Guid => "uuid",
        ColumnType.Bytes => "bytea",
        _ => "text",
    };

    private static NpgsqlCommand Bound(NpgsqlConnection connection, string sql, DbValue[] values)
    {
        NpgsqlCommand command = connection.Use(RowSql.Numbered(sql));
        foreach (DbValue value in values)
        {
            _ = value switch
            {
                { IsNull: true } => command.Null(DbTypeOf(value.Type)),
                { Type: ColumnType.Text } => command.Text(value.Text),
                { Type: ColumnType.Int } => command.Bind((int)value.Number),
                { Type: ColumnType.Long } => command.Bind(value.Number),
                { Type: ColumnType.Double } => command.Bind(value.Real),
                { Type: ColumnType.Bool } => command.Flag(value.Number != 0),
                { Type: ColumnType.Time } => command.Bind(value.Time),
                { Type: ColumnType.Guid } => command.Bind(value.Guid),
                _ => command.Bind(value.Bytes),
            };
        }
        return command;
    }

    private static NpgsqlDbType DbTypeOf(ColumnType type) => type switch
    {
        ColumnType.Int => NpgsqlDbType.Integer,
        ColumnType.Long => NpgsqlDbType.Bigint,
        ColumnType.Double => NpgsqlDbType.Double,
        ColumnType.Bool => NpgsqlDbType.Boolean,
        ColumnType.Time => NpgsqlDbType.TimestampTz,
        ColumnType.Guid => NpgsqlDbType.Uuid,
        ColumnType.Bytes => NpgsqlDbType.Bytea,
        _ => NpgsqlDbType.Text,
    };

    private sealed class Row(TableShape table, NpgsqlDataReader row) : DbRow(table)
    {
        private protected override bool IsNull(int column) => row.IsDBNull(column);

        private protected override string ReadText(int column) => row.GetString(column);

        private protected override int ReadInt(int column) => row.GetInt32(column);

        private protected override long ReadLong(int column) => row.GetInt64(column);

        private protected override double ReadDouble(int column) => row.GetDouble(column);

        private protected override bool ReadBool(int column) => row.GetBoolean(column);

        // The ends of time come without a kind.
        private protected override DateTime ReadTime(int column) => DateTime.SpecifyKind(row.GetDateTime(column), DateTimeKind.Utc);

        private protected override Guid ReadGuid(int column) => row.GetGuid(column);

        private protected override byte[] ReadBytes(int column) => row.GetFieldValue<byte[]>(column);
    }
}

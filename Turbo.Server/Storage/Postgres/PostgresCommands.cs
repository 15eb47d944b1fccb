using Npgsql;
using NpgsqlTypes;

namespace Turbo.Server.Storage.Postgres;

/// <summary>
/// Statements with positional parameters, bound in order and typed, and rows read by column. What varies is bound, so that
/// the driver prepares a statement once on each connection.
/// </summary>
internal static class PostgresCommands
{
    public static NpgsqlCommand Use(this NpgsqlConnection connection, string sql) => new(sql, connection);

    public static NpgsqlCommand Text(this NpgsqlCommand command, string? text) => command.Bind(NpgsqlDbType.Text, text);

    public static NpgsqlCommand Number(this NpgsqlCommand command, long? number) =>
        number is { } value ? command.Bind(value) : command.Bind(NpgsqlDbType.Bigint, null);

    public static NpgsqlCommand Flag(this NpgsqlCommand command, bool flag) => command.Bind(flag);

    public static NpgsqlCommand Time(this NpgsqlCommand command, DateTime? utc) =>
        utc is { } value ? command.Bind(value) : command.Bind(NpgsqlDbType.TimestampTz, null);

    public static NpgsqlCommand Texts(this NpgsqlCommand command, IEnumerable<string> texts) => command.Bind(texts.ToArray());

    /// <summary>NULL of a type.</summary>
    public static NpgsqlCommand Null(this NpgsqlCommand command, NpgsqlDbType type) => command.Bind(type, null);

    /// <summary>A parameter of a type that says by itself which column type it is.</summary>
    public static NpgsqlCommand Bind<T>(this NpgsqlCommand command, T value)
    {
        command.Parameters.Add(new NpgsqlParameter<T> { TypedValue = value });
        return command;
    }

    private static NpgsqlCommand Bind(this NpgsqlCommand command, NpgsqlDbType type, object? value)
    {
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = type, Value = value ?? DBNull.Value });
        return command;
    }

    /// <summary>Runs it; how many rows it changed.</summary>
    public static async Task<int> RunAsync(this NpgsqlCommand command)
    {
        await using (command)
            return await command.ExecuteNonQueryAsync();
    }

    /// <summary>The first row, or null.</summary>
    public static async Task<T?> FirstAsync<T>(this NpgsqlCommand command, Func<NpgsqlDataReader, T> read) where T : class
    {
        await using (command)
        {
            await using NpgsqlDataReader rows = await command.ExecuteReaderAsync();
            return await rows.ReadAsync() ? read(rows) : null;
        }
    }

    /// <summary>Whether there is a row.</summary>
    public static async Task<bool> AnyAsync(this NpgsqlCommand command)
    {
        await using (command)
        {
            await using NpgsqlDataReader rows = await command.ExecuteReaderAsync();
            return await rows.ReadAsync();
        }
    }

    public static async Task<List<T>> ListAsync<T>(this NpgsqlCommand command, Func<NpgsqlDataReader, T> read)
    {
        await using (command)
        {
            await using NpgsqlDataReader rows = await command.ExecuteReaderAsync();
            var list = new List<T>();
            while (await rows.ReadAsync())
                list.Add(read(rows));
            return list;
        }
    }

    /// <summary>Asks the same of many: <paramref name="sql"/> takes records and users as arrays and answers in their order.</summary>
    public static async Task<IReadOnlyList<bool>> AskAsync(this NpgsqlConnection connection, string sql, IReadOnlyList<Membership> asked) =>
        await connection.Use(sql).Texts(asked.Select(static one => one.RecordId)).Texts(asked.Select(static one => one.UserId))
            .ListAsync(static row => row.GetBoolean(0));

    /// <summary>Empty for NULL.</summary>
    public static string Text(this NpgsqlDataReader row, int column) => row.IsDBNull(column) ? "" : row.GetString(column);

    /// <summary>0 for NULL.</summary>
    public static long Int64(this NpgsqlDataReader row, int column) => row.IsDBNull(column) ? 0 : row.GetInt64(column);

    public static long? Int64OrNull(this NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetInt64(column);

    /// <summary>False for NULL.</summary>
    public static bool Flag(this NpgsqlDataReader row, int column) => !row.IsDBNull(column) && row.GetBoolean(column);

    /// <summary><see cref="DateTime.MinValue"/> for NULL, as Go's zero time.</summary>
    public static DateTime Time(this NpgsqlDataReader row, int column) => row.TimeOrNull(column) ?? DateTime.MinValue;

    public static DateTime? TimeOrNull(this NpgsqlDataReader row, int column) =>
        row.IsDBNull(column) ? null : row.GetDateTime(column);

    /// <summary>To the microsecond, which is what a column holds: what is answered is then what is read back.</summary>
    public static DateTime ToMicroseconds(this DateTime utc) => utc.AddTicks(-(utc.Ticks % TimeSpan.TicksPerMicrosecond));
}

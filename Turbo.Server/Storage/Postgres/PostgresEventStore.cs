using Npgsql;
using Turbo.Server.Model;

namespace Turbo.Server.Storage.Postgres;

internal sealed class PostgresEventStore(PostgresPool pool) : IEventStore
{
    // A batch is one statement, prepared once whatever the number of rows: each parameter is a column. COPY, which is no
    // quicker for batches of this size, could not pass over the rows that an earlier try has stored.
    internal const string Insert = $"""
        INSERT INTO events ({StoredEvent.AllColumns}, created_at, updated_at)
        SELECT *, c FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::bigint[], $8::text[],
        $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::text[], $17::text[],
        $18::timestamptz[]) AS t (a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, c)
        ON CONFLICT (id) DO NOTHING
        """;

    internal const string Query = $"""
        SELECT {StoredEvent.AllColumns} FROM events WHERE deleted_at IS NULL AND ($1::text IS NULL OR user_id = $1)
        AND "timestamp" >= coalesce($2::timestamptz, '-infinity') AND ($3::text IS NULL
        OR ("timestamp", id) < (SELECT "timestamp", id FROM events WHERE id = $3))
        AND "timestamp" <= coalesce((SELECT "timestamp" FROM events WHERE id = $3), 'infinity')
        ORDER BY "timestamp" DESC, id DESC LIMIT $4
        """;

    internal const string Usage = """
        SELECT e.user_id, coalesce(u.username, ''), e.model, count(*), coalesce(sum(e.prompt_tokens), 0)::bigint,
        coalesce(sum(e.completion_tokens), 0)::bigint, coalesce(sum(e.total_tokens), 0)::bigint
        FROM events e LEFT JOIN users u ON u.id = e.user_id
        WHERE e.deleted_at IS NULL AND e.total_tokens IS NOT NULL AND e."timestamp" >= coalesce($1::timestamptz, '-infinity')
        GROUP BY e.user_id, u.username, e.model ORDER BY 7 DESC, 1, 3
        """;

    // The condition is that of the index turbo_events_user, which lies in this order.
    internal const string Notable = $"""
        SELECT {StoredEvent.Columns}
        FROM events WHERE user_id = $1 AND deleted_at IS NULL AND (total_tokens IS NOT NULL OR status >= 400)
        AND "timestamp" <= coalesce((SELECT "timestamp" FROM events WHERE id = $2 AND user_id = $1), 'infinity')
        AND ($2::text IS NULL OR ("timestamp", id) < (SELECT "timestamp", id FROM events WHERE id = $2 AND user_id = $1))
        ORDER BY "timestamp" DESC, id DESC LIMIT $3
        """;

    internal const string UsageOf = """
        SELECT model, count(*), coalesce(sum(prompt_tokens), 0)::bigint, coalesce(sum(completion_tokens), 0)::bigint,
        coalesce(sum(total_tokens), 0)::bigint
        FROM events WHERE user_id = $1 AND deleted_at IS NULL AND total_tokens IS NOT NULL AND "timestamp" >= $2
        GROUP BY model ORDER BY 5 DESC, 1
        """;

    internal const string DeleteOlder = """
        DELETE FROM events WHERE ctid = ANY (ARRAY(SELECT ctid FROM events WHERE "timestamp" < $1 ORDER BY "timestamp" LIMIT $2))
        """;

    public Task InsertAsync(IReadOnlyList<EventRow> rows, bool isAtLeisure) => pool.WriteOnceAsync(rows, static (connection, rows) =>
    {
        NpgsqlCommand insert = connection.Use(Insert);
        Bind(insert, rows);
        return insert.RunAsync();
    });

    public Task<IReadOnlyList<EventRecord>> QueryAsync(EventQuery query) => pool.ReadAsync(query, static async (connection, query) =>
        (IReadOnlyList<EventRecord>)await connection.Use(Query)
            .Text(query.UserId).Time(query.Since).Text(query.Before?.Id).Number(query.Limit).ListAsync(static row => StoredEvent.Read(new PostgresRow(row), hasBodies: true)));

    public Task<IReadOnlyList<UsageSum>> UsageAsync(DateTime? since) => pool.ReadAsync(since, static async (connection, since) =>
        (IReadOnlyList<UsageSum>)await connection.Use(Usage).Time(since).ListAsync(static row => new UsageSum(
            row.Text(0), row.Text(1), row.Text(2), row.Int64(3), row.Int64(4), row.Int64(5), row.Int64(6))));

    public Task<IReadOnlyList<EventRecord>> NotableAsync(string userId, string? before, int limit) =>
        pool.ReadAsync((userId, before, limit), static async (connection, query) =>
            (IReadOnlyList<EventRecord>)await connection.Use(Notable)
                .Text(query.userId).Text(query.before).Number(query.limit).ListAsync(static row => StoredEvent.Read(new PostgresRow(row), hasBodies: false)));

    public Task<IReadOnlyList<UsageSum>> UsageOfAsync(string userId, DateTime since) =>
        pool.ReadAsync((userId, since), static async (connection, query) =>
        {
            string user = query.userId;
            return (IReadOnlyList<UsageSum>)await connection.Use(UsageOf).Text(user).Time(query.since).ListAsync(row => new UsageSum(
                user, "", row.Text(0), row.Int64(1), row.Int64(2), row.Int64(3), row.Int64(4)));
        });

    public Task<int> DeleteOlderThanAsync(DateTime cutoff, int limit) =>
        pool.WriteAsync((cutoff, limit), static (connection, work) =>
            connection.Use(DeleteOlder).Time(work.cutoff).Number(work.limit).RunAsync());

    private static void Bind(NpgsqlCommand insert, IReadOnlyList<EventRow> rows)
    {
        Column(static row => row.Id.ToString());
        Column(static row => row.Timestamp);
        Column(static row => row.ClientIp.ToString());
        Column(static row => row.Endpoint.ToString());
        Column(static row => (long)row.Status);
        Column(static row => row.Message.ToString());
        Column(static row => row.Duration);
        Column(static row => row.Method.ToString());
        Column(static row => row.Params.ToString());
        Column(static row => row.UserId);
        Column(static row => row.Model.ToString());
        Column(static row => row.PromptTokens);
        Column(static row => row.CompletionTokens);
        Column(static row => row.TotalTokens);
        Column(static row => row.Ttfb);
        Column(static row => row.Request.ToString());
        Column(static row => row.Response.ToString());
        Column(static row => row.CreatedAt);

        void Column<T>(Func<EventRow, T> value)
        {
            var column = new T[rows.Count];
            for (int i = 0; i < column.Length; i++)
                column[i] = value(rows[i]);
            insert.Bind(column);
        }
    }
}

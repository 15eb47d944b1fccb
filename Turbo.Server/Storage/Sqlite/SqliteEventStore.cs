using System.Globalization;
using Turbo.Server.Model;

namespace Turbo.Server.Storage.Sqlite;

internal sealed class SqliteEventStore(SqliteWriter writer, SqliteReaders readers) : IEventStore
{
    private readonly SqliteEventInsert _insert = new();

    // Text compares as time only among rows in UTC; rows the Go program wrote in another zone are off by some
    // hours. So the index narrows to the day before the bound and julianday decides.
    internal const string Query = $"""
        SELECT {StoredEvent.AllColumns} FROM events WHERE +deleted_at IS NULL AND (?1 IS NULL OR user_id = ?1)
        AND timestamp >= coalesce(?3, '') AND (?2 IS NULL OR julianday(timestamp) >= julianday(?2))
        AND timestamp <= coalesce((SELECT timestamp FROM events WHERE id = ?4), 'a')
        AND (?4 IS NULL OR (timestamp, id) < (SELECT timestamp, id FROM events WHERE id = ?4))
        ORDER BY timestamp DESC, id DESC LIMIT ?5
        """;

    // A user's name is looked up once for each sum, not for each event.
    internal const string Usage = """
        SELECT e.user_id, coalesce((SELECT username FROM users WHERE id = e.user_id), ''), e.model, count(*),
        total(e.prompt_tokens), total(e.completion_tokens), total(e.total_tokens)
        FROM events e INDEXED BY turbo_events_usage
        WHERE +e.deleted_at IS NULL AND e.total_tokens IS NOT NULL
        AND e.timestamp >= coalesce(?2, '') AND (?1 IS NULL OR julianday(e.timestamp) >= julianday(?1))
        GROUP BY e.user_id, e.model ORDER BY 7 DESC, 1, 3
        """;

    // The condition is that of the index turbo_events_user, word for word, which lies in this order.
    internal const string Notable = $"""
        SELECT {StoredEvent.Columns}
        FROM events INDEXED BY turbo_events_user WHERE user_id = ?1 AND +deleted_at IS NULL AND (total_tokens IS NOT NULL OR status >= 400)
        AND timestamp <= coalesce((SELECT timestamp FROM events WHERE id = ?2 AND user_id = ?1), 'a')
        AND (?2 IS NULL OR (timestamp, id) < (SELECT timestamp, id FROM events WHERE id = ?2 AND user_id = ?1))
        ORDER BY timestamp DESC, id DESC LIMIT ?3
        """;

    internal const string UsageOf = """
        SELECT model, count(*), total(prompt_tokens), total(completion_tokens), total(total_tokens)
        FROM events INDEXED BY turbo_events_user WHERE user_id = ?1 AND +deleted_at IS NULL AND total_tokens IS NOT NULL
        AND timestamp >= ?3 AND julianday(timestamp) >= julianday(?2)
        GROUP BY model ORDER BY 5 DESC, 1
        """;

    // A row of another zone may stay some hours longer; none goes early.
    internal const string DeleteOlder = """
        DELETE FROM events WHERE rowid IN (SELECT rowid FROM events
        WHERE timestamp < ?1 AND julianday(timestamp) < julianday(?1) LIMIT ?2)
        """;

    // No request waits for its row, and a crash loses those in memory anyhow: so no sync waits for it either.
    public Task InsertAsync(IReadOnlyList<EventRow> rows, bool isAtLeisure) =>
        writer.WriteRelaxedAsync((_insert, rows, isAtLeisure), static (session, work) =>
        {
            work._insert.Run(session, work.rows, work.isAtLeisure);
            return work.rows.Count;
        });

    public Task<IReadOnlyList<EventRecord>> QueryAsync(EventQuery query) => readers.ReadAsync(query, static (session, query) =>
    {
        using SqliteStatement rows = session.Use(Query).Bind(1, query.UserId).Bind(4, query.Before?.Id).Bind(5, query.Limit);
        if (query.Since is { } since)
            rows.Bind(2, since).Bind(3, DayBefore(since));
        var found = new List<EventRecord>();
        while (rows.Step())
            found.Add(StoredEvent.Read(rows, hasBodies: true));
        return (IReadOnlyList<EventRecord>)found;
    });

    public Task<IReadOnlyList<UsageSum>> UsageAsync(DateTime? since) => readers.ReadAsync(since, static (session, since) =>
    {
        using SqliteStatement rows = session.Use(Usage);
        if (since is { } bound)
            rows.Bind(1, bound).Bind(2, DayBefore(bound));
        var sums = new List<UsageSum>();
        while (rows.Step())
            sums.Add(new UsageSum(rows.Text(0), rows.Text(1), rows.Text(2), rows.Int64(3), rows.Int64(4), rows.Int64(5), rows.Int64(6)));
        return (IReadOnlyList<UsageSum>)sums;
    });

    public Task<IReadOnlyList<EventRecord>> NotableAsync(string userId, string? before, int limit) =>
        readers.ReadAsync((userId, before, limit), static (session, query) =>
        {
            using SqliteStatement rows = session.Use(Notable).Bind(1, query.userId).Bind(2, query.before).Bind(3, query.limit);
            var found = new List<EventRecord>();
            while (rows.Step())
                found.Add(StoredEvent.Read(rows, hasBodies: false));
            return (IReadOnlyList<EventRecord>)found;
        });

    public Task<IReadOnlyList<UsageSum>> UsageOfAsync(string userId, DateTime since) => readers.ReadAsync((userId, since), static (session, query) =>
    {
        using SqliteStatement rows = session.Use(UsageOf).Bind(1, query.userId).Bind(2, query.since).Bind(3, DayBefore(query.since));
        var sums = new List<UsageSum>();
        while (rows.Step())
            sums.Add(new UsageSum(query.userId, "", rows.Text(0), rows.Int64(1), rows.Int64(2), rows.Int64(3), rows.Int64(4)));
        return (IReadOnlyList<UsageSum>)sums;
    });

    public Task<int> DeleteOlderThanAsync(DateTime cutoff, int limit) =>
        writer.WriteAsync((cutoff, limit), static (session, work) =>
        {
            using SqliteStatement delete = session.Use(DeleteOlder).Bind(1, work.cutoff).Bind(2, work.limit);
            return delete.Run();
        });

    /// <summary>The date alone: what any form of a time begins with.</summary>
    private static string DayBefore(DateTime utc) =>
        (utc.Date == DateTime.MinValue ? utc : utc.AddDays(-1)).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}

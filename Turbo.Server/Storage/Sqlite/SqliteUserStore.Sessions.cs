using Turbo.Server.Model;

namespace Turbo.Server.Storage.Sqlite;

/// <summary>The <c>sessions</c> table.</summary>
internal sealed partial class SqliteUserStore
{
    // Here and in the other stores `+deleted_at` keeps the planner off the index of that column, which holds nearly
    // every row under NULL. The name is the user's present one: the row keeps that of the time it was made.
    internal const string SessionColumns = """
        SELECT s.id, s.created_at, s.updated_at, s.deleted_at, s.token, s.expires_at, u.username, s.user_id
        FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE +s.deleted_at IS NULL AND +u.deleted_at IS NULL
        """;

    internal const string SessionByToken = $"{SessionColumns} AND s.token IN (?, ?) LIMIT 1";

    internal const string SessionsByUser = $"{SessionColumns} AND s.user_id = ? ORDER BY s.id";

    internal const string SessionLives = $"{SessionColumns} AND s.id = ?";

    internal const string InsertSession = """
        INSERT INTO sessions (created_at, updated_at, token, expires_at, username, user_id) VALUES (?, ?, ?, ?, ?, ?)
        """;

    internal const string End = "UPDATE sessions SET deleted_at = ? WHERE id = ? AND +deleted_at IS NULL";

    internal const string EndOfUser = """
        UPDATE sessions SET deleted_at = ? WHERE user_id = ? AND id IS NOT ? AND +deleted_at IS NULL RETURNING id
        """;

    internal const string PasswordIs = "SELECT 1 FROM users WHERE id = ? AND password = ? AND +deleted_at IS NULL";

    public Task<Session?> AddSessionAsync(User user, NewSession session, string? newHash) =>
        writer.WriteAsync((user, session, newHash, now: Now), static (storage, work) =>
        {
            User user = work.user;
            bool verified = work.newHash is null
                ? HasHash(storage, user)
                : ReplaceHash(storage, user.Id, user.PasswordHash, work.newHash, work.now);
            return verified ? AddSession(storage, user, work.session, work.now) : null;
        });

    public Task<Session?> FindSessionAsync(string hashedToken, string plainToken) =>
        readers.ReadAsync((hashedToken, plainToken), static (session, tokens) =>
        {
            using SqliteStatement found = session.Use(SessionByToken).Bind(1, tokens.hashedToken).Bind(2, tokens.plainToken);
            return found.Step() ? ReadSession(found) : null;
        });

    public Task<IReadOnlyList<long>> LiveSessionsAsync(IReadOnlyList<long> ids) =>
        readers.ReadAsync(ids, static (session, ids) => session.Snapshot(ids, static (session, ids) =>
        {
            var live = new List<long>(ids.Count);
            using SqliteStatement find = session.Use(SessionLives);
            foreach (long id in ids)
            {
                if (find.Bind(1, id).Step())
                    live.Add(id);
                find.Rewind();
            }
            return (IReadOnlyList<long>)live;
        }));

    public Task<IReadOnlyList<Session>> SessionsOfAsync(string userId) => readers.ReadAsync(userId, static (session, userId) =>
    {
        using SqliteStatement rows = session.Use(SessionsByUser).Bind(1, userId);
        var sessions = new List<Session>();
        while (rows.Step())
            sessions.Add(ReadSession(rows));
        return (IReadOnlyList<Session>)sessions;
    });

    public Task<bool> EndSessionAsync(long id) => writer.WriteAsync((id, now: Now), static (session, work) =>
    {
        using SqliteStatement end = session.Use(End).Bind(1, work.now).Bind(2, work.id);
        return end.Run() == 1;
    });

    public Task<IReadOnlyList<long>> EndSessionsAsync(string userId, long? keepSession) =>
        writer.WriteAsync((userId, keepSession, now: Now), static (session, work) =>
            EndSessions(session, work.userId, work.keepSession, work.now));

    private static Session AddSession(SqliteSession storage, User user, NewSession session, DateTime now)
    {
        using (SqliteStatement insert = storage.Use(InsertSession)
            .Bind(1, now).Bind(2, now).Bind(3, session.StoredToken).Bind(4, session.ExpiresAt)
            .Bind(5, user.Username).Bind(6, user.Id))
            insert.Run();
        return new Session
        {
            Id = storage.LastInsertedId, CreatedAt = now, UpdatedAt = now, StoredToken = session.StoredToken,
            ExpiresAt = session.ExpiresAt, Username = user.Username, UserId = user.Id,
        };
    }

    private static IReadOnlyList<long> EndSessions(SqliteSession session, string userId, long? keep, DateTime now)
    {
        using SqliteStatement end = session.Use(EndOfUser).Bind(1, now).Bind(2, userId).Bind(3, keep);
        var ended = new List<long>();
        while (end.Step())
            ended.Add(end.Int64(0));
        return ended;
    }

    private static bool HasHash(SqliteSession session, User user)
    {
        using SqliteStatement found = session.Use(PasswordIs).Bind(1, user.Id).Bind(2, user.PasswordHash);
        return found.Step();
    }

    private static Session ReadSession(SqliteStatement row) => new()
    {
        Id = row.Int64(0),
        CreatedAt = row.Time(1),
        UpdatedAt = row.Time(2),
        DeletedAt = row.TimeOrNull(3),
        StoredToken = row.Text(4),
        ExpiresAt = row.Time(5),
        Username = row.Text(6),
        UserId = row.Text(7),
    };
}

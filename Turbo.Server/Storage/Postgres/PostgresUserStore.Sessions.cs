using Npgsql;
using Turbo.Server.Model;

namespace Turbo.Server.Storage.Postgres;

/// <summary>The <c>sessions</c> table.</summary>
internal sealed partial class PostgresUserStore
{
    // The name is the user's present one: the row keeps that of the time it was made.
    internal const string SessionColumns = """
        SELECT s.id, s.created_at, s.updated_at, s.deleted_at, s.token, s.expires_at, u.username, s.user_id
        FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE s.deleted_at IS NULL AND u.deleted_at IS NULL
        """;

    internal const string SessionByToken = $"{SessionColumns} AND s.token IN ($1, $2) LIMIT 1";

    internal const string SessionsByUser = $"{SessionColumns} AND s.user_id = $1 ORDER BY s.id";

    internal const string SessionsLive = $"{SessionColumns} AND s.id = ANY ($1)";

    internal const string InsertSession = """
        INSERT INTO sessions (created_at, updated_at, token, expires_at, username, user_id)
        VALUES ($1, $1, $2, $3, $4, $5) RETURNING id
        """;

    internal const string End = "UPDATE sessions SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL";

    internal const string EndOfUser = """
        UPDATE sessions SET deleted_at = $2 WHERE user_id = $1 AND id IS DISTINCT FROM $3 AND deleted_at IS NULL RETURNING id
        """;

    // Locked until the session is stored: a change of password at the same time ends this session too, or refuses it.
    internal const string PasswordIs = "SELECT 1 FROM users WHERE id = $1 AND password = $2 AND deleted_at IS NULL FOR SHARE";

    public Task<Session?> AddSessionAsync(User user, NewSession session, string? newHash) =>
        pool.WriteAsync((user, session, newHash, now: db.Now), static async (connection, work) =>
        {
            User user = work.user;
            bool verified = work.newHash is null
                ? await connection.Use(PasswordIs).Text(user.Id).Text(user.PasswordHash).AnyAsync()
                : await ReplaceHashAsync(connection, user.Id, user.PasswordHash, work.newHash, work.now);
            return verified ? await AddSessionAsync(connection, user, work.session, work.now) : null;
        });

    public Task<Session?> FindSessionAsync(string hashedToken, string plainToken) =>
        pool.ReadAsync((hashedToken, plainToken), static (connection, tokens) =>
            connection.Use(SessionByToken).Text(tokens.hashedToken).Text(tokens.plainToken).FirstAsync(ReadSession));

    public Task<IReadOnlyList<long>> LiveSessionsAsync(IReadOnlyList<long> ids) =>
        pool.ReadAsync(ids, static async (connection, ids) =>
            (IReadOnlyList<long>)await connection.Use(SessionsLive).Bind(ids.ToArray()).ListAsync(static row => row.GetInt64(0)));

    public Task<IReadOnlyList<Session>> SessionsOfAsync(string userId) =>
        pool.ReadAsync(userId, static async (connection, userId) =>
            (IReadOnlyList<Session>)await connection.Use(SessionsByUser).Text(userId).ListAsync(ReadSession));

    public Task<bool> EndSessionAsync(long id) => pool.WriteAsync((id, now: db.Now), static async (connection, work) =>
        await connection.Use(End).Number(work.id).Time(work.now).RunAsync() == 1);

    public Task<IReadOnlyList<long>> EndSessionsAsync(string userId, long? keepSession) =>
        pool.WriteAsync((userId, keepSession, now: db.Now), static (connection, work) =>
            EndSessionsAsync(connection, work.userId, work.keepSession, work.now))!;

    private static async Task<Session> AddSessionAsync(NpgsqlConnection connection, User user, NewSession session, DateTime now)
    {
        DateTime expiresAt = session.ExpiresAt.ToMicroseconds();
        long[] id = (await connection.Use(InsertSession)
            .Time(now).Text(session.StoredToken).Time(expiresAt).Text(user.Username).Text(user.Id)
            .FirstAsync(static row => new[] { row.GetInt64(0) }))!;
        return new Session
        {
            Id = id[0], CreatedAt = now, UpdatedAt = now, StoredToken = session.StoredToken,
            ExpiresAt = expiresAt, Username = user.Username, UserId = user.Id,
        };
    }

    private static async Task<IReadOnlyList<long>?> EndSessionsAsync(NpgsqlConnection connection, string userId, long? keep, DateTime now) =>
        await connection.Use(EndOfUser).Text(userId).Time(now).Number(keep).ListAsync(static row => row.GetInt64(0));

    private static Session ReadSession(NpgsqlDataReader row) => new()
    {
        Id = row.GetInt64(0),
        CreatedAt = row.Time(1),
        UpdatedAt = row.Time(2),
        DeletedAt = row.TimeOrNull(3),
        StoredToken = row.Text(4),
        ExpiresAt = row.Time(5),
        Username = row.Text(6),
        UserId = row.Text(7),
    };
}

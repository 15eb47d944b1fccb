using Npgsql;
using Turbo.Server.Model;

namespace Turbo.Server.Storage.Postgres;

/// <summary>The <c>chat_users</c> table: one row for a user and a chat, deleted while the user is not in it.</summary>
internal sealed partial class PostgresChatStore
{
    // The time of removal comes in the place of the user's own, which is null: deleted users are left out. The owner, $2,
    // is in the chat whatever its row says, and first where it has none.
    internal const string Users = """
        SELECT u.id, u.created_at, u.updated_at, CASE WHEN u.id <> $2 THEN m.deleted_at END,
        u.first_name, u.last_name, u.username, ''
        FROM users u LEFT JOIN chat_users m ON m.chat_id = $1 AND m.user_id = u.id
        WHERE u.id IN (SELECT user_id FROM chat_users WHERE chat_id = $1 UNION SELECT $2) AND u.deleted_at IS NULL
        ORDER BY m.id NULLS FIRST
        """;

    internal const string UpsertUser = """
        INSERT INTO chat_users (created_at, updated_at, chat_id, user_id) VALUES ($1, $1, $2, $3)
        ON CONFLICT (user_id, chat_id) DO UPDATE SET deleted_at = NULL, updated_at = excluded.updated_at
        WHERE chat_users.deleted_at IS NOT NULL
        """;

    internal const string UserExists = PostgresUserStore.ExistsById;

    internal const string Leave =
        "UPDATE chat_users SET deleted_at = $3 WHERE user_id = $2 AND chat_id = $1 AND deleted_at IS NULL";

    internal const string DeleteUsers = "UPDATE chat_users SET deleted_at = $2 WHERE chat_id = $1 AND deleted_at IS NULL";

    internal const string MayRead = """
        SELECT EXISTS (SELECT 1 FROM chats c WHERE c.id = t.id AND c.deleted_at IS NULL AND (c.user_id = t.user_id OR EXISTS
        (SELECT 1 FROM chat_users m WHERE m.user_id = t.user_id AND m.chat_id = t.id AND m.deleted_at IS NULL)))
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS t (id, user_id, place) ORDER BY t.place
        """;

    public Task<AccessStatus> AddUserAsync(string id, string callerId, string userId) =>
        pool.WriteAsync((id, callerId, userId, now: db.Now), static async (connection, work) =>
        {
            AccessStatus status = OwnerOnly(await LockAsync(connection, work.id, work.callerId), work.callerId);
            if (status != AccessStatus.Done)
                return status;
            if (!await connection.Use(UserExists).Text(work.userId).AnyAsync())
                return AccessStatus.UnknownUser;
            await JoinAsync(connection, work.id, work.userId, work.now);
            return status;
        }, isRepeatable: true);

    public Task<AccessStatus> RemoveUserAsync(string id, string callerId, string userId) =>
        pool.WriteAsync((id, callerId, userId, now: db.Now), static async (connection, work) =>
        {
            Chat? chat = await LockAsync(connection, work.id, work.callerId);
            AccessStatus status = OwnerOnly(chat, work.callerId);
            if (status != AccessStatus.Done)
                return status;
            if (work.userId == chat!.UserId)
                return AccessStatus.Forbidden;
            bool left = await connection.Use(Leave).Text(work.id).Text(work.userId).Time(work.now).RunAsync() == 1;
            return left || await connection.Use(UserExists).Text(work.userId).AnyAsync() ? status : AccessStatus.UnknownUser;
        }, isRepeatable: true);

    public Task<IReadOnlyList<bool>> MayReadAsync(IReadOnlyList<Membership> memberships) =>
        pool.ReadAsync(memberships, static (connection, asked) => connection.AskAsync(MayRead, asked));

    private static Task<int> JoinAsync(NpgsqlConnection connection, string chatId, string userId, DateTime now) =>
        connection.Use(UpsertUser).Time(now).Text(chatId).Text(userId).RunAsync();

    private static Task<List<User>> ReadUsersAsync(NpgsqlConnection connection, Chat chat) =>
        connection.Use(Users).Text(chat.Id).Text(chat.UserId).ListAsync(PostgresUserStore.Read);
}

using Turbo.Server.Model;

namespace Turbo.Server.Storage.Sqlite;

/// <summary>The <c>chat_users</c> table: one row for a user and a chat, deleted while the user is not in it.</summary>
internal sealed partial class SqliteChatStore
{
    // The time of removal comes in the place of the user's own, which is null: deleted users are left out. The owner, ?2,
    // is in the chat whatever its row says.
    internal const string Users = """
        SELECT u.id, u.created_at, u.updated_at, CASE WHEN u.id <> ?2 THEN m.deleted_at END,
        u.first_name, u.last_name, u.username, ''
        FROM chat_users m JOIN users u ON u.id = m.user_id
        WHERE m.chat_id = ?1 AND +u.deleted_at IS NULL ORDER BY m.id
        """;

    internal const string UpsertUser = """
        INSERT INTO chat_users (created_at, updated_at, chat_id, user_id) VALUES (?1, ?1, ?2, ?3)
        ON CONFLICT (user_id, chat_id) DO UPDATE SET deleted_at = NULL, updated_at = excluded.updated_at
        WHERE deleted_at IS NOT NULL
        """;

    internal const string Leave =
        "UPDATE chat_users SET deleted_at = ? WHERE user_id = ? AND chat_id = ? AND +deleted_at IS NULL";

    internal const string DeleteUsers = "UPDATE chat_users SET deleted_at = ? WHERE chat_id = ? AND +deleted_at IS NULL";

    public Task<AccessStatus> AddUserAsync(string id, string callerId, string userId) =>
        writer.WriteAsync((id, callerId, userId, now: Now), static (session, work) =>
        {
            AccessStatus status = OwnerOnly(Find(session, work.id, work.callerId), work.callerId);
            if (status != AccessStatus.Done)
                return status;
            if (!SqliteUserStore.Exists(session, work.userId))
                return AccessStatus.UnknownUser;
            Join(session, work.id, work.userId, work.now);
            return status;
        });

    public Task<AccessStatus> RemoveUserAsync(string id, string callerId, string userId) =>
        writer.WriteAsync((id, callerId, userId, now: Now), static (session, work) =>
        {
            Chat? chat = Find(session, work.id, work.callerId);
            AccessStatus status = OwnerOnly(chat, work.callerId);
            if (status != AccessStatus.Done)
                return status;
            if (work.userId == chat!.UserId)
                return AccessStatus.Forbidden;
            using SqliteStatement leave = session.Use(Leave).Bind(1, work.now).Bind(2, work.userId).Bind(3, work.id);
            return leave.Run() == 1 || SqliteUserStore.Exists(session, work.userId) ? status : AccessStatus.UnknownUser;
        });

    public Task<IReadOnlyList<bool>> MayReadAsync(IReadOnlyList<Membership> memberships) =>
        readers.ReadAsync(memberships, static (session, asked) => session.Snapshot(asked, static (session, asked) =>
        {
            var answers = new bool[asked.Count];
            for (int i = 0; i < answers.Length; i++)
                answers[i] = Find(session, asked[i].RecordId, asked[i].UserId) is not null;
            return (IReadOnlyList<bool>)answers;
        }));

    private static void Join(SqliteSession session, string chatId, string userId, DateTime now)
    {
        using SqliteStatement join = session.Use(UpsertUser).Bind(1, now).Bind(2, chatId).Bind(3, userId);
        join.Run();
    }

    private static List<User> ReadUsers(SqliteSession session, Chat chat)
    {
        var users = new List<User>();
        using (SqliteStatement rows = session.Use(Users).Bind(1, chat.Id).Bind(2, chat.UserId))
        {
            while (rows.Step())
                users.Add(SqliteUserStore.Read(rows));
        }
        if (users.Exists(user => user.Id == chat.UserId))
            return users;
        using SqliteStatement owner = session.Use(SqliteUserStore.PublicById).Bind(1, chat.UserId);
        if (owner.Step())
            users.Insert(0, SqliteUserStore.Read(owner));
        return users;
    }
}

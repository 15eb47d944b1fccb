using Turbo.Server.Model;

namespace Turbo.Server.Storage.Sqlite;

/// <summary>
/// The <c>group_members</c> table. Nothing in the Go program's schema keeps a membership from being there twice, so a
/// user is a member while any such row lives, and leaves by the end of them all.
/// </summary>
internal sealed partial class SqliteGroupStore
{
    internal const string MemberRow =
        "SELECT 1 FROM group_members WHERE group_id = ? AND user_id = ? AND +deleted_at IS NULL LIMIT 1";

    internal const string Members = $"""
        SELECT {SqliteUserStore.PublicColumns} FROM users WHERE +deleted_at IS NULL
        AND id IN (SELECT user_id FROM group_members WHERE group_id = ? AND +deleted_at IS NULL)
        ORDER BY created_at, id
        """;

    internal const string Rejoin = """
        UPDATE group_members SET deleted_at = NULL, updated_at = ?3
        WHERE id = (SELECT min(id) FROM group_members WHERE group_id = ?1 AND user_id = ?2)
        """;

    internal const string InsertMember =
        "INSERT INTO group_members (created_at, updated_at, group_id, user_id) VALUES (?3, ?3, ?1, ?2)";

    internal const string Leave =
        "UPDATE group_members SET deleted_at = ? WHERE group_id = ? AND user_id = ? AND +deleted_at IS NULL";

    internal const string DeleteMembers =
        "UPDATE group_members SET deleted_at = ? WHERE group_id = ? AND +deleted_at IS NULL";

    public Task<IReadOnlyList<User>?> MembersAsync(string id, string callerId) =>
        readers.ReadAsync((id, callerId), static (session, ask) => session.Snapshot(ask, static (session, ask) =>
        {
            if (Find(session, ask.id, ask.callerId) is null)
                return null;
            using SqliteStatement rows = session.Use(Members).Bind(1, ask.id);
            var users = new List<User>();
            while (rows.Step())
                users.Add(SqliteUserStore.Read(rows));
            return (IReadOnlyList<User>?)users;
        }));

    public Task<MemberChange> AddMembersAsync(string id, string callerId, IReadOnlyList<string> userIds) =>
        writer.WriteAsync((id, callerId, userIds, now: Now), static (session, work) =>
        {
            AccessStatus status = OwnerOnly(Find(session, work.id, work.callerId), work.callerId);
            if (status != AccessStatus.Done)
                return new MemberChange(status, null);
            if (FirstUnknown(session, work.userIds) is { } unknown)
                return new MemberChange(AccessStatus.UnknownUser, unknown);
            foreach (string user in work.userIds)
                if (!IsMember(session, work.id, user))
                    Join(session, work.id, user, work.now);
            return new MemberChange(AccessStatus.Done, null);
        });

    public Task<MemberChange> RemoveMembersAsync(string id, string callerId, IReadOnlyList<string> userIds) =>
        writer.WriteAsync((id, callerId, userIds, now: Now), static (session, work) =>
        {
            if (Find(session, work.id, work.callerId) is not { } group)
                return new MemberChange(AccessStatus.NotFound, null);
            foreach (string user in work.userIds)
                if (!group.MayRemove(work.callerId, user))
                    return new MemberChange(AccessStatus.Forbidden, null);
            foreach (string user in work.userIds)
                if (!IsMember(session, work.id, user) && !SqliteUserStore.Exists(session, user))
                    return new MemberChange(AccessStatus.UnknownUser, user);
            foreach (string user in work.userIds)
            {
                using SqliteStatement leave = session.Use(Leave).Bind(1, work.now).Bind(2, work.id).Bind(3, user);
                leave.Run();
            }
            return new MemberChange(AccessStatus.Done, null);
        });

    public Task<bool> IsMemberAsync(string groupId, string userId) =>
        readers.ReadAsync((groupId, userId), static (session, ask) => Find(session, ask.groupId, ask.userId) is not null);

    public Task<IReadOnlyList<bool>> AreMembersAsync(IReadOnlyList<Membership> memberships) =>
        readers.ReadAsync(memberships, static (session, asked) => session.Snapshot(asked, static (session, asked) =>
        {
            var answers = new bool[asked.Count];
            for (int i = 0; i < answers.Length; i++)
                answers[i] = Find(session, asked[i].RecordId, asked[i].UserId) is not null;
            return (IReadOnlyList<bool>)answers;
        }));

    private static bool IsMember(SqliteSession session, string groupId, string userId)
    {
        using SqliteStatement found = session.Use(MemberRow).Bind(1, groupId).Bind(2, userId);
        return found.Step();
    }

    private static void Join(SqliteSession session, string groupId, string userId, DateTime now)
    {
        using (SqliteStatement rejoin = session.Use(Rejoin).Bind(1, groupId).Bind(2, userId).Bind(3, now))
        {
            if (rejoin.Run() == 1)
                return;
        }
        using SqliteStatement insert = session.Use(InsertMember).Bind(1, groupId).Bind(2, userId).Bind(3, now);
        insert.Run();
    }

    private static string? FirstUnknown(SqliteSession session, IEnumerable<string> users)
    {
        foreach (string user in users)
            if (!SqliteUserStore.Exists(session, user))
                return user;
        return null;
    }
}

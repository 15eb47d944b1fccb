using Npgsql;
using Turbo.Server.Model;

namespace Turbo.Server.Storage.Postgres;

/// <summary>
/// The <c>group_members</c> table. Nothing in the Go program's schema keeps a membership from being there twice, so a
/// user is a member while any such row lives, and leaves by the end of them all.
/// </summary>
internal sealed partial class PostgresGroupStore
{
    internal const string Members = $"""
        SELECT {PostgresUserStore.PublicColumns} FROM users WHERE deleted_at IS NULL
        AND id IN (SELECT user_id FROM group_members WHERE group_id = $1 AND deleted_at IS NULL)
        ORDER BY created_at, id
        """;

    internal const string FirstUnknown = """
        SELECT t.id FROM unnest($1::text[]) WITH ORDINALITY AS t (id, place)
        WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = t.id AND u.deleted_at IS NULL) ORDER BY t.place LIMIT 1
        """;

    // As above, but who is a member may be removed even where the user was deleted meanwhile.
    internal const string FirstUnknownLeaver = """
        SELECT t.id FROM unnest($2::text[]) WITH ORDINALITY AS t (id, place)
        WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = t.id AND u.deleted_at IS NULL)
        AND NOT EXISTS (SELECT 1 FROM group_members m WHERE m.group_id = $1 AND m.user_id = t.id AND m.deleted_at IS NULL)
        ORDER BY t.place LIMIT 1
        """;

    internal const string Rejoin = """
        UPDATE group_members SET deleted_at = NULL, updated_at = $3
        WHERE id IN (SELECT min(m.id) FROM group_members m WHERE m.group_id = $1 AND m.user_id = ANY ($2)
        GROUP BY m.user_id HAVING bool_and(m.deleted_at IS NOT NULL))
        """;

    // Those who are members already, by now also who came back, are passed over.
    internal const string InsertMembers = """
        INSERT INTO group_members (created_at, updated_at, group_id, user_id)
        SELECT $3, $3, $1, t.id FROM (SELECT DISTINCT unnest($2::text[]) AS id) t
        WHERE NOT EXISTS (SELECT 1 FROM group_members m WHERE m.group_id = $1 AND m.user_id = t.id AND m.deleted_at IS NULL)
        """;

    internal const string Leave =
        "UPDATE group_members SET deleted_at = $3 WHERE group_id = $1 AND user_id = ANY ($2) AND deleted_at IS NULL";

    internal const string DeleteMembers =
        "UPDATE group_members SET deleted_at = $2 WHERE group_id = $1 AND deleted_at IS NULL";

    internal const string AreMembers = """
        SELECT EXISTS (SELECT 1 FROM "groups" g WHERE g.id = t.id AND g.deleted_at IS NULL AND (g.owner_id = t.user_id OR EXISTS
        (SELECT 1 FROM group_members m WHERE m.group_id = t.id AND m.user_id = t.user_id AND m.deleted_at IS NULL)))
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS t (id, user_id, place) ORDER BY t.place
        """;

    public Task<IReadOnlyList<User>?> MembersAsync(string id, string callerId) =>
        pool.ReadAsync((id, callerId), static async (connection, ask) =>
            await FindAsync(connection, ask.id, ask.callerId) is null
                ? null
                : (IReadOnlyList<User>?)await connection.Use(Members).Text(ask.id).ListAsync(PostgresUserStore.Read));

    public Task<MemberChange> AddMembersAsync(string id, string callerId, IReadOnlyList<string> userIds) =>
        pool.WriteAsync((id, callerId, userIds, now: db.Now), static async (connection, work) =>
        {
            AccessStatus status = OwnerOnly(await LockAsync(connection, work.id, work.callerId), work.callerId);
            if (status != AccessStatus.Done)
                return new MemberChange(status, null);
            if (await FirstUnknownAsync(connection, work.userIds) is { } unknown)
                return new MemberChange(AccessStatus.UnknownUser, unknown);
            await connection.Use(Rejoin).Text(work.id).Texts(work.userIds).Time(work.now).RunAsync();
            await connection.Use(InsertMembers).Text(work.id).Texts(work.userIds).Time(work.now).RunAsync();
            return new MemberChange(AccessStatus.Done, null);
        }, isRepeatable: true);

    // Not repeatable: who removed itself is a stranger the second time.
    public Task<MemberChange> RemoveMembersAsync(string id, string callerId, IReadOnlyList<string> userIds) =>
        pool.WriteAsync((id, callerId, userIds, now: db.Now), static async (connection, work) =>
        {
            if (await LockAsync(connection, work.id, work.callerId) is not { } group)
                return new MemberChange(AccessStatus.NotFound, null);
            foreach (string user in work.userIds)
                if (!group.MayRemove(work.callerId, user))
                    return new MemberChange(AccessStatus.Forbidden, null);
            if (await connection.Use(FirstUnknownLeaver).Text(work.id).Texts(work.userIds).FirstAsync(static row => row.GetString(0)) is { } unknown)
                return new MemberChange(AccessStatus.UnknownUser, unknown);
            await connection.Use(Leave).Text(work.id).Texts(work.userIds).Time(work.now).RunAsync();
            return new MemberChange(AccessStatus.Done, null);
        });

    public Task<bool> IsMemberAsync(string groupId, string userId) =>
        pool.ReadAsync((groupId, userId), static (connection, ask) => connection.Use(Known).Text(ask.groupId).Text(ask.userId).AnyAsync());

    public Task<IReadOnlyList<bool>> AreMembersAsync(IReadOnlyList<Membership> memberships) =>
        pool.ReadAsync(memberships, static (connection, asked) => connection.AskAsync(AreMembers, asked));

    private static Task<string?> FirstUnknownAsync(NpgsqlConnection connection, IReadOnlyList<string> users) =>
        connection.Use(FirstUnknown).Texts(users).FirstAsync(static row => row.GetString(0));
}

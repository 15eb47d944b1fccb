using Turbo.Server.Model;

namespace Turbo.Server.Storage.Sqlite;

internal sealed partial class SqliteGroupStore(SqliteWriter writer, SqliteReaders readers, TimeProvider time) : IGroupStore
{
    internal const string Columns = "id, created_at, updated_at, deleted_at, name, description, owner_id";

    internal const string Of = $"""
        SELECT {Columns} FROM "groups" WHERE +deleted_at IS NULL
        AND id IN (SELECT group_id FROM group_members WHERE user_id = ? AND +deleted_at IS NULL)
        ORDER BY created_at, id
        """;

    // ?1 the group, ?2 who asks: its owner or a member.
    internal const string Known = $"""
        SELECT {Columns} FROM "groups" g WHERE id = ?1 AND +deleted_at IS NULL AND (owner_id = ?2 OR EXISTS
        (SELECT 1 FROM group_members m WHERE m.group_id = g.id AND m.user_id = ?2 AND +m.deleted_at IS NULL))
        """;

    internal const string Insert = """
        INSERT INTO "groups" (id, created_at, updated_at, name, description, owner_id) VALUES (?, ?, ?, ?, ?, ?)
        """;

    internal const string UpdateFields = """
        UPDATE "groups" SET name = coalesce(?, name), description = coalesce(?, description), updated_at = ? WHERE id = ?
        """;

    internal const string Delete = """UPDATE "groups" SET deleted_at = ? WHERE id = ?""";

    private DateTime Now => time.GetUtcNow().UtcDateTime;

    public Task<GroupCreation> CreateAsync(
        string name, string description, string ownerId, IReadOnlyList<string> members)
    {
        DateTime now = Now;
        var group = new Group
        {
            Id = Ids.New(), CreatedAt = now, UpdatedAt = now, Name = name, Description = description, OwnerId = ownerId,
        };
        return writer.WriteAsync((group, members), static (session, work) =>
        {
            var joining = new HashSet<string>(StringComparer.Ordinal) { work.group.OwnerId };
            joining.UnionWith(work.members);
            if (FirstUnknown(session, joining) is { } unknown)
                return new GroupCreation(null, unknown);
            Create(session, work.group, joining);
            return new GroupCreation(work.group, null);
        });
    }

    public Task<Group?> ReadAsync(string id, string callerId) =>
        readers.ReadAsync((id, callerId), static (session, ask) => Find(session, ask.id, ask.callerId));

    public Task<GroupAnswer> UpdateAsync(string id, string callerId, string? name, string? description) =>
        writer.WriteAsync((id, callerId, name, description, now: Now), static (session, work) =>
        {
            Group? group = Find(session, work.id, work.callerId);
            AccessStatus status = OwnerOnly(group, work.callerId);
            if (status != AccessStatus.Done)
                return new GroupAnswer(status, null);
            using (SqliteStatement update = session.Use(UpdateFields)
                .Bind(1, work.name).Bind(2, work.description).Bind(3, work.now).Bind(4, work.id))
                update.Run();
            return new GroupAnswer(status, group! with
            {
                Name = work.name ?? group.Name, Description = work.description ?? group.Description, UpdatedAt = work.now,
            });
        });

    public Task<GroupAnswer> DeleteAsync(string id, string callerId) =>
        writer.WriteAsync((id, callerId, now: Now), static (session, work) =>
        {
            Group? group = Find(session, work.id, work.callerId);
            AccessStatus status = OwnerOnly(group, work.callerId);
            if (status != AccessStatus.Done)
                return new GroupAnswer(status, null);
            using (SqliteStatement delete = session.Use(Delete).Bind(1, work.now).Bind(2, work.id))
                delete.Run();
            using (SqliteStatement leave = session.Use(DeleteMembers).Bind(1, work.now).Bind(2, work.id))
                leave.Run();
            return new GroupAnswer(status, group! with { DeletedAt = work.now });
        });

    public Task<IReadOnlyList<Group>> OfUserAsync(string userId) => readers.ReadAsync(userId, OfUser);

    internal static IReadOnlyList<Group> OfUser(SqliteSession session, string userId)
    {
        using SqliteStatement found = session.Use(Of).Bind(1, userId);
        var groups = new List<Group>();
        while (found.Step())
            groups.Add(Read(found));
        return groups;
    }

    internal static void Create(SqliteSession session, Group group, IEnumerable<string> members)
    {
        using (SqliteStatement insert = session.Use(Insert)
            .Bind(1, group.Id).Bind(2, group.CreatedAt).Bind(3, group.UpdatedAt)
            .Bind(4, group.Name).Bind(5, group.Description).Bind(6, group.OwnerId))
            insert.Run();
        foreach (string member in members)
            Join(session, group.Id, member, group.CreatedAt);
    }

    /// <summary>The group, where the caller may know of it.</summary>
    internal static Group? Find(SqliteSession session, string id, string callerId)
    {
        using SqliteStatement found = session.Use(Known).Bind(1, id).Bind(2, callerId);
        return found.Step() ? Read(found) : null;
    }

    private static AccessStatus OwnerOnly(Group? group, string callerId) =>
        group is null ? AccessStatus.NotFound
        : group.OwnerId == callerId ? AccessStatus.Done
        : AccessStatus.Forbidden;

    private static Group Read(SqliteStatement row) => new()
    {
        Id = row.Text(0),
        CreatedAt = row.Time(1),
        UpdatedAt = row.Time(2),
        DeletedAt = row.TimeOrNull(3),
        Name = row.Text(4),
        Description = row.Text(5),
        OwnerId = row.Text(6),
    };
}

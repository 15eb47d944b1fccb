using Turbo.Server.Model;

namespace Turbo.Server.Storage.Sqlite;

internal sealed class SqliteGroupStore(SqliteWriter writer, SqliteReaders readers, TimeProvider time) : IGroupStore
{
    internal const string Columns = "id, created_at, updated_at, deleted_at, name, description, owner_id";

    internal const string Of = $"""
        SELECT {Columns} FROM "groups" WHERE +deleted_at IS NULL
        AND id IN (SELECT group_id FROM group_members WHERE user_id = ? AND +deleted_at IS NULL)
        ORDER BY created_at, id
        """;

    internal const string ById = $"""SELECT {Columns} FROM "groups" WHERE id = ? AND +deleted_at IS NULL""";

    internal const string Member = """
        SELECT 1 FROM group_members m JOIN "groups" g ON g.id = m.group_id
        WHERE m.group_id = ? AND m.user_id = ? AND +m.deleted_at IS NULL AND +g.deleted_at IS NULL LIMIT 1
        """;

    internal const string Insert = """
        INSERT INTO "groups" (id, created_at, updated_at, name, description, owner_id) VALUES (?, ?, ?, ?, ?, ?)
        """;

    internal const string InsertMember =
        "INSERT INTO group_members (created_at, updated_at, group_id, user_id) VALUES (?, ?, ?, ?)";

    public Task<GroupCreation> CreateAsync(
        string name, string description, string ownerId, IReadOnlyList<string> members)
    {
        DateTime now = time.GetUtcNow().UtcDateTime;
        var group = new Group
        {
            Id = Ids.New(), CreatedAt = now, UpdatedAt = now, Name = name, Description = description, OwnerId = ownerId,
        };
        return writer.WriteAsync((group, members), static (session, work) =>
        {
            var joining = new HashSet<string>(StringComparer.Ordinal) { work.group.OwnerId };
            foreach (string member in work.members)
                joining.Add(member);
            foreach (string member in joining)
                if (!SqliteUserStore.Exists(session, member))
                    return new GroupCreation(null, member);
            Create(session, work.group, joining);
            return new GroupCreation(work.group, null);
        });
    }

    public Task<Group?> FindAsync(string id) => readers.ReadAsync(id, static (session, id) =>
    {
        using SqliteStatement found = session.Use(ById).Bind(1, id);
        return found.Step() ? Read(found) : null;
    });

    public Task<bool> IsMemberAsync(string groupId, string userId) =>
        readers.ReadAsync((groupId, userId), static (session, key) =>
        {
            using SqliteStatement found = session.Use(Member).Bind(1, key.groupId).Bind(2, key.userId);
            return found.Step();
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
        {
            using SqliteStatement insert = session.Use(InsertMember)
                .Bind(1, group.CreatedAt).Bind(2, group.UpdatedAt).Bind(3, group.Id).Bind(4, member);
            insert.Run();
        }
    }

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

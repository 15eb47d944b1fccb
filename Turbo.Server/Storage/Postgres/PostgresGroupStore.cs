using Npgsql;
using Turbo.Server.Model;

namespace Turbo.Server.Storage.Postgres;

internal sealed partial class PostgresGroupStore(PostgresPool pool, Db db) : IGroupStore
{
    internal const string Columns = "id, created_at, updated_at, deleted_at, name, description, owner_id";

    internal const string Of = $"""
        SELECT {Columns} FROM "groups" WHERE deleted_at IS NULL
        AND id IN (SELECT group_id FROM group_members WHERE user_id = $1 AND deleted_at IS NULL)
        ORDER BY created_at, id
        """;

    // $1 the group, $2 who asks: its owner or a member.
    internal const string Known = $"""
        SELECT {Columns} FROM "groups" WHERE id = $1 AND deleted_at IS NULL AND (owner_id = $2 OR EXISTS
        (SELECT 1 FROM group_members m WHERE m.group_id = $1 AND m.user_id = $2 AND m.deleted_at IS NULL))
        """;

    // Changes of one group and its members come one after the other.
    internal const string Locked = $"{Known} FOR NO KEY UPDATE";

    internal const string Insert = """
        INSERT INTO "groups" (id, created_at, updated_at, name, description, owner_id) VALUES ($1, $2, $2, $3, $4, $5)
        """;

    internal const string UpdateFields = $"""
        UPDATE "groups" SET name = coalesce($2, name), description = coalesce($3, description), updated_at = $4
        WHERE id = $1 RETURNING {Columns}
        """;

    internal const string Delete = $"""UPDATE "groups" SET deleted_at = $2 WHERE id = $1 RETURNING {Columns}""";

    public Task<GroupCreation> CreateAsync(
        string name, string description, string ownerId, IReadOnlyList<string> members)
    {
        DateTime now = db.Now;
        var group = new Group
        {
            Id = Ids.New(), CreatedAt = now, UpdatedAt = now, Name = name, Description = description, OwnerId = ownerId,
        };
        return pool.WriteAsync((group, members), static async (connection, work) =>
        {
            string[] joining = [.. work.members.Prepend(work.group.OwnerId).Distinct(StringComparer.Ordinal)];
            if (await FirstUnknownAsync(connection, joining) is { } unknown)
                return new GroupCreation(null, unknown);
            await CreateAsync(connection, work.group, joining);
            return new GroupCreation(work.group, null);
        });
    }

    public Task<Group?> ReadAsync(string id, string callerId) =>
        pool.ReadAsync((id, callerId), static (connection, ask) => FindAsync(connection, ask.id, ask.callerId));

    public Task<GroupAnswer> UpdateAsync(string id, string callerId, string? name, string? description) =>
        pool.WriteAsync((id, callerId, name, description, now: db.Now), static async (connection, work) =>
        {
            AccessStatus status = OwnerOnly(await LockAsync(connection, work.id, work.callerId), work.callerId);
            return new GroupAnswer(status, status != AccessStatus.Done ? null : await connection.Use(UpdateFields)
                .Text(work.id).Text(work.name).Text(work.description).Time(work.now).FirstAsync(Read));
        }, isRepeatable: true);

    public Task<GroupAnswer> DeleteAsync(string id, string callerId) =>
        pool.WriteAsync((id, callerId, now: db.Now), static async (connection, work) =>
        {
            AccessStatus status = OwnerOnly(await LockAsync(connection, work.id, work.callerId), work.callerId);
            if (status != AccessStatus.Done)
                return new GroupAnswer(status, null);
            await connection.Use(DeleteMembers).Text(work.id).Time(work.now).RunAsync();
            return new GroupAnswer(status, await connection.Use(Delete).Text(work.id).Time(work.now).FirstAsync(Read));
        });

    public Task<IReadOnlyList<Group>> OfUserAsync(string userId) => pool.ReadAsync(userId, OfUserAsync);

    internal static async Task<IReadOnlyList<Group>> OfUserAsync(NpgsqlConnection connection, string userId) =>
        await connection.Use(Of).Text(userId).ListAsync(Read);

    internal static async Task CreateAsync(NpgsqlConnection connection, Group group, string[] members)
    {
        await connection.Use(Insert)
            .Text(group.Id).Time(group.CreatedAt).Text(group.Name).Text(group.Description).Text(group.OwnerId).RunAsync();
        await connection.Use(InsertMembers).Text(group.Id).Texts(members).Time(group.CreatedAt).RunAsync();
    }

    /// <summary>The group, where the caller may know of it.</summary>
    internal static Task<Group?> FindAsync(NpgsqlConnection connection, string id, string callerId) =>
        connection.Use(Known).Text(id).Text(callerId).FirstAsync(Read);

    private static Task<Group?> LockAsync(NpgsqlConnection connection, string id, string callerId) =>
        connection.Use(Locked).Text(id).Text(callerId).FirstAsync(Read);

    private static AccessStatus OwnerOnly(Group? group, string callerId) =>
        group is null ? AccessStatus.NotFound
        : group.OwnerId == callerId ? AccessStatus.Done
        : AccessStatus.Forbidden;

    private static Group Read(NpgsqlDataReader row) => new()
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

using Npgsql;
using Turbo.Server.Model;

namespace Turbo.Server.Storage.Postgres;

internal sealed class PostgresSavedPromptStore(PostgresPool pool, Db db) : ISavedPromptStore
{
    internal const string Columns = "id, created_at, updated_at, deleted_at, name, text, user_id, group_id";

    // Who wrote a prompt shares it with a group while a member of it.
    private const string OwnerIsIn = """
        EXISTS (SELECT 1 FROM "groups" g WHERE g.id = p.group_id AND g.deleted_at IS NULL AND (g.owner_id = p.user_id OR EXISTS
        (SELECT 1 FROM group_members m WHERE m.group_id = g.id AND m.user_id = p.user_id AND m.deleted_at IS NULL)))
        """;

    // $1 the prompt, $2 who asks.
    internal const string Known = $"""
        SELECT {Columns} FROM prompts p WHERE id = $1 AND deleted_at IS NULL AND (user_id = $2 OR (group_id <> '' AND EXISTS
        (SELECT 1 FROM "groups" c WHERE c.id = p.group_id AND c.deleted_at IS NULL AND (c.owner_id = $2 OR EXISTS
        (SELECT 1 FROM group_members m WHERE m.group_id = c.id AND m.user_id = $2 AND m.deleted_at IS NULL)))
        AND {OwnerIsIn}))
        """;

    // Changes of one prompt come one after the other.
    internal const string Locked = $"{Known} FOR NO KEY UPDATE";

    // $1 who asks, $2 how many.
    internal const string Of = $"""
        SELECT {Columns} FROM prompts p WHERE deleted_at IS NULL AND (user_id = $1 OR {OwnerIsIn})
        AND id IN (SELECT id FROM prompts WHERE user_id = $1
        UNION SELECT id FROM prompts WHERE group_id IN (SELECT group_id FROM group_members WHERE user_id = $1 AND deleted_at IS NULL)
        UNION SELECT id FROM prompts WHERE group_id IN (SELECT id FROM "groups" WHERE owner_id = $1))
        ORDER BY updated_at DESC, id DESC LIMIT $2
        """;

    internal const string Insert = """
        INSERT INTO prompts (id, created_at, updated_at, name, text, user_id, group_id) VALUES ($1, $2, $2, $3, $4, $5, $6)
        """;

    internal const string UpdateFields = $"""
        UPDATE prompts SET name = coalesce($2, name), text = coalesce($3, text), group_id = coalesce($4, group_id), updated_at = $5
        WHERE id = $1 RETURNING {Columns}
        """;

    internal const string Delete = "UPDATE prompts SET deleted_at = $2 WHERE id = $1";

    public Task<SavedPrompt?> CreateAsync(string name, string text, string ownerId, string groupId)
    {
        DateTime now = db.Now;
        var prompt = new SavedPrompt
        {
            Id = Ids.New(), CreatedAt = now, UpdatedAt = now, Name = name, Text = text, UserId = ownerId, GroupId = groupId,
        };
        return pool.WriteAsync(prompt, static async (connection, prompt) =>
        {
            if (!await MayShareAsync(connection, prompt.GroupId, prompt.UserId))
                return null;
            await connection.Use(Insert)
                .Text(prompt.Id).Time(prompt.CreatedAt).Text(prompt.Name).Text(prompt.Text).Text(prompt.UserId).Text(prompt.GroupId).RunAsync();
            return prompt;
        });
    }

    public Task<SavedPrompt?> ReadAsync(string id, string callerId) =>
        pool.ReadAsync((id, callerId), static (connection, ask) => connection.Use(Known).Text(ask.id).Text(ask.callerId).FirstAsync(Read));

    public Task<SavedPromptAnswer> UpdateAsync(string id, string callerId, SavedPromptChange change) =>
        pool.WriteAsync((id, callerId, change, now: db.Now), static async (connection, work) =>
        {
            AccessStatus status = OwnerOnly(await LockAsync(connection, work.id, work.callerId), work.callerId);
            if (status != AccessStatus.Done)
                return new SavedPromptAnswer(status, null);
            if (work.change.GroupId is { } group && !await MayShareAsync(connection, group, work.callerId))
                return new SavedPromptAnswer(AccessStatus.NotFound, null, IsGroupUnknown: true);
            return new SavedPromptAnswer(status, await connection.Use(UpdateFields)
                .Text(work.id).Text(work.change.Name).Text(work.change.Text).Text(work.change.GroupId).Time(work.now).FirstAsync(Read));
        }, isRepeatable: true);

    public Task<AccessStatus> DeleteAsync(string id, string callerId) =>
        pool.WriteAsync((id, callerId, now: db.Now), static async (connection, work) =>
        {
            AccessStatus status = OwnerOnly(await LockAsync(connection, work.id, work.callerId), work.callerId);
            if (status == AccessStatus.Done)
                await connection.Use(Delete).Text(work.id).Time(work.now).RunAsync();
            return status;
        });

    public Task<IReadOnlyList<SavedPrompt>> OfUserAsync(string userId, int most) =>
        pool.ReadAsync((userId, most), static async (connection, ask) =>
            (IReadOnlyList<SavedPrompt>)await connection.Use(Of).Text(ask.userId).Number(ask.most).ListAsync(Read));

    private static Task<SavedPrompt?> LockAsync(NpgsqlConnection connection, string id, string callerId) =>
        connection.Use(Locked).Text(id).Text(callerId).FirstAsync(Read);

    private static async Task<bool> MayShareAsync(NpgsqlConnection connection, string groupId, string userId) =>
        groupId.Length == 0 || await PostgresGroupStore.FindAsync(connection, groupId, userId) is not null;

    private static AccessStatus OwnerOnly(SavedPrompt? prompt, string callerId) =>
        prompt is null ? AccessStatus.NotFound
        : prompt.UserId == callerId ? AccessStatus.Done
        : AccessStatus.Forbidden;

    private static SavedPrompt Read(NpgsqlDataReader row) => new()
    {
        Id = row.Text(0),
        CreatedAt = row.Time(1),
        UpdatedAt = row.Time(2),
        DeletedAt = row.TimeOrNull(3),
        Name = row.Text(4),
        Text = row.Text(5),
        UserId = row.Text(6),
        GroupId = row.Text(7),
    };
}

using Turbo.Server.Model;

namespace Turbo.Server.Storage.Sqlite;

internal sealed class SqliteSavedPromptStore(SqliteWriter writer, SqliteReaders readers, TimeProvider time) : ISavedPromptStore
{
    internal const string Columns = "id, created_at, updated_at, deleted_at, name, text, user_id, group_id";

    // Who wrote a prompt shares it with a group while a member of it.
    private const string OwnerIsIn = """
        EXISTS (SELECT 1 FROM "groups" g WHERE g.id = p.group_id AND +g.deleted_at IS NULL AND (g.owner_id = p.user_id OR EXISTS
        (SELECT 1 FROM group_members m WHERE m.group_id = g.id AND m.user_id = p.user_id AND +m.deleted_at IS NULL)))
        """;

    // ?1 the prompt, ?2 who asks.
    internal const string Known = $"""
        SELECT {Columns} FROM prompts p WHERE id = ?1 AND +deleted_at IS NULL AND (user_id = ?2 OR (group_id <> '' AND EXISTS
        (SELECT 1 FROM "groups" c WHERE c.id = p.group_id AND +c.deleted_at IS NULL AND (c.owner_id = ?2 OR EXISTS
        (SELECT 1 FROM group_members m WHERE m.group_id = c.id AND m.user_id = ?2 AND +m.deleted_at IS NULL)))
        AND {OwnerIsIn}))
        """;

    // ?1 who asks, ?2 how many.
    internal const string Of = $"""
        SELECT {Columns} FROM prompts p WHERE +deleted_at IS NULL AND (+user_id = ?1 OR {OwnerIsIn})
        AND id IN (SELECT id FROM prompts WHERE user_id = ?1
        UNION SELECT id FROM prompts WHERE group_id IN (SELECT group_id FROM group_members WHERE user_id = ?1 AND +deleted_at IS NULL)
        UNION SELECT id FROM prompts WHERE group_id IN (SELECT id FROM "groups" WHERE owner_id = ?1))
        ORDER BY updated_at DESC, id DESC LIMIT ?2
        """;

    internal const string Insert = """
        INSERT INTO prompts (id, created_at, updated_at, name, text, user_id, group_id) VALUES (?, ?, ?, ?, ?, ?, ?)
        """;

    internal const string UpdateFields =
        "UPDATE prompts SET name = ?, text = ?, group_id = ?, updated_at = ? WHERE id = ?";

    internal const string Delete = "UPDATE prompts SET deleted_at = ? WHERE id = ?";

    private DateTime Now => time.GetUtcNow().UtcDateTime;

    public Task<SavedPrompt?> CreateAsync(string name, string text, string ownerId, string groupId)
    {
        DateTime now = Now;
        var prompt = new SavedPrompt
        {
            Id = Ids.New(), CreatedAt = now, UpdatedAt = now, Name = name, Text = text, UserId = ownerId, GroupId = groupId,
        };
        return writer.WriteAsync(prompt, static (session, prompt) =>
        {
            if (!MayShare(session, prompt.GroupId, prompt.UserId))
                return null;
            using SqliteStatement insert = session.Use(Insert)
                .Bind(1, prompt.Id).Bind(2, prompt.CreatedAt).Bind(3, prompt.UpdatedAt).Bind(4, prompt.Name).Bind(5, prompt.Text)
                .Bind(6, prompt.UserId).Bind(7, prompt.GroupId);
            insert.Run();
            return prompt;
        });
    }

    public Task<SavedPrompt?> ReadAsync(string id, string callerId) =>
        readers.ReadAsync((id, callerId), static (session, ask) => Find(session, ask.id, ask.callerId));

    public Task<SavedPromptAnswer> UpdateAsync(string id, string callerId, SavedPromptChange change) =>
        writer.WriteAsync((id, callerId, change, now: Now), static (session, work) =>
        {
            SavedPrompt? prompt = Find(session, work.id, work.callerId);
            AccessStatus status = OwnerOnly(prompt, work.callerId);
            if (status != AccessStatus.Done)
                return new SavedPromptAnswer(status, null);
            if (work.change.GroupId is { } group && !MayShare(session, group, work.callerId))
                return new SavedPromptAnswer(AccessStatus.NotFound, null, IsGroupUnknown: true);
            SavedPrompt changed = prompt! with
            {
                Name = work.change.Name ?? prompt.Name, Text = work.change.Text ?? prompt.Text,
                GroupId = work.change.GroupId ?? prompt.GroupId, UpdatedAt = work.now,
            };
            using SqliteStatement update = session.Use(UpdateFields)
                .Bind(1, changed.Name).Bind(2, changed.Text).Bind(3, changed.GroupId).Bind(4, changed.UpdatedAt).Bind(5, changed.Id);
            update.Run();
            return new SavedPromptAnswer(status, changed);
        });

    public Task<AccessStatus> DeleteAsync(string id, string callerId) =>
        writer.WriteAsync((id, callerId, now: Now), static (session, work) =>
        {
            AccessStatus status = OwnerOnly(Find(session, work.id, work.callerId), work.callerId);
            if (status != AccessStatus.Done)
                return status;
            using SqliteStatement delete = session.Use(Delete).Bind(1, work.now).Bind(2, work.id);
            delete.Run();
            return status;
        });

    public Task<IReadOnlyList<SavedPrompt>> OfUserAsync(string userId, int most) =>
        readers.ReadAsync((userId, most), static (session, ask) =>
        {
            using SqliteStatement found = session.Use(Of).Bind(1, ask.userId).Bind(2, ask.most);
            var prompts = new List<SavedPrompt>();
            while (found.Step())
                prompts.Add(Read(found));
            return (IReadOnlyList<SavedPrompt>)prompts;
        });

    private static SavedPrompt? Find(SqliteSession session, string id, string callerId)
    {
        using SqliteStatement found = session.Use(Known).Bind(1, id).Bind(2, callerId);
        return found.Step() ? Read(found) : null;
    }

    private static bool MayShare(SqliteSession session, string groupId, string userId) =>
        groupId.Length == 0 || SqliteGroupStore.Find(session, groupId, userId) is not null;

    private static AccessStatus OwnerOnly(SavedPrompt? prompt, string callerId) =>
        prompt is null ? AccessStatus.NotFound
        : prompt.UserId == callerId ? AccessStatus.Done
        : AccessStatus.Forbidden;

    private static SavedPrompt Read(SqliteStatement row) => new()
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

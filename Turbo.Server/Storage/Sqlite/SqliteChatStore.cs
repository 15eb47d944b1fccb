using Turbo.Server.Model;

namespace Turbo.Server.Storage.Sqlite;

internal sealed partial class SqliteChatStore(SqliteWriter writer, SqliteReaders readers, TimeProvider time) : IChatStore
{
    internal const string Columns = "id, created_at, updated_at, deleted_at, name, llm, user_id, group_id";

    // ?1 the chat, ?2 who asks: its owner or one of its users.
    internal const string Known = $"""
        SELECT {Columns} FROM chats c WHERE id = ?1 AND +deleted_at IS NULL AND (user_id = ?2 OR EXISTS
        (SELECT 1 FROM chat_users m WHERE m.user_id = ?2 AND m.chat_id = c.id AND +m.deleted_at IS NULL))
        """;

    internal const string ById = $"SELECT {Columns} FROM chats WHERE id = ? AND +deleted_at IS NULL";

    internal const string Of = $"""
        SELECT {Columns} FROM chats WHERE +deleted_at IS NULL AND id IN (SELECT id FROM chats WHERE user_id = ?1
        UNION SELECT chat_id FROM chat_users WHERE user_id = ?1 AND +deleted_at IS NULL)
        """;

    internal const string Insert = """
        INSERT INTO chats (id, created_at, updated_at, name, llm, user_id, group_id) VALUES (?, ?, ?, ?, ?, ?, ?)
        """;

    internal const string UpdateFields =
        "UPDATE chats SET name = coalesce(?, name), llm = coalesce(?, llm), updated_at = ? WHERE id = ?";

    internal const string Touch = "UPDATE chats SET updated_at = ? WHERE id = ?";

    internal const string Delete = "UPDATE chats SET deleted_at = ? WHERE id = ?";

    private DateTime Now => time.GetUtcNow().UtcDateTime;

    public Task<Chat?> CreateAsync(NewChat chat) =>
        writer.WriteAsync((chat, id: Ids.New(), now: Now), static (session, work) =>
        {
            string? group = work.chat.GroupId;
            if (group is null)
                group = SqliteGroupStore.OfUser(session, work.chat.OwnerId) is [{ Id: var first }, ..] ? first : "";
            else if (SqliteGroupStore.Find(session, group, work.chat.OwnerId) is null)
                return null;
            var made = new Chat
            {
                Id = work.id, CreatedAt = work.now, UpdatedAt = work.now, Name = work.chat.Name, Model = work.chat.Model,
                UserId = work.chat.OwnerId, GroupId = group,
            };
            using (SqliteStatement insert = session.Use(Insert)
                .Bind(1, made.Id).Bind(2, made.CreatedAt).Bind(3, made.UpdatedAt).Bind(4, made.Name).Bind(5, made.Model)
                .Bind(6, made.UserId).Bind(7, made.GroupId))
                insert.Run();
            Join(session, made.Id, made.UserId, work.now);
            return made;
        });

    public Task<ChatReading?> ReadAsync(string id, string callerId, int messages) =>
        readers.ReadAsync((id, callerId, messages), static (session, ask) => session.Snapshot(ask, static (session, ask) =>
            Find(session, ask.id, ask.callerId) is { } chat ? Read(session, chat, ask.messages) : null));

    public Task<ChatReading?> InspectAsync(string id, int messages) =>
        readers.ReadAsync((id, messages), static (session, ask) => session.Snapshot(ask, static (session, ask) =>
        {
            Chat? chat;
            using (SqliteStatement found = session.Use(ById).Bind(1, ask.id))
                chat = found.Step() ? ReadChat(found) : null;
            return chat is null ? null : Read(session, chat, ask.messages);
        }));

    public Task<ChatOpening?> OpenAsync(string id, string callerId, int exchanges) =>
        readers.ReadAsync((id, callerId, exchanges), static (session, ask) => session.Snapshot(ask, static (session, ask) =>
        {
            if (Find(session, ask.id, ask.callerId) is not { } chat)
                return null;
            return new ChatOpening(chat, ask.exchanges > 0 ? ReadMessages(session, LastExchanges, ask.id, ask.exchanges) : []);
        }));

    public Task<ChatRecall?> RecallAsync(string id, string callerId, int exchanges) =>
        readers.ReadAsync((id, callerId, exchanges), static (session, ask) => session.Snapshot(ask, static (session, ask) =>
            Find(session, ask.id, ask.callerId) is { } chat ? new ChatRecall(chat, ReadExchangeIds(session, ask.id, ask.exchanges)) : null));

    public Task<ChatAnswer> UpdateAsync(string id, string callerId, string? name, string? model) =>
        writer.WriteAsync((id, callerId, name, model, now: Now), static (session, work) =>
        {
            Chat? chat = Find(session, work.id, work.callerId);
            AccessStatus status = OwnerOnly(chat, work.callerId);
            if (status != AccessStatus.Done)
                return new ChatAnswer(status, null);
            using (SqliteStatement update = session.Use(UpdateFields)
                .Bind(1, work.name).Bind(2, work.model).Bind(3, work.now).Bind(4, work.id))
                update.Run();
            return new ChatAnswer(status, chat! with
            {
                Name = work.name ?? chat.Name, Model = work.model ?? chat.Model, UpdatedAt = work.now,
            });
        });

    public Task<AccessStatus> DeleteAsync(string id, string callerId) =>
        writer.WriteAsync((id, callerId, now: Now), static (session, work) =>
        {
            AccessStatus status = OwnerOnly(Find(session, work.id, work.callerId), work.callerId);
            if (status != AccessStatus.Done)
                return status;
            using (SqliteStatement delete = session.Use(Delete).Bind(1, work.now).Bind(2, work.id))
                delete.Run();
            using (SqliteStatement leave = session.Use(DeleteUsers).Bind(1, work.now).Bind(2, work.id))
                leave.Run();
            return status;
        });

    public Task<IReadOnlyList<Chat>> OfUserAsync(string userId) => readers.ReadAsync(userId, static (session, userId) =>
    {
        var chats = new List<Chat>();
        using (SqliteStatement found = session.Use(Of).Bind(1, userId))
        {
            while (found.Step())
                chats.Add(ReadChat(found));
        }
        // By instant: the text of a row that the Go program wrote in another zone orders otherwise.
        chats.Sort(static (a, b) => (b.UpdatedAt, b.Id).CompareTo((a.UpdatedAt, a.Id)));
        return (IReadOnlyList<Chat>)chats;
    });

    /// <summary>The chat, where the caller may know of it.</summary>
    private static Chat? Find(SqliteSession session, string id, string callerId)
    {
        using SqliteStatement found = session.Use(Known).Bind(1, id).Bind(2, callerId);
        return found.Step() ? ReadChat(found) : null;
    }

    private static ChatReading Read(SqliteSession session, Chat chat, int messages) =>
        new(chat, ReadMessages(session, LastMessages, chat.Id, messages), ReadUsers(session, chat));

    private static AccessStatus OwnerOnly(Chat? chat, string callerId) =>
        chat is null ? AccessStatus.NotFound
        : chat.UserId == callerId ? AccessStatus.Done
        : AccessStatus.Forbidden;

    private static Chat ReadChat(SqliteStatement row) => new()
    {
        Id = row.Text(0),
        CreatedAt = row.Time(1),
        UpdatedAt = row.Time(2),
        DeletedAt = row.TimeOrNull(3),
        Name = row.Text(4),
        Model = row.Text(5),
        UserId = row.Text(6),
        GroupId = row.Text(7),
    };
}

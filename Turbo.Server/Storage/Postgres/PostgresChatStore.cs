using Npgsql;
using Turbo.Server.Model;

namespace Turbo.Server.Storage.Postgres;

internal sealed partial class PostgresChatStore(PostgresPool pool, Db db) : IChatStore
{
    internal const string Columns = "id, created_at, updated_at, deleted_at, name, llm, user_id, group_id";

    // $1 the chat, $2 who asks: its owner or one of its users.
    internal const string Known = $"""
        SELECT {Columns} FROM chats WHERE id = $1 AND deleted_at IS NULL AND (user_id = $2 OR EXISTS
        (SELECT 1 FROM chat_users m WHERE m.user_id = $2 AND m.chat_id = $1 AND m.deleted_at IS NULL))
        """;

    // Changes of one chat come one after the other.
    internal const string Locked = $"{Known} FOR NO KEY UPDATE";

    internal const string ById = $"SELECT {Columns} FROM chats WHERE id = $1 AND deleted_at IS NULL";

    internal const string Of = $"""
        SELECT {Columns} FROM chats WHERE deleted_at IS NULL AND id IN (SELECT id FROM chats WHERE user_id = $1
        UNION SELECT chat_id FROM chat_users WHERE user_id = $1 AND deleted_at IS NULL)
        ORDER BY updated_at DESC NULLS LAST, id DESC
        """;

    internal const string Insert = """
        INSERT INTO chats (id, created_at, updated_at, name, llm, user_id, group_id) VALUES ($1, $2, $2, $3, $4, $5, $6)
        """;

    internal const string UpdateFields = $"""
        UPDATE chats SET name = coalesce($2, name), llm = coalesce($3, llm), updated_at = $4 WHERE id = $1 RETURNING {Columns}
        """;

    internal const string Delete = "UPDATE chats SET deleted_at = $2 WHERE id = $1";

    public Task<Chat?> CreateAsync(NewChat chat) =>
        pool.WriteAsync((chat, id: Ids.New(), now: db.Now), static async (connection, work) =>
        {
            string? group = work.chat.GroupId;
            if (group is null)
                group = await PostgresGroupStore.OfUserAsync(connection, work.chat.OwnerId) is [{ Id: var first }, ..] ? first : "";
            else if (await PostgresGroupStore.FindAsync(connection, group, work.chat.OwnerId) is null)
                return null;
            var made = new Chat
            {
                Id = work.id, CreatedAt = work.now, UpdatedAt = work.now, Name = work.chat.Name, Model = work.chat.Model,
                UserId = work.chat.OwnerId, GroupId = group,
            };
            await connection.Use(Insert)
                .Text(made.Id).Time(made.CreatedAt).Text(made.Name).Text(made.Model).Text(made.UserId).Text(made.GroupId).RunAsync();
            await JoinAsync(connection, made.Id, made.UserId, work.now);
            return made;
        });

    public Task<ChatReading?> ReadAsync(string id, string callerId, int messages) =>
        pool.ReadAsync((id, callerId, messages), static async (connection, ask) =>
            await FindAsync(connection, ask.id, ask.callerId) is { } chat ? await ReadAsync(connection, chat, ask.messages) : null);

    public Task<ChatReading?> InspectAsync(string id, int messages) =>
        pool.ReadAsync((id, messages), static async (connection, ask) =>
            await connection.Use(ById).Text(ask.id).FirstAsync(ReadChat) is { } chat ? await ReadAsync(connection, chat, ask.messages) : null);

    public Task<ChatOpening?> OpenAsync(string id, string callerId, int exchanges) =>
        pool.ReadAsync((id, callerId, exchanges), static async (connection, ask) =>
        {
            if (await FindAsync(connection, ask.id, ask.callerId) is not { } chat)
                return null;
            return new ChatOpening(chat, ask.exchanges > 0 ? await ReadMessagesAsync(connection, LastExchanges, ask.id, ask.exchanges) : []);
        });

    public Task<ChatRecall?> RecallAsync(string id, string callerId, int exchanges) =>
        pool.ReadAsync((id, callerId, exchanges), static async (connection, ask) =>
            await FindAsync(connection, ask.id, ask.callerId) is { } chat
                ? new ChatRecall(chat, await ReadExchangeIdsAsync(connection, ask.id, ask.exchanges))
                : null);

    public Task<ChatAnswer> UpdateAsync(string id, string callerId, string? name, string? model) =>
        pool.WriteAsync((id, callerId, name, model, now: db.Now), static async (connection, work) =>
        {
            AccessStatus status = OwnerOnly(await LockAsync(connection, work.id, work.callerId), work.callerId);
            return new ChatAnswer(status, status != AccessStatus.Done ? null : await connection.Use(UpdateFields)
                .Text(work.id).Text(work.name).Text(work.model).Time(work.now).FirstAsync(ReadChat));
        }, isRepeatable: true);

    public Task<AccessStatus> DeleteAsync(string id, string callerId) =>
        pool.WriteAsync((id, callerId, now: db.Now), static async (connection, work) =>
        {
            AccessStatus status = OwnerOnly(await LockAsync(connection, work.id, work.callerId), work.callerId);
            if (status != AccessStatus.Done)
                return status;
            await connection.Use(Delete).Text(work.id).Time(work.now).RunAsync();
            await connection.Use(DeleteUsers).Text(work.id).Time(work.now).RunAsync();
            return status;
        });

    public Task<IReadOnlyList<Chat>> OfUserAsync(string userId) => pool.ReadAsync(userId, static async (connection, userId) =>
        (IReadOnlyList<Chat>)await connection.Use(Of).Text(userId).ListAsync(ReadChat));

    /// <summary>The chat, where the caller may know of it.</summary>
    private static Task<Chat?> FindAsync(NpgsqlConnection connection, string id, string callerId) =>
        connection.Use(Known).Text(id).Text(callerId).FirstAsync(ReadChat);

    private static Task<Chat?> LockAsync(NpgsqlConnection connection, string id, string callerId) =>
        connection.Use(Locked).Text(id).Text(callerId).FirstAsync(ReadChat);

    private static async Task<ChatReading> ReadAsync(NpgsqlConnection connection, Chat chat, int messages) => new(
        chat, await ReadMessagesAsync(connection, LastMessages, chat.Id, messages), await ReadUsersAsync(connection, chat));

    private static AccessStatus OwnerOnly(Chat? chat, string callerId) =>
        chat is null ? AccessStatus.NotFound
        : chat.UserId == callerId ? AccessStatus.Done
        : AccessStatus.Forbidden;

    private static Chat ReadChat(NpgsqlDataReader row) => new()
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

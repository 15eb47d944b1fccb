using Npgsql;
using Turbo.Server.Model;

namespace Turbo.Server.Storage.Postgres;

/// <summary>The <c>messages</c> table.</summary>
internal sealed partial class PostgresChatStore
{
    internal const string MessageColumns =
        "id, created_at, updated_at, deleted_at, chat_id, user_id, group_id, prompt, reply, llm, otr";

    // Newest first up to the limit; the caller turns them round.
    private const string ByTime = "ORDER BY created_at DESC, id DESC LIMIT $2";

    internal const string LastMessages =
        $"SELECT {MessageColumns} FROM messages WHERE chat_id = $1 AND deleted_at IS NULL {ByTime}";

    // `otr` may be NULL in rows from before the Go program had the column. The conditions are those of the index.
    internal const string LastExchanges =
        $"SELECT {MessageColumns} FROM messages WHERE chat_id = $1 AND deleted_at IS NULL AND otr IS NOT TRUE {ByTime}";

    // From the index alone, where the table is vacuumed.
    internal const string LastExchangeIds =
        $"SELECT id FROM messages WHERE chat_id = $1 AND deleted_at IS NULL AND otr IS NOT TRUE {ByTime}";

    // The check of access, the message and the mark on its chat, in one statement; what it answers is whether there was access.
    internal const string Append = """
        WITH chat AS (
            SELECT id FROM chats WHERE id = $4 AND deleted_at IS NULL AND (user_id = $5 OR EXISTS
            (SELECT 1 FROM chat_users m WHERE m.user_id = $5 AND m.chat_id = $4 AND m.deleted_at IS NULL))
        ), stored AS (
            INSERT INTO messages (id, created_at, updated_at, chat_id, user_id, group_id, prompt, reply, llm, otr)
            SELECT $1, $2, $3, id, $5, $6, $7, $8, $9, $10 FROM chat ON CONFLICT (id) DO NOTHING RETURNING chat_id
        ), touched AS (
            UPDATE chats SET updated_at = greatest(updated_at, $11) FROM stored WHERE chats.id = stored.chat_id
        )
        SELECT 1 FROM chat
        """;

    internal const string DeleteMessage =
        $"UPDATE messages SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL RETURNING {MessageColumns}";

    public Task<bool> AppendAsync(ChatMessage message) =>
        pool.WriteOnceAsync((message, now: db.Now), static (connection, work) =>
        {
            ChatMessage message = work.message;
            return connection.Use(Append)
                .Text(message.Id).Time(message.CreatedAt).Time(message.UpdatedAt).Text(message.ChatId).Text(message.UserId)
                .Text(message.GroupId).Text(message.Prompt).Text(message.Reply).Text(message.Model).Flag(message.Otr)
                .Time(work.now).AnyAsync();
        });

    public Task<ChatMessage?> DeleteMessageAsync(string messageId) =>
        pool.WriteAsync((messageId, now: db.Now), static (connection, work) =>
            connection.Use(DeleteMessage).Text(work.messageId).Time(work.now).FirstAsync(ReadMessage));

    private static async Task<List<ChatMessage>> ReadMessagesAsync(NpgsqlConnection connection, string sql, string chatId, int limit)
    {
        List<ChatMessage> messages = await connection.Use(sql).Text(chatId).Number(limit).ListAsync(ReadMessage);
        messages.Reverse();
        return messages;
    }

    private static async Task<List<string>> ReadExchangeIdsAsync(NpgsqlConnection connection, string chatId, int limit)
    {
        List<string> ids = await connection.Use(LastExchangeIds).Text(chatId).Number(limit).ListAsync(static row => row.Text(0));
        ids.Reverse();
        return ids;
    }

    private static ChatMessage ReadMessage(NpgsqlDataReader row) => new()
    {
        Id = row.Text(0),
        CreatedAt = row.Time(1),
        UpdatedAt = row.Time(2),
        DeletedAt = row.TimeOrNull(3),
        ChatId = row.Text(4),
        UserId = row.Text(5),
        GroupId = row.Text(6),
        Prompt = row.Text(7),
        Reply = row.Text(8),
        Model = row.Text(9),
        Otr = row.Flag(10),
    };
}

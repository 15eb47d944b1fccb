using Turbo.Server.Model;

namespace Turbo.Server.Storage.Sqlite;

/// <summary>The <c>messages</c> table.</summary>
internal sealed partial class SqliteChatStore
{
    internal const string MessageColumns =
        "id, created_at, updated_at, deleted_at, chat_id, user_id, group_id, prompt, reply, llm, otr";

    // Newest first up to the limit, by instant; the caller turns them round.
    private const string ByTime = "ORDER BY julianday(created_at) DESC, created_at DESC, id DESC LIMIT ?2";

    internal const string LastMessages =
        $"SELECT {MessageColumns} FROM messages WHERE chat_id = ?1 AND +deleted_at IS NULL {ByTime}";

    // `otr` may be NULL in rows from before the Go program had the column. The conditions are those of the index.
    internal const string LastExchanges =
        $"SELECT {MessageColumns} FROM messages WHERE chat_id = ?1 AND deleted_at IS NULL AND otr IS NOT 1 {ByTime}";

    internal const string LastExchangeIds =
        $"SELECT id FROM messages WHERE chat_id = ?1 AND deleted_at IS NULL AND otr IS NOT 1 {ByTime}";

    internal const string InsertMessage = $"""
        INSERT INTO messages ({MessageColumns}) VALUES (?1, ?2, ?3, NULL, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
        ON CONFLICT (id) DO NOTHING
        """;

    internal const string DeleteMessage =
        $"UPDATE messages SET deleted_at = ? WHERE id = ? AND +deleted_at IS NULL RETURNING {MessageColumns}";

    public Task<bool> AppendAsync(ChatMessage message) =>
        writer.WriteAsync((message, now: Now), static (session, work) =>
        {
            ChatMessage message = work.message;
            if (Find(session, message.ChatId, message.UserId) is null)
                return false;
            using (SqliteStatement insert = session.Use(InsertMessage)
                .Bind(1, message.Id).Bind(2, message.CreatedAt).Bind(3, message.UpdatedAt).Bind(4, message.ChatId)
                .Bind(5, message.UserId).Bind(6, message.GroupId).Bind(7, message.Prompt).Bind(8, message.Reply)
                .Bind(9, message.Model).Bind(10, message.Otr ? 1 : 0))
            {
                if (insert.Run() == 0)
                    return true;
            }
            using SqliteStatement touch = session.Use(Touch).Bind(1, work.now).Bind(2, message.ChatId);
            touch.Run();
            return true;
        });

    public Task<ChatMessage?> DeleteMessageAsync(string messageId) =>
        writer.WriteAsync((messageId, now: Now), static (session, work) =>
        {
            using SqliteStatement delete = session.Use(DeleteMessage).Bind(1, work.now).Bind(2, work.messageId);
            return delete.Step() ? ReadMessage(delete) : null;
        });

    private static List<ChatMessage> ReadMessages(SqliteSession session, string sql, string chatId, int limit)
    {
        var messages = new List<ChatMessage>();
        using (SqliteStatement rows = session.Use(sql).Bind(1, chatId).Bind(2, limit))
        {
            while (rows.Step())
                messages.Add(ReadMessage(rows));
        }
        messages.Reverse();
        return messages;
    }

    private static List<string> ReadExchangeIds(SqliteSession session, string chatId, int limit)
    {
        var ids = new List<string>();
        using (SqliteStatement rows = session.Use(LastExchangeIds).Bind(1, chatId).Bind(2, limit))
        {
            while (rows.Step())
                ids.Add(rows.Text(0));
        }
        ids.Reverse();
        return ids;
    }

    private static ChatMessage ReadMessage(SqliteStatement row) => new()
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
        Otr = row.Int64(10) != 0,
    };
}

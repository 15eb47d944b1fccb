using Turbo.Server.Model;
using Turbo.Server.Storage;

namespace Turbo.Server.Admin;

/// <summary>chat, chatUsers, messages, deleteMessage.</summary>
internal static class ChatCommands
{
    private const int Newest = 1000;
    private const string MessageColumns = "id, created_at, chat_id, user_id, model, otr, prompt, reply";

    public static AdminEntry[] Entries =>
    [
        new("chat", ["ID"], [], "one chat", "id, name, model, user_id, group_id, created_at, updated_at", ShowAsync),
        new("chatUsers", ["ID"], [], "the chat's users, longest in it first; one who was removed has a time of that",
            "id, username, first_name, last_name, removed_at", ListUsersAsync),
        new("messages", ["ID"], ["--limit N"], "the chat's messages, oldest first; the newest 1000 unless --limit says more or fewer", MessageColumns, ListMessagesAsync),
        new("deleteMessage", ["ID"], [], "deletes a message, from the chat's context too", MessageColumns, DeleteMessageAsync),
    ];

    private static async Task ShowAsync(AdminSession session)
    {
        Chat chat = (await ReadAsync(session, messages: 0)).Chat;
        session.Output.Row(
            ("id", chat.Id), ("name", chat.Name), ("model", chat.Model), ("user_id", chat.UserId), ("group_id", chat.GroupId),
            ("created_at", chat.CreatedAt), ("updated_at", chat.UpdatedAt));
    }

    private static async Task ListUsersAsync(AdminSession session)
    {
        foreach (User user in (await ReadAsync(session, messages: 0)).Users)
        {
            session.Output.Row(
                ("id", user.Id), ("username", user.Username), ("first_name", user.FirstName), ("last_name", user.LastName), ("removed_at", user.DeletedAt));
        }
    }

    private static async Task ListMessagesAsync(AdminSession session)
    {
        foreach (ChatMessage message in (await ReadAsync(session, session.Limit(Newest))).Messages) Print(session, message);
    }

    private static async Task DeleteMessageAsync(AdminSession session) =>
        Print(session, await session.Db.Chats.DeleteMessageAsync(session.Word(0)) ?? throw AdminException.Failed("no such message"));

    private static async Task<ChatReading> ReadAsync(AdminSession session, int messages) =>
        await session.Db.Chats.InspectAsync(session.Word(0), messages) ?? throw AdminException.Failed("no such chat");

    private static void Print(AdminSession session, ChatMessage message) => session.Output.Row(
        ("id", message.Id), ("created_at", message.CreatedAt), ("chat_id", message.ChatId), ("user_id", message.UserId), ("model", message.Model),
        ("otr", message.Otr), ("prompt", message.Prompt), ("reply", message.Reply));
}

using System.Buffers;
using System.Text.Json;
using Turbo.Server.Model;

namespace Turbo.Server.Json;

/// <summary>A chat: <c>CreatedAt, UpdatedAt, DeletedAt, id, name, model, user_id, group_id</c>.</summary>
internal static class ChatJson
{
    private static readonly JsonEncodedText s_id = JsonEncodedText.Encode("id");
    private static readonly JsonEncodedText s_name = JsonEncodedText.Encode("name");
    private static readonly JsonEncodedText s_model = JsonEncodedText.Encode("model");
    private static readonly JsonEncodedText s_userId = JsonEncodedText.Encode("user_id");
    private static readonly JsonEncodedText s_groupId = JsonEncodedText.Encode("group_id");
    private static readonly JsonEncodedText s_chat = JsonEncodedText.Encode("chat");
    private static readonly JsonEncodedText s_chats = JsonEncodedText.Encode("chats");
    private static readonly JsonEncodedText s_messages = JsonEncodedText.Encode("messages");
    private static readonly JsonEncodedText s_users = JsonEncodedText.Encode("users");

    public static void Write(IBufferWriter<byte> output, Chat chat) => JsonOutput.Write(output, chat, Write);

    public static void Write(Utf8JsonWriter writer, Chat chat)
    {
        writer.WriteStartObject();
        writer.WriteTimes(chat.CreatedAt, chat.UpdatedAt, chat.DeletedAt);
        writer.WriteString(s_id, chat.Id);
        writer.WriteString(s_name, chat.Name);
        writer.WriteString(s_model, chat.Model);
        writer.WriteString(s_userId, chat.UserId);
        writer.WriteString(s_groupId, chat.GroupId);
        writer.WriteEndObject();
    }

    /// <summary><c>{"chats"}</c>, the answer of the index.</summary>
    public static void WriteIndex(IBufferWriter<byte> output, IReadOnlyList<Chat> chats) =>
        JsonOutput.Write(output, chats, static (writer, chats) =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray(s_chats);
            for (int i = 0; i < chats.Count; i++)
                Write(writer, chats[i]);
            writer.WriteEndArray();
            writer.WriteEndObject();
        });

    /// <summary><c>{"chat","messages","users"}</c>, the answer of read.</summary>
    public static void WriteReading(
        IBufferWriter<byte> output, Chat chat, IReadOnlyList<ChatMessage> messages, IReadOnlyList<User> users) =>
        JsonOutput.Write(output, (chat, messages, users), static (writer, reading) =>
        {
            writer.WriteStartObject();
            writer.WritePropertyName(s_chat);
            Write(writer, reading.chat);
            writer.WriteStartArray(s_messages);
            for (int i = 0; i < reading.messages.Count; i++)
                MessageJson.Write(writer, reading.messages[i]);
            writer.WriteEndArray();
            writer.WriteStartArray(s_users);
            for (int i = 0; i < reading.users.Count; i++)
                UserJson.Write(writer, reading.users[i]);
            writer.WriteEndArray();
            writer.WriteEndObject();
        });
}

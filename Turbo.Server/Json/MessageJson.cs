using System.Buffers;
using System.Text.Json;
using Turbo.Server.Model;

namespace Turbo.Server.Json;

/// <summary>
/// A message: <c>CreatedAt, UpdatedAt, DeletedAt, id, chat_id, user_id, group_id, prompt, reply, model, otr</c>.
/// </summary>
internal static class MessageJson
{
    private static readonly JsonEncodedText s_id = JsonEncodedText.Encode("id");
    private static readonly JsonEncodedText s_chatId = JsonEncodedText.Encode("chat_id");
    private static readonly JsonEncodedText s_userId = JsonEncodedText.Encode("user_id");
    private static readonly JsonEncodedText s_groupId = JsonEncodedText.Encode("group_id");
    private static readonly JsonEncodedText s_prompt = JsonEncodedText.Encode("prompt");
    private static readonly JsonEncodedText s_reply = JsonEncodedText.Encode("reply");
    private static readonly JsonEncodedText s_model = JsonEncodedText.Encode("model");
    private static readonly JsonEncodedText s_otr = JsonEncodedText.Encode("otr");
    private static readonly JsonEncodedText s_message = JsonEncodedText.Encode("message");
    private static readonly JsonEncodedText s_partial = JsonEncodedText.Encode("partial");
    private static readonly JsonEncodedText s_error = JsonEncodedText.Encode("error");

    public static void Write(Utf8JsonWriter writer, ChatMessage message) => Write(writer, message, message.Reply);

    /// <summary><c>{"message","reply"}</c>, the answer of a prompt.</summary>
    public static void WriteReply(IBufferWriter<byte> output, ChatMessage message) =>
        JsonOutput.Write(output, message, static (writer, message) =>
        {
            writer.WriteStartObject();
            writer.WritePropertyName(s_message);
            Write(writer, message);
            writer.WriteString(s_reply, message.Reply);
            writer.WriteEndObject();
        });

    /// <summary>
    /// <c>{"message","partial"}</c>, what a stream carries: the message as it stands with <paramref name="reply"/> in the
    /// place of its own, and <c>error</c> where it broke off.
    /// </summary>
    public static void WriteStreamed(
        IBufferWriter<byte> output, ChatMessage message, ReadOnlySpan<char> reply, bool partial, string? error = null) =>
        JsonOutput.Write(output, new Streamed(message, reply, partial, error), static (writer, streamed) =>
        {
            writer.WriteStartObject();
            writer.WritePropertyName(s_message);
            Write(writer, streamed.Message, streamed.Reply);
            writer.WriteBoolean(s_partial, streamed.Partial);
            if (streamed.Error is not null)
                writer.WriteString(s_error, streamed.Error);
            writer.WriteEndObject();
        });

    private static void Write(Utf8JsonWriter writer, ChatMessage message, ReadOnlySpan<char> reply)
    {
        writer.WriteStartObject();
        writer.WriteTimes(message.CreatedAt, message.UpdatedAt, message.DeletedAt);
        writer.WriteString(s_id, message.Id);
        writer.WriteString(s_chatId, message.ChatId);
        writer.WriteString(s_userId, message.UserId);
        writer.WriteString(s_groupId, message.GroupId);
        writer.WriteString(s_prompt, message.Prompt);
        writer.WriteString(s_reply, reply);
        writer.WriteString(s_model, message.Model);
        writer.WriteBoolean(s_otr, message.Otr);
        writer.WriteEndObject();
    }

    private readonly ref struct Streamed(ChatMessage message, ReadOnlySpan<char> reply, bool partial, string? error)
    {
        public ChatMessage Message { get; } = message;
        public ReadOnlySpan<char> Reply { get; } = reply;
        public bool Partial { get; } = partial;
        public string? Error { get; } = error;
    }
}

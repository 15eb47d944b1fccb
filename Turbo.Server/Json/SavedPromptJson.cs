using System.Buffers;
using System.Text.Json;
using Turbo.Server.Model;

namespace Turbo.Server.Json;

/// <summary>A saved prompt: <c>CreatedAt, UpdatedAt, DeletedAt, id, name, text, user_id, group_id</c>.</summary>
internal static class SavedPromptJson
{
    private static readonly JsonEncodedText s_id = JsonEncodedText.Encode("id");
    private static readonly JsonEncodedText s_name = JsonEncodedText.Encode("name");
    private static readonly JsonEncodedText s_text = JsonEncodedText.Encode("text");
    private static readonly JsonEncodedText s_userId = JsonEncodedText.Encode("user_id");
    private static readonly JsonEncodedText s_groupId = JsonEncodedText.Encode("group_id");
    private static readonly JsonEncodedText s_prompts = JsonEncodedText.Encode("prompts");

    public static void Write(IBufferWriter<byte> output, SavedPrompt prompt) => JsonOutput.Write(output, prompt, Write);

    public static void Write(Utf8JsonWriter writer, SavedPrompt prompt)
    {
        writer.WriteStartObject();
        writer.WriteTimes(prompt.CreatedAt, prompt.UpdatedAt, prompt.DeletedAt);
        writer.WriteString(s_id, prompt.Id);
        writer.WriteString(s_name, prompt.Name);
        writer.WriteString(s_text, prompt.Text);
        writer.WriteString(s_userId, prompt.UserId);
        writer.WriteString(s_groupId, prompt.GroupId);
        writer.WriteEndObject();
    }

    /// <summary><c>{"prompts"}</c>, the answer of the index.</summary>
    public static void WriteIndex(IBufferWriter<byte> output, IReadOnlyList<SavedPrompt> prompts) =>
        JsonOutput.Write(output, prompts, static (writer, prompts) =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray(s_prompts);
            for (int i = 0; i < prompts.Count; i++)
                Write(writer, prompts[i]);
            writer.WriteEndArray();
            writer.WriteEndObject();
        });
}

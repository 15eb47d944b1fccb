using System.Buffers;
using System.Text.Json;
using Turbo.Server.Model;

namespace Turbo.Server.Json;

/// <summary>A group: <c>CreatedAt, UpdatedAt, DeletedAt, id, name, description, owner_id</c>.</summary>
internal static class GroupJson
{
    private static readonly JsonEncodedText s_id = JsonEncodedText.Encode("id");
    private static readonly JsonEncodedText s_name = JsonEncodedText.Encode("name");
    private static readonly JsonEncodedText s_description = JsonEncodedText.Encode("description");
    private static readonly JsonEncodedText s_ownerId = JsonEncodedText.Encode("owner_id");
    private static readonly JsonEncodedText s_group = JsonEncodedText.Encode("group");
    private static readonly JsonEncodedText s_groups = JsonEncodedText.Encode("groups");

    public static void Write(IBufferWriter<byte> output, Group group) => JsonOutput.Write(output, group, Write);

    public static void Write(Utf8JsonWriter writer, Group group)
    {
        writer.WriteStartObject();
        writer.WriteTimes(group.CreatedAt, group.UpdatedAt, group.DeletedAt);
        writer.WriteString(s_id, group.Id);
        writer.WriteString(s_name, group.Name);
        writer.WriteString(s_description, group.Description);
        writer.WriteString(s_ownerId, group.OwnerId);
        writer.WriteEndObject();
    }

    /// <summary><c>{"group"}</c>, the answer of delete.</summary>
    public static void WriteWrapped(IBufferWriter<byte> output, Group group) =>
        JsonOutput.Write(output, group, static (writer, group) =>
        {
            writer.WriteStartObject();
            writer.WritePropertyName(s_group);
            Write(writer, group);
            writer.WriteEndObject();
        });

    /// <summary><c>{"groups"}</c>, the answer of the index.</summary>
    public static void WriteIndex(IBufferWriter<byte> output, IReadOnlyList<Group> groups) =>
        JsonOutput.Write(output, groups, static (writer, groups) =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray(s_groups);
            for (int i = 0; i < groups.Count; i++)
                Write(writer, groups[i]);
            writer.WriteEndArray();
            writer.WriteEndObject();
        });
}

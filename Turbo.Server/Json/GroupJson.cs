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
}

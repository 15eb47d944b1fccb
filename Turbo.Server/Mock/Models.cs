using System.Text;
using System.Text.Json;

namespace Turbo.Server.Mock;

/// <summary>GET /v1/models and /v1/models/ID.</summary>
internal static class Models
{
    // When OpenAI introduced them, as its own list says.
    private static readonly (string Id, long Created)[] s_known =
    [
        ("gpt-3.5-turbo", 1677610602),
        ("gpt-4o", 1715367049),
        ("gpt-4o-mini", 1721172741),
        ("text-embedding-3-small", 1705948997),
        ("tts-1", 1681940951),
        ("whisper-1", 1677532384),
    ];

    public static ValueTask ListAsync(MockCall call)
    {
        Utf8JsonWriter json = call.BeginJson();
        json.WriteStartObject();
        json.WriteString("object"u8, "list"u8);
        json.WriteStartArray("data"u8);
        foreach ((string id, long created) in s_known) Write(json, id, created);
        json.WriteEndArray();
        json.WriteEndObject();
        call.SendJson();
        return default;
    }

    public static ValueTask ReadAsync(MockCall call)
    {
        string asked = Uri.UnescapeDataString(Encoding.ASCII.GetString(call.Exchange.Path["/v1/models/"u8.Length..]));
        foreach ((string id, long created) in s_known)
        {
            if (id != asked) continue;
            Write(call.BeginJson(), id, created);
            call.SendJson();
            return default;
        }
        throw MockErrorException.NotFound($"The model '{asked}' does not exist", "model", "model_not_found");
    }

    private static void Write(Utf8JsonWriter json, string id, long created)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, id);
        json.WriteString("object"u8, "model"u8);
        json.WriteNumber("created"u8, created);
        json.WriteString("owned_by"u8, "turbo-mock"u8);
        json.WriteEndObject();
    }
}

using System.Buffers;
using System.Text;
using System.Text.Json;
using Turbo.Server.Json;
using Turbo.Server.Model;

namespace Turbo.Server.Chats;

/// <summary>A prompt and its reply, as the cache keeps them for the prompts to come.</summary>
/// <param name="Id">The message's.</param>
/// <param name="Bytes">Bytes of its text in UTF-8.</param>
/// <param name="Prompt">Empty, as <paramref name="Reply"/> is too, where the text is too long ever to be sent along.</param>
/// <param name="Reply">What the model said.</param>
internal sealed record ChatExchange(string Id, long Bytes, string Prompt, string Reply)
{
    public static ChatExchange Of(ChatMessage message, long maxBytes)
    {
        long bytes = Encoding.UTF8.GetByteCount(message.Prompt) + (long)Encoding.UTF8.GetByteCount(message.Reply);
        return bytes > maxBytes
            ? new ChatExchange(message.Id, bytes, "", "")
            : new ChatExchange(message.Id, bytes, message.Prompt, message.Reply);
    }

    public ReadOnlyMemory<byte> Encode()
    {
        ArrayBufferWriter<byte> output = new();
        JsonOutput.Write(output, this, static (writer, exchange) =>
        {
            writer.WriteStartObject();
            writer.WriteString("id"u8, exchange.Id);
            writer.WriteNumber("bytes"u8, exchange.Bytes);
            writer.WriteString("prompt"u8, exchange.Prompt);
            writer.WriteString("reply"u8, exchange.Reply);
            writer.WriteEndObject();
        });
        return output.WrittenMemory;
    }

    /// <summary>Null for what another version of Turbo may have left in a shared cache.</summary>
    public static ChatExchange? Decode(ReadOnlySpan<byte> encoded)
    {
        string? id = null, prompt = null, reply = null;
        long? bytes = null;
        try
        {
            Utf8JsonReader reader = new(encoded);
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("id"u8)) id = Text(ref reader);
                else if (reader.ValueTextEquals("prompt"u8)) prompt = Text(ref reader);
                else if (reader.ValueTextEquals("reply"u8)) reply = Text(ref reader);
                else if (reader.ValueTextEquals("bytes"u8)) bytes = Number(ref reader);
                else reader.Skip();
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            return null;
        }
        return id is null || prompt is null || reply is null || bytes is null
            ? null
            : new ChatExchange(id, bytes.Value, prompt, reply);
    }

    private static string? Text(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.GetString();
    }

    private static long Number(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.GetInt64();
    }
}

using System.Text;
using System.Text.Json;

namespace Turbo.Server.Mock;

/// <summary>What a chat completion, a completion or a response asks for, as far as the mock's answer depends on it.</summary>
internal sealed class PromptRequest
{
    private string? _lastOfUser;
    private string _last = "";

    private PromptRequest()
    {
    }

    public string Model { get; private set; } = "";

    public bool IsStream { get; private set; }

    /// <summary>stream_options.include_usage</summary>
    public bool IncludesUsage { get; private set; }

    /// <summary>Most words of the reply.</summary>
    public int? MaxTokens { get; private set; }

    /// <summary>Messages received, of every role.</summary>
    public int MessageCount { get; private set; }

    /// <summary>Words in all messages.</summary>
    public int PromptTokens { get; private set; }

    /// <summary>What the user said last.</summary>
    public string LastText => _lastOfUser ?? _last;

    /// <summary>A chat completion's: `messages`, an array of objects.</summary>
    public static PromptRequest ReadChat(ref Utf8JsonReader reader) => Read(ref reader, "messages", static (request, ref r) => request.ReadMessages(ref r, "messages"));

    /// <summary>A completion's: `prompt`, a string or an array of one.</summary>
    public static PromptRequest ReadCompletion(ref Utf8JsonReader reader) => Read(ref reader, "prompt", static (request, ref r) => request.ReadPrompt(ref r));

    /// <summary>A response's: `input`, a string or an array of objects.</summary>
    public static PromptRequest ReadResponse(ref Utf8JsonReader reader) => Read(ref reader, "input", static (request, ref r) =>
    {
        if (r.TokenType == JsonTokenType.String) request.Add("user", r.GetString()!);
        else request.ReadMessages(ref r, "input");
    });

    private delegate void PromptShape(PromptRequest request, ref Utf8JsonReader reader);

    private static PromptRequest Read(ref Utf8JsonReader reader, string promptField, PromptShape readPrompt)
    {
        PromptRequest request = new();
        bool hasPrompt = false;
        while (MockJson.NextField(ref reader))
        {
            if (reader.ValueTextEquals(promptField))
            {
                reader.Read();
                readPrompt(request, ref reader);
                hasPrompt = true;
            }
            else if (reader.ValueTextEquals("model"u8)) request.Model = MockJson.Text(ref reader, "model") ?? "";
            else if (reader.ValueTextEquals("stream"u8)) request.IsStream = MockJson.Flag(ref reader, "stream");
            else if (reader.ValueTextEquals("stream_options"u8)) request.ReadStreamOptions(ref reader);
            else if (reader.ValueTextEquals("instructions"u8)) request.ReadInstructions(ref reader);
            else if (reader.ValueTextEquals("max_tokens"u8)) request.MaxTokens = MockJson.Number(ref reader, "max_tokens", 1, int.MaxValue);
            else if (reader.ValueTextEquals("max_completion_tokens"u8)) request.MaxTokens = MockJson.Number(ref reader, "max_completion_tokens", 1, int.MaxValue);
            else if (reader.ValueTextEquals("max_output_tokens"u8)) request.MaxTokens = MockJson.Number(ref reader, "max_output_tokens", 1, int.MaxValue);
            // The mock gives one choice: one that is silently missing would be worse than a refusal.
            else if (reader.ValueTextEquals("n"u8)) MockJson.Number(ref reader, "n", 1, 1);
            else MockJson.Skip(ref reader);
        }
        if (request.Model.Length == 0) throw MockErrorException.Invalid("you must provide a model parameter", "model");
        if (!hasPrompt) throw MockJson.Missing(promptField);
        return request;
    }

    private void ReadStreamOptions(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null) return;
        if (reader.TokenType != JsonTokenType.StartObject) throw MockJson.WrongType("stream_options", "an object");
        while (MockJson.NextField(ref reader))
        {
            if (reader.ValueTextEquals("include_usage"u8)) IncludesUsage = MockJson.Flag(ref reader, "stream_options.include_usage");
            else MockJson.Skip(ref reader);
        }
    }

    private void ReadInstructions(ref Utf8JsonReader reader)
    {
        if (MockJson.Text(ref reader, "instructions") is { } text) Add("system", text);
    }

    private void ReadPrompt(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            Add("user", reader.GetString()!);
            return;
        }
        if (reader.TokenType != JsonTokenType.StartArray) throw MockJson.WrongType("prompt", "a string");
        while (MockJson.NextElement(ref reader))
        {
            if (reader.TokenType != JsonTokenType.String) throw MockJson.WrongType("prompt", "a string");
            if (MessageCount > 0) throw MockErrorException.Invalid("Invalid value for 'prompt': expected one prompt.", "prompt", "invalid_value");
            Add("user", reader.GetString()!);
        }
        if (MessageCount == 0) throw MockErrorException.Invalid("Invalid value for 'prompt': expected one prompt.", "prompt", "invalid_value");
    }

    private void ReadMessages(ref Utf8JsonReader reader, string field)
    {
        if (reader.TokenType != JsonTokenType.StartArray) throw MockJson.WrongType(field, "an array of objects");
        while (MockJson.NextElement(ref reader))
        {
            if (reader.TokenType != JsonTokenType.StartObject) throw MockJson.WrongType(field, "an array of objects");
            string role = "";
            string content = "";
            while (MockJson.NextField(ref reader))
            {
                if (reader.ValueTextEquals("role"u8)) role = MockJson.Text(ref reader, $"{field}[{MessageCount}].role") ?? "";
                else if (reader.ValueTextEquals("content"u8)) content = ReadContent(ref reader, $"{field}[{MessageCount}].content");
                else MockJson.Skip(ref reader);
            }
            Add(role, content);
        }
        if (MessageCount == 0) throw MockErrorException.Invalid($"Invalid '{field}': empty array.", field, "empty_array");
    }

    // A string, or parts of which those with a text count.
    private static string ReadContent(ref Utf8JsonReader reader, string field)
    {
        reader.Read();
        switch (reader.TokenType)
        {
            case JsonTokenType.String: return reader.GetString()!;
            case JsonTokenType.Null: return "";
            case JsonTokenType.StartArray: break;
            default: throw MockJson.WrongType(field, "a string or an array of objects");
        }
        StringBuilder text = new();
        while (MockJson.NextElement(ref reader))
        {
            if (reader.TokenType != JsonTokenType.StartObject) throw MockJson.WrongType(field, "a string or an array of objects");
            while (MockJson.NextField(ref reader))
            {
                if (reader.ValueTextEquals("text"u8)) text.Append(MockJson.Text(ref reader, field));
                else MockJson.Skip(ref reader);
            }
        }
        return text.ToString();
    }

    private void Add(string role, string text)
    {
        MessageCount++;
        PromptTokens += Words.Count(text);
        _last = text;
        if (role == "user") _lastOfUser = text;
    }
}

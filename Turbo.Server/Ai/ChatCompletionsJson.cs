using System.Buffers;
using System.Text;
using System.Text.Json;
using Turbo.Server.Json;

namespace Turbo.Server.Ai;

/// <summary>The chat completions API's JSON: requests, replies, deltas and errors, as far as Turbo needs them.</summary>
internal static class ChatCompletionsJson
{
    private const int MaxErrorText = 4096;

    /// <summary><c>{"model","messages","user"}</c>, and where it streams <c>"stream":true</c> with the wish to be told the usage.</summary>
    public static void WriteRequest(IBufferWriter<byte> output, CompletionRequest request, string model, bool streams) =>
        JsonOutput.Write(output, (request, model, streams), static (writer, what) =>
        {
            writer.WriteStartObject();
            writer.WriteString("model"u8, what.model);
            writer.WriteStartArray("messages"u8);
            for (int i = 0; i < what.request.Turns.Count; i++)
            {
                AiMessage turn = what.request.Turns[i];
                writer.WriteStartObject();
                writer.WriteString("role"u8, NameOf(turn.Role));
                writer.WriteString("content"u8, turn.Text);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteString("user"u8, what.request.User);
            if (what.streams)
            {
                writer.WriteBoolean("stream"u8, true);
                writer.WriteStartObject("stream_options"u8);
                writer.WriteBoolean("include_usage"u8, true);
                writer.WriteEndObject();
            }
            writer.WriteEndObject();
        });

    private static ReadOnlySpan<byte> NameOf(AiRole role) => role switch
    {
        AiRole.Assistant => "assistant"u8,
        AiRole.System => "system"u8,
        _ => "user"u8,
    };

    /// <summary>The text of the first choice; a model that refuses says so in the reply's place. False when there is none.</summary>
    public static bool TryReadReply(ReadOnlySpan<byte> json, out string reply, out CompletionUsage usage)
    {
        reply = "";
        usage = default;
        try
        {
            Utf8JsonReader reader = new(json);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return false;
            bool hasChoice = false;
            while (NextField(ref reader))
            {
                if (reader.ValueTextEquals("choices"u8)) hasChoice = ReadChoice(ref reader, "message"u8, out reply, out _);
                else if (reader.ValueTextEquals("model"u8)) usage = usage with { Model = ReadText(ref reader) };
                else if (reader.ValueTextEquals("usage"u8)) usage = ReadUsage(ref reader, usage);
                else reader.Skip();
            }
            return hasChoice;
        }
        catch (Exception e) when (IsMalformed(e))
        {
            return false;
        }
    }

    /// <summary>One event of a stream: the delta's text, if it has any, and whether it ends the reply. False for an error, or what is no event of a stream.</summary>
    /// <param name="json">The event's data.</param>
    /// <param name="text">What is added to the reply.</param>
    /// <param name="isLast">Whether nothing more is.</param>
    /// <param name="usage">Takes what the event tells of it.</param>
    public static bool TryReadDelta(ReadOnlySpan<byte> json, out string? text, out bool isLast, ref CompletionUsage usage)
    {
        text = null;
        isLast = false;
        try
        {
            Utf8JsonReader reader = new(json);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return false;
            while (NextField(ref reader))
            {
                // An event without a choice is one that tells usage.
                if (reader.ValueTextEquals("choices"u8)) ReadChoice(ref reader, "delta"u8, out text, out isLast);
                else if (usage.Model is null && reader.ValueTextEquals("model"u8)) usage = usage with { Model = ReadText(ref reader) };
                else if (reader.ValueTextEquals("usage"u8)) usage = ReadUsage(ref reader, usage);
                else if (reader.ValueTextEquals("error"u8) && reader.Read() && reader.TokenType != JsonTokenType.Null) return false;
                else reader.Skip();
            }
            return true;
        }
        catch (Exception e) when (IsMalformed(e))
        {
            return false;
        }
    }

    /// <summary><c>{"error":{"message","param","code"}}</c> or <c>{"error":"message"}</c>; what it does not say stays as in <paramref name="otherwise"/>.</summary>
    public static CompletionFailure ReadError(ReadOnlySpan<byte> json, CompletionFailure otherwise)
    {
        try
        {
            Utf8JsonReader reader = new(json);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return otherwise;
            CompletionFailure failure = otherwise;
            while (NextField(ref reader))
            {
                if (reader.ValueTextEquals("error"u8)) failure = ReadErrorValue(ref reader, failure);
                else reader.Skip();
            }
            return failure;
        }
        catch (Exception e) when (IsMalformed(e))
        {
            return otherwise;
        }
    }

    // Half a surrogate pair in a string is an InvalidOperationException.
    private static bool IsMalformed(Exception e) => e is JsonException or InvalidOperationException;

    // At a field's name; false at the object's end.
    private static bool NextField(ref Utf8JsonReader reader) => reader.Read() && reader.TokenType == JsonTokenType.PropertyName;

    // The reader is at "choices". The first of them counts; n is never more than one.
    private static bool ReadChoice(ref Utf8JsonReader reader, ReadOnlySpan<byte> holder, out string text, out bool isLast)
    {
        text = "";
        isLast = false;
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null) return false;
        if (reader.TokenType != JsonTokenType.StartArray) throw new JsonException();
        bool isFirst = true;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (!isFirst || reader.TokenType != JsonTokenType.StartObject)
            {
                reader.Skip();
                continue;
            }
            isFirst = false;
            while (NextField(ref reader))
            {
                if (reader.ValueTextEquals(holder)) text = ReadContent(ref reader);
                else if (reader.ValueTextEquals("finish_reason"u8)) isLast = ReadText(ref reader) is not null;
                else reader.Skip();
            }
        }
        return !isFirst;
    }

    private static string ReadContent(ref Utf8JsonReader reader)
    {
        string? content = null, refusal = null;
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null) return "";
        if (reader.TokenType != JsonTokenType.StartObject) throw new JsonException();
        while (NextField(ref reader))
        {
            if (reader.ValueTextEquals("content"u8)) content = ReadText(ref reader);
            else if (reader.ValueTextEquals("refusal"u8)) refusal = ReadText(ref reader);
            else reader.Skip();
        }
        // PostgreSQL's text cannot hold a NUL.
        return (content ?? refusal ?? "").Replace('\0', '\uFFFD');
    }

    private static CompletionUsage ReadUsage(ref Utf8JsonReader reader, CompletionUsage usage)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return usage;
        }
        while (NextField(ref reader))
        {
            if (reader.ValueTextEquals("prompt_tokens"u8)) usage = usage with { PromptTokens = ReadCount(ref reader) };
            else if (reader.ValueTextEquals("completion_tokens"u8)) usage = usage with { CompletionTokens = ReadCount(ref reader) };
            else if (reader.ValueTextEquals("total_tokens"u8)) usage = usage with { TotalTokens = ReadCount(ref reader) };
            else reader.Skip();
        }
        return usage;
    }

    private static CompletionFailure ReadErrorValue(ref Utf8JsonReader reader, CompletionFailure failure)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.String) return failure with { Message = Shown(reader.GetString()) ?? failure.Message };
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return failure;
        }
        while (NextField(ref reader))
        {
            if (reader.ValueTextEquals("message"u8)) failure = failure with { Message = Shown(ReadText(ref reader)) ?? failure.Message };
            else if (reader.ValueTextEquals("param"u8)) failure = failure with { Param = Shown(ReadText(ref reader)) };
            else if (reader.ValueTextEquals("code"u8)) failure = failure with { Code = Shown(ReadText(ref reader)) };
            else reader.Skip();
        }
        return failure;
    }

    private static string? Shown(string? text)
    {
        if (string.IsNullOrEmpty(text)) return null;
        if (text.Length <= MaxErrorText) return text;
        return string.Concat(text.AsSpan(0, char.IsHighSurrogate(text[MaxErrorText - 1]) ? MaxErrorText - 1 : MaxErrorText), "…");
    }

    // A string; null for null. Numbers, which some servers give as a code, as they stand.
    private static string? ReadText(ref Utf8JsonReader reader)
    {
        reader.Read();
        switch (reader.TokenType)
        {
            case JsonTokenType.String:
                return reader.GetString();
            case JsonTokenType.Number:
                return Encoding.UTF8.GetString(reader.ValueSpan);
            default:
                reader.Skip();
                return null;
        }
    }

    private static long? ReadCount(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long count)) return count;
        reader.Skip();
        return null;
    }
}

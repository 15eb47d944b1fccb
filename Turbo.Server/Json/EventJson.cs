using System.Buffers;
using System.Text.Json;
using Turbo.Server.Model;

namespace Turbo.Server.Json;

/// <summary>An event as published on the topic <c>events</c>, under the Go program's capitalised names.</summary>
internal static class EventJson
{
    private static readonly JsonEncodedText s_id = JsonEncodedText.Encode("ID");
    private static readonly JsonEncodedText s_timestamp = JsonEncodedText.Encode("Timestamp");
    private static readonly JsonEncodedText s_clientIp = JsonEncodedText.Encode("ClientIP");
    private static readonly JsonEncodedText s_endpoint = JsonEncodedText.Encode("Endpoint");
    private static readonly JsonEncodedText s_request = JsonEncodedText.Encode("Request");
    private static readonly JsonEncodedText s_response = JsonEncodedText.Encode("Response");
    private static readonly JsonEncodedText s_status = JsonEncodedText.Encode("Status");
    private static readonly JsonEncodedText s_message = JsonEncodedText.Encode("Message");
    private static readonly JsonEncodedText s_duration = JsonEncodedText.Encode("Duration");
    private static readonly JsonEncodedText s_method = JsonEncodedText.Encode("Method");
    private static readonly JsonEncodedText s_params = JsonEncodedText.Encode("Params");
    private static readonly JsonEncodedText s_userId = JsonEncodedText.Encode("UserID");

    private static readonly JsonEncodedText s_events = JsonEncodedText.Encode("events");
    private static readonly JsonEncodedText s_usage = JsonEncodedText.Encode("usage");
    private static readonly JsonEncodedText s_model = JsonEncodedText.Encode("model");
    private static readonly JsonEncodedText s_calls = JsonEncodedText.Encode("calls");
    private static readonly JsonEncodedText s_promptTokens = JsonEncodedText.Encode("prompt_tokens");
    private static readonly JsonEncodedText s_completionTokens = JsonEncodedText.Encode("completion_tokens");
    private static readonly JsonEncodedText s_totalTokens = JsonEncodedText.Encode("total_tokens");
    private static readonly JsonEncodedText s_ttfb = JsonEncodedText.Encode("ttfb");

    /// <summary><c>{"events"}</c>: without the bodies, and with what was counted, under the names of their columns.</summary>
    public static void WriteIndex(IBufferWriter<byte> output, IReadOnlyList<EventRecord> events) =>
        JsonOutput.Write(output, events, static (writer, events) =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray(s_events);
            for (int i = 0; i < events.Count; i++)
                Write(writer, events[i]);
            writer.WriteEndArray();
            writer.WriteEndObject();
        });

    /// <summary><c>{"usage"}</c>: by model.</summary>
    public static void WriteUsage(IBufferWriter<byte> output, IReadOnlyList<UsageSum> sums) =>
        JsonOutput.Write(output, sums, static (writer, sums) =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray(s_usage);
            for (int i = 0; i < sums.Count; i++)
            {
                writer.WriteStartObject();
                writer.WriteString(s_model, sums[i].Model);
                writer.WriteNumber(s_calls, sums[i].Calls);
                writer.WriteNumber(s_promptTokens, sums[i].PromptTokens);
                writer.WriteNumber(s_completionTokens, sums[i].CompletionTokens);
                writer.WriteNumber(s_totalTokens, sums[i].TotalTokens);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteEndObject();
        });

    private static void Write(Utf8JsonWriter writer, EventRecord row)
    {
        writer.WriteStartObject();
        writer.WriteString(s_id, row.Id);
        writer.WriteTime(s_timestamp, row.Timestamp);
        writer.WriteString(s_clientIp, row.ClientIp);
        writer.WriteString(s_endpoint, row.Endpoint);
        writer.WriteNumber(s_status, row.Status);
        writer.WriteString(s_message, row.Message);
        writer.WriteNumber(s_duration, row.Duration);
        writer.WriteString(s_method, row.Method);
        writer.WriteString(s_params, row.Params);
        writer.WriteString(s_userId, row.UserId);
        writer.WriteString(s_model, row.Model);
        WriteCount(writer, s_promptTokens, row.PromptTokens);
        WriteCount(writer, s_completionTokens, row.CompletionTokens);
        WriteCount(writer, s_totalTokens, row.TotalTokens);
        WriteCount(writer, s_ttfb, row.Ttfb);
        writer.WriteEndObject();
    }

    private static void WriteCount(Utf8JsonWriter writer, JsonEncodedText name, long? count)
    {
        if (count is { } number)
            writer.WriteNumber(name, number);
        else
            writer.WriteNull(name);
    }

    /// <summary>The row's texts must be valid UTF-8, as <c>EventText</c> leaves them.</summary>
    public static void Write(IBufferWriter<byte> output, EventRow row) => JsonOutput.Write(output, row, Write);

    public static void Write(Utf8JsonWriter writer, EventRow row)
    {
        writer.WriteStartObject();
        writer.WriteTimes(row.CreatedAt, row.CreatedAt, null);
        Span<byte> id = stackalloc byte[36];
        row.Id.TryFormat(id, out _);
        writer.WriteString(s_id, id);
        writer.WriteTime(s_timestamp, row.Timestamp);
        writer.WriteString(s_clientIp, row.ClientIp.Span);
        writer.WriteString(s_endpoint, row.Endpoint.Span);
        writer.WriteString(s_request, row.Request.Span);
        writer.WriteString(s_response, row.Response.Span);
        writer.WriteNumber(s_status, row.Status);
        writer.WriteString(s_message, row.Message.Span);
        writer.WriteNumber(s_duration, row.Duration);
        writer.WriteString(s_method, row.Method.Span);
        writer.WriteString(s_params, row.Params.Span);
        writer.WriteString(s_userId, row.UserId);
        writer.WriteEndObject();
    }
}

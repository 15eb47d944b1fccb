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

using System.Buffers;
using System.Text;
using System.Text.Json;
using Turbo.Server.Ai;
using Turbo.Server.Json;

namespace Turbo.Server.Api;

/// <summary>
/// An error as a client sees it. One shape for all, which OpenAI's SDKs read:
/// <c>{"error":{"message","type","param","code"}}</c>, the type following from the status.
/// </summary>
/// <param name="Status">A 4xx or 5xx status code.</param>
/// <param name="Message">A sentence for whoever wrote the client; nothing internal, nothing secret.</param>
/// <param name="Param">The field that is at fault, or null.</param>
/// <param name="Code">A word for programs, or null.</param>
internal readonly record struct ApiError(int Status, string Message, string? Param = null, string? Code = null)
{
    private static readonly JsonEncodedText s_error = JsonEncodedText.Encode("error");
    private static readonly JsonEncodedText s_message = JsonEncodedText.Encode("message");
    private static readonly JsonEncodedText s_type = JsonEncodedText.Encode("type");
    private static readonly JsonEncodedText s_param = JsonEncodedText.Encode("param");
    private static readonly JsonEncodedText s_code = JsonEncodedText.Encode("code");

    /// <summary>Sent with 429 and 503 as Retry-After, in whole seconds, at least one; default one second.</summary>
    public TimeSpan RetryAfter { get; init; }

    public long RetryAfterSeconds => Math.Max(1, (long)Math.Ceiling(RetryAfter.TotalSeconds));

    public bool HasRetryAfter => Status is 429 or 503;

    /// <summary>A <c>type</c> that does not follow from the status; null where it does.</summary>
    public string? ForcedType { get; init; }

    /// <summary>The <c>type</c>, a word of contract section 2.</summary>
    public string Type => ForcedType ?? Status switch
    {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        429 => "rate_limit_error",
        502 or 504 => "upstream_error",
        >= 500 => "server_error",
        _ => "invalid_request_error",
    };

    /// <summary>Something of ours failed; the log says what.</summary>
    public static ApiError Internal => new(500, "internal error", Code: "internal_error");

    public static ApiError InvalidSession => new(401, "the session is unknown, ended or expired: log in again", Code: "invalid_session");

    /// <summary>A page of an origin that CORS_ORIGINS does not name would use its visitor's cookie.</summary>
    public static ApiError ForeignPage => new(403, "pages of that origin may not use the visitor's session here: see CORS_ORIGINS", Code: "origin_not_allowed");

    public static ApiError NotFound => new(404, "no such path", Code: "not_found");

    public static ApiError MethodNotAllowed => new(405, "this path does not take that method", Code: "method_not_allowed");

    /// <summary>A path under <c>/v1/</c> whose dot segments lead out of it.</summary>
    public static ApiError PathClimbs => new(400, "the path leads out of /v1/", Code: "invalid_path");

    /// <summary>A request without TLS, where TLS is spoken.</summary>
    public static ApiError PlainText => new(400, "this port speaks https, not http", Code: "https_required");

    /// <summary>MAX_CONNECTIONS are open.</summary>
    public static ApiError TooManyConnections => new(503, "too many connections; try again", Code: "overloaded");

    /// <summary>Too much waits for the database or for the hashing of passwords.</summary>
    public static ApiError Overloaded => new(503, "the server has too much to do; try again", Code: "overloaded");

    public static ApiError Unavailable => new(503, "the database cannot be reached; try again", Code: "unavailable");

    /// <summary>Redis is away, and somebody needs what it keeps.</summary>
    public static ApiError CacheAway => new(503, "the cache cannot be reached; try again", Code: "unavailable");

    /// <summary>What the request waited for was cut short by the server's stop.</summary>
    public static ApiError Stopping => new(503, "the server is stopping; try again", Code: "unavailable");

    /// <summary>Redis is away, so that messages do not reach those who wait for them.</summary>
    public static ApiError BusAway => new(503, "messages cannot be delivered at the moment; try again", Code: "unavailable");

    /// <summary>No event row could be kept of the request: it was not done.</summary>
    public static ApiError NoRoomForEvents => new(503, "the database does not keep up; nothing was done; try again", Code: "unavailable")
    {
        RetryAfter = TimeSpan.FromSeconds(5),
    };

    /// <summary>The origin server failed: 502 or 504.</summary>
    public static ApiError Upstream(int status, string message) => new(status, message, Code: "upstream_error");

    /// <summary>The origin server refused, with a status and words of its own.</summary>
    public static ApiError Upstream(CompletionFailure failure) => new(failure.Status, failure.Message, failure.Param, failure.Code ?? "upstream_error")
    {
        ForcedType = failure.IsOwn ? null : "upstream_error",
        RetryAfter = failure.RetryAfter,
    };

    public static ApiError MissingParameter(string name) => new(400, $"{name} is missing", name, "missing_parameter");

    public static ApiError InvalidParameter(string name, string reason) => new(400, $"{name} {reason}", name, "invalid_parameter");

    /// <summary>There is no such record, or none that the caller may know of.</summary>
    /// <param name="record">What is missing: <c>group</c>, <c>chat</c>, <c>prompt</c> or <c>user</c>.</param>
    /// <param name="param">The field that names it.</param>
    public static ApiError NoRecord(string record, string? param) => new(404, $"no such {record}", param, $"{record}_not_found");

    /// <summary>A whole response with this error, for a client whose request is not read.</summary>
    /// <param name="reason">The status's reason-phrase.</param>
    /// <param name="fields">Further field lines.</param>
    public byte[] ToResponse(string reason, ReadOnlySpan<byte> fields)
    {
        ArrayBufferWriter<byte> content = new();
        WriteContent(content);
        string head = $"HTTP/1.1 {Status} {reason}\r\n{Encoding.ASCII.GetString(fields)}" +
            $"{(HasRetryAfter ? $"Retry-After: {RetryAfterSeconds}\r\n" : "")}Content-Type: application/json\r\nContent-Length: {content.WrittenCount}\r\nConnection: close\r\n\r\n";
        return [.. Encoding.ASCII.GetBytes(head), .. content.WrittenSpan];
    }

    public void WriteContent(IBufferWriter<byte> output) => JsonOutput.Write(output, this, static (writer, error) =>
    {
        writer.WriteStartObject();
        writer.WriteStartObject(s_error);
        writer.WriteString(s_message, error.Message);
        writer.WriteString(s_type, error.Type);
        writer.WriteString(s_param, error.Param);
        writer.WriteString(s_code, error.Code);
        writer.WriteEndObject();
        writer.WriteEndObject();
    });
}

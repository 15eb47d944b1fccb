using System.Buffers;
using System.Globalization;
using System.Text;
using Turbo.Net;
using Turbo.Net.Upstream;
using Turbo.Server.Model;

namespace Turbo.Server.Ai;

/// <summary>What to complete.</summary>
/// <param name="Model">As the chat has it: an alias is replaced.</param>
/// <param name="Turns">Oldest first; the last is the prompt.</param>
/// <param name="User">For the upstream's abuse detection; opaque.</param>
internal sealed record CompletionRequest(string Model, IReadOnlyList<AiMessage> Turns, string User);

/// <summary>Why there is no reply, or no whole one, in the words of the upstream where it had any.</summary>
/// <param name="Status">The upstream's 4xx or 5xx; 502, 503 or 504 where it gave none.</param>
/// <param name="Message">A sentence for whoever asked.</param>
/// <param name="Param">The field of the request that the upstream blames, or null.</param>
/// <param name="Code">The upstream's word for programs, or null.</param>
internal sealed record CompletionFailure(int Status, string Message, string? Param = null, string? Code = null)
{
    /// <summary>The upstream's Retry-After; zero without.</summary>
    public TimeSpan RetryAfter { get; init; }

    /// <summary>Whether the upstream was not even asked, because Turbo has too much to do.</summary>
    public bool IsOwn { get; init; }
}

/// <summary>What a completion cost, where the upstream said.</summary>
internal readonly record struct CompletionUsage(string? Model, long? PromptTokens, long? CompletionTokens, long? TotalTokens)
{
    public void CopyTo(EventRow row)
    {
        if (Model is not null) row.Model.Set(Model);
        row.PromptTokens = PromptTokens;
        row.CompletionTokens = CompletionTokens;
        row.TotalTokens = TotalTokens;
    }
}

/// <summary>A reply, or why there is none.</summary>
internal readonly record struct Completion(string Reply, CompletionUsage Usage, CompletionFailure? Failure);

/// <summary>
/// Chat completions that Turbo itself asks for, over the gateway's connections: same origin, Host and key as the relay.
/// </summary>
internal sealed class ChatCompletions
{
    // Of an error's content nothing further is of interest.
    private const int MaxErrorBytes = 64 * 1024;

    private readonly UpstreamClient _client;
    private readonly byte[] _head;
    private readonly IReadOnlyDictionary<string, string> _aliases;
    private readonly long _maxReplyBytes;
    private readonly TimeProvider _time;

    /// <param name="gateway">Whose connections to use.</param>
    /// <param name="options">MODEL_ALIASES and CHAT_REPLY_BYTES.</param>
    /// <param name="time">The clock.</param>
    public ChatCompletions(OpenAiGateway gateway, AppOptions options, TimeProvider time)
    {
        _client = gateway.Client;
        _head = [.. "POST "u8, .. gateway.PathPrefix.Span, .. "/v1/chat/completions HTTP/1.1\r\n"u8, .. gateway.RequestFields.Span,
            .. "User-Agent: turbo\r\nAccept-Encoding: identity\r\nContent-Type: application/json\r\nContent-Length: "u8];
        _aliases = options.ModelAliases;
        _maxReplyBytes = options.ChatReplyBytes;
        _time = time;
    }

    /// <summary>The whole reply at once. A response of more than CHAT_REPLY_BYTES is a failure.</summary>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async Task<Completion> CompleteAsync(CompletionRequest request, CancellationToken cancellation)
    {
        try
        {
            await using UpstreamResponse response = await _client.SendAsync(Message(request, streams: false), cancellation);
            if (response.Status != 200) return Failed(await RefusalAsync(response));
            if (IsCoded(response)) return Failed(Malformed);
            ArrayBufferWriter<byte> content = new();
            if (!await ReadContentAsync(response, content, _maxReplyBytes)) return Failed(TooLarge);
            return ChatCompletionsJson.TryReadReply(content.WrittenSpan, out string reply, out CompletionUsage usage)
                ? new Completion(reply, usage, null)
                : Failed(Malformed);
        }
        catch (UpstreamException e)
        {
            return Failed(FailureOf(e.Result));
        }
    }

    /// <summary>The reply as it comes. Dispose it. One that was refused is empty and says why.</summary>
    /// <exception cref="OperationCanceledException">Cancelled; the token ends reads of the stream, too.</exception>
    public async Task<ChatCompletionsStream> StreamAsync(CompletionRequest request, CancellationToken cancellation)
    {
        ChatCompletionsStream stream = new(cancellation, _time);
        try
        {
            UpstreamResponse response = await _client.SendAsync(Message(request, streams: true), stream.Cancellation);
            stream.Begin(response);
            if (response.Status != 200) stream.Refuse(await RefusalAsync(response));
            else if (IsCoded(response) || !IsEventStream(response)) stream.Refuse(Malformed);
        }
        catch (UpstreamException e)
        {
            stream.Refuse(FailureOf(e.Result));
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
        return stream;
    }

    internal static CompletionFailure Malformed => new(502, "the upstream server's answer was malformed");

    internal static CompletionFailure TooLarge => new(502, "the upstream server's reply is too large");

    internal static CompletionFailure FailureOf(RelayResult result) => result switch
    {
        RelayResult.Timeout => new(504, "the upstream server did not answer in time"),
        RelayResult.Overloaded => new(503, "the server has too much to do; try again", Code: "overloaded") { IsOwn = true },
        RelayResult.Truncated => new(502, "the upstream server broke off its response"),
        RelayResult.MalformedResponse => Malformed,
        _ => new(502, "the upstream server could not be reached or ended without an answer"),
    };

    private static Completion Failed(CompletionFailure failure) => new("", default, failure);

    private byte[] Message(CompletionRequest request, bool streams)
    {
        ArrayBufferWriter<byte> content = new(1024);
        ChatCompletionsJson.WriteRequest(content, request, _aliases.GetValueOrDefault(request.Model, request.Model), streams);
        return [.. _head, .. Encoding.ASCII.GetBytes(content.WrittenCount.ToString(CultureInfo.InvariantCulture)), .. "\r\n\r\n"u8, .. content.WrittenSpan];
    }

    private static async ValueTask<CompletionFailure> RefusalAsync(UpstreamResponse response)
    {
        // Neither a reply nor an error: a redirect, say.
        if (response.Status is < 400 or > 599) return Malformed;
        CompletionFailure failure = new(response.Status, $"the upstream server answered with status {response.Status}") { RetryAfter = RetryAfter(response) };
        ArrayBufferWriter<byte> content = new();
        if (IsCoded(response) || !await ReadContentAsync(response, content, MaxErrorBytes)) return failure;
        return ChatCompletionsJson.ReadError(content.WrittenSpan, failure);
    }

    private static async ValueTask<bool> ReadContentAsync(UpstreamResponse response, ArrayBufferWriter<byte> content, long maxBytes)
    {
        while (true)
        {
            ReadOnlySequence<byte> piece = await response.ReadAsync();
            if (piece.IsEmpty) return true;
            if (content.WrittenCount + piece.Length > maxBytes) return false;
            foreach (ReadOnlyMemory<byte> part in piece) content.Write(part.Span);
        }
    }

    // None was asked for.
    private static bool IsCoded(UpstreamResponse response) =>
        response.Fields.TryGet(KnownField.ContentEncoding, out ReadOnlySpan<byte> coding) && !Ascii.EqualsIgnoreCase(coding, "identity"u8);

    private static bool IsEventStream(UpstreamResponse response)
    {
        ReadOnlySpan<byte> wanted = "text/event-stream"u8;
        return response.Fields.TryGet(KnownField.ContentType, out ReadOnlySpan<byte> type)
            && type.Length >= wanted.Length && Ascii.EqualsIgnoreCase(type[..wanted.Length], wanted);
    }

    // A date would be of another clock: seconds alone count.
    private static TimeSpan RetryAfter(UpstreamResponse response) =>
        response.Fields.TryGet("Retry-After"u8, out ReadOnlySpan<byte> value)
        && System.Buffers.Text.Utf8Parser.TryParse(value, out uint seconds, out int used) && used == value.Length && seconds <= 86_400
            ? TimeSpan.FromSeconds(seconds)
            : TimeSpan.Zero;
}

using System.Buffers;
using System.Text;
using Turbo.Net;
using Turbo.Net.Upstream;
using Turbo.Server.Auth;
using Turbo.Server.Model;

namespace Turbo.Server.Ai;

/// <summary>
/// Sees a proxied exchange pass and fills its event row: the first bytes of both bodies where they are text, the model,
/// the token counts, the time to first byte. Knows whose session it is, whose end is the exchange's. Reset and reused; one
/// exchange at a time.
/// </summary>
internal sealed class UsageTap : IRelayObserver
{
    private enum Reply : byte { Ignored, Json, EventStream }

    private readonly Sessions _sessions;
    private readonly UsageScanner _scanner = new();
    private readonly EventStreamScanner _events;
    private EventRow _row = null!;
    private LiveSession? _session;
    private TimeProvider _time = TimeProvider.System;
    private long _start;
    private int _bodyBytes;
    private bool _keepsRequest;
    private bool _keepsResponse;
    private Reply _reply;
    private ContentCoding _coding;
    private byte[]? _coded;
    private int _codedLength;

    /// <param name="sessions">Who knows which have ended.</param>
    public UsageTap(Sessions sessions)
    {
        _sessions = sessions;
        _events = new EventStreamScanner(_scanner);
    }

    /// <summary>Whether the exchange needs a session and that has ended.</summary>
    public bool IsOver => _session is { } session && _sessions.HasEnded(session);

    /// <summary>Whether a coded copy waits for <see cref="DecodeAsync"/>.</summary>
    public bool HasCodedReply => _coded is not null && _codedLength > 0;

    /// <param name="exchange">The exchange about to be relayed.</param>
    /// <param name="session">The session that it needs; null where it needs none.</param>
    /// <param name="row">Its row.</param>
    /// <param name="bodyBytes">Bytes of each body to keep; 0 keeps none.</param>
    /// <param name="start">When the request arrived, a timestamp of <paramref name="time"/>.</param>
    /// <param name="time">The clock.</param>
    public void Begin(Exchange exchange, LiveSession? session, EventRow row, int bodyBytes, long start, TimeProvider time)
    {
        _session = session;
        _row = row;
        _bodyBytes = bodyBytes;
        _start = start;
        _time = time;
        _keepsRequest = bodyBytes > 0 && !exchange.Fields.Has(KnownField.ContentEncoding)
            && exchange.Fields.TryGet(KnownField.ContentType, out ReadOnlySpan<byte> type) && IsText(type);
        _keepsResponse = false;
        _reply = Reply.Ignored;
        _coding = ContentCoding.Identity;
        _scanner.Reset();
        _events.Reset();
    }

    /// <summary>Until the row has as much of it as it keeps.</summary>
    public bool WantsRequestContent => _keepsRequest && _row.Request.Length < _bodyBytes;

    /// <summary>Until the row has as much of it as it keeps; a reply that may tell of its usage, to its end.</summary>
    public bool WantsResponseContent =>
        _coding != ContentCoding.Unknown && (_reply != Reply.Ignored || (_keepsResponse && (_coding != ContentCoding.Identity || _row.Response.Length < _bodyBytes)));

    public void RequestContent(ReadOnlySpan<byte> content)
    {
        if (_keepsRequest) _row.Request.AppendUpTo(content, _bodyBytes);
    }

    public void ResponseHead(int status, HeaderFields fields)
    {
        _row.Ttfb = (long)_time.GetElapsedTime(_start).TotalNanoseconds;
        if (!fields.TryGet(KnownField.ContentType, out ReadOnlySpan<byte> type)) return;
        _keepsResponse = _bodyBytes > 0 && IsText(type);
        _reply = StartsWith(type, "application/json"u8) ? Reply.Json : StartsWith(type, "text/event-stream"u8) ? Reply.EventStream : Reply.Ignored;
        fields.TryGet(KnownField.ContentEncoding, out ReadOnlySpan<byte> coding);
        _coding = ContentDecoder.Classify(coding);
        if (_coding == ContentCoding.Unknown) _keepsResponse = false;
    }

    public void ResponseContent(ReadOnlySpan<byte> content)
    {
        if (_coding == ContentCoding.Identity) Read(content);
        else if (_coding != ContentCoding.Unknown && (_keepsResponse || _reply != Reply.Ignored)) KeepCoded(content);
    }

    /// <summary>Reads the coded copy, off this thread. Call it when the response is on its way.</summary>
    public Task DecodeAsync() => Task.Run(() => ContentDecoder.Decode(_coding, _coded!, _codedLength, Read));

    /// <summary>Puts what was found into the row and lets it go.</summary>
    public void End()
    {
        if (_scanner.ModelLength > 0) _row.Model.Set(_scanner.Model);
        _row.PromptTokens = _scanner.PromptTokens;
        _row.CompletionTokens = _scanner.CompletionTokens;
        _row.TotalTokens = _scanner.TotalTokens;
        DropCoded();
        _row = null!;
        _session = null;
    }

    private void Read(ReadOnlySpan<byte> content)
    {
        if (_keepsResponse) _row.Response.AppendUpTo(content, _bodyBytes);
        if (_reply == Reply.Json) _scanner.Feed(content);
        else if (_reply == Reply.EventStream) _events.Feed(content);
    }

    private void KeepCoded(ReadOnlySpan<byte> content)
    {
        if (_codedLength + content.Length > ContentDecoder.MaxCodedBytes)
        {
            DropCoded();
            _coding = ContentCoding.Unknown;
            return;
        }
        if (_coded is null || _coded.Length < _codedLength + content.Length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_codedLength + content.Length, 4096));
            if (_coded is not null)
            {
                _coded.AsSpan(0, _codedLength).CopyTo(larger);
                ArrayPool<byte>.Shared.Return(_coded);
            }
            _coded = larger;
        }
        content.CopyTo(_coded.AsSpan(_codedLength));
        _codedLength += content.Length;
    }

    private void DropCoded()
    {
        _codedLength = 0;
        if (_coded is null) return;
        ArrayPool<byte>.Shared.Return(_coded);
        _coded = null;
    }

    // What a text column can hold: JSON, text and forms; not audio, images or multipart uploads.
    private static bool IsText(ReadOnlySpan<byte> type) =>
        StartsWith(type, "application/json"u8) || StartsWith(type, "text/"u8) || StartsWith(type, "application/x-www-form-urlencoded"u8)
        || StartsWith(type, "application/x-ndjson"u8) || StartsWith(type, "application/xml"u8) || StartsWith(type, "application/problem+json"u8);

    private static bool StartsWith(ReadOnlySpan<byte> type, ReadOnlySpan<byte> lower) =>
        type.Length >= lower.Length && Ascii.EqualsIgnoreCase(type[..lower.Length], lower);
}

using System.Buffers;
using System.Runtime.CompilerServices;
using Turbo.Net.Http1;

namespace Turbo.Net;

/// <summary>A piece of a request's content, valid until the next read.</summary>
/// <param name="Data">The bytes; empty at the end and when refused.</param>
/// <param name="IsEnd">Whether nothing follows <paramref name="Data"/>.</param>
/// <param name="Reject">Why the content was refused; None when it was not. The server answers it if the handler does not.</param>
public readonly record struct BodyRead(ReadOnlySequence<byte> Data, bool IsEnd, RejectReason Reject)
{
    /// <summary>Whether the content is refused: nothing more comes.</summary>
    public bool IsRejected => Reject != RejectReason.None;
}

/// <summary>A request's whole content.</summary>
/// <param name="Bytes">The bytes, valid until the exchange ends; empty when refused.</param>
/// <param name="Reject">Why the content was refused; None when it was not.</param>
public readonly record struct BodyContent(ReadOnlyMemory<byte> Bytes, RejectReason Reject)
{
    /// <summary>Whether all of the content is there.</summary>
    public bool IsComplete => Reject == RejectReason.None;
}

/// <summary>
/// A request's content as it arrives (RFC 9112 §6). Reading is what lets the client send: a body not read is held back
/// by TCP. The first read answers Expect: 100-continue.
/// </summary>
public sealed partial class BodyReader
{
    private readonly Exchange _exchange;
    private BodyKind _kind;
    private long _left;
    private ChunkedReader _chunks;
    private TrailerSection? _trailers;
    private bool _isDone;
    private bool _continuePending;
    private byte[]? _content;
    private int _gathered;
    private bool _isGathered;

    internal BodyReader(Exchange exchange) => _exchange = exchange;

    /// <summary>Whether the request has no content to read.</summary>
    public bool IsEmpty => _kind == BodyKind.None;

    /// <summary>Whether the content is delimited by the chunked coding.</summary>
    public bool IsChunked => _kind == BodyKind.Chunked;

    /// <summary>Content-Length, or null when there is none.</summary>
    public long? Length { get; private set; }

    /// <summary>Most bytes the handler takes; default <see cref="ServerLimits.MaxBodyBytes"/>. Set it before the first read; <see cref="long.MaxValue"/> is no limit.</summary>
    public long MaxBytes { get; set; }

    /// <summary>Bytes of content read so far.</summary>
    public long BytesRead { get; private set; }

    /// <summary>Why the content was refused; None when it was not.</summary>
    public RejectReason Reject { get; private set; }

    /// <summary>Whether all of the content was read.</summary>
    public bool IsComplete => _isDone;

    /// <summary>The trailer section of a chunked body, once <see cref="IsComplete"/>; null when there is none.</summary>
    public HeaderFields? Trailers => _isDone && _trailers is { Fields.Count: > 0 } ? _trailers.Fields : null;

    /// <summary>Whether the client waits for 100 (Continue) before it sends.</summary>
    internal bool IsContinuePending => _continuePending;

    /// <summary>The next piece of content. Waits at most <see cref="ServerLimits.BodyTimeout"/> for the client.</summary>
    public ValueTask<BodyRead> ReadAsync() => TryRead(out BodyRead read) ? new ValueTask<BodyRead>(read) : FillAsync(_exchange.Connection);

    /// <summary>The next piece, where it has arrived; false when the client has to send first.</summary>
    public bool TryRead(out BodyRead read)
    {
        if (Reject != RejectReason.None || _isDone)
        {
            read = new BodyRead(default, true, Reject);
            return true;
        }
        if (_kind == BodyKind.Length && BytesRead == 0 && _left > MaxBytes)
        {
            read = Refuse(RejectReason.BodyTooLarge);
            return true;
        }
        read = default;
        Http1Connection connection = _exchange.Connection;
        return connection.HasInput && TryTake(connection, out read);
    }

    /// <summary>
    /// All of the content, when it has at most <see cref="MaxBytes"/>. May be asked for again.
    /// </summary>
    public ValueTask<BodyContent> ReadAllAsync()
    {
        if (_kind == BodyKind.None) return new ValueTask<BodyContent>(new BodyContent(default, RejectReason.None));
        if (_isGathered) return new ValueTask<BodyContent>(new BodyContent(_content.AsMemory(0, _gathered), RejectReason.None));
        return GatherAsync();
    }

    /// <summary>A gateway passes the expectation on and lets the origin server answer it.</summary>
    internal void LeaveContinueToOrigin() => _continuePending = false;

    /// <summary>Ends a pending read: the response is over before the request is. The connection closes after it.</summary>
    internal void Cancel() => _exchange.Connection.CancelBody();

    internal void Begin(BodyKind kind, long length, bool expectsContinue, long maxBytes)
    {
        _kind = kind == BodyKind.Length && length == 0 ? BodyKind.None : kind;
        Length = kind == BodyKind.Length ? length : null;
        _left = length;
        _isDone = _kind == BodyKind.None;
        _continuePending = expectsContinue && !_isDone;
        MaxBytes = maxBytes;
    }

    internal void Reset()
    {
        if (_kind == BodyKind.Chunked)
        {
            _chunks = default;
            // Never made when nothing of the body was read.
            _trailers?.Reset();
        }
        _kind = BodyKind.None;
        BytesRead = 0;
        _isGathered = false;
        Reject = RejectReason.None;
        if (_content is not null)
        {
            ArrayPool<byte>.Shared.Return(_content);
            _content = null;
        }
    }

    /// <summary>
    /// Whether the connection is likely to outlive the body: what is left is at most <paramref name="bytes"/>, so that
    /// draining it is cheaper than a new connection, or of unknown length, or being read by a handler that answers
    /// meanwhile. An error is no such answer: whoever sends one rarely reads on.
    /// </summary>
    internal bool CanDrain(long bytes, int status) =>
        _isDone || (Reject == RejectReason.None && !_continuePending && (_kind == BodyKind.Chunked || _left <= bytes || (BytesRead > 0 && status < 400)));

    // Takes the next piece out of what the connection holds; false when it holds too little.
    private bool TryTake(Http1Connection connection, out BodyRead read)
    {
        // A client that sends already does not wait for 100 (RFC 9110 §10.1.1).
        if (!connection.Rest.IsEmpty) _continuePending = false;
        if (_kind == BodyKind.Length)
        {
            ReadOnlySequence<byte> rest = connection.Rest;
            if (rest.IsEmpty)
            {
                read = default;
                return false;
            }
            ReadOnlySequence<byte> data = rest.Length > _left ? rest.Slice(0, _left) : rest;
            _left -= data.Length;
            BytesRead += data.Length;
            _isDone = _left == 0;
            connection.Rest = rest.Slice(data.End);
            read = new BodyRead(data, _isDone, RejectReason.None);
            return true;
        }

        _trailers ??= new TrailerSection();
        ReadOnlySequence<byte> input = connection.Rest;
        ParseStatus status = _chunks.Read(ref input, out ReadOnlySequence<byte> chunk, _exchange.Server.Limits, _trailers);
        connection.Rest = input;
        switch (status)
        {
            case ParseStatus.Rejected:
                read = Refuse(_chunks.Reject);
                return true;
            case ParseStatus.NeedMore:
                read = default;
                return false;
        }
        _isDone = _chunks.IsDone;
        BytesRead += chunk.Length;
        read = BytesRead > MaxBytes ? Refuse(RejectReason.BodyTooLarge) : new BodyRead(chunk, _isDone, RejectReason.None);
        return true;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<BodyRead> FillAsync(Http1Connection connection)
    {
        if (_continuePending)
        {
            _continuePending = false;
            if (!await _exchange.Response.InformationalAsync("HTTP/1.1 100 Continue\r\n\r\n"u8).ConfigureAwait(false)) return Refuse(RejectReason.TruncatedBody);
        }
        while (true)
        {
            RejectReason ended = await connection.FillBodyAsync().ConfigureAwait(false);
            if (ended != RejectReason.None) return Refuse(ended);
            if (TryTake(connection, out BodyRead read)) return read;
        }
    }

    private async ValueTask<BodyContent> GatherAsync()
    {
        int length = 0;
        while (true)
        {
            BodyRead read = await ReadAsync().ConfigureAwait(false);
            if (read.IsRejected) return new BodyContent(default, read.Reject);
            int total = checked(length + (int)read.Data.Length);
            if (_content is null || _content.Length < total)
            {
                // A declared length is trusted up to 64 KiB; beyond, memory follows what really arrives.
                int want = Math.Max(total, _content is null ? (int)Math.Min(Length ?? 1024, 64 * 1024) : _content.Length * 2);
                byte[] larger = ArrayPool<byte>.Shared.Rent(want);
                if (_content is not null)
                {
                    _content.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(_content);
                }
                _content = larger;
            }
            read.Data.CopyTo(_content.AsSpan(length));
            length = total;
            if (!read.IsEnd) continue;
            _gathered = length;
            _isGathered = true;
            return new BodyContent(_content.AsMemory(0, length), RejectReason.None);
        }
    }

    private BodyRead Refuse(RejectReason reason)
    {
        Reject = reason;
        return new BodyRead(default, true, reason);
    }
}

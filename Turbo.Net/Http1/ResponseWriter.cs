using System.Buffers;
using System.Buffers.Text;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Turbo.Net.Diagnostics;
using Turbo.Net.Http1;

namespace Turbo.Net;

/// <summary>
/// Writes one response straight into the connection's output. Three ways: <see cref="Send"/> for content at hand;
/// <see cref="Start"/>, <see cref="Field(ReadOnlySpan{byte}, ReadOnlySpan{byte})"/>, <see cref="EndHead"/> (or
/// <see cref="EndHeadChunked()"/>) and <see cref="Write(ReadOnlySpan{byte})"/> for content as it comes; <see cref="StartRaw"/> for a gateway that
/// passes another server's head on. Writes are buffered until the handler returns or <see cref="FlushAsync"/>.
/// </summary>
public sealed partial class ResponseWriter
{
    private enum State : byte { Empty, Head, Length, Chunked, UntilClose, NoBody, Ended }

    // Content of this size is worth a system call of its own to save its copy.
    private const int ThroughBytes = 8 * 1024;

    private readonly Exchange _exchange;
    private PipeWriter _output = null!;
    private State _state;
    private long _left;

    internal ResponseWriter(Exchange exchange) => _exchange = exchange;

    /// <summary>The status code; 0 before <see cref="Start"/>.</summary>
    public int Status { get; private set; }

    /// <summary>Whether the status-line was written: from then on it cannot change.</summary>
    public bool HasStarted => _state != State.Empty;

    /// <summary>Bytes of content written so far, without framing; what a HEAD request leaves out is counted too.</summary>
    public long ContentBytes { get; private set; }

    /// <summary>Bytes written since the last flush.</summary>
    internal int Unflushed { get; set; }

    internal bool IsHeadOnly { get; private set; }

    /// <summary>Complete field lines for a head that another writes: those which a status asks for, when the server's error writer answers it.</summary>
    internal ReadOnlyMemory<byte> PresetLines { get; set; }

    /// <summary>A whole response with its content.</summary>
    /// <param name="status">Status code, 100–599.</param>
    /// <param name="contentType">Content-Type; empty leaves the field out.</param>
    /// <param name="content">All of the content.</param>
    public void Send(int status, ReadOnlySpan<byte> contentType, ReadOnlySpan<byte> content)
    {
        if (status == 200 && TrySendOk(contentType, content)) return;
        Start(status);
        if (!contentType.IsEmpty) Field("Content-Type"u8, contentType);
        EndHead(content.Length);
        Write(content);
    }

    /// <summary>Writes the status-line, Date and the server's own fields. 101 and final codes only.</summary>
    public void Start(int status)
    {
        if (_state != State.Empty) throw new InvalidOperationException("the response has started");
        // After any other 1xx the client would wait for a response (RFC 9110 §15.2).
        if (status is < 200 and not 101) throw new ArgumentOutOfRangeException(nameof(status), status, "not a final status code");
        TakeOutput();
        ReadOnlySpan<byte> line = StatusLines.Get(status);
        Status = status;
        _state = State.Head;
        IsHeadOnly = _exchange.Method == HttpMethod.Head;
        Raw(line, _exchange.Server.Clock.DateLine);
        _exchange.Server.Options.WriteCommonFields?.Invoke(_exchange, this);
        if (!PresetLines.IsEmpty) Raw(PresetLines.Span);
    }

    /// <summary>
    /// Writes a status-line as another server sent it, without fields of our own. <paramref name="statusAndReason"/> is
    /// what stands between the version and the CRLF.
    /// </summary>
    public void StartRaw(int status, ReadOnlySpan<byte> statusAndReason)
    {
        if (_state != State.Empty) throw new InvalidOperationException("the response has started");
        TakeOutput();
        Status = status;
        _state = State.Head;
        IsHeadOnly = _exchange.Method == HttpMethod.Head;
        Raw("HTTP/1.1 "u8, statusAndReason, StatusLines.EndOf(statusAndReason));
    }

    /// <summary>Writes one field line. Names and values are the caller's: they may hold no CR or LF.</summary>
    public void Field(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        CheckHead();
        // Recipients disagree on these three, which is how one response becomes two (RFC 9110 §5.5).
        if (value.IndexOfAny((byte)'\r', (byte)'\n', (byte)0) >= 0) throw new ArgumentException("a field value with a line end or NUL", nameof(value));
        Raw(name, ": "u8, value, "\r\n"u8);
    }

    /// <summary>Writes one field line with a number.</summary>
    public void Field(ReadOnlySpan<byte> name, long value)
    {
        Span<byte> digits = stackalloc byte[20];
        Utf8Formatter.TryFormat(value, digits, out int length);
        Field(name, digits[..length]);
    }

    /// <summary>Writes complete field lines, each with its CRLF, as they are.</summary>
    public void RawFields(ReadOnlySpan<byte> lines)
    {
        CheckHead();
        Raw(lines);
    }

    /// <summary>Ends the head of a response with <paramref name="contentLength"/> bytes of content to come.</summary>
    public void EndHead(long contentLength)
    {
        CheckHead();
        ArgumentOutOfRangeException.ThrowIfNegative(contentLength);
        // A 204 or 1xx has no Content-Length (RFC 9110 §8.6).
        if (Status is >= 200 and not 204) Field("Content-Length"u8, contentLength);
        EndHeadWithLength(contentLength);
    }

    /// <summary>As <see cref="EndHead"/>, when the Content-Length line was written by <see cref="RawFields"/>.</summary>
    internal void EndHeadWithLength(long contentLength)
    {
        EndFields();
        _left = contentLength;
        _state = Status is < 200 or 204 or 304 ? State.NoBody : State.Length;
    }

    /// <summary>
    /// Ends the head of a response whose length is not known: chunked, or for an HTTP/1.0 client delimited by the
    /// connection's end.
    /// </summary>
    public void EndHeadChunked() => EndHeadChunked(hasField: false);

    internal void EndHeadChunked(bool hasField)
    {
        CheckHead();
        if (Status is < 200 or 204)
        {
            // No content, and no framing fields (RFC 9112 §6.1).
            EndFields();
        }
        else if (_exchange.Version == 11)
        {
            if (!hasField) Raw("Transfer-Encoding: chunked\r\n"u8);
            EndFields();
            _state = State.Chunked;
        }
        else
        {
            _exchange.IsPersistent = false;
            EndFields();
            _state = State.UntilClose;
        }
        if (Status is < 200 or 204 or 304) _state = State.NoBody;
    }

    /// <summary>Ends a head that no content follows whatever its fields say (a relayed answer to HEAD, 304, 101).</summary>
    internal void EndHeadNoBody()
    {
        CheckHead();
        EndFields();
        _state = State.NoBody;
    }

    private void EndFields()
    {
        _exchange.SettlePersistence();
        if (Status == 101) Raw("\r\n"u8);
        else if (!_exchange.IsPersistent) Raw("Connection: close\r\n\r\n"u8);
        else if (_exchange.Version == 10) Raw("Connection: keep-alive\r\n\r\n"u8);
        else Raw("\r\n"u8);
    }

    /// <summary>Writes content; in a chunked response one chunk. More than the Content-Length promised throws.</summary>
    public void Write(ReadOnlySpan<byte> content)
    {
        if (_state is State.Empty or State.Head or State.Ended) throw new InvalidOperationException("content before the end of the head, or after the end of the response");
        if (content.IsEmpty) return;
        ContentBytes += content.Length;
        if (_state == State.Length && (_left -= content.Length) < 0) throw new InvalidOperationException("more content than Content-Length");
        if (IsHeadOnly || _state == State.NoBody) return;
        if (_state == State.Chunked) ChunkHeader(content.Length);
        Raw(content);
        if (_state == State.Chunked) Raw("\r\n"u8);
    }

    /// <summary>Writes content in three pieces; in a chunked response one chunk.</summary>
    internal void Write(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, ReadOnlySpan<byte> c)
    {
        int length = a.Length + b.Length + c.Length;
        if (_state != State.Chunked || IsHeadOnly || length == 0)
        {
            Write(a);
            Write(b);
            Write(c);
            return;
        }
        ContentBytes += length;
        ChunkHeader(length);
        Raw(a, b, c, "\r\n"u8);
    }

    /// <summary>Writes content that may lie in several pieces; in a chunked response one chunk.</summary>
    public void Write(in ReadOnlySequence<byte> content)
    {
        // A chunk of no bytes would end the message.
        if (content.IsEmpty) return;
        if (content.Length >= ThroughBytes && _state is State.Length or State.Chunked or State.UntilClose && !IsHeadOnly && !_hasEarlierFlush)
        {
            WriteThrough(content);
            return;
        }
        if (content.IsSingleSegment)
        {
            Write(content.FirstSpan);
            return;
        }
        if (_state == State.Chunked && !IsHeadOnly)
        {
            ContentBytes += content.Length;
            ChunkHeader(content.Length);
            foreach (ReadOnlyMemory<byte> piece in content) Raw(piece.Span);
            Raw("\r\n"u8);
            return;
        }
        foreach (ReadOnlyMemory<byte> piece in content) Write(piece.Span);
    }

    // Large content that another connection received goes on from its blocks; what the client does not take at once is written.
    private void WriteThrough(in ReadOnlySequence<byte> content)
    {
        ContentBytes += content.Length;
        if (_state == State.Length && (_left -= content.Length) < 0) throw new InvalidOperationException("more content than Content-Length");
        bool isChunked = _state == State.Chunked;
        if (isChunked) ChunkHeader(content.Length);
        ReadOnlySpan<byte> end = isChunked ? "\r\n"u8 : default;
        long taken = _exchange.Connection.Transport.SendThrough(content, end);
        if (taken > 0)
        {
            Unflushed = 0;
            if (FirstByteTimer.IsRunning) FirstByteTimer.Stop();
        }
        if (taken < content.Length)
        {
            foreach (ReadOnlyMemory<byte> piece in content.Slice(taken)) Raw(piece.Span);
            taken = content.Length;
        }
        end = end[(int)(taken - content.Length)..];
        if (!end.IsEmpty) Raw(end);
    }

    /// <summary>Writes content and sends it now; false when the client is gone.</summary>
    public ValueTask<bool> WriteAsync(ReadOnlyMemory<byte> content)
    {
        Write(content.Span);
        return FlushAsync();
    }

    /// <summary>
    /// Sends what was written; waits while the client is slow. False when the client is gone; a client that takes
    /// nothing for <see cref="ServerLimits.WriteTimeout"/> is.
    /// </summary>
    public ValueTask<bool> FlushAsync()
    {
        TakeOutput();
        return _hasEarlierFlush ? FlushAfterEarlierAsync() : FlushNowAsync();
    }

    private ValueTask<bool> FlushNowAsync()
    {
        Unflushed = 0;
        ValueTask<FlushResult> flush;
        try
        {
            flush = _output.FlushAsync();
        }
        catch (Exception e) when (Http1Connection.IsTransportFault(e))
        {
            // A pipe hands on what its reader, here the sending side, ended with.
            _exchange.Connection.Transport.SetEndReason(Transport.EndReason.PeerReset);
            return new ValueTask<bool>(false);
        }
        if (FirstByteTimer.IsRunning) FirstByteTimer.Stop();
        return flush.IsCompletedSuccessfully ? new ValueTask<bool>(IsTaken(flush.Result)) : AwaitFlushAsync(flush);
    }

    private bool IsTaken(in FlushResult result)
    {
        // A send that an abort ended looks like any other to the pipe.
        if (!result.IsCompleted && !result.IsCanceled && !_exchange.Connection.Transport.IsAborted) return true;
        _exchange.Connection.Transport.SetEndReason(Transport.EndReason.PeerReset);
        return false;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<bool> AwaitFlushAsync(ValueTask<FlushResult> flush)
    {
        Http1Connection connection = _exchange.Connection;
        connection.BeginWrite();
        try
        {
            return IsTaken(await flush.ConfigureAwait(false));
        }
        catch (Exception e) when (Http1Connection.IsTransportFault(e))
        {
            connection.Transport.SetEndReason(Transport.EndReason.PeerReset);
            return false;
        }
        finally
        {
            connection.EndWrite();
        }
    }

    /// <summary>
    /// An informational response (RFC 9110 §15.2), sent before the final head; not to an HTTP/1.0 client.
    /// <paramref name="head"/> is its whole head as received, with status-line and empty line.
    /// </summary>
    internal ValueTask<bool> InformationalAsync(ReadOnlySpan<byte> head)
    {
        if (_exchange.Version != 11 || _state != State.Empty) return new ValueTask<bool>(true);
        TakeOutput();
        Raw(head);
        return FlushAsync();
    }

    /// <summary>Ends the message; false when it is short of its Content-Length and the connection must not look clean.</summary>
    internal bool End(HeaderFields? trailers = null)
    {
        State state = _state;
        _state = State.Ended;
        switch (state)
        {
            case State.Empty or State.Head:
                return false;
            case State.Length:
                return _left == 0 || IsHeadOnly;
            case State.Chunked when !IsHeadOnly:
                if (trailers is null || trailers.Count == 0)
                {
                    Raw("0\r\n\r\n"u8);
                    return true;
                }
                Raw("0\r\n"u8);
                for (int i = 0; i < trailers.Count; i++) Raw(trailers[i].Line);
                Raw("\r\n"u8);
                return true;
            default:
                return true;
        }
    }

    /// <summary>
    /// Ends a response whose origin broke off, so that it cannot look complete: without the bytes or the last chunk that
    /// its framing promises, or where the connection's end is the framing, with a reset.
    /// </summary>
    internal void Break()
    {
        _exchange.IsPersistent = false;
        if (_state == State.UntilClose) _exchange.Abort();
        _state = State.Ended;
    }

    internal bool HasEnded => _state == State.Ended;

    /// <summary>Runs until the next flush has given the transport what was written; outlives the exchange.</summary>
    internal FirstByteTimer FirstByteTimer;

    internal void Attach(PipeWriter output)
    {
        _output = output;
        FirstByteTimer = default;
    }

    internal void Reset()
    {
        _state = State.Empty;
        _left = 0;
        Status = 0;
        ContentBytes = 0;
        IsHeadOnly = false;
        PresetLines = default;
        _earlier = Free;
    }

    // chunk-size CRLF, lower-case hex without leading zeros
    private void ChunkHeader(long size)
    {
        Span<byte> header = stackalloc byte[18];
        Utf8Formatter.TryFormat(size, header, out int length, 'x');
        header[length] = (byte)'\r';
        header[length + 1] = (byte)'\n';
        Raw(header[..(length + 2)]);
    }

    private void CheckHead()
    {
        if (_state != State.Head) throw new InvalidOperationException("not within a head");
    }

    private void Raw(ReadOnlySpan<byte> a)
    {
        Unflushed += a.Length;
        Span<byte> span = _output.GetSpan(1);
        if (a.Length <= span.Length)
        {
            a.CopyTo(span);
            _output.Advance(a.Length);
            return;
        }
        // Not all fits the block: fill it and go on, so that no block larger than the pool's is asked for.
        while (true)
        {
            int take = Math.Min(a.Length, span.Length);
            a[..take].CopyTo(span);
            _output.Advance(take);
            a = a[take..];
            if (a.IsEmpty) return;
            span = _output.GetSpan(1);
        }
    }

    private void Raw(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, ReadOnlySpan<byte> c = default, ReadOnlySpan<byte> d = default)
    {
        int length = a.Length + b.Length + c.Length + d.Length;
        Span<byte> span = _output.GetSpan(1);
        if (length <= span.Length)
        {
            a.CopyTo(span);
            b.CopyTo(span[a.Length..]);
            c.CopyTo(span[(a.Length + b.Length)..]);
            d.CopyTo(span[(a.Length + b.Length + c.Length)..]);
            _output.Advance(length);
            Unflushed += length;
            return;
        }
        Raw(a);
        Raw(b);
        if (!c.IsEmpty) Raw(c);
        if (!d.IsEmpty) Raw(d);
    }
}

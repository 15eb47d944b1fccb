using System.Buffers;
using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Text;
using Turbo.Net.Http1;
using Turbo.Net.Transport;

namespace Turbo.Net.Upstream;

/// <summary>
/// The request's side: the head rewritten from the received bytes, the content streamed, and both held while they are
/// small, so that a request whose pooled connection was dead can be sent once more.
/// </summary>
internal sealed partial class RelayExchange
{
    // Head and content of a request that may be sent again.
    private const int ReplayBytes = 64 * 1024;

    // Content of this size is worth a system call of its own to save its copy.
    private const int ThroughBytes = 8 * 1024;

    // Bytes sent without waiting for upstream to take them.
    private const int FlushBytes = 32 * 1024;

    private byte[] _sent = new byte[2048];
    private int _sentLength;
    private int _written;
    private int _unflushed;
    private bool _isTooLarge;
    private bool _wantsUpgrade;
    private volatile bool _isRequestGiven;
    private volatile bool _isRequestSent;
    private volatile bool _isResponseOver;
    private RejectReason _bodyReject;
    private ValueTask _pump;
    private bool _hasPump;
    private bool _watchesClient;

    private void ResetRequest()
    {
        _sentLength = 0;
        _written = 0;
        _unflushed = 0;
        _isTooLarge = false;
        _isRequestGiven = false;
        _isRequestSent = false;
        _isResponseOver = false;
        _bodyReject = RejectReason.None;
        _pump = default;
        _hasPump = false;
        _watchesClient = false;
        // What one large request needed is not kept for the small ones after it.
        if (_sent.Length > 16 * 1024) _sent = new byte[2048];
    }

    private void BuildHead()
    {
        RequestHead head = _exchange.Head;
        HeaderFields fields = head.Fields;
        Add(head.MethodName);
        Add(" "u8);
        AddTarget(head);
        Add(" HTTP/1.1\r\n"u8);
        if (!fields.Has(KnownField.Host)) AddField("Host"u8, _rules.Host);

        byte[]? authorization = _rules.AuthorizationLine;
        ReadOnlySpan<byte> credential = authorization is { Length: > 0 } ? authorization.AsSpan(0, authorization.AsSpan().IndexOf((byte)':')) : default;
        // TRACE comes back as it was received: whoever sent it would be told the key (RFC 9110 §9.3.8).
        if (head.Method == HttpMethod.Trace && authorization is not null) authorization = [];
        bool hasAuthorization = false;
        for (int i = 0; i < fields.Count; i++)
        {
            HeaderField field = fields[i];
            switch (field.Known)
            {
                case KnownField.Host:
                    AddField(field.Name, _rules.Host);
                    continue;
                case KnownField.Cookie when !_rules.KeepsCookie:
                    continue;
                case KnownField.Authorization when authorization is not null:
                    if (!hasAuthorization) Add(authorization);
                    hasAuthorization = true;
                    continue;
                case KnownField.TransferEncoding or KnownField.ContentLength:
                    // Accepted, so the framing goes on as it is.
                    if (MessageFraming.IsPlain(field)) Add(field.Line);
                    else AddField(field.Name, MessageFraming.PlainValue(field));
                    continue;
                case KnownField.Upgrade when _wantsUpgrade:
                    Add(field.Line);
                    continue;
                case KnownField.Connection when _wantsUpgrade:
                    if (Ascii.EqualsIgnoreCase(field.Value, "upgrade"u8)) Add(field.Line);
                    else if (HeaderFields.ListHas(field.Value, "upgrade"u8)) AddField(field.Name, "Upgrade"u8);
                    continue;
            }
            if (HopByHop.Ends(field, fields)) continue;
            if (!credential.IsEmpty && Ascii.EqualsIgnoreCase(field.Name, credential)) continue;
            Add(field.Line);
        }
        if (authorization is not null && !hasAuthorization) Add(authorization);
        Add("\r\n"u8);
    }

    // Path and query as sent; an absolute-form target loses its scheme and authority (RFC 9112 §3.2.1).
    private void AddTarget(RequestHead head)
    {
        ReadOnlySpan<byte> target = head.Target[(head.PathStart - head.TargetStart)..];
        if (head.Form == TargetForm.Asterisk)
        {
            Add(target);
            return;
        }
        if (_rules.DropPath.Length > 0 && target.StartsWith(_rules.DropPath)) target = target[_rules.DropPath.Length..];
        Add(_rules.PathPrefix);
        if (target.IsEmpty || target[0] != '/')
        {
            // An absolute-form target without a path, or one that DropPath emptied.
            if (_rules.PathPrefix.Length == 0 || target.IsEmpty) Add("/"u8);
        }
        Add(target);
    }

    /// <summary>
    /// Sends head and content: what of the content is there at once goes with the head, the rest is pumped beside the
    /// response. False when the content was refused.
    /// </summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<bool> SendAsync(UpstreamConnection upstream)
    {
        if (_isRequestSent)
        {
            _written = 0;
            await FlushRequestAsync(upstream).ConfigureAwait(false);
            return true;
        }
        BodyReader body = _exchange.Body;
        body.LeaveContinueToOrigin();
        while (!body.IsEmpty)
        {
            if (!body.TryRead(out BodyRead piece))
            {
                await FlushRequestAsync(upstream).ConfigureAwait(false);
                _hasPump = true;
                _pump = PumpAsync(upstream);
                return true;
            }
            if (piece.IsRejected)
            {
                _bodyReject = piece.Reject;
                return false;
            }
            AddContent(upstream, piece);
            if (piece.IsEnd) break;
            // Upstream may answer and close before it has all: its answer tells.
            if (_unflushed >= FlushBytes && !await FlushRequestAsync(upstream).ConfigureAwait(false) && _isTooLarge) return true;
        }
        _isRequestSent = true;
        await FlushRequestAsync(upstream).ConfigureAwait(false);
        WatchClient();
        return true;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder))]
    private async ValueTask PumpAsync(UpstreamConnection upstream)
    {
        BodyReader body = _exchange.Body;
        while (true)
        {
            BodyRead piece = await body.ReadAsync().ConfigureAwait(false);
            // What came together leaves together: a client's many small chunks are not as many sends.
            while (!piece.IsEnd && _unflushed < FlushBytes)
            {
                AddContent(upstream, piece);
                if (!body.TryRead(out piece)) break;
            }
            if (piece.IsRejected)
            {
                _bodyReject = piece.Reject;
                upstream.Abort(EndReason.Aborted);
                return;
            }
            AddContent(upstream, piece);
            long brought = _unflushed;
            // Upstream may take no more. What is small is gathered all the same: it may be sent to another connection.
            if (!await Sending(upstream, FlushRequestAsync(upstream)).ConfigureAwait(false) && _isTooLarge) return;
            upstream.ExtendRead(_options.FirstByteTimeout);
            if (piece.IsEnd)
            {
                _isRequestSent = true;
                WatchClient();
                return;
            }
            if (MaySpliceRequest(upstream, brought) && !await SpliceRequestAsync(upstream).ConfigureAwait(false)) return;
        }
    }

    /// <summary>Whether the request is held whole; waits for what the client has still to send of a small one.</summary>
    private async ValueTask<bool> CanReplayAsync()
    {
        if (_hasPump && !_isTooLarge)
        {
            // What is dead may still seem to take bytes, but not for long.
            _upstream!.Abort(EndReason.PeerClosed);
            _hasPump = false;
            await _pump.ConfigureAwait(false);
        }
        return !_isTooLarge && _isRequestSent && !_isClientGone && !_isCutOff;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder))]
    private async ValueTask EndPumpAsync()
    {
        if (!_hasPump) return;
        _hasPump = false;
        if (_pump.IsCompleted)
        {
            await _pump.ConfigureAwait(false);
            return;
        }
        // It gives its last bytes to the system, and upstream, on another thread, was quicker to answer them than it is to end.
        if (_isRequestGiven && _isComplete && _upstream is { } upstream)
        {
            _isResponseOver = true;
            // Either this sees that it waits for upstream to take them, or it sees that the response is over.
            Interlocked.MemoryBarrier();
            if (!upstream.IsFlushing)
            {
                await _pump.ConfigureAwait(false);
                return;
            }
        }
        // It may have refused the content by itself, and be about to end.
        RejectReason reject = _bodyReject;
        // It waits for the client or for upstream to take more: neither is wanted.
        _exchange.Body.Cancel();
        if (!_isRequestSent) _upstream?.Abort(EndReason.Aborted);
        await _pump.ConfigureAwait(false);
        // That the rest was not read is no fault of the request.
        _bodyReject = reject;
    }

    // What upstream does not take at once, and has answered already, it need not have.
    private ValueTask<bool> Sending(UpstreamConnection upstream, ValueTask<bool> sending)
    {
        if (sending.IsCompleted) return sending;
        Interlocked.MemoryBarrier();
        if (_isResponseOver) upstream.Abort(EndReason.Aborted);
        return sending;
    }

    private ValueTask<bool> FlushRequestAsync(UpstreamConnection upstream)
    {
        if (_written < _sentLength)
        {
            upstream.Output.Write(_sent.AsSpan(_written, _sentLength - _written));
            _written = _sentLength;
        }
        _unflushed = 0;
        ValueTask<bool> flush = upstream.FlushAsync(_options.IdleTimeout);
        if (_sentTime == 0) _sentTime = pool.Metrics.Timestamp;
        return flush;
    }

    private void AddContent(UpstreamConnection upstream, in BodyRead piece)
    {
        // Before it is: what is large goes out at once. Its end may be still to be read, which is no wait.
        if (piece.IsEnd || _exchange.Body.IsComplete) _isRequestGiven = true;
        bool isChunked = _exchange.Body.IsChunked;
        _unflushed += (int)piece.Data.Length;
        if (!piece.Data.IsEmpty)
        {
            // A chunk is its size line, the data and a CRLF: at most 20 bytes more.
            if (!_isTooLarge && _sentLength + piece.Data.Length + 20 > ReplayBytes)
            {
                upstream.Output.Write(_sent.AsSpan(_written, _sentLength - _written));
                _written = _sentLength;
                _isTooLarge = true;
            }
            if (isChunked)
            {
                Span<byte> size = stackalloc byte[18];
                Utf8Formatter.TryFormat(piece.Data.Length, size, out int digits, 'x');
                "\r\n"u8.CopyTo(size[digits..]);
                Send(upstream, size[..(digits + 2)]);
            }
            ReadOnlySpan<byte> end = isChunked ? "\r\n"u8 : default;
            if (!_isTooLarge || piece.Data.Length < ThroughBytes || !SendThrough(upstream, piece.Data, end))
            {
                foreach (ReadOnlyMemory<byte> part in piece.Data) Send(upstream, part.Span);
                if (isChunked) Send(upstream, end);
            }
            if (_observer is { WantsRequestContent: true })
            {
                foreach (ReadOnlyMemory<byte> part in piece.Data) _observer.RequestContent(part.Span);
            }
        }
        if (!isChunked || !piece.IsEnd) return;
        Send(upstream, "0\r\n"u8);
        if (_exchange.Body.Trailers is { } trailers)
        {
            for (int i = 0; i < trailers.Count; i++) Send(upstream, trailers[i].Line);
        }
        Send(upstream, "\r\n"u8);
    }

    // From where it was received. What upstream does not take at once is written; false where nothing was.
    private static bool SendThrough(UpstreamConnection upstream, in ReadOnlySequence<byte> content, ReadOnlySpan<byte> end)
    {
        long taken = upstream.Transport.SendThrough(content, end);
        if (taken == 0) return false;
        if (taken < content.Length)
        {
            foreach (ReadOnlyMemory<byte> part in content.Slice(taken)) upstream.Output.Write(part.Span);
            taken = content.Length;
        }
        upstream.Output.Write(end[(int)(taken - content.Length)..]);
        return true;
    }

    private void Send(UpstreamConnection upstream, ReadOnlySpan<byte> bytes)
    {
        if (_isTooLarge) upstream.Output.Write(bytes);
        else Add(bytes);
    }

    private void AddField(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        Add(name);
        Add(": "u8);
        Add(value);
        Add("\r\n"u8);
    }

    private void Add(ReadOnlySpan<byte> bytes)
    {
        if (_sent.Length - _sentLength < bytes.Length) Array.Resize(ref _sent, Math.Max(_sent.Length * 2, _sentLength + bytes.Length));
        bytes.CopyTo(_sent.AsSpan(_sentLength));
        _sentLength += bytes.Length;
    }
}

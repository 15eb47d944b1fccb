using System.Buffers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Authentication;
using System.Text;
using Turbo.Net.Http1;
using Turbo.Net.Transport;

namespace Turbo.Net.Upstream;

/// <summary>One relayed exchange; reset and reused. The request's side is in RelayExchange.Request.cs.</summary>
internal sealed partial class RelayExchange(Relay relay, UpstreamPool pool)
{
    // Who may write to the client while the origin has not answered: the relay takes it for good, a probe for a moment.
    private const int Waiting = 0, Probing = 1, Responding = 2;

    private readonly UpstreamOptions _options = pool.Options;
    private Exchange _exchange = null!;
    private RelayRules _rules = null!;
    private IRelayObserver? _observer;
    private UpstreamConnection? _upstream;
    private int _phase;
    private readonly Lock _probeLock = new();
    private int _halfClosedTicks;
    private int _informational;
    private volatile bool _isHalfClosed;
    private volatile bool _isClientGone;
    private bool _isComplete;
    private EndReason _endReason = EndReason.Aborted;

    public void Begin(Exchange exchange, RelayRules rules, IRelayObserver? observer, long arrival)
    {
        BeginTiming(arrival);
        _exchange = exchange;
        _rules = rules;
        _observer = observer;
        _wantsUpgrade = exchange.Version == 11 && IsWebSocket(exchange.Fields);
    }

    public void Reset()
    {
        _exchange = null!;
        _rules = null!;
        _observer = null;
        _upstream = null;
        _phase = Waiting;
        _halfClosedTicks = 0;
        _probe = null;
        _informational = 0;
        _isHalfClosed = false;
        _isClientGone = false;
        _isWatched = false;
        _isCutOff = false;
        _isComplete = false;
        _endReason = EndReason.Aborted;
        ResetRequest();
    }

    /// <summary>Relays it; then this object is given back, and its next user's.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    public async ValueTask<RelayResult> RunAsync()
    {
        try
        {
            // Answers to requests before this one do not wait for the origin.
            bool isThere = _exchange.Response.Unflushed == 0 || await _exchange.Response.FlushAsync().ConfigureAwait(false);
            RelayResult result = RelayResult.ClientGone;
            if (isThere)
            {
                BuildHead();
                try
                {
                    result = await ExchangeAsync().ConfigureAwait(false);
                }
                finally
                {
                    await EndAsync().ConfigureAwait(false);
                }
                result = Settle(result);
            }
            pool.Metrics.Count(result);
            return result;
        }
        finally
        {
            relay.Return(this);
        }
    }

    private RelayResult Settle(RelayResult result)
    {
        if (_isCutOff) return RelayResult.CutOff;
        // After a response that ended early the body is left behind, and that is no failure of the request.
        if (_bodyReject != RejectReason.None && result is RelayResult.Unreachable or RelayResult.MalformedResponse or RelayResult.Timeout) return RelayResult.RequestRejected;
        return _isClientGone && result != RelayResult.Truncated ? RelayResult.ClientGone : result;
    }

    /// <summary>
    /// Ends whatever else may touch the connection (the pump, the watch for the client, the probe, the tick) and only then
    /// gives the connection back or closes it: a late cancellation must not reset the exchange of whoever rents it next.
    /// </summary>
    private ValueTask EndAsync()
    {
        if (_hasPump) return EndWithPumpAsync();
        ValueTask watch = EndWatchAsync();
        if (!watch.IsCompletedSuccessfully) return EndAfterAsync(watch);
        watch.GetAwaiter().GetResult();
        LeaveUpstream();
        return default;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder))]
    private async ValueTask EndWithPumpAsync()
    {
        try
        {
            await EndPumpAsync().ConfigureAwait(false);
        }
        finally
        {
            await EndAfterAsync(EndWatchAsync()).ConfigureAwait(false);
        }
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder))]
    private async ValueTask EndAfterAsync(ValueTask watch)
    {
        await watch.ConfigureAwait(false);
        LeaveUpstream();
    }

    private void LeaveUpstream()
    {
        EndCutOff();
        if (_upstream is not { } upstream) return;
        _upstream = null;
        bool isReusable = _isComplete && _isRequestSent && !_isClientGone && !_isCutOff && upstream.IsReusable;
        upstream.Release();
        if (isReusable) pool.Return(upstream);
        else pool.Discard(upstream, _isComplete && _isRequestSent ? EndReason.NotPersistent : _endReason);
    }

    /// <summary>From here on nobody calls back about the client.</summary>
    private ValueTask EndWatchAsync()
    {
        ValueTask watch = _exchange.EndWatchAsync();
        if (!watch.IsCompletedSuccessfully) return AwaitWatchAsync(watch);
        watch.GetAwaiter().GetResult();
        return EndHalfClosed();
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder))]
    private async ValueTask AwaitWatchAsync(ValueTask watch)
    {
        await watch.ConfigureAwait(false);
        await EndHalfClosed().ConfigureAwait(false);
    }

    // No probe begins any more; the one under way ends when the client takes it, goes, or is cut off for taking nothing.
    private ValueTask EndHalfClosed()
    {
        if (!_isHalfClosed) return default;
        lock (_probeLock) _isHalfClosed = false;
        return Volatile.Read(ref _probe) is { } probe ? new ValueTask(probe) : default;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<RelayResult> ExchangeAsync()
    {
        UpstreamConnection? upstream = pool.TryRent();
        bool isPooled = upstream is not null;
        while (true)
        {
            if (upstream is null)
            {
                try
                {
                    long asked = pool.Metrics.Timestamp;
                    upstream = await pool.ConnectAsync().ConfigureAwait(false);
                    Waited(asked);
                }
                catch (TimeoutException)
                {
                    return RelayResult.Timeout;
                }
                catch (Exception e) when (e is SocketException or AuthenticationException or IOException)
                {
                    return RelayResult.Unreachable;
                }
                if (upstream is null) return RelayResult.Overloaded;
            }
            upstream.BeginExchange(this);
            _upstream = upstream;
            // Either this sees that the client left, or CancelUpstream sees the connection.
            Interlocked.MemoryBarrier();
            if (_isClientGone) return RelayResult.ClientGone;
            if (_isCutOff) return RelayResult.CutOff;

            RelayResult result = await SendAsync(upstream).ConfigureAwait(false)
                ? await ReadHeadAsync(upstream).ConfigureAwait(false)
                : RelayResult.RequestRejected;
            if (result == RelayResult.Complete) return await RespondAsync(upstream).ConfigureAwait(false);

            bool isDead = result == RelayResult.Unreachable && isPooled && !upstream.HasReceived;
            if (!isDead || !await CanReplayAsync().ConfigureAwait(false)) return result;
            _upstream = null;
            SendsAgain();
            pool.Discard(upstream, EndReason.Aborted);
            isPooled = false;
            upstream = null;
            pool.CountRetry();
        }
    }

    /// <summary>Reads up to the final response head, passing informational ones on (RFC 9110 §15.2). Complete when it is there.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<RelayResult> ReadHeadAsync(UpstreamConnection upstream)
    {
        ResponseHead head = upstream.Head;
        while (true)
        {
            UpstreamRead read = await upstream.ReadAsync(upstream.Rest.IsEmpty ? _options.FirstByteTimeout : _options.IdleTimeout).ConfigureAwait(false);
            if (read == UpstreamRead.Timeout) return RelayResult.Timeout;
            _headTime = pool.Metrics.Timestamp;
            if (read != UpstreamRead.Data) return head.ParsedTo > 0 ? RelayResult.MalformedResponse : RelayResult.Unreachable;
            while (true)
            {
                ParseStatus status = upstream.ParseHead();
                if (status == ParseStatus.Rejected) return RelayResult.MalformedResponse;
                if (status == ParseStatus.NeedMore)
                {
                    if (upstream.HasEnded) return RelayResult.MalformedResponse;
                    break;
                }
                if (head.StatusCode >= 200) return RelayResult.Complete;
                if (MessageFraming.OfResponse(head, answersHead: false, out _, out _) != RejectReason.None) return RelayResult.MalformedResponse;
                // To what was not asked for, or to something else, nobody switches: h2c would be a tunnel past every check.
                if (head.StatusCode == 101) return _wantsUpgrade && IsWebSocket(head.Fields) ? RelayResult.Complete : RelayResult.MalformedResponse;
                if (++_informational > _options.MaxInformational) return RelayResult.MalformedResponse;
                if (MessageFraming.OfInformational(head) != RejectReason.None) return RelayResult.MalformedResponse;
                if (!await InformAsync(head).ConfigureAwait(false))
                {
                    _isClientGone = true;
                    return RelayResult.ClientGone;
                }
                head.Reset();
                if (upstream.Rest.IsEmpty) break;
            }
        }
    }

    private async ValueTask<bool> InformAsync(ResponseHead head)
    {
        await TakePhaseAsync(Probing).ConfigureAwait(false);
        bool isThere = await PassInformational(head).ConfigureAwait(false);
        Volatile.Write(ref _phase, Waiting);
        return isThere;
    }

    // As sent, less the version, which is this hop's, and the fields that end at it.
    private ValueTask<bool> PassInformational(ResponseHead head)
    {
        byte[] rented = ArrayPool<byte>.Shared.Rent(head.Length + 16);
        int length = 0;
        Append("HTTP/1.1 "u8);
        Append(head.StatusAndReason);
        Append(StatusLines.EndOf(head.StatusAndReason));
        for (int i = 0; i < head.Fields.Count; i++)
        {
            HeaderField field = head.Fields[i];
            if (!HopByHop.Ends(field, head.Fields)) Append(field.Line);
        }
        Append("\r\n"u8);
        ValueTask<bool> passing = _exchange.Response.InformationalAsync(rented.AsSpan(0, length));
        ArrayPool<byte>.Shared.Return(rented);
        return passing;

        void Append(ReadOnlySpan<byte> bytes)
        {
            bytes.CopyTo(rented.AsSpan(length));
            length += bytes.Length;
        }
    }

    /// <summary>Whether the fields switch to the one protocol that is tunnelled, and to nothing else.</summary>
    private static bool IsWebSocket(HeaderFields fields) =>
        fields.TryGet(KnownField.Upgrade, out ReadOnlySpan<byte> protocol) && fields.CountOf(KnownField.Upgrade) == 1
        && Ascii.EqualsIgnoreCase(protocol, "websocket"u8) && fields.HasToken(KnownField.Connection, "upgrade"u8);

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<RelayResult> RespondAsync(UpstreamConnection upstream)
    {
        ResponseHead head = upstream.Head;
        if (head.StatusCode == 101) return await TunnelAsync(upstream).ConfigureAwait(false);
        RejectReason reject = MessageFraming.OfResponse(head, _exchange.Method == HttpMethod.Head, out BodyKind kind, out long length);
        if (reject != RejectReason.None || (_isClientGone && _exchange.Response.Status == 0))
        {
            _endReason = EndReason.Rejected;
            return RelayResult.MalformedResponse;
        }

        await TakePhaseAsync(Responding).ConfigureAwait(false);
        WriteHead(head, kind, length);
        BeginsResponse();
        BeginKeepAlive(head, kind);
        _observer?.ResponseHead(head.StatusCode, head.Fields);
        upstream.BeginContent(kind, length);
        RelayResult result = await PassBodyAsync(upstream, kind).ConfigureAwait(false);
        _isComplete = result == RelayResult.Complete;
        return result;
    }

    private void WriteHead(ResponseHead head, BodyKind kind, long length)
    {
        ResponseWriter response = _exchange.Response;
        HeaderFields fields = head.Fields;
        // An error that comes before the request is whole ends the upload, and the connection with it.
        if (head.StatusCode >= 400 && !_isRequestSent) _exchange.IsPersistent = false;
        response.StartRaw(head.StatusCode, head.StatusAndReason);
        bool hasCoding = false;
        for (int i = 0; i < fields.Count; i++)
        {
            HeaderField field = fields[i];
            bool isCoding = field.Known == KnownField.TransferEncoding;
            if (field.Known == KnownField.ContentLength || (isCoding && kind == BodyKind.Chunked && _exchange.Version == 11))
            {
                // The framing goes on as it is, so its line keeps place and case.
                hasCoding |= isCoding;
                if (MessageFraming.IsPlain(field)) response.RawFields(field.Line);
                else response.Field(field.Name, MessageFraming.PlainValue(field));
            }
            else if (!HopByHop.Ends(field, fields))
            {
                response.RawFields(field.Line);
            }
        }
        if (!fields.Has(KnownField.AccessControlAllow)) _rules.WriteMissingCors?.Invoke(_exchange, response);
        switch (kind)
        {
            case BodyKind.None:
                response.EndHeadNoBody();
                break;
            case BodyKind.Length:
                response.EndHeadWithLength(length);
                break;
            default:
                response.EndHeadChunked(hasCoding);
                break;
        }
    }

    /// <summary>Passes the content on, one flush for each read from upstream.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<RelayResult> PassBodyAsync(UpstreamConnection upstream, BodyKind kind)
    {
        ResponseWriter response = _exchange.Response;
        while (true)
        {
            ReadOnlySequence<byte> rest = upstream.Rest;
            ReadOnlySequence<byte> observed = rest;
            while (upstream.TryTakeContent(ref rest, out ReadOnlySequence<byte> content)) Pass(content);
            bool isDone = upstream.IsContentDone;
            bool isBroken = upstream.IsContentBroken;

            if (isDone) response.End(upstream.Trailers.Fields);
            // The last piece is flushed by the connection's loop, with whatever else it has to send.
            bool isThere = isDone || response.Unflushed == 0 || await response.FlushAsync().ConfigureAwait(false);
            if (_observer is { WantsResponseContent: true }) Observe(upstream, kind, observed, rest);
            long brought = observed.Length;
            upstream.Rest = rest;
            if (!isThere || _isClientGone)
            {
                _isClientGone = true;
                response.Break();
                return RelayResult.ClientGone;
            }
            if (isBroken)
            {
                response.Break();
                return RelayResult.Truncated;
            }
            if (isDone) return RelayResult.Complete;

            UpstreamRead read = _keepAlive > TimeSpan.Zero
                ? await ReadKeptAliveAsync(upstream).ConfigureAwait(false)
                : MaySpliceResponse(upstream, brought)
                ? await SpliceResponseAsync(upstream).ConfigureAwait(false)
                : await upstream.ReadAsync(_options.IdleTimeout).ConfigureAwait(false);
            if (read == UpstreamRead.Data) continue;
            if (read == UpstreamRead.End && kind == BodyKind.UntilClose) continue;
            // Asked first: a break may reset the client, and the watch takes that for its leaving.
            bool isClientGone = _isClientGone;
            response.Break();
            return isClientGone ? RelayResult.ClientGone : RelayResult.Truncated;
        }
    }

    private void Pass(in ReadOnlySequence<byte> content)
    {
        _exchange.Response.Write(content);
        if (_keepAlive > TimeSpan.Zero) NoteTail(content);
    }

    // Decodes the framing a second time for the observer, after the bytes went out: telling it delays nobody.
    private void Observe(UpstreamConnection upstream, BodyKind kind, ReadOnlySequence<byte> observed, in ReadOnlySequence<byte> rest)
    {
        observed = observed.Slice(0, rest.Start);
        if (kind != BodyKind.Chunked)
        {
            foreach (ReadOnlyMemory<byte> piece in observed) _observer!.ResponseContent(piece.Span);
            return;
        }
        while (!observed.IsEmpty && upstream.ObservedChunks.ReadContent(ref observed, out ReadOnlySequence<byte> content))
        {
            foreach (ReadOnlyMemory<byte> piece in content) _observer!.ResponseContent(piece.Span);
        }
    }
}

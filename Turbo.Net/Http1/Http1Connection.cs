using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Turbo.Net.Transport;

namespace Turbo.Net.Http1;

/// <summary>
/// One connection's life (RFC 9112 §9).
/// <code>
///   Idle --first byte--> Head --complete--> Handle --response ended--> Drain body --persistent--> Idle
///     |                    |                   |                          |
///   close              4xx, close       reset if cut short          close, lingering
/// </code>
/// Requests that are already buffered are answered in one batch, with one flush. The exchange object is rented from
/// the first byte of a batch to its flush, so that an idle connection holds none.
/// </summary>
internal sealed partial class Http1Connection(ServerContext server, Connection transport) : ITableEntry
{
    // Unflushed bytes after which a batch is flushed although more requests are buffered.
    private const int BatchBytes = 32 * 1024;

    // CRLFs that may precede a request-line (RFC 9112 §2.2).
    private const int MaxEmptyLines = 2;

    private readonly PipeReader _input = transport.Input;
    private Exchange? _exchange;
    private IUpgradedProtocol? _protocol;
    private int _requests;
    private bool _clientStays;

    public Connection Transport => transport;

    /// <summary>What the connection was handed over to, where that lives under the server's tick and drain.</summary>
    public IUpgradedProtocol? Protocol
    {
        get => Volatile.Read(ref _protocol);
        set => Volatile.Write(ref _protocol, value);
    }

    public int TableIndex { get; set; }

    public async Task RunAsync()
    {
        try
        {
            await ServeAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (IsTransportFault(e))
        {
            transport.SetEndReason(EndReason.PeerReset);
        }
        catch (Exception e)
        {
            server.Log.ConnectionFailed(transport.RemoteEndPoint, e);
            transport.Abort(EndReason.HandlerFault);
        }
        finally
        {
            await CloseAsync().ConfigureAwait(false);
            if (_exchange is not null) ReturnExchange();
        }
    }

    private async Task ServeAsync()
    {
        SetReadDeadline(server.Limits.HeaderTimeout);
        while (true)
        {
            ValueTask<ReadResult> read = _input.ReadAsync();
            if (!read.IsCompleted && _exchange is not null && _exchange.Head.ParsedTo == 0) ReturnExchange();
            ReadResult result = read.IsCompletedSuccessfully ? read.Result : await read.ConfigureAwait(false);
            Hold(result);
            if (_isIdle && !Rest.IsEmpty)
            {
                // A request that came together with the timeout or the drain is served.
                _isIdle = false;
                BeginHead();
            }
            else if (result.IsCanceled)
            {
                if (IsReadDue)
                {
                    await HeadTimedOutAsync().ConfigureAwait(false);
                    return;
                }
                if (_isIdle && server.IsDraining)
                {
                    transport.SetEndReason(EndReason.Draining);
                    return;
                }
            }

            _exchange ??= RentExchange();
            if (!await ServeBatchAsync().ConfigureAwait(false)) return;

            if (!HasInput) continue;
            if (!_isIdle) ExpectHead(Rest.Length);
            if (result.IsCompleted)
            {
                transport.SetEndReason(EndReason.PeerClosed);
                return;
            }
            ReleaseInput(examinedAll: true);
        }
    }

    /// <summary>Answers every complete request that is buffered, then flushes; false when the connection is to end.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<bool> ServeBatchAsync()
    {
        Exchange exchange = _exchange!;
        bool isAlive = true;
        while (isAlive && HasInput && !Rest.IsEmpty)
        {
            ParseStatus status = ReadHead(exchange);
            if (status == ParseStatus.NeedMore)
            {
                // Empty lines begin no request.
                if (Rest.IsEmpty) BeginIdle();
                break;
            }
            if (status == ParseStatus.Rejected)
            {
                await RejectAsync(exchange.Head.Reject).ConfigureAwait(false);
                return false;
            }
            RejectReason reject = BeginExchange(exchange);
            if (reject != RejectReason.None)
            {
                await RejectAsync(reject).ConfigureAwait(false);
                return false;
            }
            // A client may wait for the answers before this request ere it sends the rest of its body.
            if (exchange.Response.Unflushed > 0 && !exchange.Body.IsEmpty && !await exchange.Response.FlushAsync().ConfigureAwait(false)) return false;

            exchange.Response.HoldEarlier();
            ValueTask handling;
            try
            {
                handling = server.Handler(exchange);
            }
            catch (Exception e)
            {
                handling = ValueTask.FromException(e);
            }
            isAlive = handling.IsCompletedSuccessfully && exchange.Body.IsEmpty && !IsWatching && !exchange.IsUpgraded
                ? EndInline(exchange)
                : await EndAsync(exchange, handling).ConfigureAwait(false);
            if (isAlive)
            {
                exchange.Reset();
                if (exchange.Response.Unflushed > BatchBytes) isAlive = await exchange.Response.FlushAsync().ConfigureAwait(false);
                if (!HasInput || Rest.IsEmpty) BeginIdle();
                else BeginHead();
            }
        }
        if (exchange.Response.Unflushed > 0 && !await exchange.Response.FlushAsync().ConfigureAwait(false))
        {
            transport.SetEndReason(EndReason.PeerReset);
            return false;
        }
        if (isAlive && _isIdle && server.IsDraining)
        {
            transport.SetEndReason(EndReason.Draining);
            return false;
        }
        return isAlive;
    }

    private void BeginIdle()
    {
        _isIdle = true;
        SetReadDeadline(server.Limits.KeepAliveTimeout);
    }

    private ParseStatus ReadHead(Exchange exchange)
    {
        RequestHead head = exchange.Head;
        if (head.ParsedTo == 0 && !SkipEmptyLines(head)) return head.Reject == RejectReason.None ? ParseStatus.NeedMore : ParseStatus.Rejected;
        ReadOnlySequence<byte> rest = Rest;
        ReadOnlySpan<byte> first = rest.FirstSpan;
        int length;
        ParseStatus status;
        if (rest.IsSingleSegment)
        {
            status = Http1Parser.ReadRequestHead(first, head, server.Limits, out length);
            if (status == ParseStatus.Complete) head.Take(first[..length]);
        }
        else
        {
            // A head across blocks: gather what may belong to it. Slower, and rare.
            int gather = (int)Math.Min(rest.Length, server.Limits.MaxHeaderBytes + 1L);
            byte[] rented = ArrayPool<byte>.Shared.Rent(gather);
            rest.Slice(0, gather).CopyTo(rented);
            status = Http1Parser.ReadRequestHead(rented.AsSpan(0, gather), head, server.Limits, out length);
            if (status == ParseStatus.Complete) head.Take(rented.AsSpan(0, length));
            ArrayPool<byte>.Shared.Return(rented);
        }
        if (status == ParseStatus.Rejected) head.TakeParsed(rest);
        if (status == ParseStatus.Complete)
        {
            Rest = rest.Slice(length);
            ClearReadDeadline();
            _isIdle = false;
            _emptyLines = 0;
        }
        return status;
    }

    private bool SkipEmptyLines(RequestHead head)
    {
        while (!Rest.IsEmpty && Rest.FirstSpan[0] == '\r')
        {
            if (Rest.Length < 2) return false;
            if (Rest.Slice(1).FirstSpan is not [(byte)'\n', ..] || ++_emptyLines > MaxEmptyLines)
            {
                head.Reject = RejectReason.InvalidRequestLine;
                return false;
            }
            Rest = Rest.Slice(2);
        }
        return !Rest.IsEmpty;
    }

    /// <summary>Settles framing, expectation and persistence before the handler sees the exchange.</summary>
    private RejectReason BeginExchange(Exchange exchange)
    {
        RequestHead head = exchange.Head;
        RejectReason reject = MessageFraming.OfRequest(head, out BodyKind kind, out long length);
        if (reject != RejectReason.None) return reject;

        bool expectsContinue = false;
        if (head.Fields.TryGet(KnownField.Expect, out ReadOnlySpan<byte> expectation))
        {
            if (!System.Text.Ascii.EqualsIgnoreCase(expectation, "100-continue"u8) || head.Fields.CountOf(KnownField.Expect) != 1) return RejectReason.UnknownExpectation;
            // An HTTP/1.0 client does not know 100 (RFC 9110 §10.1.1).
            expectsContinue = head.Version == 11;
        }
        _cancelsBody = false;
        _bodyWaited = _bodyReceived = 0;
        exchange.Body.Begin(kind, length, expectsContinue, server.Limits.MaxBodyBytes);

        _requests++;
        bool isLast = server.Limits.MaxRequestsPerConnection > 0 && _requests >= server.Limits.MaxRequestsPerConnection;
        _clientStays = !head.Fields.HasToken(KnownField.Connection, "close"u8)
            && (head.Version == 11 || head.Fields.HasToken(KnownField.Connection, "keep-alive"u8));
        exchange.IsPersistent = _clientStays && !isLast;
        return RejectReason.None;
    }

    /// <summary>The common end: the handler completed on this thread, nothing to drain.</summary>
    private bool EndInline(Exchange exchange)
    {
        // The client has left, or was made to: further requests of it are not answered.
        if (transport.EndReason != EndReason.None) return false;
        if (!exchange.Response.HasStarted) WriteMissingResponse(exchange);
        if (!exchange.Response.HasEnded && !exchange.Response.End())
        {
            transport.Abort(EndReason.HandlerFault);
            return false;
        }
        server.Metrics.CountResponse(exchange.Response.Status);
        if (exchange.IsPersistent) return true;
        transport.SetEndReason(EndReason.NotPersistent);
        // A client that did not ask for the end may be sending its next request.
        _lingers = _clientStays;
        return false;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<bool> EndAsync(Exchange exchange, ValueTask handling)
    {
        bool hasFailed = false;
        if (!handling.IsCompleted) exchange.Response.FlushEarlier();
        try
        {
            await handling.ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // What a client that left does to a handler is no fault of the handler.
            bool isClientGone = transport.EndReason != EndReason.None || exchange.HasClientClosed || exchange.Body.Reject != RejectReason.None;
            if (!isClientGone || !IsTransportFault(e)) server.Log.HandlerFailed(exchange, e);
            hasFailed = true;
            if (exchange.Response.HasStarted && Protocol is null)
            {
                transport.Abort(EndReason.HandlerFault);
                await EndWatchAsync().ConfigureAwait(false);
                await exchange.Response.EndEarlierAsync().ConfigureAwait(false);
                return false;
            }
        }
        await EndWatchAsync().ConfigureAwait(false);
        if (!await exchange.Response.EndEarlierAsync().ConfigureAwait(false)) return false;
        if (exchange.IsUpgraded)
        {
            if (Protocol is { } protocol)
            {
                await protocol.EndAsync(hasFailed).ConfigureAwait(false);
                Protocol = null;
                _lingers = true;
            }
            transport.SetEndReason(EndReason.Upgraded);
            return false;
        }
        if (!EndInline(exchange))
        {
            _lingers |= !exchange.Body.IsComplete;
            return false;
        }
        return exchange.Body.IsComplete || await DrainAsync(exchange.Body).ConfigureAwait(false);
    }

    /// <summary>Reads what the handler left of the body (RFC 9112 §9.3), within a limit.</summary>
    private async ValueTask<bool> DrainAsync(BodyReader body)
    {
        long limit = body.BytesRead + server.Limits.MaxDrainBytes;
        body.MaxBytes = long.MaxValue;
        // The answer does not wait for it.
        if (!await _exchange!.Response.FlushAsync().ConfigureAwait(false)) return false;
        while (!body.IsComplete)
        {
            BodyRead read = await body.ReadAsync().ConfigureAwait(false);
            if (!read.IsRejected && body.BytesRead <= limit) continue;
            transport.SetEndReason(EndReason.NotPersistent);
            _lingers = true;
            return false;
        }
        return true;
    }

    private void WriteMissingResponse(Exchange exchange)
    {
        RejectReason reject = exchange.Body.Reject;
        if (reject != RejectReason.None)
        {
            exchange.IsPersistent = false;
            transport.SetEndReason(reject == RejectReason.RequestTimeout ? EndReason.ReadTimeout : EndReason.Rejected);
            server.Log.RequestRejected(transport.RemoteEndPoint, reject);
            server.Options.WriteError(exchange, reject.Status(), reject.Message());
            return;
        }
        exchange.IsPersistent = false;
        server.Options.WriteError(exchange, 500, "internal error");
    }

    private async ValueTask RejectAsync(RejectReason reason)
    {
        Exchange exchange = _exchange!;
        transport.SetEndReason(reason == RejectReason.RequestTimeout ? EndReason.ReadTimeout : EndReason.Rejected);
        server.Log.RequestRejected(transport.RemoteEndPoint, reason);
        if (exchange.Head.Version == 0) exchange.Head.Version = 11;
        exchange.IsPersistent = false;
        server.Options.WriteError(exchange, reason.Status(), reason.Message());
        exchange.Response.End();
        _lingers = true;
        await exchange.Response.FlushAsync().ConfigureAwait(false);
    }

    private async ValueTask HeadTimedOutAsync()
    {
        if (_isIdle)
        {
            transport.SetEndReason(EndReason.IdleTimeout);
            return;
        }
        _exchange ??= RentExchange();
        _exchange.Head.TakeParsed(Rest);
        await RejectAsync(RejectReason.RequestTimeout).ConfigureAwait(false);
    }

    /// <summary>
    /// Sends what is written, then FIN; lingers until the peer has seen it where unread bytes would turn the close into
    /// a reset that overtakes the response (RFC 9112 §9.6).
    /// </summary>
    private async ValueTask CloseAsync()
    {
        ClearReadDeadline();
        // Unread bytes would turn the close into a reset that may overtake the last response.
        _lingers |= HasInput && !Rest.IsEmpty;
        try
        {
            await transport.Output.CompleteAsync().ConfigureAwait(false);
            BeginWrite();
            await transport.OutputEnded.ConfigureAwait(false);
            EndWrite();
            if (_lingers) await LingerAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (IsTransportFault(e))
        {
            transport.SetEndReason(EndReason.PeerReset);
        }
        finally
        {
            transport.Close();
            server.Log.ConnectionEnded(transport.RemoteEndPoint, transport.EndReason);
        }
    }

    private async ValueTask LingerAsync()
    {
        SetReadDeadline(server.Limits.LingerTimeout);
        while (true)
        {
            ReleaseInput();
            ReadResult result = await _input.ReadAsync().ConfigureAwait(false);
            Hold(result);
            bool isOver = result.IsCompleted || (result.IsCanceled && IsReadDue);
            Rest = Rest.Slice(Rest.End);
            if (isOver) return;
        }
    }

    internal static bool IsTransportFault(Exception e) =>
        e is IOException or OperationCanceledException or ObjectDisposedException or System.Net.Sockets.SocketException;

    private Exchange RentExchange()
    {
        Exchange exchange = server.Exchanges.Rent();
        exchange.Attach(this);
        return exchange;
    }

    private void ReturnExchange()
    {
        _exchange!.Reset();
        _exchange.Response.Unflushed = 0;
        server.Exchanges.Return(_exchange);
        _exchange = null;
    }
}

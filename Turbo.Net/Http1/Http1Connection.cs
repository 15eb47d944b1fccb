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
    private readonly PipeReader _input = transport.Input;
    private Exchange? _exchange;
    private IUpgradedProtocol? _protocol;
    private ExecutionContext? _context;

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
        _context = ExecutionContext.Capture();
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
            if (_isIdle && !IsRestEmpty)
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
            ValueTask<bool> batch = ServeBatchAsync(_exchange);
            if (!(batch.IsCompletedSuccessfully ? batch.Result : await batch.ConfigureAwait(false))) return;

            if (!HasInput) continue;
            if (result.IsCompleted)
            {
                transport.SetEndReason(EndReason.PeerClosed);
                return;
            }
            ReleaseInput(examinedAll: true);
        }
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

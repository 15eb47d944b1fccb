using Turbo.Net.Http1;
using Turbo.Net.Transport;

namespace Turbo.Net.Upstream;

/// <summary>
/// The client's side while the origin works: noticing that it left, and tunnelling when the protocol is switched.
/// A FIN alone does not say that the client is gone: it may only have finished sending and still wait for the response
/// (RFC 9112 §9.6). Once the response has begun, a FIN is taken as leaving. Before, an informational response is sent
/// to find out, since bytes that nobody takes come back as a reset; a client of HTTP/1.0 cannot be asked that way.
/// </summary>
internal sealed partial class RelayExchange
{
    // Ticks of the pool between two probes: 5 s.
    private const int ProbeTicks = 50;

    private volatile Connection? _tunnelClient;
    private Task? _probe;
    private long _tunnelActive;
    private volatile bool _isWatched;
    private volatile bool _isCutOff;

    /// <summary>Called by the pool's tick.</summary>
    public void Tick()
    {
        if (_observer is not null) CutOffIfOver();
        if (_tunnelClient is { } client)
        {
            if (pool.Now - Volatile.Read(ref _tunnelActive) > (long)_options.IdleTimeout.TotalMilliseconds) client.Abort(EndReason.ReadTimeout);
            return;
        }
        if (!_isHalfClosed) return;
        lock (_probeLock)
        {
            if (_isHalfClosed) Probe();
        }
    }

    /// <summary>
    /// An exchange that a tick meets is marked, and one that the next tick meets marked is asked: its end takes the lock then,
    /// so that nothing of an exchange after it is cut. One that is over before the second tick has paid one look at a flag.
    /// </summary>
    private void CutOffIfOver()
    {
        if (!_isWatched)
        {
            _isWatched = true;
            return;
        }
        lock (_probeLock)
        {
            if (!_isWatched || !(_isCutOff || _observer is { IsOver: true })) return;
            _isCutOff = true;
            // Either this sees the connection, or the exchange sees the flag before it uses one.
            Interlocked.MemoryBarrier();
            _upstream?.Abort(EndReason.Aborted);
            if (_tunnelClient is { } client) client.Abort(EndReason.Aborted);
            else if (Volatile.Read(ref _phase) == Responding) _exchange.Abort();
        }
    }

    /// <summary>From here on no tick cuts anything off.</summary>
    private void EndCutOff()
    {
        if (!_isWatched) return;
        lock (_probeLock) _isWatched = false;
    }

    // Once the request is read whole; the request may be sent twice.
    private void WatchClient()
    {
        if (_watchesClient) return;
        _watchesClient = true;
        _exchange.OnClientClosed(static (state, isReset) => ((RelayExchange)state!).ClientClosed(isReset), this);
    }

    private void ClientClosed(bool isReset)
    {
        if (isReset || _exchange.Version != 11 || Volatile.Read(ref _phase) == Responding) CancelUpstream();
        else _isHalfClosed = true;
    }

    private void CancelUpstream()
    {
        _isClientGone = true;
        Interlocked.MemoryBarrier();
        _upstream?.Abort(EndReason.Aborted);
    }

    private void Probe()
    {
        _halfClosedTicks++;
        if (_exchange.HasClientReset)
        {
            CancelUpstream();
            return;
        }
        if (_halfClosedTicks % ProbeTicks != 1 || Interlocked.CompareExchange(ref _phase, Probing, Waiting) != Waiting) return;
        ValueTask<bool> probe = _exchange.Response.InformationalAsync("HTTP/1.1 102 Processing\r\n\r\n"u8);
        if (probe.IsCompletedSuccessfully) Probed(probe.Result);
        // The client has yet to take what it was sent before. The output is the probe's until then.
        else Volatile.Write(ref _probe, AwaitProbeAsync(probe));
    }

    private async Task AwaitProbeAsync(ValueTask<bool> probe) => Probed(await probe.ConfigureAwait(false));

    private void Probed(bool isTaken)
    {
        Volatile.Write(ref _phase, Waiting);
        if (!isTaken) CancelUpstream();
    }

    /// <summary>From here on the output is the relay's. A probe that the client is slow to take is waited for.</summary>
    private async ValueTask TakePhaseAsync(int phase)
    {
        while (Interlocked.CompareExchange(ref _phase, phase, Waiting) == Probing)
        {
            if (Volatile.Read(ref _probe) is { IsCompleted: false } probe) await probe.ConfigureAwait(false);
            else await Task.Yield();
        }
    }

    private async ValueTask<RelayResult> TunnelAsync(UpstreamConnection upstream)
    {
        _endReason = EndReason.Rejected;
        if (!_isRequestSent) return RelayResult.MalformedResponse;
        // The client's bytes are the tunnel's from here on.
        await EndWatchAsync().ConfigureAwait(false);
        if (_isClientGone) return RelayResult.ClientGone;
        _endReason = EndReason.Upgraded;
        ResponseHead head = upstream.Head;
        ResponseWriter response = _exchange.Response;
        response.StartRaw(101, head.StatusAndReason);
        for (int i = 0; i < head.Fields.Count; i++)
        {
            HeaderField field = head.Fields[i];
            // These two are this hop's as well: it switches too.
            if (field.Known is KnownField.Connection or KnownField.Upgrade || !HopByHop.Ends(field, head.Fields)) response.RawFields(field.Line);
        }
        response.EndHeadNoBody();
        BeginsResponse();
        _observer?.ResponseHead(101, head.Fields);
        bool isThere = await response.FlushAsync().ConfigureAwait(false);
        Connection client = _exchange.Upgrade();
        upstream.Release();
        if (isThere)
        {
            Volatile.Write(ref _tunnelActive, pool.Now);
            _tunnelClient = client;
            pool.Metrics.CountTunnel(hasEnded: false);
            try
            {
                await Tunnel.RunAsync(client, upstream.Transport, this).ConfigureAwait(false);
            }
            finally
            {
                pool.Metrics.CountTunnel(hasEnded: true);
            }
            _tunnelClient = null;
        }
        return RelayResult.Tunnelled;
    }

    public void TunnelMoved() => Volatile.Write(ref _tunnelActive, pool.Now);
}

using System.Runtime.CompilerServices;
using Turbo.Net.Http1;
using Turbo.Net.Transport;
using Turbo.Net.Transport.Epoll;

namespace Turbo.Net.Upstream;

/// <summary>
/// Large contents between two sockets without TLS that no observer wants: they are moved in the kernel, a pipe-load at a
/// time, each passed on whole before the next is taken.
/// <code>
///   wait for bytes --there are--> socket to pipe --some--> pipe to socket, waiting for room --empty--> wait for bytes
///                                      \--none: the pipe is given back--> wait for bytes; or read, where little came
/// </code>
/// Whatever does not go this way (no pipe to be had, a system that refuses, the rest of a chunk) is read and written as ever.
/// </summary>
internal sealed partial class RelayExchange
{
    // Content of this size still to come is worth a pipe.
    private const int SpliceBytes = 64 * 1024;

    // What brings less at a time is cheaper to copy.
    private const int SpliceLeastBytes = 16 * 1024;

    private bool MaySpliceResponse(UpstreamConnection upstream, long brought) =>
        brought >= SpliceLeastBytes && upstream.SpliceableBytes >= SpliceBytes && pool.Pipes is { IsOpen: true }
        && upstream.Transport.Splicing is { IsInputReady: true } && _exchange.Connection.Transport.Splicing is not null
        && _exchange.Response.MaySplice && _observer is not { WantsResponseContent: true };

    /// <summary>In the stead of a read from upstream: splices until something has to be read, or until nothing more comes.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<UpstreamRead> SpliceResponseAsync(UpstreamConnection upstream)
    {
        ISplicing origin = upstream.Transport.Splicing!;
        KernelPipes pipes = pool.Pipes!;
        KernelPipe? pipe = null;
        long brought = 0;
        try
        {
            while (true)
            {
                UpstreamRead read = await upstream.ReadAsync(_options.IdleTimeout, waitsOnly: true).ConfigureAwait(false);
                long left = upstream.SpliceableBytes;
                if (read != UpstreamRead.Data || left == 0) return read;
                pipe ??= pipes.TryRent();
                if (pipe is null) return read;
                switch (origin.SpliceTo(pipe, left))
                {
                    case SpliceStatus.Moved:
                        pipes.Moved(pipe.Held);
                        brought += pipe.Held;
                        upstream.Spliced(pipe.Held);
                        if (!await SendSplicedAsync(pipe).ConfigureAwait(false) || _isClientGone) return ClientLeft();
                        if (upstream.SpliceableBytes == 0) return UpstreamRead.Data;
                        break;
                    case SpliceStatus.Again:
                        pipes.Return(pipe, pool.Now);
                        pipe = null;
                        // Who waits for all of a chunk waits for its end as well.
                        if (_exchange.Response.Unflushed > 0 && !await _exchange.Response.FlushAsync().ConfigureAwait(false)) return ClientLeft();
                        if (brought < SpliceLeastBytes) return UpstreamRead.Data;
                        brought = 0;
                        break;
                    case SpliceStatus.Refused:
                        pipes.Close();
                        return UpstreamRead.Data;
                }
            }
        }
        finally
        {
            if (pipe is not null) pipes.Return(pipe, pool.Now);
        }
    }

    private UpstreamRead ClientLeft()
    {
        _isClientGone = true;
        return UpstreamRead.Reset;
    }

    private ValueTask<bool> SendSplicedAsync(KernelPipe pipe)
    {
        ResponseWriter response = _exchange.Response;
        response.BeginSplice(pipe.Held);
        if (response.Unflushed > 0 || _exchange.Connection.Transport.Splicing!.SpliceFrom(pipe) != SpliceStatus.Moved) return AwaitSplicedAsync(pipe);
        response.EndSplice();
        return new ValueTask<bool>(true);
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<bool> AwaitSplicedAsync(KernelPipe pipe)
    {
        ResponseWriter response = _exchange.Response;
        if (response.Unflushed > 0 && !await response.FlushAsync().ConfigureAwait(false)) return false;
        Connection client = _exchange.Connection.Transport;
        ISplicing splicing = client.Splicing!;
        // All of a pipe-load is one write: a client that takes it too slowly is cut off.
        _exchange.Connection.BeginWrite();
        try
        {
            while (true)
            {
                switch (splicing.SpliceFrom(pipe))
                {
                    case SpliceStatus.Moved:
                        response.EndSplice();
                        return true;
                    case SpliceStatus.Ended:
                        client.SetEndReason(EndReason.PeerReset);
                        return false;
                    case SpliceStatus.Refused:
                        pool.Pipes!.Close();
                        pipe.Drain(client.Output);
                        response.EndSplice();
                        return await response.FlushAsync().ConfigureAwait(false);
                }
                await splicing.WaitForOutputAsync().ConfigureAwait(false);
            }
        }
        catch (Exception e) when (Http1Connection.IsTransportFault(e))
        {
            client.SetEndReason(EndReason.PeerReset);
            return false;
        }
        finally
        {
            _exchange.Connection.EndWrite();
        }
    }

    private bool MaySpliceRequest(UpstreamConnection upstream, long brought) =>
        brought >= SpliceLeastBytes && _isTooLarge && _exchange.Body.SpliceableBytes >= SpliceBytes && pool.Pipes is { IsOpen: true }
        && upstream.Transport.Splicing is not null && _exchange.Connection.Transport.Splicing is { IsInputReady: true }
        && _observer is not { WantsRequestContent: true };

    /// <summary>In the pump's stead: splices until something has to be read. False when the pump is over, as the fields tell.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<bool> SpliceRequestAsync(UpstreamConnection upstream)
    {
        BodyReader body = _exchange.Body;
        ISplicing client = _exchange.Connection.Transport.Splicing!;
        KernelPipes pipes = pool.Pipes!;
        KernelPipe? pipe = null;
        long brought = 0;
        try
        {
            while (!body.IsComplete)
            {
                _bodyReject = await body.WaitAsync().ConfigureAwait(false);
                if (_bodyReject != RejectReason.None)
                {
                    upstream.Abort(EndReason.Aborted);
                    return false;
                }
                pipe ??= pipes.TryRent();
                if (pipe is null) return true;
                switch (client.SpliceTo(pipe, body.SpliceableBytes))
                {
                    case SpliceStatus.Moved:
                        pipes.Moved(pipe.Held);
                        brought += pipe.Held;
                        body.Spliced(pipe.Held);
                        if (body.IsComplete) _isRequestGiven = true;
                        // Upstream may take no more. Its answer tells why.
                        if (!await Sending(upstream, SendSplicedAsync(upstream, pipe)).ConfigureAwait(false)) return false;
                        upstream.ExtendRead(_options.FirstByteTimeout);
                        break;
                    case SpliceStatus.Again:
                        pipes.Return(pipe, pool.Now);
                        pipe = null;
                        if (brought < SpliceLeastBytes) return true;
                        brought = 0;
                        break;
                    case SpliceStatus.Refused:
                        pipes.Close();
                        return true;
                }
            }
        }
        finally
        {
            if (pipe is not null) pipes.Return(pipe, pool.Now);
        }
        _isRequestSent = true;
        WatchClient();
        return false;
    }

    private ValueTask<bool> SendSplicedAsync(UpstreamConnection upstream, KernelPipe pipe) =>
        upstream.Transport.Splicing!.SpliceFrom(pipe) == SpliceStatus.Moved ? new ValueTask<bool>(true) : upstream.DrainAsync(pipe, _options.IdleTimeout);
}

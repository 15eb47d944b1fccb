using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Turbo.Net.Transport;

namespace Turbo.Net.Http1;

/// <summary>
/// The input side: what was received and not yet consumed, deadlines, and the watch for a client that leaves.
/// One party at a time uses it: the loop between exchanges, the handler's flow during one.
/// </summary>
internal sealed partial class Http1Connection
{
    private const long Never = long.MaxValue;

    private bool _isHeld;
    private bool _lingers;
    private int _emptyLines;
    private volatile bool _isIdle;

    // Milliseconds of the server's clock; compared by its tick.
    private long _readDeadline = Never;
    private long _writeDeadline = Never;

    private ValueTask _watch;
    private bool _isWatching;
    private volatile bool _endsWatch;
    private volatile bool _cancelsBody;

    /// <summary>Received and not yet consumed; meaningful while <see cref="HasInput"/>.</summary>
    public ReadOnlySequence<byte> Rest { get; set; }

    /// <summary>Whether a read of the input is held, that is, not yet given back by <see cref="ReleaseInput"/>.</summary>
    public bool HasInput => _isHeld;

    private bool IsReadDue => server.Clock.Now >= Volatile.Read(ref _readDeadline);

    /// <summary>Gives the held read back: what is in <see cref="Rest"/> stays unread.</summary>
    /// <param name="examinedAll">Whether the next read is to wait for more than <see cref="Rest"/>.</param>
    public void ReleaseInput(bool examinedAll = false)
    {
        if (!_isHeld) return;
        _isHeld = false;
        ReadOnlySequence<byte> rest = Rest;
        Rest = default;
        _input.AdvanceTo(rest.Start, examinedAll ? rest.End : rest.Start);
    }

    /// <summary>Reads more of a request's body into <see cref="Rest"/>; None when there is more.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<RejectReason> FillBodyAsync()
    {
        while (true)
        {
            long had = _isHeld ? Rest.Length : 0;
            ReleaseInput(examinedAll: true);
            SetReadDeadline(server.Limits.BodyTimeout);
            ReadResult result;
            try
            {
                result = await _input.ReadAsync().ConfigureAwait(false);
            }
            catch (Exception e) when (IsTransportFault(e))
            {
                transport.SetEndReason(EndReason.PeerReset);
                return RejectReason.TruncatedBody;
            }
            Hold(result);
            bool isDue = result.IsCanceled && IsReadDue;
            ClearReadDeadline();
            if (_cancelsBody) return RejectReason.TruncatedBody;
            if (isDue) return RejectReason.RequestTimeout;
            if (result.Buffer.Length > had) return RejectReason.None;
            if (result.IsCompleted) return RejectReason.TruncatedBody;
        }
    }

    /// <summary>Ends a read of the body that waits for the client: what is left of it is not wanted.</summary>
    public void CancelBody()
    {
        _cancelsBody = true;
        _input.CancelPendingRead();
    }

    /// <summary>Starts to watch for the client's close while the handler runs. The request's body has been read.</summary>
    public void BeginWatch()
    {
        if (_isWatching) return;
        _endsWatch = false;
        _isWatching = true;
        _watch = WatchAsync(_exchange!);
    }

    /// <summary>Called by the server's tick.</summary>
    public void Tick(long now)
    {
        if (now >= Volatile.Read(ref _writeDeadline)) transport.Abort(EndReason.WriteTimeout);
        else if (now >= Volatile.Read(ref _readDeadline)) _input.CancelPendingRead();
    }

    /// <summary>Ends the connection if it is idle; a busy one sees that the server drains when its response ends.</summary>
    public void BeginDrain()
    {
        if (_isIdle) _input.CancelPendingRead();
    }

    public void BeginWrite() => Volatile.Write(ref _writeDeadline, server.Clock.Now + (long)server.Limits.WriteTimeout.TotalMilliseconds);

    public void EndWrite() => Volatile.Write(ref _writeDeadline, Never);

    private void Hold(in ReadResult result)
    {
        _isHeld = true;
        Rest = result.Buffer;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WatchAsync(Exchange exchange)
    {
        bool reset;
        try
        {
            while (true)
            {
                ReleaseInput(examinedAll: true);
                ReadResult result = await _input.ReadAsync().ConfigureAwait(false);
                Hold(result);
                if (_endsWatch) return;
                // Requests sent ahead wait; the pipe's own threshold bounds them.
                if (!result.IsCompleted) continue;
                reset = false;
                break;
            }
        }
        catch (Exception e) when (IsTransportFault(e))
        {
            transport.SetEndReason(EndReason.PeerReset);
            reset = true;
        }
        exchange.ClientClosed(reset);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask EndWatchAsync()
    {
        if (!_isWatching) return;
        if (!_watch.IsCompleted)
        {
            _endsWatch = true;
            _input.CancelPendingRead();
        }
        await _watch.ConfigureAwait(false);
        _watch = default;
        _isWatching = false;
    }

    private void SetReadDeadline(TimeSpan timeout) => Volatile.Write(ref _readDeadline, server.Clock.Now + (long)timeout.TotalMilliseconds);

    private void ClearReadDeadline() => Volatile.Write(ref _readDeadline, Never);
}

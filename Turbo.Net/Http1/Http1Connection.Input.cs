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
    private const long Unknown = long.MinValue;

    // Bytes of further requests that are held while a handler runs; beyond, the client waits, and is not watched.
    private const int MaxAheadBytes = 64 * 1024;

    private bool _isHeld;
    private bool _lingers;
    private int _emptyLines;
    private volatile bool _isIdle = true;

    // Milliseconds of the server's clock; compared by its tick.
    private long _readDeadline = Never;
    private long _writeDeadline = Never;
    private long _writeStart;
    private long _takenAtStart, _takenBefore;
    private long _headStart;
    private long _bodyWaited, _bodyReceived;

    private ValueTask _watch;
    private volatile bool _endsWatch;
    private volatile bool _cancelsBody;

    // What was received, less what was cut off. Of its first piece, once that was looked at, some bytes are still to be cut off.
    private ReadOnlySequence<byte> _rest;
    private ReadOnlyMemory<byte> _piece;
    private int _consumed;

    /// <summary>Received and not yet consumed; meaningful while <see cref="HasInput"/>.</summary>
    public ReadOnlySequence<byte> Rest
    {
        get
        {
            if (_consumed > 0) Rest = _rest.Slice(_consumed);
            return _rest;
        }
        set
        {
            _rest = value;
            _piece = default;
            _consumed = 0;
        }
    }

    private bool IsRestEmpty => _piece.IsEmpty && _rest.IsEmpty;

    /// <summary>The first piece of <see cref="Rest"/>.</summary>
    private ReadOnlySpan<byte> Piece
    {
        get
        {
            if (_piece.IsEmpty) _piece = _rest.First;
            return _piece.Span[_consumed..];
        }
    }

    /// <summary>Takes the beginning off <see cref="Piece"/>. Heads that come together are not each a new sequence.</summary>
    private void Consume(int bytes)
    {
        _consumed += bytes;
        if (_consumed == _piece.Length) Rest = _rest.Slice(_consumed);
    }

    /// <summary>Whether a read of the input is held, that is, not yet given back by <see cref="ReleaseInput"/>.</summary>
    public bool HasInput => _isHeld;

    public bool IsWatching { get; private set; }

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
    /// <param name="waitsOnly">Whether to leave with the system what has come, for who splices it.</param>
    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    public async ValueTask<RejectReason> FillBodyAsync(bool waitsOnly = false)
    {
        while (true)
        {
            long had = _isHeld ? Rest.Length : 0;
            ReleaseInput(examinedAll: true);
            long start = server.Clock.Now;
            Volatile.Write(ref _readDeadline, start + Math.Min(Milliseconds(server.Limits.BodyTimeout), AllowedWait(_bodyReceived) - _bodyWaited));
            ReadResult result;
            try
            {
                result = await (waitsOnly ? transport.Splicing!.WaitForInputAsync() : _input.ReadAsync()).ConfigureAwait(false);
            }
            catch (Exception e) when (IsTransportFault(e))
            {
                transport.SetEndReason(EndReason.PeerReset);
                return RejectReason.TruncatedBody;
            }
            Hold(result);
            bool isDue = result.IsCanceled && IsReadDue;
            ClearReadDeadline();
            _bodyWaited += server.Clock.Now - start;
            _bodyReceived += result.Buffer.Length - had;
            if (_cancelsBody) return RejectReason.TruncatedBody;
            if (isDue) return RejectReason.RequestTimeout;
            if (result.Buffer.Length > had) return RejectReason.None;
            if (result.IsCompleted) return RejectReason.TruncatedBody;
            if (waitsOnly && !result.IsCanceled) return RejectReason.None;
        }
    }

    /// <summary>Bytes of a request's body that did not pass <see cref="Rest"/> came.</summary>
    public void CountBody(long bytes) => _bodyReceived += bytes;

    /// <summary>Ends a read of the body that waits for the client: what is left of it is not wanted.</summary>
    public void CancelBody()
    {
        _cancelsBody = true;
        _input.CancelPendingRead();
    }

    /// <summary>Starts to watch for the client's close while the handler runs. The request's body has been read.</summary>
    public void BeginWatch()
    {
        if (IsWatching) return;
        _endsWatch = false;
        IsWatching = true;
        _watch = WatchAsync(_exchange!);
    }

    /// <summary>Called by the server's tick.</summary>
    public void Tick(long now)
    {
        long writeDue = Volatile.Read(ref _writeDeadline);
        if (writeDue != Never) TickWrite(now, writeDue);
        if (now >= Volatile.Read(ref _readDeadline)) _input.CancelPendingRead();
        Protocol?.Tick(now);
    }

    private void TickWrite(long now, long due)
    {
        long before = _takenBefore;
        long waited = now - _writeStart;
        bool isRated = server.Limits.MinResponseBytesPerSecond > 0 && waited > Milliseconds(server.Limits.RateGrace);
        if (before != Unknown && now < due && !isRated) return;
        long taken = transport.BytesTaken;
        if (before == Unknown)
        {
            _takenBefore = _takenAtStart = taken;
            return;
        }
        if (isRated && taken >= 0 && waited > AllowedWait(taken - _takenAtStart, server.Limits.MinResponseBytesPerSecond))
        {
            transport.Abort(EndReason.WriteTimeout);
            return;
        }
        if (now < due) return;
        _takenBefore = taken;
        // A client that took something since has as long again. A flush that ends meanwhile has set Never, which stands.
        if (taken == before) transport.Abort(EndReason.WriteTimeout);
        else Interlocked.CompareExchange(ref _writeDeadline, now + Milliseconds(server.Limits.WriteTimeout), due);
    }

    /// <summary>Ends the connection if it is idle; a busy one sees that the server drains when its response ends.</summary>
    public void BeginDrain()
    {
        if (_isIdle) _input.CancelPendingRead();
        Protocol?.BeginDrain();
    }

    public void BeginWrite()
    {
        _takenBefore = Unknown;
        _writeStart = server.Clock.Now;
        Volatile.Write(ref _writeDeadline, _writeStart + Milliseconds(server.Limits.WriteTimeout));
    }

    public void EndWrite() => Volatile.Write(ref _writeDeadline, Never);

    private void Hold(in ReadResult result)
    {
        _isHeld = true;
        // A pipe's first segment may be used up; what looks at the first byte must find one.
        Rest = result.Buffer.FirstSpan.IsEmpty ? result.Buffer.Slice(0) : result.Buffer;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder))]
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
                // Requests sent ahead wait. What was examined no longer counts against the pipe's own threshold.
                if (!result.IsCompleted && Rest.Length < MaxAheadBytes) continue;
                if (!result.IsCompleted) return;
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

    public ValueTask EndWatchAsync()
    {
        if (!IsWatching) return default;
        if (!_watch.IsCompleted)
        {
            _endsWatch = true;
            _input.CancelPendingRead();
        }
        if (!_watch.IsCompletedSuccessfully) return AwaitWatchAsync();
        _watch.GetAwaiter().GetResult();
        _watch = default;
        IsWatching = false;
        return default;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder))]
    private async ValueTask AwaitWatchAsync()
    {
        await _watch.ConfigureAwait(false);
        _watch = default;
        IsWatching = false;
    }

    private void SetReadDeadline(TimeSpan timeout) => Volatile.Write(ref _readDeadline, server.Clock.Now + Milliseconds(timeout));

    private void BeginHead() => _headStart = server.Clock.Now;

    // For a head that is not there yet.
    private void ExpectHead(long received) =>
        Volatile.Write(ref _readDeadline, _headStart + Math.Min(Milliseconds(server.Limits.HeaderTimeout), AllowedWait(received)));

    // How long a client may have kept the server waiting for that many bytes.
    private long AllowedWait(long received) => AllowedWait(received, server.Limits.MinRequestBytesPerSecond);

    private long AllowedWait(long bytes, int perSecond) =>
        perSecond == 0 ? Never / 2 : Milliseconds(server.Limits.RateGrace) + (long)(bytes * 1000.0 / perSecond);

    private static long Milliseconds(TimeSpan time) => time.Ticks / TimeSpan.TicksPerMillisecond;

    private void ClearReadDeadline() => Volatile.Write(ref _readDeadline, Never);
}

using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace Turbo.Net.WebSocket;

/// <summary>
/// The receiving side: the one receive loop. It runs only while a receive is pending, and calls the handler back from
/// within, so that it knows when the handler's synchronous run is over: what was sent until then leaves in one flush.
/// <code>
///   Idle: receive, nothing buffered → Pumping: message → Delivering: the handler runs
///   Delivering: the handler receives again, nothing buffered → Rearmed → Pumping
///   Delivering: the handler waits for something else → Idle
/// </code>
/// </summary>
internal sealed partial class FrameInput : IValueTaskSource<WebSocketMessage?>, IValueTaskSource<WebSocketFragment?>
{
    private const int Idle = 0;
    private const int Pumping = 1;
    private const int Delivering = 2;
    private const int Rearmed = 3;

    private enum Want : byte
    {
        Message,
        Fragment,
        /// <summary>The peer's Close frame; what comes before it is dropped.</summary>
        Close,
    }

    private readonly WebSocketConnection _socket;
    private readonly PipeReader _pipe;
    private readonly Action _resume;

    private int _state;
    private volatile int _thread;
    private Want _want;
    private ManualResetValueTaskSourceCore<bool> _core;
    private ConfiguredValueTaskAwaitable<ReadResult>.ConfiguredValueTaskAwaiter _read;
    private TaskCompletionSource? _end;

    private ReadOnlySequence<byte> _rest;
    private bool _isHeld;
    private bool _hasEnded;

    public FrameInput(WebSocketConnection socket, PipeReader pipe, WebSocketOptions options, DeflateParameters? deflate)
    {
        _socket = socket;
        _pipe = pipe;
        _maxMessageBytes = options.MaxMessageBytes;
        _deflate = deflate;
        _resume = Resume;
    }

    /// <summary>Whether this is the handler's synchronous run, after which the loop flushes.</summary>
    public bool IsDeliveringHere => _thread == Environment.CurrentManagedThreadId;

    public ValueTask<WebSocketMessage?> ReceiveAsync()
    {
        if (!IsTakenNow(Want.Message)) return new ValueTask<WebSocketMessage?>(this, _core.Version);
        return new ValueTask<WebSocketMessage?>(_isTaken ? new WebSocketMessage(_kind, _payload) : null);
    }

    public ValueTask<WebSocketFragment?> ReceiveFragmentAsync()
    {
        if (!IsTakenNow(Want.Fragment)) return new ValueTask<WebSocketFragment?>(this, _core.Version);
        return new ValueTask<WebSocketFragment?>(_isTaken ? new WebSocketFragment(_kind, _payload, _isEnd) : null);
    }

    /// <summary>Ends a wait for input, to look at what has changed.</summary>
    public void Wake() => _pipe.CancelPendingRead();

    /// <summary>
    /// The handler has returned: drops what comes up to the peer's Close frame or the end of the connection, unless
    /// framing is lost. When it completes, no read is pending or held.
    /// </summary>
    public Task EndAsync()
    {
        TaskCompletionSource end = new();
        Volatile.Write(ref _end, end);
        if (Interlocked.CompareExchange(ref _state, Pumping, Idle) == Idle)
        {
            _want = Want.Close;
            Pump(isTried: false);
        }
        else
        {
            // A handler that returned from within its delivery, or left a receive behind: the loop goes on to this.
            Wake();
        }
        return end.Task;
    }

    WebSocketMessage? IValueTaskSource<WebSocketMessage?>.GetResult(short token) =>
        _core.GetResult(token) ? new WebSocketMessage(_kind, _payload) : null;

    WebSocketFragment? IValueTaskSource<WebSocketFragment?>.GetResult(short token) =>
        _core.GetResult(token) ? new WebSocketFragment(_kind, _payload, _isEnd) : null;

    ValueTaskSourceStatus IValueTaskSource<WebSocketMessage?>.GetStatus(short token) => _core.GetStatus(token);

    ValueTaskSourceStatus IValueTaskSource<WebSocketFragment?>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<WebSocketMessage?>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    void IValueTaskSource<WebSocketFragment?>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    // Takes what is buffered; when that is too little, arms the loop and answers false.
    private bool IsTakenNow(Want want)
    {
        if (Volatile.Read(ref _state) is Pumping or Rearmed) throw new InvalidOperationException("a receive is pending");
        ReleaseMessage();
        bool isTaken = TryTake(want);
        if (isTaken)
        {
            _socket.Delivered();
            // Pongs may have been written. In the handler's synchronous run the loop flushes them.
            if (!IsDeliveringHere) _socket.FlushDeferred();
            return true;
        }
        _want = want;
        _core.Reset();
        if (Interlocked.CompareExchange(ref _state, Rearmed, Delivering) != Delivering)
        {
            Volatile.Write(ref _state, Pumping);
            Pump(isTried: true);
        }
        return false;
    }

    private void Resume()
    {
        try
        {
            Hold(_read.GetResult());
        }
        catch (Exception e) when (WebSocketConnection.IsFault(e))
        {
            Fault();
        }
        Pump(isTried: false);
    }

    // isTried: what is buffered was found to be too little.
    private void Pump(bool isTried)
    {
        while (true)
        {
            if (isTried || !TryTakeOrEnd())
            {
                isTried = false;
                _socket.FlushDeferred();
                if (!TryRead()) return;
                continue;
            }
            if (_want == Want.Close)
            {
                End();
                return;
            }
            if (!Deliver()) return;
            // Rearmed, or ended by a handler that has returned.
            isTried = _want != Want.Close;
        }
    }

    // Nobody is above the loop to catch what a bug of ours throws: it ends the connection.
    private bool TryTakeOrEnd()
    {
        try
        {
            return TryTake(_want);
        }
        catch (Exception e)
        {
            _socket.Failed(e);
            _isTaken = false;
            return true;
        }
    }

    // Runs the handler; true when the loop has more to do.
    private bool Deliver()
    {
        _socket.Delivered();
        Volatile.Write(ref _state, Delivering);
        _thread = Environment.CurrentManagedThreadId;
        _core.SetResult(_isTaken);
        _thread = 0;
        _socket.FlushDeferred();
        if (Interlocked.CompareExchange(ref _state, Idle, Delivering) != Delivering)
        {
            Volatile.Write(ref _state, Pumping);
            return true;
        }
        if (Volatile.Read(ref _end) is null || Interlocked.CompareExchange(ref _state, Pumping, Idle) != Idle) return false;
        _want = Want.Close;
        return true;
    }

    private void End()
    {
        ReleaseMessage();
        _inflater?.Close();
        ReleaseInput(isExamined: false);
        Volatile.Write(ref _state, Idle);
        _end!.SetResult();
    }

    // False when the read is pending: Resume goes on.
    private bool TryRead()
    {
        _socket.Waiting();
        try
        {
            ReleaseInput(isExamined: true);
            _read = _pipe.ReadAsync().ConfigureAwait(false).GetAwaiter();
            if (!_read.IsCompleted)
            {
                _read.UnsafeOnCompleted(_resume);
                return false;
            }
            Hold(_read.GetResult());
        }
        catch (Exception e) when (WebSocketConnection.IsFault(e))
        {
            Fault();
        }
        return true;
    }

    private void Hold(in ReadResult result)
    {
        _isHeld = true;
        _rest = result.Buffer;
        _hasEnded = result.IsCompleted;
    }

    private void Fault()
    {
        _hasEnded = true;
        _socket.PeerReset();
    }

    private void ReleaseInput(bool isExamined)
    {
        if (!_isHeld) return;
        _isHeld = false;
        ReadOnlySequence<byte> rest = _rest;
        _rest = default;
        _pipe.AdvanceTo(rest.Start, isExamined ? rest.End : rest.Start);
    }
}

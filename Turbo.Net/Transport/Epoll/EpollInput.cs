using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using Turbo.Net.Buffers;
using Turbo.Net.Diagnostics;

namespace Turbo.Net.Transport.Epoll;

/// <summary>
/// What is received, as a pipe's reader. One flow reads; the loop and a canceller may end its wait:
/// <code>
///   None --event--> Ready --read--> None --nothing there--> Waiting --event, by the loop: receive--> None, continue
///                                                            Waiting --cancel--> None, continue
/// </code>
/// Whoever changes Waiting to None acts for the reader until it continues it.
/// </summary>
internal sealed partial class EpollInput(EpollTransport transport, PinnedBlockPool pool, Traffic traffic) : PipeReader, IValueTaskSource<ReadResult>
{
    private const int None = 0, Ready = 1, Waiting = 2;

    // Less room than this at a block's end is left unused.
    private const int MinRoom = 512;

    // Blocks that one read fills when the ones before were filled.
    private const int MaxBurst = 16;

    private int _state;
    private int _isCanceled;
    private volatile bool _hasHungUp;
    private ManualResetValueTaskSourceCore<bool> _wait;

    private PinnedBlockPool.Block? _first;
    private PinnedBlockPool.Block? _last;
    private int _start;
    private int _end;
    private int _burst = 1;
    private bool _isExamined = true;
    private bool _hasEnded;
    private bool _isCompleted;
    private Exception? _fault;

    /// <summary>Whether something was received or told of that nobody has read; only a hint while somebody reads.</summary>
    public bool MayHaveInput => Volatile.Read(ref _state) != None || !_isExamined || _hasEnded;

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) => ReadAsync(waitsOnly: false);

    private ValueTask<ReadResult> ReadAsync(bool waitsOnly)
    {
        if (TryTakeNow(out ReadResult result)) return new ValueTask<ReadResult>(result);
        while (true)
        {
            bool isTurnOver = false;
            if (Volatile.Read(ref _state) == Ready)
            {
                isTurnOver = !transport.Loop.MayGoOn();
                if (!isTurnOver)
                {
                    if (waitsOnly) return new ValueTask<ReadResult>(Take());
                    Interlocked.Exchange(ref _state, None);
                    if (Receive()) return new ValueTask<ReadResult>(Take());
                }
                else
                {
                    Volatile.Write(ref _state, None);
                }
            }
            _wait.Reset();
            DropEmpty();
            _waitsOnly = waitsOnly;
            short version = _wait.Version;
            if (Interlocked.CompareExchange(ref _state, Waiting, None) != None) continue;
            // Who cancelled before the line above could not end the wait.
            if (Volatile.Read(ref _isCanceled) != 0 && Interlocked.CompareExchange(ref _state, None, Waiting) == Waiting)
            {
                // The socket may still have what was not read for want of a turn.
                if (isTurnOver) Interlocked.CompareExchange(ref _state, Ready, None);
                return new ValueTask<ReadResult>(TakeCanceled());
            }
            if (isTurnOver) transport.Loop.Post(transport);
            return new ValueTask<ReadResult>(this, version);
        }
    }

    public override bool TryRead(out ReadResult result)
    {
        if (TryTakeNow(out result)) return true;
        if (_first is not null && (_start != _end || !ReferenceEquals(_first, _last)))
        {
            result = Take();
            return true;
        }
        if (Volatile.Read(ref _state) != Ready) return false;
        Interlocked.Exchange(ref _state, None);
        if (!Receive()) return false;
        result = Take();
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        // Positions in an empty sequence name no block.
        if (consumed.GetObject() is not PinnedBlockPool.Block block)
        {
            _isExamined = true;
            return;
        }
        while (!ReferenceEquals(_first, block)) DropFirst();
        _start = consumed.GetInteger();
        // The end of a block is the start of the next.
        while (!ReferenceEquals(_first, _last) && _start == _first!.Memory.Length)
        {
            DropFirst();
            _start = 0;
        }
        long end = _last!.RunningIndex + _end;
        _isExamined = ((PinnedBlockPool.Block)examined.GetObject()!).RunningIndex + examined.GetInteger() >= end || _first!.RunningIndex + _start == end;
        if (ReferenceEquals(_first, _last) && _start == _end) _start = _end = 0;
    }

    public override void CancelPendingRead()
    {
        Interlocked.Exchange(ref _isCanceled, 1);
        if (Interlocked.CompareExchange(ref _state, None, Waiting) == Waiting) _wait.SetResult(true);
    }

    /// <summary>The reader reads no more. The blocks are returned when the connection is closed.</summary>
    public override void Complete(Exception? exception = null) => _isCompleted = true;

    /// <summary>There is something to read, or an end to see; on the loop's thread.</summary>
    /// <param name="hasHungUp">Whether the peer has ended its side, or the connection.</param>
    public void OnReadable(bool hasHungUp)
    {
        if (hasHungUp) _hasHungUp = true;
        while (true)
        {
            int state = Volatile.Read(ref _state);
            if (state == Ready) return;
            int next = state == Waiting ? None : Ready;
            if (Interlocked.CompareExchange(ref _state, next, state) != state) continue;
            if (next == None) ReceiveForWaiting();
            return;
        }
    }

    /// <summary>A reader that has had its share goes on; on the loop's thread.</summary>
    public void OnTurn()
    {
        if (Volatile.Read(ref _state) == Waiting) OnReadable(hasHungUp: false);
    }

    /// <summary>The descriptor is closed; on the loop's thread.</summary>
    public void Closed()
    {
        _hasEnded = true;
        _fault ??= new ObjectDisposedException(nameof(EpollTransport));
        if (Interlocked.Exchange(ref _state, None) == Waiting) _wait.SetException(_fault);
        while (_first is { } block)
        {
            _first = block.Next;
            block.Recycle();
        }
        _last = null;
        _start = _end = 0;
    }

    // What it waited with is whether it was cancelled; what was received is seen here.
    ReadResult IValueTaskSource<ReadResult>.GetResult(short token) => _wait.GetResult(token) ? TakeCanceled() : Take();

    ValueTaskSourceStatus IValueTaskSource<ReadResult>.GetStatus(short token) => _wait.GetStatus(token);

    void IValueTaskSource<ReadResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _wait.OnCompleted(continuation, state, token, flags);

    // In the stead of a reader whose wait was just ended.
    private void ReceiveForWaiting()
    {
        if (_waitsOnly)
        {
            Interlocked.CompareExchange(ref _state, Ready, None);
            _wait.SetResult(false);
            return;
        }
        while (true)
        {
            bool hasResult;
            try
            {
                hasResult = Receive();
            }
            catch (Exception e)
            {
                // No memory for a block, say: the reader's to handle.
                _wait.SetException(e);
                return;
            }
            if (hasResult)
            {
                if (_fault is not null) _wait.SetException(_fault);
                else _wait.SetResult(false);
                return;
            }
            DropEmpty();
            if (Interlocked.CompareExchange(ref _state, Waiting, None) == None)
            {
                if (Volatile.Read(ref _isCanceled) != 0 && Interlocked.CompareExchange(ref _state, None, Waiting) == Waiting) _wait.SetResult(true);
                return;
            }
            Interlocked.Exchange(ref _state, None);
        }
    }

    private bool TryTakeNow(out ReadResult result)
    {
        ObjectDisposedException.ThrowIf(_isCompleted, this);
        if (Volatile.Read(ref _isCanceled) != 0)
        {
            result = TakeCanceled();
            return true;
        }
        if (_isExamined && !_hasEnded)
        {
            result = default;
            return false;
        }
        result = Take();
        return true;
    }

    private ReadResult TakeCanceled()
    {
        Interlocked.Exchange(ref _isCanceled, 0);
        return new ReadResult(Buffered, isCanceled: true, _hasEnded);
    }

    private ReadResult Take()
    {
        if (_fault is not null) Throw(_fault);
        return new ReadResult(Buffered, isCanceled: false, _hasEnded);
    }

    [DoesNotReturn]
    private static void Throw(Exception fault) => System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(fault);

    private ReadOnlySequence<byte> Buffered =>
        _first is null ? ReadOnlySequence<byte>.Empty : new ReadOnlySequence<byte>(_first, _start, _last!, _end);

    /// <summary>Reads what is there; false when there is nothing. An end or a fault is something.</summary>
    // Apart from its callers: within a try block a call into native code goes through a stub.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool Receive()
    {
        if (_last is null) _first = _last = pool.RentBlock();
        else if (PinnedBlockPool.BlockBytes - _end < MinRoom) Append();
        int room = PinnedBlockPool.BlockBytes - _end;
        nint received;
        int errno = 0;
        do
        {
            received = _burst > 1 ? ReceiveBurst(ref room) : Libc.Receive(transport.Fd, _last.Address + _end, room, 0);
            if (received < 0) errno = Libc.Errno;
        }
        while (received < 0 && errno == Libc.Interrupted);
        if (received > 0)
        {
            traffic.Received(received);
            if (_burst == 1) _end += (int)received;
            bool isFull = received == room;
            _burst = isFull ? Math.Min(2 * _burst, MaxBurst) : 1;
            _isExamined = false;
            // A read that got less than it asked for has emptied the socket, and what comes then is told; but a FIN may be told already.
            if (isFull || _hasHungUp) Interlocked.CompareExchange(ref _state, Ready, None);
            return true;
        }
        if (received < 0 && errno == Libc.Again)
        {
            _burst = 1;
            return false;
        }
        _hasEnded = true;
        if (received < 0)
        {
            transport.PeerReset();
            _fault = new IOException("the connection was reset", Libc.ToException(errno));
        }
        return true;
    }

    // Into the rest of the last block and further ones. Those which get nothing are returned.
    private unsafe nint ReceiveBurst(ref int room)
    {
        Libc.IoVector* vectors = stackalloc Libc.IoVector[MaxBurst];
        PinnedBlockPool.Block last = _last!;
        int count = _burst;
        vectors[0] = new Libc.IoVector { Base = last.Address + _end, Length = room };
        int firstRoom = room;
        Further further = default;
        for (int i = 1; i < count; i++)
        {
            PinnedBlockPool.Block block = pool.RentBlock();
            further[i] = block;
            vectors[i] = new Libc.IoVector { Base = block.Address, Length = PinnedBlockPool.BlockBytes };
            room += PinnedBlockPool.BlockBytes;
        }
        Libc.Message message = new() { Vectors = vectors, VectorCount = count };
        nint received = Libc.ReceiveMessage(transport.Fd, &message, 0);
        int errno = received < 0 ? Libc.Errno : 0;
        nint left = received - firstRoom;
        _end += (int)Math.Clamp(received, 0, firstRoom);
        for (int i = 1; i < count; i++)
        {
            PinnedBlockPool.Block block = further[i]!;
            if (left <= 0)
            {
                block.Recycle();
                continue;
            }
            _last!.Link(block, _end);
            _last = block;
            _end = (int)Math.Min(left, PinnedBlockPool.BlockBytes);
            left -= _end;
        }
        if (received < 0) System.Runtime.InteropServices.Marshal.SetLastSystemError(errno);
        return received;
    }

    private void Append()
    {
        PinnedBlockPool.Block block = pool.RentBlock();
        _last!.Link(block, _end);
        _last = block;
        _end = 0;
    }

    private void DropFirst()
    {
        PinnedBlockPool.Block used = _first ?? throw new InvalidOperationException("a position that is not in what was read");
        _first = used.Next;
        used.Recycle();
    }

    // A connection that waits holds no block.
    private void DropEmpty()
    {
        if (_first is not { } block || !ReferenceEquals(block, _last) || _start != _end) return;
        _first = _last = null;
        _start = _end = 0;
        block.Recycle();
    }

    [InlineArray(MaxBurst)]
    private struct Further
    {
        private PinnedBlockPool.Block? _block;
    }
}

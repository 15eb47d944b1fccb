using System.Buffers;
using System.IO.Pipelines;
using System.Threading.Tasks.Sources;
using Turbo.Net.Buffers;
using Turbo.Net.Diagnostics;

namespace Turbo.Net.Transport.Epoll;

/// <summary>
/// What is sent, as a pipe's writer. A flush is over when the kernel has all of it: what it does not take at once goes
/// on from the loop's thread, in the writer's stead, as the socket takes more. States as in <see cref="EpollInput"/>.
/// </summary>
internal sealed partial class EpollOutput(EpollTransport transport, PinnedBlockPool pool, Traffic traffic) : PipeWriter, IValueTaskSource<FlushResult>
{
    private const int None = 0, Ready = 1, Waiting = 2;

    // Blocks that one call sends.
    private const int MaxVectors = 32;

    private int _state;
    private int _isCanceled;
    private ManualResetValueTaskSourceCore<FlushResult> _wait;

    private PinnedBlockPool.Block? _first;
    private PinnedBlockPool.Block? _last;
    private int _start;
    private int _end;
    private byte[]? _large;
    private bool _isGone;
    private bool _isCompleted;
    private bool _endsAfterFlush;

    /// <summary>Whether bytes were written which the kernel has not taken.</summary>
    public bool HasUnsent => _first is not null && !IsEmpty && !_isGone;

    private bool IsEmpty => _first is null || (ReferenceEquals(_first, _last) && _start == _end);

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (sizeHint > PinnedBlockPool.BlockBytes) return Large(sizeHint);
        return Room(sizeHint).Bytes.AsMemory(_end);
    }

    public override Span<byte> GetSpan(int sizeHint = 0)
    {
        if (sizeHint > PinnedBlockPool.BlockBytes) return Large(sizeHint);
        return Room(sizeHint).Bytes.AsSpan(_end);
    }

    public override void Advance(int bytes)
    {
        if (_large is { } large)
        {
            _large = null;
            CopyLarge(large.AsSpan(0, bytes));
            return;
        }
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, PinnedBlockPool.BlockBytes - _end);
        _end += bytes;
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (Volatile.Read(ref _isCanceled) != 0) return new ValueTask<FlushResult>(TakeCanceled());
        if (_isGone || transport.IsAborted) return new ValueTask<FlushResult>(Gone());
        if (IsEmpty) return new ValueTask<FlushResult>(new FlushResult(isCanceled: false, isCompleted: false));
        // A writer for whom the kernel always has room would keep the loop to itself.
        bool isTurnOver = !transport.Loop.MayGoOn();
        if (!isTurnOver && TrySend(out FlushResult result)) return new ValueTask<FlushResult>(result);
        while (true)
        {
            _wait.Reset();
            short version = _wait.Version;
            if (Interlocked.CompareExchange(ref _state, Waiting, None) == None)
            {
                if (Volatile.Read(ref _isCanceled) != 0 && Interlocked.CompareExchange(ref _state, None, Waiting) == Waiting) return new ValueTask<FlushResult>(TakeCanceled());
                if (isTurnOver) transport.Loop.Post(transport);
                return new ValueTask<FlushResult>(this, version);
            }
            Interlocked.Exchange(ref _state, None);
            if (!isTurnOver && TrySend(out result)) return new ValueTask<FlushResult>(result);
        }
    }

    public override void CancelPendingFlush()
    {
        Interlocked.Exchange(ref _isCanceled, 1);
        if (Interlocked.CompareExchange(ref _state, None, Waiting) == Waiting) _wait.SetResult(TakeCanceled());
    }

    /// <summary>What was written is sent, then FIN. No flush is pending.</summary>
    public override void Complete(Exception? exception = null)
    {
        if (_isCompleted) return;
        _isCompleted = true;
        _endsAfterFlush = true;
        if (_isGone || transport.IsAborted)
        {
            transport.EndOutput();
            return;
        }
        while (!TrySend(out _))
        {
            if (Interlocked.CompareExchange(ref _state, Waiting, None) == None) return;
            Interlocked.Exchange(ref _state, None);
        }
        End();
    }

    /// <summary>The socket takes more, or nothing more; on the loop's thread.</summary>
    public void OnWritable()
    {
        while (true)
        {
            int state = Volatile.Read(ref _state);
            if (state == Ready) return;
            int next = state == Waiting ? None : Ready;
            if (Interlocked.CompareExchange(ref _state, next, state) != state) continue;
            if (next == None) SendForWaiting();
            return;
        }
    }

    /// <summary>A writer that has had its share goes on; on the loop's thread.</summary>
    public void OnTurn()
    {
        if (Volatile.Read(ref _state) == Waiting) OnWritable();
    }

    /// <summary>The descriptor is closed; on the loop's thread.</summary>
    public void Closed()
    {
        _isGone = true;
        if (Interlocked.Exchange(ref _state, None) == Waiting && !_endsAfterFlush) _wait.SetResult(new FlushResult(isCanceled: false, isCompleted: true));
        Drop();
    }

    FlushResult IValueTaskSource<FlushResult>.GetResult(short token) => _wait.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<FlushResult>.GetStatus(short token) => _wait.GetStatus(token);

    void IValueTaskSource<FlushResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _wait.OnCompleted(continuation, state, token, flags);

    // In the stead of a writer whose wait was just ended.
    private void SendForWaiting()
    {
        FlushResult result;
        while (!TrySend(out result))
        {
            if (Interlocked.CompareExchange(ref _state, Waiting, None) == None)
            {
                if (Volatile.Read(ref _isCanceled) != 0 && !_endsAfterFlush && Interlocked.CompareExchange(ref _state, None, Waiting) == Waiting) _wait.SetResult(TakeCanceled());
                return;
            }
            Interlocked.Exchange(ref _state, None);
        }
        if (_endsAfterFlush) End();
        else _wait.SetResult(result);
    }

    private void End()
    {
        if (!_isGone) _ = Libc.Shutdown(transport.Fd, Libc.ShutWrite);
        transport.EndOutput();
    }

    private FlushResult TakeCanceled()
    {
        Interlocked.Exchange(ref _isCanceled, 0);
        return new FlushResult(isCanceled: true, isCompleted: false);
    }

    private FlushResult Gone()
    {
        _isGone = true;
        Drop();
        return new FlushResult(isCanceled: false, isCompleted: true);
    }

    /// <summary>False when the kernel takes no more now.</summary>
    private bool TrySend(out FlushResult result)
    {
        result = default;
        while (!IsEmpty)
        {
            nint sent = ReferenceEquals(_first, _last) ? Libc.Send(transport.Fd, _first!.Address + _start, _end - _start, Libc.NoSignal) : SendBlocks();
            if (sent >= 0)
            {
                traffic.Sent(sent);
                Sent(sent);
                continue;
            }
            int errno = Libc.Errno;
            if (errno == Libc.Interrupted) continue;
            if (errno == Libc.Again) return false;
            transport.PeerReset();
            result = Gone();
            return true;
        }
        return true;
    }

    /// <inheritdoc cref="Connection.SendThrough"/>
    public unsafe long SendThrough(in ReadOnlySequence<byte> content, ReadOnlySpan<byte> end)
    {
        // Only pinned bytes can be sent from where they lie.
        if (content.Start.GetObject() is not PinnedBlockPool.Block piece) return 0;
        if (_isGone || transport.IsAborted || Volatile.Read(ref _isCanceled) != 0 || Volatile.Read(ref _state) == Waiting) return 0;
        // One more than the blocks: for the end.
        Libc.IoVector* vectors = stackalloc Libc.IoVector[MaxVectors + 1];
        int count = IsEmpty ? 0 : Gather(vectors, _first!, _start, _last!, _end, 0, out _);
        nint written = 0;
        for (int i = 0; i < count; i++) written += vectors[i].Length;
        count = Gather(vectors, piece, content.Start.GetInteger(), (PinnedBlockPool.Block)content.End.GetObject()!, content.End.GetInteger(), count, out bool isAll);
        nint sent;
        fixed (byte* last = end)
        {
            if (isAll && !end.IsEmpty) vectors[count++] = new Libc.IoVector { Base = (nint)last, Length = end.Length };
            do sent = Send(vectors, count);
            while (sent < 0 && Libc.Errno == Libc.Interrupted);
        }
        // What failed fails again when the caller flushes, who is told of it then.
        if (sent <= 0) return 0;
        traffic.Sent(sent);
        if (written > 0) Sent(Math.Min(sent, written));
        return Math.Max(sent - written, 0);
    }

    private unsafe nint SendBlocks()
    {
        Libc.IoVector* vectors = stackalloc Libc.IoVector[MaxVectors];
        return Send(vectors, Gather(vectors, _first!, _start, _last!, _end, 0, out _));
    }

    private unsafe nint Send(Libc.IoVector* vectors, int count)
    {
        Libc.Message message = new() { Vectors = vectors, VectorCount = count };
        return Libc.SendMessage(transport.Fd, &message, Libc.NoSignal);
    }

    /// <summary>Adds a chain of blocks to the first <paramref name="count"/> vectors, as far as there is room; how many there are then.</summary>
    private static unsafe int Gather(Libc.IoVector* vectors, PinnedBlockPool.Block first, int start, PinnedBlockPool.Block last, int lastEnd, int count, out bool isAll)
    {
        isAll = false;
        for (PinnedBlockPool.Block? block = first; block is not null && count < MaxVectors; block = block.Next)
        {
            isAll = ReferenceEquals(block, last);
            int end = isAll ? lastEnd : block.Memory.Length;
            if (end > start) vectors[count++] = new Libc.IoVector { Base = block.Address + start, Length = end - start };
            if (isAll) break;
            start = 0;
        }
        return count;
    }

    private void Sent(nint bytes)
    {
        while (true)
        {
            int left = (ReferenceEquals(_first, _last) ? _end : _first!.Memory.Length) - _start;
            if (bytes < left)
            {
                _start += (int)bytes;
                return;
            }
            bytes -= left;
            PinnedBlockPool.Block used = _first!;
            _first = used.Next;
            used.Recycle();
            _start = 0;
            if (_first is not null) continue;
            _last = null;
            _end = 0;
            return;
        }
    }

    private void Drop()
    {
        while (_first is { } block)
        {
            _first = block.Next;
            block.Recycle();
        }
        _last = null;
        _start = _end = 0;
    }

    private PinnedBlockPool.Block Room(int sizeHint)
    {
        if (_last is null) return _first = _last = pool.RentBlock();
        if (PinnedBlockPool.BlockBytes - _end >= Math.Max(sizeHint, 1)) return _last;
        PinnedBlockPool.Block block = pool.RentBlock();
        _last.Link(block, _end);
        _end = 0;
        return _last = block;
    }

    // More at a time than a block holds; nobody in this library asks for it.
    private byte[] Large(int sizeHint)
    {
        if (_large is null || _large.Length < sizeHint) _large = new byte[sizeHint];
        return _large;
    }

    private void CopyLarge(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            PinnedBlockPool.Block block = Room(1);
            int take = Math.Min(bytes.Length, PinnedBlockPool.BlockBytes - _end);
            bytes[..take].CopyTo(block.Bytes.AsSpan(_end));
            _end += take;
            bytes = bytes[take..];
        }
    }
}

using Turbo.Net.Diagnostics;

namespace Turbo.Net.Transport.Epoll;

/// <summary>
/// A bounded number of <see cref="KernelPipe"/>s. An exchange has one while it moves bytes, or while a peer is slow to take
/// them, and none while it waits for bytes; who gets none copies. The few that are kept for the next are closed when nobody
/// has wanted them for a second. Takes no lock.
/// </summary>
/// <param name="most">How many there may be.</param>
internal sealed class KernelPipes(int most)
{
    // Kept for the next.
    private const int MaxIdle = 16;

    private const long IdleMilliseconds = 1000;

    private readonly KernelPipe?[] _idle = new KernelPipe?[MaxIdle];
    private readonly MetricCells _moved = new(1);
    private int _count;
    private volatile bool _isClosed;
    private volatile bool _isShort;

    /// <summary>Pipes in use and idle.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Bytes that went through them.</summary>
    public long MovedBytes => _moved.Read(0);

    /// <summary>Whether it is worth asking for one: the system has not refused to splice, nor, since the last tick, another pipe.</summary>
    public bool IsOpen => !_isClosed && !_isShort;

    /// <summary>An empty pipe; null where none is to be had.</summary>
    public KernelPipe? TryRent()
    {
        for (int i = 0; i < _idle.Length; i++)
        {
            if (Volatile.Read(ref _idle[i]) is not null && Interlocked.Exchange(ref _idle[i], null) is { } kept) return kept;
        }
        if (_isClosed) return null;
        if (Interlocked.Increment(ref _count) <= most)
        {
            if (KernelPipe.TryOpen() is { } opened) return opened;
            // Each try costs several calls, and the next would not fare better.
            _isShort = true;
        }
        Interlocked.Decrement(ref _count);
        return null;
    }

    /// <summary>Takes one back; one that holds bytes is closed.</summary>
    public void Return(KernelPipe pipe, long now)
    {
        if (pipe.Held == 0)
        {
            pipe.IdleSince = now;
            for (int i = 0; i < _idle.Length; i++)
            {
                if (Volatile.Read(ref _idle[i]) is not null || Interlocked.CompareExchange(ref _idle[i], pipe, null) is not null) continue;
                if (_isClosed) CloseIdle(long.MaxValue);
                return;
            }
        }
        Close(pipe);
    }

    /// <summary>Counts what was moved.</summary>
    public void Moved(int bytes) => _moved.Add(0, bytes);

    /// <summary>Closes those that nobody has wanted for a while.</summary>
    public void Tick(long now)
    {
        _isShort = false;
        CloseIdle(now - IdleMilliseconds);
    }

    /// <summary>From here on there are none; those in use are closed when they come back. Also when the system turned out not to splice.</summary>
    public void Close()
    {
        _isClosed = true;
        // Either this sees a pipe that is put back, or whoever puts it back sees the line above.
        Interlocked.MemoryBarrier();
        CloseIdle(long.MaxValue);
    }

    private void CloseIdle(long before)
    {
        for (int i = 0; i < _idle.Length; i++)
        {
            if (Volatile.Read(ref _idle[i]) is not { } idle || idle.IdleSince > before) continue;
            if (Interlocked.Exchange(ref _idle[i], null) is { } pipe) Close(pipe);
        }
    }

    private void Close(KernelPipe pipe)
    {
        pipe.Close();
        Interlocked.Decrement(ref _count);
    }
}

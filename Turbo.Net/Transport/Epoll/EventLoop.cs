using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace Turbo.Net.Transport.Epoll;

/// <summary>
/// One thread that waits for the events of its descriptors and runs what waited for them, handlers included:
/// <code>
///   wait --events--> each handler, inline --> what was posted --> wait
/// </code>
/// Any thread may register, unregister and post.
/// </summary>
internal sealed unsafe class EventLoop
{
    private const int MaxEvents = 256;

    // Reads and writes that may complete at once for one event, before other connections have their turn.
    private const int BurstBudget = 64;

    [ThreadStatic]
    private static EventLoop? s_current;

    private readonly int _epoll;
    private readonly int _wake;
    private readonly ConcurrentQueue<IEpollHandler> _posted = new();
    private readonly Lock _tableLock = new();
    private IEpollHandler?[] _handlers = new IEpollHandler?[256];
    private int _isAsleep;
    private int _budget;

    /// <param name="index">Its place among the process's loops.</param>
    /// <exception cref="System.Net.Sockets.SocketException">The process has no descriptors left.</exception>
    public EventLoop(int index)
    {
        Index = index;
        _epoll = Libc.EpollCreate(Libc.CloseOnExec);
        if (_epoll < 0) throw Libc.ToException(Libc.Errno);
        _wake = Libc.EventFd(0, Libc.NonBlocking | Libc.CloseOnExec);
        if (_wake < 0 || Libc.EpollControl(_epoll, Libc.CtlAdd, _wake, Libc.In) < 0)
        {
            int errno = Libc.Errno;
            if (_wake >= 0) _ = Libc.Close(_wake);
            _ = Libc.Close(_epoll);
            throw Libc.ToException(errno);
        }
        new Thread(Run) { IsBackground = true, Name = $"turbo-io-{index}" }.UnsafeStart();
    }

    /// <summary>Its place among the process's loops, from 0.</summary>
    public int Index { get; }

    /// <summary>The loop whose thread calls; null on any other thread.</summary>
    public static EventLoop? Current => s_current;

    /// <summary>Whether the caller runs on this loop's thread.</summary>
    public bool IsCurrent => ReferenceEquals(s_current, this);

    /// <summary>Tells <paramref name="handler"/> of the descriptor's events from now on.</summary>
    /// <exception cref="System.Net.Sockets.SocketException">The kernel refuses: no memory, or a limit.</exception>
    public void Register(int fd, uint events, IEpollHandler handler)
    {
        Replace(fd, handler);
        if (Libc.EpollControl(_epoll, Libc.CtlAdd, fd, events) == 0) return;
        int errno = Libc.Errno;
        Replace(fd, null);
        throw Libc.ToException(errno);
    }

    /// <summary>Changes which events of a registered descriptor are told.</summary>
    public void Modify(int fd, uint events) => _ = Libc.EpollControl(_epoll, Libc.CtlModify, fd, events);

    /// <summary>Tells another handler of a registered descriptor's events; null tells nobody.</summary>
    public void Replace(int fd, IEpollHandler? handler)
    {
        lock (_tableLock)
        {
            if (fd >= _handlers.Length)
            {
                IEpollHandler?[] larger = new IEpollHandler?[Math.Max(fd + 1, 2 * _handlers.Length)];
                _handlers.CopyTo(larger, 0);
                Volatile.Write(ref _handlers, larger);
            }
            Volatile.Write(ref _handlers[fd], handler);
        }
    }

    /// <summary>Closes a descriptor, which ends its registration. On the loop's thread, so that none of its users meets another socket.</summary>
    public void Close(int fd)
    {
        Replace(fd, null);
        _ = Libc.Close(fd);
    }

    /// <summary>Calls <see cref="IEpollHandler.OnPosted"/> on the loop's thread, after the events that it has already.</summary>
    public void Post(IEpollHandler handler)
    {
        _posted.Enqueue(handler);
        if (!IsCurrent && Interlocked.Exchange(ref _isAsleep, 0) == 1) Wake();
    }

    /// <summary>Whether the connection whose event is being handled may go on at once; where not, others are to have their turn first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool MayGoOn() => !IsCurrent || --_budget >= 0;

    private void Wake()
    {
        long one = 1;
        // Only a counter at its limit refuses, and then the loop is awake.
        _ = Libc.Write(_wake, (byte*)&one, sizeof(long));
    }

    private void Run()
    {
        s_current = this;
        Libc.TakeShortTurns();
        byte[] events = GC.AllocateUninitializedArray<byte>(MaxEvents * Libc.EventBytes, pinned: true);
        fixed (byte* first = events)
        {
            while (true) Turn(first);
        }
    }

    private void Turn(byte* events)
    {
        int timeout = 0;
        if (_posted.IsEmpty)
        {
            // Who posts after this look wakes; who posted before it is seen.
            Interlocked.Exchange(ref _isAsleep, 1);
            if (_posted.IsEmpty) timeout = -1;
        }
        int count = Libc.EpollWait(_epoll, events, MaxEvents, timeout);
        Volatile.Write(ref _isAsleep, 0);
        // After the wait: what an event is of was registered before it.
        IEpollHandler?[] handlers = Volatile.Read(ref _handlers);
        for (int i = 0; i < count; i++)
        {
            byte* one = events + i * Libc.EventBytes;
            uint mask = *(uint*)one;
            int fd = *(int*)(one + Libc.EventDataAt);
            if (fd == _wake)
            {
                long counter;
                _ = Libc.Read(_wake, (byte*)&counter, sizeof(long));
                continue;
            }
            _budget = BurstBudget;
            Volatile.Read(ref handlers[fd])?.OnEvents(mask);
        }
        if (_posted.IsEmpty) return;
        // Those that are posted meanwhile have their turn after the next events.
        for (int left = _posted.Count; left > 0 && _posted.TryDequeue(out IEpollHandler? handler); left--)
        {
            _budget = BurstBudget;
            handler.OnPosted();
        }
    }
}

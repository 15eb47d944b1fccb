namespace Turbo.Net.Transport.Epoll;

/// <summary>The process's event loops: one for each processor that it may use, started when the first is needed.</summary>
internal static class EventLoops
{
    private static readonly Lazy<EventLoop[]> s_loops = new(static () =>
    {
        EventLoop[] loops = new EventLoop[Environment.ProcessorCount];
        for (int i = 0; i < loops.Length; i++) loops[i] = new EventLoop(i);
        return loops;
    });

    private static uint s_next;

    /// <summary>The loop of the next connection, in turn.</summary>
    public static EventLoop Next()
    {
        EventLoop[] loops = s_loops.Value;
        return loops.Length == 1 ? loops[0] : loops[Interlocked.Increment(ref s_next) % (uint)loops.Length];
    }

    /// <summary>The loop of the calling thread, so that both sides of what it does stay on one; else the next.</summary>
    public static EventLoop Here() => EventLoop.Current ?? Next();
}

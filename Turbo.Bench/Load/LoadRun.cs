using System.Diagnostics;

namespace Turbo.Bench.Load;

/// <summary>A connection that asks when a <see cref="LoadRun"/> says so.</summary>
internal abstract class Visitor : LoadConnection
{
    /// <summary>Whether it was told to ask and has not told that it has the whole answer.</summary>
    public bool IsAsking { get; set; }

    /// <summary>Sends the next request, which was due at this timestamp.</summary>
    public abstract void Ask(LoadRun run, long due);
}

/// <summary>When requests are sent, and what is counted.</summary>
/// <remarks>
/// Closed loop: a connection asks again when it has its answer, so a slow server is asked less; what that measures is
/// throughput. Open loop (a rate): request number n is due at n / rate whatever became of those before, and its latency
/// counts from then, waiting for a free connection included. So a server that stalls for a second has a second's worth of
/// late answers, and not the one that a closed loop would show (coordinated omission).
/// </remarks>
internal sealed class LoadRun
{
    // For answers that are on their way when the time is over.
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(10);

    private readonly LoadLoop _loop;
    private readonly Queue<Visitor> _idle = new();
    private readonly double _interval;
    private readonly int _maxAsking;
    private int _asking;
    private long _start;
    private long _end;
    private long _sent;

    /// <param name="loop">Where the visitors are connected.</param>
    /// <param name="rate">Requests a second, whatever the server does; 0 is a closed loop.</param>
    /// <param name="maxAsking">Connections of a closed loop that ask at a time; the others wait for their turn.</param>
    public LoadRun(LoadLoop loop, double rate = 0, int maxAsking = int.MaxValue)
    {
        _loop = loop;
        _maxAsking = maxAsking;
        _interval = rate > 0 ? Stopwatch.Frequency / rate : 0;
    }

    /// <summary>Requests, events or messages answered rightly.</summary>
    public long Count { get; private set; }

    public LatencyHistogram Latencies { get; } = new();

    /// <summary>Requests that were due and not sent when the time was over: the rate was beyond the server.</summary>
    public long Unsent { get; private set; }

    /// <summary>How long it took, the last answers included.</summary>
    public TimeSpan Elapsed { get; private set; }

    private bool IsOpen => _interval > 0;

    private long Due => _start + (long)(_sent * _interval);

    /// <summary>Runs for so long, with all that are connected, and then waits for the answers that are due.</summary>
    public void Run(IReadOnlyList<Visitor> visitors, TimeSpan time)
    {
        _start = Stopwatch.GetTimestamp();
        _end = _start + (long)(time.TotalSeconds * Stopwatch.Frequency);
        foreach (Visitor visitor in visitors)
        {
            if (!visitor.IsClosed) _idle.Enqueue(visitor);
        }
        while (Stopwatch.GetTimestamp() is long now && now < _end && _loop.Open > 0)
        {
            Interrupt.Check();
            AskNext(now);
            _loop.Wait(Patience(now));
        }
        if (IsOpen) CountUnsent();
        Finish(visitors);
    }

    /// <summary>Has each of them ask once, all at a time.</summary>
    public void Once(IReadOnlyList<Visitor> visitors)
    {
        _start = _end = Stopwatch.GetTimestamp();
        foreach (Visitor visitor in visitors)
        {
            if (!visitor.IsClosed) Ask(visitor, _start);
        }
        Finish(visitors);
    }

    /// <summary>What was due, or sent, at <paramref name="since"/> was answered rightly.</summary>
    public void OnAnswer(long since, long now, int answers = 1)
    {
        Count += answers;
        Latencies.Add((now - since) * (1_000_000_000 / Stopwatch.Frequency));
    }

    /// <summary>The visitor has its whole answer.</summary>
    public void OnIdle(Visitor visitor, long now)
    {
        visitor.IsAsking = false;
        _asking--;
        _idle.Enqueue(visitor);
        AskNext(now);
    }

    /// <summary>The answer is not what was asked for: the connection ends.</summary>
    public void OnWrong(Visitor visitor, string what) => _loop.Fail(visitor, what);

    private void AskNext(long now)
    {
        while (now < _end && _idle.Count > 0 && (IsOpen ? Due <= now : _asking < _maxAsking))
        {
            Visitor visitor = _idle.Dequeue();
            if (visitor.IsClosed) continue;
            Ask(visitor, IsOpen ? Due : now);
        }
    }

    private void Ask(Visitor visitor, long due)
    {
        _sent++;
        _asking++;
        visitor.IsAsking = true;
        visitor.Ask(this, due);
    }

    // Waits for what is on its way.
    private void Finish(IReadOnlyList<Visitor> visitors)
    {
        long late = Stopwatch.GetTimestamp() + (long)(s_grace.TotalSeconds * Stopwatch.Frequency);
        while (_asking > 0 && Stopwatch.GetTimestamp() < late && visitors.Any(static v => v.IsAsking && !v.IsClosed))
        {
            Interrupt.Check();
            _loop.Wait(10);
        }
        // The terminal interrupts the servers too: what they then ended is no failure of theirs.
        Interrupt.Check();
        Elapsed = Stopwatch.GetElapsedTime(_start);
        foreach (Visitor visitor in visitors)
        {
            if (visitor.IsAsking && !visitor.IsClosed) _loop.Fail(visitor, $"no answer within {s_grace.TotalSeconds} s");
            visitor.IsAsking = false;
        }
    }

    // Whole milliseconds are all that the kernel waits: an open loop spends the last one looking.
    private int Patience(long now)
    {
        long until = IsOpen && _idle.Count > 0 ? Math.Min(Due, _end) : _end;
        return (int)Math.Clamp((until - now) / (Stopwatch.Frequency / 1000) - (IsOpen ? 1 : 0), 0, 100);
    }

    // Each has waited at least until now.
    private void CountUnsent()
    {
        for (; Due < _end; _sent++)
        {
            Unsent++;
            Latencies.Add((_end - Due) * (1_000_000_000 / Stopwatch.Frequency));
        }
    }
}

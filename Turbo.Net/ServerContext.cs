using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Turbo.Net.Diagnostics;
using Turbo.Net.Http1;
using Turbo.Net.Transport.Epoll;

namespace Turbo.Net;

/// <summary>What the connections of one server share.</summary>
internal sealed class ServerContext
{
    public ServerContext(TurboServerOptions options, RequestHandler handler, ServerMetrics metrics)
    {
        Options = options;
        Limits = options.Limits;
        Metrics = metrics;
        Log = new ServerMetrics.CountingLog(options.Log ?? SilentLog.Instance, metrics);
        Handler = handler;
        Clock = new DateClock(options.TimeProvider);
        Exchanges = new ExchangePool(this);
    }

    public TurboServerOptions Options { get; }

    public ServerLimits Limits { get; }

    /// <summary>Counts what it passes on.</summary>
    public IServerLog Log { get; }

    public ServerMetrics Metrics { get; }

    public RequestHandler Handler { get; }

    public DateClock Clock { get; }

    public ExchangePool Exchanges { get; }

    public bool IsDraining => Volatile.Read(ref _isDraining);

    private bool _isDraining;

    public void BeginDrain() => Volatile.Write(ref _isDraining, true);
}

/// <summary>
/// Exchange objects between requests. Each event loop keeps a few of those that it returned last, for itself and without an
/// atomic instruction; the others are everybody's. Both are bounded, and what comes back beyond that is left to the collector.
/// </summary>
internal sealed class ExchangePool(ServerContext server)
{
    private const int MaxIdle = 1024;

    // What a loop keeps for itself.
    private const int MaxKept = 64;

    private readonly ConcurrentQueue<Exchange> _idle = new();
    private readonly Kept[] _kept = new Kept[Environment.ProcessorCount];
    private int _count;

    public Exchange Rent()
    {
        if (EventLoop.Current is { } loop)
        {
            ref Kept kept = ref _kept[loop.Index];
            if (kept.Top is { } top)
            {
                kept.Top = top.NextIdle;
                kept.Count--;
                top.NextIdle = null;
                return top;
            }
        }
        if (!_idle.TryDequeue(out Exchange? exchange)) return new Exchange(server);
        Interlocked.Decrement(ref _count);
        return exchange;
    }

    public void Return(Exchange exchange)
    {
        if (EventLoop.Current is { } loop)
        {
            ref Kept kept = ref _kept[loop.Index];
            if (kept.Count < MaxKept)
            {
                exchange.NextIdle = kept.Top;
                kept.Top = exchange;
                kept.Count++;
                return;
            }
        }
        if (Interlocked.Increment(ref _count) <= MaxIdle) _idle.Enqueue(exchange);
        else Interlocked.Decrement(ref _count);
    }

    // One loop's, which alone touches it; as large as the pair of cache lines that is fetched together.
    [StructLayout(LayoutKind.Sequential, Size = 128)]
    private struct Kept
    {
        public Exchange? Top;
        public int Count;
    }
}

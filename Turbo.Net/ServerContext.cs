using System.Collections.Concurrent;
using Turbo.Net.Diagnostics;
using Turbo.Net.Http1;

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

/// <summary>Exchange objects between requests. Bounded; more than that many busy at once are left to the collector.</summary>
internal sealed class ExchangePool(ServerContext server)
{
    private const int MaxIdle = 1024;

    private readonly ConcurrentQueue<Exchange> _idle = new();
    private int _count;

    public Exchange Rent()
    {
        if (!_idle.TryDequeue(out Exchange? exchange)) return new Exchange(server);
        Interlocked.Decrement(ref _count);
        return exchange;
    }

    public void Return(Exchange exchange)
    {
        if (Interlocked.Increment(ref _count) <= MaxIdle) _idle.Enqueue(exchange);
        else Interlocked.Decrement(ref _count);
    }
}

using Turbo.Bench.Load;

namespace Turbo.Bench.Cost;

/// <summary>Proxied event streams from 1 to 2,000 at a time, which together have the same events a second.</summary>
internal static class GrowingStreams
{
    private const int EventsPerSecond = 4000;

    public static CostTable Run(CostBench bench)
    {
        CostTable table = new("streams", $"proxied event streams at a time, about {EventsPerSecond:N0} events a second in all but the first two", ["CPU µs, event", "events a second", "p50 µs", "p99 µs"],
            "One stream of an event a millisecond is as fast as the upstream's clock ticks, so 1 and 10 have fewer events, and each wakes the server for itself. From 100 on events of several streams share a wakeup. The request that asks for a stream counts with its events, at least ten. Latency is from the upstream's write to the client's read.");
        using ServerProcess server = bench.Start();
        bench.Progress.Step("streams", "many events");
        bench.WarmUp(server, "streams", Scenario.Streams(server, 50, 1000), 100);
        foreach (int size in (int[])[1, 10, 100, 500, 2000])
        {
            bench.Progress.Step("streams", $"{size:N0} at a time");
            int interval = Math.Max(1000, size * 1_000_000 / EventsPerSecond);
            int events = (int)Math.Max(bench.Options.Seconds * 1_000_000 / interval, 10);
            Measurement m = bench.Measure(server, Scenario.Streams(server, events, interval), size);
            table.Add(size, m.CpuMicroseconds, m.PerSecond, m.P50Microseconds, m.P99Microseconds);
        }
        return table;
    }
}

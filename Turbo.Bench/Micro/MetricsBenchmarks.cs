using System.Diagnostics;
using BenchmarkDotNet.Attributes;
using Turbo.Net.Diagnostics;

namespace Turbo.Bench.Micro;

/// <summary>What counting costs on a thread that is no event loop's, where it is dearest, beside the clock that durations need.</summary>
[MemoryDiagnoser]
public class MetricsBenchmarks
{
    private readonly MetricCells _cells = new(8);
    private readonly LatencyHistogram _histogram = new(LatencyHistogram.Fine, TimeProvider.System);
    private long _elapsed;

    [Benchmark(Baseline = true)]
    public long Timestamp() => Stopwatch.GetTimestamp();

    [Benchmark]
    public void Count() => _cells.Add(3);

    [Benchmark]
    public void Record() => _histogram.Record(_elapsed = (_elapsed + 997) & 0xFFFFF);
}

namespace Turbo.Net.Diagnostics;

/// <summary>Counts durations by size. Recording is as <see cref="MetricCells.Add"/>, twice, and a search of the bounds.</summary>
public sealed class LatencyHistogram
{
    private readonly double[] _seconds;
    private readonly long[] _bounds;
    private readonly double _frequency;
    private readonly MetricCells _cells;

    /// <param name="upperBounds">Upper bounds of the buckets in seconds, inclusive and ascending; one more bucket takes what is longer.</param>
    /// <param name="time">The clock whose timestamps are recorded.</param>
    public LatencyHistogram(ReadOnlySpan<double> upperBounds, TimeProvider time)
    {
        _frequency = time.TimestampFrequency;
        _seconds = upperBounds.ToArray();
        _bounds = Array.ConvertAll(_seconds, second => (long)Math.Round(second * _frequency));
        // The buckets, and the sum.
        _cells = new MetricCells(_bounds.Length + 2);
    }

    /// <summary>Bounds for what takes microseconds: 5 µs to 10 s.</summary>
    public static ReadOnlySpan<double> Fine =>
    [
        5e-6, 10e-6, 15e-6, 20e-6, 25e-6, 30e-6, 40e-6, 50e-6, 60e-6, 75e-6, 100e-6, 150e-6, 200e-6, 300e-6, 400e-6, 500e-6, 750e-6,
        1e-3, 1.5e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 5, 10,
    ];

    /// <summary>Bounds for whole requests and waits for others: 50 µs to 2 minutes.</summary>
    public static ReadOnlySpan<double> Coarse =>
        [50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 5, 10, 30, 60, 120];

    /// <summary>Upper bounds of all buckets but the last, in seconds.</summary>
    public ReadOnlySpan<double> UpperBounds => _seconds;

    /// <summary>Records the difference of two timestamps of the clock; below zero is zero.</summary>
    public void Record(long elapsed)
    {
        elapsed = Math.Max(elapsed, 0);
        int at = MemoryExtensions.BinarySearch(_bounds, elapsed);
        _cells.Add(at < 0 ? ~at : at);
        _cells.Add(_bounds.Length + 1, elapsed);
    }

    /// <summary>How many durations are at most as long as each bound, and in all.</summary>
    /// <param name="cumulative">One place more than <see cref="UpperBounds"/>.</param>
    /// <param name="sum">Of all durations, in seconds.</param>
    /// <returns>How many durations there are: the last of <paramref name="cumulative"/>.</returns>
    public long Read(Span<long> cumulative, out double sum)
    {
        sum = _cells.Read(_bounds.Length + 1) / _frequency;
        long count = 0;
        for (int i = 0; i <= _bounds.Length; i++) cumulative[i] = count += _cells.Read(i);
        return count;
    }

    /// <summary>How many durations were recorded, and their sum in seconds.</summary>
    public (long Count, double Sum) Read()
    {
        Span<long> cumulative = stackalloc long[_bounds.Length + 1];
        long count = Read(cumulative, out double sum);
        return (count, sum);
    }
}

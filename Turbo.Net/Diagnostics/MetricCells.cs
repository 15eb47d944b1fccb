using System.Numerics;
using System.Runtime.CompilerServices;
using Turbo.Net.Transport.Epoll;

namespace Turbo.Net.Diagnostics;

/// <summary>
/// A fixed number of counters, added to by every thread and read by few. An event loop adds to a row of its own, without
/// an atomic instruction; any other thread to the row of the processor that it runs on. Adding takes no lock, allocates
/// nothing and costs one to ten nanoseconds; reading sums the rows.
/// </summary>
public sealed class MetricCells
{
    // Longs before and after a row, so that no two rows share a cache line or the pair that is fetched with it.
    private const int Padding = 16;

    // More processors share rows: memory is bounded on large machines.
    private const int MaxSharedRows = 16;

    private readonly long[][] _loops;
    private readonly long[][] _shared;

    /// <param name="count">How many counters.</param>
    public MetricCells(int count)
    {
        _loops = Rows(Environment.ProcessorCount, count);
        _shared = Rows((int)BitOperations.RoundUpToPowerOf2((uint)Math.Min(Environment.ProcessorCount, MaxSharedRows)), count);
    }

    /// <summary>Adds to a counter.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(int cell, long value = 1)
    {
        // One thread alone writes a loop's row.
        if (EventLoop.Current is { } loop) _loops[loop.Index][Padding + cell] += value;
        else AddShared(cell, value);
    }

    /// <summary>The counter's sum. While others add, some time between the call and its return.</summary>
    public long Read(int cell)
    {
        long sum = 0;
        foreach (long[] row in _loops) sum += Volatile.Read(ref row[Padding + cell]);
        foreach (long[] row in _shared) sum += Volatile.Read(ref row[Padding + cell]);
        return sum;
    }

    private void AddShared(int cell, long value) =>
        Interlocked.Add(ref _shared[Thread.GetCurrentProcessorId() & (_shared.Length - 1)][Padding + cell], value);

    private static long[][] Rows(int rows, int count)
    {
        long[][] all = new long[rows][];
        for (int i = 0; i < rows; i++) all[i] = new long[count + 2 * Padding];
        return all;
    }
}

using System.Numerics;

namespace Turbo.Bench.Load;

/// <summary>
/// Counts durations in nanoseconds, in buckets no wider than 1/128 of what they count: constant memory, no allocation,
/// and percentiles that are off by less than one in a hundred.
/// </summary>
internal sealed class LatencyHistogram
{
    private const int Bits = 7;
    private const int Buckets = (64 - Bits) << Bits;

    private readonly long[] _counts = new long[Buckets];

    public long Count { get; private set; }

    /// <summary>The longest so far, exactly.</summary>
    public long Max { get; private set; }

    public void Add(long nanoseconds)
    {
        nanoseconds = Math.Max(nanoseconds, 0);
        _counts[IndexOf(nanoseconds)]++;
        Count++;
        Max = Math.Max(Max, nanoseconds);
    }

    /// <summary>The duration that this share of them, from 0 to 1, does not exceed; 0 when there are none.</summary>
    public long At(double share)
    {
        long left = Math.Max((long)Math.Ceiling(share * Count), 1);
        for (int i = 0; i < Buckets; i++)
        {
            left -= _counts[i];
            if (left <= 0) return Math.Min(ValueOf(i), Max);
        }
        return Max;
    }

    // Twice 128 buckets of width 1, then 128 for each further power of two.
    private static int IndexOf(long value)
    {
        int shift = Math.Max(BitOperations.Log2((ulong)value | 1) - Bits, 0);
        return (shift << Bits) + (int)(value >> shift);
    }

    // The upper end of the bucket: a percentile is never told better than it is.
    private static long ValueOf(int index)
    {
        int shift = Math.Max((index >> Bits) - 1, 0);
        return ((long)(index - (shift << Bits) + 1) << shift) - 1;
    }
}

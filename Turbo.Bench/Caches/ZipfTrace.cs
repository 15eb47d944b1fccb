namespace Turbo.Bench.Caches;

/// <summary>Key numbers of which the k-th most frequent comes in proportion to k to the power of -skew; the same on every run.</summary>
internal static class ZipfTrace
{
    public static int[] Make(int keys, int length, double skew, int seed = 1)
    {
        double[] cumulative = new double[keys];
        double sum = 0;
        for (int i = 0; i < keys; i++) cumulative[i] = sum += Math.Pow(i + 1, -skew);
        Random random = new(seed);
        int[] trace = new int[length];
        for (int i = 0; i < length; i++)
        {
            int found = Array.BinarySearch(cumulative, random.NextDouble() * sum);
            trace[i] = Math.Min(found < 0 ? ~found : found, keys - 1);
        }
        return trace;
    }
}

namespace Turbo.Tests.Fuzz;

/// <summary>
/// How an input arrives: in one piece, byte by byte at times, and in pieces that the input's own bytes choose, so that a replay
/// cuts as the finding did.
/// </summary>
internal static class Cuts
{
    // Byte by byte is quadratic for some readers: longer inputs are cut so now and then, the longest never.
    private const int AlwaysBytewise = 32;
    private const int MaxBytewise = 300;

    /// <summary>Offsets at which pieces end, the last one the input's length.</summary>
    public static IEnumerable<int[]> Of(byte[] input)
    {
        int length = input.Length;
        if (length < 2) yield break;
        uint hash = 2166136261;
        foreach (byte b in input) hash = (hash ^ b) * 16777619;
        if (length <= AlwaysBytewise || (length <= MaxBytewise && hash % 8 == 0)) yield return [.. Enumerable.Range(1, length)];
        for (int way = 0; way < 2; way++)
        {
            int[] ends = new int[1 + (int)(hash >> 28 & 3)];
            for (int i = 0; i < ends.Length; i++)
            {
                hash = hash * 1664525 + 1013904223;
                ends[i] = 1 + (int)(hash >> 8) % length;
            }
            Array.Sort(ends);
            ends[^1] = length;
            yield return ends;
        }
    }
}

using System.Numerics;
using System.Runtime.InteropServices;
using SharpFuzz.Common;

namespace Turbo.Bench.Fuzz;

/// <summary>
/// The edges of instrumented code that an input went over, and roughly how often, as afl-fuzz counts them. SharpFuzz puts
/// a count into each branch of an assembly, which goes to <see cref="Trace.SharedMem"/>: here, memory of this process.
/// </summary>
/// <remarks>Unsafe since that is a pointer. It holds <see cref="Size"/> bytes for as long as the process lives, and every index of the instrumentation is below that.</remarks>
internal sealed unsafe class CoverageMap
{
    public const int Size = 1 << 16;

    private static readonly byte* s_hits = (byte*)NativeMemory.AlignedAlloc(Size, 64);

    // For each edge the buckets of its count that some input had.
    private readonly byte[] _seen = new byte[Size];

    /// <summary>Before any instrumented code runs: it counts without looking whether there is memory for it.</summary>
    public static void Attach() => Trace.SharedMem = s_hits;

    /// <summary>Edges that any input went over.</summary>
    public int Edges { get; private set; }

    public void Begin()
    {
        new Span<byte>(s_hits, Size).Clear();
        Trace.PrevLocation = 0;
    }

    /// <summary>Whether the run since <see cref="Begin"/> did something that none before it did.</summary>
    public bool IsNew()
    {
        bool isNew = false;
        Span<ulong> words = new(s_hits, Size / 8);
        for (int w = 0; w < words.Length; w++)
        {
            if (words[w] == 0) continue;
            for (int i = w * 8; i < (w + 1) * 8; i++)
            {
                int bucket = Bucket(s_hits[i]);
                if ((_seen[i] & bucket) == bucket) continue;
                if (_seen[i] == 0) Edges++;
                _seen[i] |= (byte)bucket;
                isNew = true;
            }
        }
        return isNew;
    }

    /// <summary>The run's edges with their buckets, one number each.</summary>
    public int[] Features()
    {
        List<int> features = [];
        for (int i = 0; i < Size; i++)
        {
            if (s_hits[i] != 0) features.Add(i << 3 | BitOperations.Log2((uint)Bucket(s_hits[i])));
        }
        return [.. features];
    }

    private static int Bucket(byte hits) => hits switch
    {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        < 8 => 8,
        < 16 => 16,
        < 32 => 32,
        < 128 => 64,
        _ => 128,
    };
}

using System.Collections.Concurrent;
using BitFaster.Caching.Lfu;
using BitFaster.Caching.Lru;
using Microsoft.Extensions.Caching.Memory;

namespace Turbo.Bench.Caches;

/// <summary>
/// Turbo.Bench cache: Turbo's cache beside others, as two tables in Markdown. Time is the process's own processor time,
/// what a cache does in the background included; rounds are interleaved and the best of each counts. So whatever else the
/// machine does is as unfair to one as to the other.
/// </summary>
internal static class CacheCommand
{
    private const int Entries = 10_000;
    private const int Rounds = 9;
    private const int ValueBytes = 100;
    private const int RoundOperations = 1_000_000;

    private static readonly string[] s_keys = Keys(100_000);

    // Other instances of the same text, as a request makes them: no comparison ends with the reference.
    private static readonly string[] s_asked = Keys(100_000);
    private static readonly byte[] s_value = new byte[ValueBytes];

    public static int Run(string[] args)
    {
        if (args.Length > 0)
        {
            Console.Error.WriteLine("bench cache takes no arguments");
            return 2;
        }
        int threads = Environment.ProcessorCount;
        int[] hot = ZipfTrace.Make(Entries, 1 << 16, 0.99), mixed = ZipfTrace.Make(2 * Entries, 1 << 16, 0.99);
        List<Row> rows = [Row<TurboCache>(NewTurbo), Row<Dictionary>(NewDictionary), Row<ExtensionsCache>(NewExtensions), Row<BitFasterLru>(NewLru), Row<BitFasterLfu>(NewLfu)];
        // The first round is to have everything compiled.
        for (int round = -1; round < Rounds; round++)
        {
            foreach (Row row in rows)
            {
                row.Take(round, 0, row.Rate(1, hot, 0));
                row.Take(round, 1, row.Rate(threads, hot, 0));
                row.Take(round, 2, row.Rate(1, mixed, 10));
                row.Take(round, 3, row.Rate(threads, mixed, 10));
            }
        }
        Console.WriteLine($"| {Entries} entries of {ValueBytes} bytes | reads, 1 thread | reads, {threads} threads, each | 9 reads to 1 write, 1 thread | {threads} threads, each | bytes an entry |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach (Row row in rows) Console.WriteLine($"| {row.Name} | {string.Join(" | ", row.Best.Select(static rate => $"{rate / 1e6:F1} M/s"))} | {row.Bytes()} |");

        double[] skews = [0.7, 0.9, 1.1];
        int[] capacities = [1_000, 10_000];
        Console.WriteLine();
        Console.WriteLine($"| hit rate, {s_keys.Length} keys by Zipf | {string.Join(" | ", capacities.SelectMany(capacity => skews.Select(skew => $"skew {skew:F1}, {capacity} entries")))} |");
        Console.WriteLine($"|---|{string.Concat(Enumerable.Repeat("---|", skews.Length * capacities.Length))}");
        int[][] traces = [.. skews.Select(static skew => ZipfTrace.Make(s_keys.Length, 1_000_000, skew))];
        Hits(NewTurbo);
        Hits(NewExtensions);
        Hits(NewLru);
        Hits(NewLfu);
        Hits(static capacity => new ExactLru(capacity));
        return 0;

        void Hits<T>(Func<int, T> make)
            where T : struct, IBenchCache =>
            Console.WriteLine($"| {T.Name} | {string.Join(" | ", capacities.SelectMany(capacity => traces.Select(trace => $"{HitRate(make(capacity), trace):P1}")))} |");
    }

    /// <summary>Room for so many of our entries, whatever their bookkeeping.</summary>
    private static TurboCache NewTurbo(int capacity) => TurboCache.Of(capacity, s_keys[0], s_value);

    private static Dictionary NewDictionary(int capacity) => new(new ConcurrentDictionary<string, byte[]>());

    private static ExtensionsCache NewExtensions(int capacity) => new(new MemoryCache(new MemoryCacheOptions { SizeLimit = capacity }));

    private static BitFasterLru NewLru(int capacity) => new(new ConcurrentLru<string, byte[]>(capacity));

    private static BitFasterLfu NewLfu(int capacity) => new(new ConcurrentLfu<string, byte[]>(capacity));

    private static Row Row<T>(Func<int, T> make)
        where T : struct, IBenchCache =>
        new(T.Name, (threads, trace, writes) => Rate(make(Entries), threads, trace, writes), () => BytesOfEntry(make));

    /// <summary>Operations in a second of processor time, where so many writes in a hundred set a key.</summary>
    private static double Rate<T>(T cache, int threads, int[] trace, int writes)
        where T : struct, IBenchCache
    {
        for (int i = 0; i < Entries; i++) cache.Set(s_keys[i], s_value);
        using Barrier start = new(threads);
        Thread[] workers = [.. Enumerable.Range(0, threads).Select(worker => new Thread(() =>
        {
            start.SignalAndWait();
            Work(cache, trace, worker * trace.Length / threads, writes);
        }))];
        TimeSpan before = Environment.CpuUsage.TotalTime;
        foreach (Thread worker in workers) worker.Start();
        foreach (Thread worker in workers) worker.Join();
        return threads * RoundOperations / (Environment.CpuUsage.TotalTime - before).TotalSeconds;
    }

    private static void Work<T>(T cache, int[] trace, int at, int writes)
        where T : struct, IBenchCache
    {
        long bytes = 0;
        for (int i = 0; i < RoundOperations; i++, at++)
        {
            int key = trace[at & (trace.Length - 1)];
            if (i % 100 < writes) cache.Set(s_asked[key], s_value);
            else if (cache.TryGet(s_asked[key], out ReadOnlyMemory<byte> value)) bytes += value.Length;
        }
        GC.KeepAlive(bytes);
    }

    /// <summary>What one more entry takes, without its key and its value, in a cache that is as full as it may be.</summary>
    private static long BytesOfEntry<T>(Func<int, T> make)
        where T : struct, IBenchCache
    {
        byte[][] values = [.. Enumerable.Range(0, Entries).Select(static _ => new byte[ValueBytes])];
        long before = Memory();
        T cache = make(Entries);
        for (int i = 0; i < Entries; i++) cache.Set(s_keys[i], values[i]);
        int kept = Enumerable.Range(0, Entries).Count(i => cache.TryGet(s_keys[i], out _));
        long taken = Memory() - before;
        // An object's header, the array's length, and its bytes up to a multiple of eight.
        if (typeof(T) == typeof(TurboCache)) taken -= kept * (24L + (ValueBytes + 7) / 8 * 8);
        GC.KeepAlive(values);
        GC.KeepAlive(cache);
        return taken / kept;
    }

    private static long Memory()
    {
        // What the caches before have left, and their finalizers keep.
        for (int i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        return GC.GetTotalMemory(forceFullCollection: true);
    }

    private static double HitRate<T>(T cache, int[] trace)
        where T : struct, IBenchCache
    {
        int hits = 0;
        foreach (int key in trace)
        {
            if (cache.TryGet(s_asked[key], out _)) hits++;
            else cache.Set(s_keys[key], s_value);
        }
        return (double)hits / trace.Length;
    }

    private static string[] Keys(int count) => [.. Enumerable.Range(0, count).Select(static i => $"context:{i * 7919:D12}")];
}

/// <summary>A cache's line: how it is measured, and the best of each measure so far.</summary>
internal sealed record Row(string Name, Func<int, int[], int, double> Rate, Func<long> Bytes)
{
    public double[] Best { get; } = new double[4];

    public void Take(int round, int measure, double rate)
    {
        if (round >= 0) Best[measure] = Math.Max(Best[measure], rate);
    }
}

using System.Buffers.Binary;
using System.Text;
using Turbo.Server.Cache;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Cache;

public sealed class MemoryCacheTests
{
    private static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string? Text(ReadOnlyMemory<byte>? value) => value is { } bytes ? Encoding.UTF8.GetString(bytes.Span) : null;

    private static MemoryCache Cache(long bytes = 1 << 20, TimeProvider? time = null) => new(bytes, time ?? TimeProvider.System);

    private static string? Get(MemoryCache cache, string key) => Text(cache.GetAsync(key).Result);

    private static void Set(MemoryCache cache, string key, string value, TimeSpan? expiry = null) => cache.SetAsync(key, Bytes(value), expiry).GetAwaiter().GetResult();

    private static bool Delete(MemoryCache cache, string key) => cache.DeleteAsync(key).Result;

    private static bool Append(MemoryCache cache, string key, string item, int keep) => cache.AppendAsync(key, Bytes(item), keep).Result;

    private static string? List(MemoryCache cache, string key) => cache.ReadListAsync(key).Result is { } items ? string.Join(' ', items.Select(static i => Text(i))) : null;

    [Test]
    public void Values_are_set_replaced_and_deleted()
    {
        MemoryCache cache = Cache();
        Assert.That(Get(cache, "a"), Is.Null);
        Set(cache, "a", "1");
        Set(cache, "b", "");
        Assert.That((Get(cache, "a"), Get(cache, "b")), Is.EqualTo(("1", "")));
        Set(cache, "a", "2");
        Assert.That(Get(cache, "a"), Is.EqualTo("2"));
        Assert.That((Delete(cache, "a"), Delete(cache, "a"), Get(cache, "a")), Is.EqualTo((true, false, (string?)null)));
        Set(cache, "a", "3");
        Assert.That(Get(cache, "a"), Is.EqualTo("3"));
        Assert.That(cache.Count, Is.EqualTo(2));
    }

    [Test]
    public void A_value_ends_with_its_time()
    {
        ManualTimeProvider time = new();
        MemoryCache cache = Cache(time: time);
        Set(cache, "a", "1", TimeSpan.FromSeconds(10));
        time.Advance(TimeSpan.FromMilliseconds(9_999));
        Assert.That(Get(cache, "a"), Is.EqualTo("1"));
        time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.That((Get(cache, "a"), cache.Count), Is.EqualTo(((string?)null, 0L)));
        Set(cache, "a", "2", TimeSpan.FromSeconds(10));
        Set(cache, "a", "3");
        time.Advance(TimeSpan.FromDays(1));
        Assert.That(Get(cache, "a"), Is.EqualTo("3"), "the new value has no end");
    }

    [Test]
    public void Lists_grow_at_the_end_and_keep_the_last()
    {
        MemoryCache cache = Cache();
        Assert.That((Append(cache, "l", "x", 3), List(cache, "l")), Is.EqualTo((false, (string?)null)), "a list that is not there is not begun");
        cache.SetListAsync("l", [Bytes("1"), Bytes("2")]).GetAwaiter().GetResult();
        Assert.That(Append(cache, "l", "3", 3));
        Assert.That(Append(cache, "l", "4", 3));
        Assert.That(List(cache, "l"), Is.EqualTo("2 3 4"));
        Assert.That(Get(cache, "l"), Is.Null, "a list is not a value");
        Assert.That(Delete(cache, "l"));
        Assert.That(Append(cache, "l", "5", 3), Is.False);
    }

    [Test]
    public void Its_bytes_are_bounded_and_come_back()
    {
        const long capacity = 1 << 20;
        MemoryCache cache = Cache(capacity);
        for (int i = 0; i < 50_000; i++)
        {
            Set(cache, $"key {i}", new string('x', i % 700));
            Assert.That(cache.Bytes, Is.LessThanOrEqualTo(capacity));
        }
        Assert.That(cache.Count, Is.GreaterThan(1000), "and used");
        Set(cache, "huge", new string('x', (int)capacity));
        Assert.That(Get(cache, "huge"), Is.Null, "what is larger than the cache is not kept");
        Assert.That(cache.Count, Is.GreaterThan(1000), "nor does it empty it");
        // A hot key that is set again and again must not leave its dead behind.
        for (int i = 0; i < 50_000; i++)
        {
            Delete(cache, "hot");
            Set(cache, "hot", "value");
        }
        Assert.That(cache.Bytes, Is.LessThanOrEqualTo(capacity));
        Assert.That(Get(cache, "hot"), Is.EqualTo("value"));
    }

    [TestCase(0.7)]
    [TestCase(0.9)]
    [TestCase(1.1)]
    public void Its_hit_rate_on_a_zipf_trace_is_at_least_lrus(double skew)
    {
        const int keys = 20_000, reads = 400_000, entries = 1_000;
        Random random = new(1);
        double[] cumulative = new double[keys];
        double sum = 0;
        for (int i = 0; i < keys; i++) cumulative[i] = sum += Math.Pow(i + 1, -skew);

        string value = new('v', 100);
        Set(Cache(), "probe", value);
        MemoryCache probe = Cache();
        Set(probe, "key 10000", value);
        long each = probe.Bytes;
        MemoryCache cache = Cache(entries * each);
        Lru lru = new(entries);
        int hits = 0, lruHits = 0;
        for (int i = 0; i < reads; i++)
        {
            int found = Array.BinarySearch(cumulative, random.NextDouble() * sum);
            string key = $"key {(found < 0 ? ~found : found) + 10_000}";
            if (Get(cache, key) is not null) hits++;
            else Set(cache, key, value);
            if (lru.Touch(key)) lruHits++;
        }
        TestContext.Out.WriteLine($"skew {skew}: {(double)hits / reads:P1}, LRU {(double)lruHits / reads:P1}");
        Assert.That(hits, Is.GreaterThanOrEqualTo(lruHits));
    }

    /// <summary>
    /// Each key has one writer, which numbers its values; readers on other threads may never see a value that was torn,
    /// of another key, older than one they saw before, or newer than what was written; nor one that was deleted.
    /// </summary>
    [Test]
    public void Nothing_is_lost_torn_or_resurrected()
    {
        const int writers = 4, keysEach = 50, rounds = 20_000;
        // Large enough that nothing is evicted: then a miss is a loss.
        MemoryCache cache = Cache(64 << 20);
        long[] written = new long[writers * keysEach];
        long[] deletedUpTo = new long[writers * keysEach];
        string? failure = null;
        int running = writers;

        Thread[] threads = [.. Enumerable.Range(0, writers).Select(w => new Thread(() => Write(w))), .. Enumerable.Range(0, 3).Select(r => new Thread(() => Read(r)))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        Assert.That(failure, Is.Null);

        for (int key = 0; key < written.Length; key++)
        {
            string? last = Get(cache, $"key {key}");
            Assert.That(last is null, Is.EqualTo(deletedUpTo[key] >= written[key]), $"key {key}");
        }

        void Write(int writer)
        {
            Random random = new(writer);
            for (int i = 1; i <= rounds && failure is null; i++)
            {
                int key = writer * keysEach + random.Next(keysEach);
                long number = Volatile.Read(ref written[key]);
                if (random.Next(10) == 0)
                {
                    bool wasThere = number > Volatile.Read(ref deletedUpTo[key]);
                    if (Delete(cache, $"key {key}") != wasThere) failure = $"deleting key {key}: {(wasThere ? "lost" : "resurrected")}";
                    Volatile.Write(ref deletedUpTo[key], number);
                    continue;
                }
                Volatile.Write(ref written[key], number + 1);
                cache.SetAsync($"key {key}", Value(key, number + 1)).GetAwaiter().GetResult();
                if (Number(cache.GetAsync($"key {key}").Result, key) != number + 1) failure = $"key {key} lost value {number + 1}";
            }
            Interlocked.Decrement(ref running);
        }

        void Read(int seed)
        {
            Random random = new(100 + seed);
            long[] seen = new long[written.Length];
            while (Volatile.Read(ref running) > 0 && failure is null)
            {
                int key = random.Next(written.Length);
                long deleted = Volatile.Read(ref deletedUpTo[key]);
                ReadOnlyMemory<byte>? value = cache.GetAsync($"key {key}").Result;
                if (value is null) continue;
                long number = Number(value, key);
                if (number < 0) failure = $"key {key}: torn";
                else if (number < seen[key]) failure = $"key {key}: {number} after {seen[key]}";
                else if (number <= deleted) failure = $"key {key}: {number} resurrected, deleted up to {deleted}";
                else if (number > Volatile.Read(ref written[key])) failure = $"key {key}: {number} was never written";
                seen[key] = Math.Max(seen[key], number);
            }
        }

        static ReadOnlyMemory<byte> Value(int key, long number)
        {
            byte[] value = new byte[256];
            for (int i = 0; i < value.Length; i += 16)
            {
                BinaryPrimitives.WriteInt64LittleEndian(value.AsSpan(i), key);
                BinaryPrimitives.WriteInt64LittleEndian(value.AsSpan(i + 8), number);
            }
            return value;
        }

        static long Number(ReadOnlyMemory<byte>? value, int key)
        {
            if (value is not { } bytes || bytes.Length != 256) return -1;
            long number = BinaryPrimitives.ReadInt64LittleEndian(bytes.Span[8..]);
            return bytes.Span.SequenceEqual(Value(key, number).Span) ? number : -1;
        }
    }

    [Test]
    public void Under_eviction_by_several_threads_its_books_balance()
    {
        const long capacity = 256 * 1024;
        MemoryCache cache = Cache(capacity);
        Parallel.For(0, 4, new ParallelOptions { MaxDegreeOfParallelism = 4 }, worker =>
        {
            Random random = new(worker);
            for (int i = 0; i < 30_000; i++)
            {
                string key = $"key {random.Next(3_000)}";
                switch (random.Next(5))
                {
                    case 0: Delete(cache, key); break;
                    case 1 or 2: Set(cache, key, new string('x', random.Next(500))); break;
                    default: Get(cache, key); break;
                }
            }
        });
        Assert.That(cache.Bytes, Is.LessThanOrEqualTo(capacity));
        for (int i = 0; i < 3_000; i++) Delete(cache, $"key {i}");
        Assert.That(cache.Count, Is.Zero);
        // The dead leave their queues as new entries come.
        for (int i = 0; i < 3_000; i++) Set(cache, $"new {i}", "v");
        Assert.That(cache.Bytes, Is.LessThanOrEqualTo(capacity));
        Assert.That(cache.Count, Is.GreaterThan(100));
    }

    [Test]
    public async Task Appends_at_the_same_time_are_all_kept()
    {
        MemoryCache cache = Cache();
        await cache.SetListAsync("l", []);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(w => Task.Run(() =>
        {
            for (int i = 0; i < 500; i++) Append(cache, "l", $"{w}:{i}", 10_000);
        })));
        string[] items = List(cache, "l")!.Split(' ');
        Assert.That(items, Has.Length.EqualTo(2000));
        for (int w = 0; w < 4; w++) Assert.That(items.Where(i => i.StartsWith($"{w}:", StringComparison.Ordinal)), Is.EqualTo(Enumerable.Range(0, 500).Select(i => $"{w}:{i}")));
    }

    [Test]
    public void A_hit_allocates_nothing()
    {
        MemoryCache cache = Cache();
        Set(cache, "a", "1");
        for (int i = 0; i < 1000; i++) _ = cache.GetAsync("a");
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++) _ = cache.GetAsync("a");
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    private sealed class Lru(int capacity)
    {
        private readonly LinkedList<string> _order = new();
        private readonly Dictionary<string, LinkedListNode<string>> _nodes = [];

        public bool Touch(string key)
        {
            if (_nodes.TryGetValue(key, out LinkedListNode<string>? node))
            {
                _order.Remove(node);
                _order.AddFirst(node);
                return true;
            }
            if (_nodes.Count == capacity)
            {
                _nodes.Remove(_order.Last!.Value);
                _order.RemoveLast();
            }
            _nodes[key] = _order.AddFirst(key);
            return false;
        }
    }
}

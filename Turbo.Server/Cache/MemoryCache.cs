using System.Collections.Concurrent;
using System.Numerics;

namespace Turbo.Server.Cache;

/// <summary>
/// The cache of one process, without locks: reads write nothing shared but a recency mark, writes are
/// compare-and-swaps of one entry or one bucket. Bounded by bytes. Eviction follows S3-FIFO (Yang et al., SOSP 2023):
/// new entries wait in a small queue, those read again move to the main one, and those thrown out are remembered for
/// a while by their hash alone, so that one that comes back is taken for what it is.
/// </summary>
internal sealed class MemoryCache : ICache
{
    /// <summary>What an entry takes beside key and value: objects, bucket, queue.</summary>
    private const int EntryBytes = 160;

    /// <summary>The share of the bytes that entries seen once may take.</summary>
    private const int SmallShare = 10;

    private const long Never = long.MaxValue;

    private readonly long _capacity;
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly CacheTable _table;
    private readonly ConcurrentQueue<CacheEntry> _small = new();
    private readonly ConcurrentQueue<CacheEntry> _main = new();
    private readonly int[] _ghosts;
    private long _bytes;
    private long _smallBytes;
    private long _count;

    /// <param name="capacityBytes">Memory to use; at least 64 KiB.</param>
    /// <param name="time">The clock of expiry.</param>
    public MemoryCache(long capacityBytes, TimeProvider time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacityBytes, 64 * 1024);
        _capacity = capacityBytes;
        _time = time;
        _start = time.GetTimestamp();
        // About an entry a bucket when entries are of half a kilobyte; smaller ones make short arrays.
        int buckets = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(capacityBytes / 512, 256, 1 << 20));
        _table = new CacheTable(buckets);
        _ghosts = new int[buckets];
    }

    /// <summary>Memory in use, by the cache's own reckoning.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Entries, expired ones that were not met yet included.</summary>
    public long Count => Volatile.Read(ref _count);

    public ValueTask<ReadOnlyMemory<byte>?> GetAsync(string key) =>
        new(TryGet(key, out object? value) && value is byte[] bytes ? bytes : default(ReadOnlyMemory<byte>?));

    public ValueTask SetAsync(string key, ReadOnlyMemory<byte> value, TimeSpan? expiry = null)
    {
        Set(key, value.ToArray(), value.Length, expiry);
        return default;
    }

    public ValueTask<bool> DeleteAsync(string key)
    {
        CacheEntry? entry = _table.Find(key, Hash(key));
        return new ValueTask<bool>(entry is not null && Kill(entry) is { } content && !IsOver(content));
    }

    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>?> ReadListAsync(string key) =>
        new(TryGet(key, out object? value) ? value as ReadOnlyMemory<byte>[] : null);

    public ValueTask SetListAsync(string key, IReadOnlyList<ReadOnlyMemory<byte>> items, TimeSpan? expiry = null)
    {
        ReadOnlyMemory<byte>[] copy = [.. items.Select(static item => (ReadOnlyMemory<byte>)item.ToArray())];
        Set(key, copy, ListBytes(copy), expiry);
        return default;
    }

    public ValueTask<bool> AppendAsync(string key, ReadOnlyMemory<byte> item, int keep)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(keep, 1);
        ReadOnlyMemory<byte> copy = item.ToArray();
        while (true)
        {
            CacheEntry? entry = _table.Find(key, Hash(key));
            if (entry is null || Volatile.Read(ref entry.Content) is not { } old || IsOver(old) || old.Value is not ReadOnlyMemory<byte>[] items) return new ValueTask<bool>(false);
            ReadOnlyMemory<byte>[] longer = [.. items.AsSpan(Math.Max(0, items.Length + 1 - keep)), copy];
            CacheContent next = new(longer, Size(key, ListBytes(longer)), old.ExpiresAt);
            if (!TryReplace(entry, old, next)) continue;
            return new ValueTask<bool>(true);
        }
    }

    public Task CheckAsync() => Task.CompletedTask;

    private bool TryGet(string key, out object? value)
    {
        value = null;
        CacheEntry? entry = _table.Find(key, Hash(key));
        if (entry is null || Volatile.Read(ref entry.Content) is not { } content) return false;
        if (IsOver(content))
        {
            Kill(entry, content);
            return false;
        }
        if (entry.Uses < CacheEntry.MaxUses) entry.Uses++;
        value = content.Value;
        return true;
    }

    private void Set(string key, object value, int valueBytes, TimeSpan? expiry)
    {
        if (key.Length is 0 or > 512) throw new ArgumentException("a cache key has 1 to 512 characters", nameof(key));
        int hash = Hash(key);
        CacheContent content = new(value, Size(key, valueBytes), expiry is { } after ? Now + (long)after.TotalMilliseconds : Never);
        bool fits = content.Bytes <= _capacity / 2;
        while (true)
        {
            CacheEntry? entry = _table.Find(key, hash);
            if (!fits)
            {
                // Larger than the cache should hold; what it would replace is gone all the same.
                if (entry is not null) Kill(entry);
                return;
            }
            if (entry is not null)
            {
                if (Volatile.Read(ref entry.Content) is { } old && TryReplace(entry, old, content)) return;
                continue;
            }
            CacheEntry added = new(key, hash, content);
            bool isReturning = Interlocked.CompareExchange(ref _ghosts[hash & (_ghosts.Length - 1)], 0, Fingerprint(hash)) == Fingerprint(hash);
            // Counted before it can be found, so that whoever kills it takes off what was put on.
            Interlocked.Add(ref _bytes, content.Bytes);
            Interlocked.Increment(ref _count);
            if (!_table.TryAdd(added, out _))
            {
                Interlocked.Add(ref _bytes, -content.Bytes);
                Interlocked.Decrement(ref _count);
                continue;
            }
            if (isReturning)
            {
                _main.Enqueue(added);
            }
            else
            {
                Interlocked.Add(ref _smallBytes, EntryBytes);
                _small.Enqueue(added);
            }
            Evict();
            return;
        }
    }

    private bool TryReplace(CacheEntry entry, CacheContent old, CacheContent next)
    {
        Interlocked.Add(ref _bytes, next.Bytes - old.Bytes);
        if (ReferenceEquals(Interlocked.CompareExchange(ref entry.Content, next, old), old))
        {
            if (entry.Uses < CacheEntry.MaxUses) entry.Uses++;
            Evict();
            return true;
        }
        Interlocked.Add(ref _bytes, old.Bytes - next.Bytes);
        return false;
    }

    /// <summary>Ends the entry, whatever it holds; what it held, or null when somebody else was first.</summary>
    private CacheContent? Kill(CacheEntry entry)
    {
        CacheContent? last = Interlocked.Exchange(ref entry.Content, null);
        if (last is not null) Bury(entry, last);
        return last;
    }

    /// <summary>Ends the entry if it still holds <paramref name="expected"/>.</summary>
    private void Kill(CacheEntry entry, CacheContent expected)
    {
        if (ReferenceEquals(Interlocked.CompareExchange(ref entry.Content, null, expected), expected)) Bury(entry, expected);
    }

    // The dead entry stays in its queue, at the price of EntryBytes, until eviction meets it there.
    private void Bury(CacheEntry entry, CacheContent last)
    {
        Interlocked.Add(ref _bytes, EntryBytes - last.Bytes);
        Interlocked.Decrement(ref _count);
        _table.Unlink(entry);
    }

    /// <summary>
    /// Makes room. Several threads may do so at once, each with an entry of its own off a queue; a thread that finds
    /// both empty leaves the rest to those who hold the entries.
    /// </summary>
    private void Evict()
    {
        while (Volatile.Read(ref _bytes) > _capacity)
        {
            bool fromSmall = Volatile.Read(ref _smallBytes) * SmallShare > SmallLimit || _main.IsEmpty;
            if (fromSmall && _small.TryDequeue(out CacheEntry? young))
            {
                Interlocked.Add(ref _smallBytes, -EntryBytes);
                if (young.Uses > 1 && Volatile.Read(ref young.Content) is not null)
                {
                    young.Uses = 0;
                    _main.Enqueue(young);
                    continue;
                }
                Volatile.Write(ref _ghosts[young.Hash & (_ghosts.Length - 1)], Fingerprint(young.Hash));
                Drop(young);
            }
            else if (_main.TryDequeue(out CacheEntry? old))
            {
                if (old.Uses > 0 && Volatile.Read(ref old.Content) is not null)
                {
                    old.Uses--;
                    _main.Enqueue(old);
                    continue;
                }
                Drop(old);
            }
            else if (_small.IsEmpty)
            {
                return;
            }
        }
    }

    // Off its queue for good.
    private void Drop(CacheEntry entry)
    {
        Kill(entry);
        Interlocked.Add(ref _bytes, -EntryBytes);
    }

    // In entries' overheads rather than bytes: the queues hold entries, and their number is what the share is of.
    private long SmallLimit => Volatile.Read(ref _count) * EntryBytes;

    private long Now => (long)_time.GetElapsedTime(_start).TotalMilliseconds;

    private bool IsOver(CacheContent content) => content.ExpiresAt != Never && Now >= content.ExpiresAt;

    // Randomised per process: keys that collide cannot be prepared.
    private static int Hash(string key) => string.GetHashCode(key, StringComparison.Ordinal);

    // Never 0, which is an empty place.
    private static int Fingerprint(int hash) => hash | 1;

    private static int Size(string key, int valueBytes) => EntryBytes + key.Length * sizeof(char) + valueBytes;

    private static int ListBytes(ReadOnlyMemory<byte>[] items)
    {
        int bytes = 0;
        foreach (ReadOnlyMemory<byte> item in items) bytes += item.Length + 40;
        return bytes;
    }
}

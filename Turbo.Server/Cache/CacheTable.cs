using System.Diagnostics.CodeAnalysis;

namespace Turbo.Server.Cache;

/// <summary>A value and when it ends: immutable, so that it is read whole or not at all.</summary>
/// <param name="Value">A byte array, or a list of them.</param>
/// <param name="Bytes">Memory it takes.</param>
/// <param name="ExpiresAt">Milliseconds of the cache's clock.</param>
internal sealed record CacheContent(object Value, int Bytes, long ExpiresAt);

/// <summary>
/// A key's place. Its content is exchanged by compare-and-swap and, once null, stays null: a dead entry is never
/// revived, a new one takes its place.
/// </summary>
internal sealed class CacheEntry(string key, int hash, CacheContent content)
{
    public const int MaxUses = 3;

    public readonly string Key = key;
    public readonly int Hash = hash;
    public CacheContent? Content = content;

    /// <summary>The recency mark: reads count up to <see cref="MaxUses"/>, eviction counts down. Racing marks may be lost.</summary>
    public byte Uses;
}

/// <summary>
/// A hash table without locks. Each bucket is an immutable array that is replaced by compare-and-swap; a read is one
/// volatile load and a scan of the few entries in it. The number of buckets is fixed: the cache knows its bound.
/// </summary>
internal sealed class CacheTable(int buckets)
{
    private readonly CacheEntry[]?[] _buckets = new CacheEntry[buckets][];

    /// <summary>The live entry of the key, or null.</summary>
    public CacheEntry? Find(string key, int hash)
    {
        CacheEntry[]? bucket = Volatile.Read(ref Bucket(hash));
        if (bucket is null) return null;
        foreach (CacheEntry entry in bucket)
        {
            if (entry.Hash == hash && Volatile.Read(ref entry.Content) is not null && entry.Key == key) return entry;
        }
        return null;
    }

    /// <summary>Adds the entry unless its key has a live one, which is then given; dead ones in the bucket are dropped.</summary>
    public bool TryAdd(CacheEntry added, [NotNullWhen(false)] out CacheEntry? existing)
    {
        ref CacheEntry[]? slot = ref Bucket(added.Hash);
        while (true)
        {
            CacheEntry[]? old = Volatile.Read(ref slot);
            int live = 0;
            if (old is not null)
            {
                foreach (CacheEntry entry in old)
                {
                    if (Volatile.Read(ref entry.Content) is null) continue;
                    if (entry.Hash == added.Hash && entry.Key == added.Key)
                    {
                        existing = entry;
                        return false;
                    }
                    live++;
                }
            }
            List<CacheEntry> next = new(live + 1) { added };
            if (old is not null)
            {
                foreach (CacheEntry entry in old)
                {
                    if (Volatile.Read(ref entry.Content) is not null) next.Add(entry);
                }
            }
            if (ReferenceEquals(Interlocked.CompareExchange(ref slot, [.. next], old), old))
            {
                existing = null;
                return true;
            }
        }
    }

    /// <summary>Takes an entry that has died out of its bucket.</summary>
    public void Unlink(CacheEntry dead)
    {
        ref CacheEntry[]? slot = ref Bucket(dead.Hash);
        while (true)
        {
            CacheEntry[]? old = Volatile.Read(ref slot);
            if (old is null || Array.IndexOf(old, dead) < 0) return;
            CacheEntry[] left = Array.FindAll(old, entry => !ReferenceEquals(entry, dead));
            if (ReferenceEquals(Interlocked.CompareExchange(ref slot, left.Length == 0 ? null : left, old), old)) return;
        }
    }

    private ref CacheEntry[]? Bucket(int hash) => ref _buckets[hash & (_buckets.Length - 1)];
}

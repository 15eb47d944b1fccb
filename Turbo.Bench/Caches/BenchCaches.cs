using System.Collections.Concurrent;
using BitFaster.Caching.Lfu;
using BitFaster.Caching.Lru;
using Microsoft.Extensions.Caching.Memory;

namespace Turbo.Bench.Caches;

/// <summary>A cache as it is measured. Implementations are structs, so that a call is the cache's and nothing else.</summary>
internal interface IBenchCache
{
    static abstract string Name { get; }

    /// <summary>Whether it forgets: what is unbounded has no hit rate.</summary>
    static abstract bool IsBounded { get; }

    bool TryGet(string key, out ReadOnlyMemory<byte> value);

    void Set(string key, byte[] value);
}

/// <summary>Turbo's own; bounded by bytes, and it copies what it is given.</summary>
internal readonly struct TurboCache(Server.Cache.MemoryCache cache) : IBenchCache
{
    public static string Name => "Turbo MemoryCache";
    public static bool IsBounded => true;

    /// <summary>One with room for so many entries, by its own reckoning of what such an entry takes.</summary>
    public static TurboCache Of(int entries, string key, byte[] value)
    {
        Server.Cache.MemoryCache probe = new(1 << 20, TimeProvider.System);
        new TurboCache(probe).Set(key, value);
        return new TurboCache(new Server.Cache.MemoryCache(entries * probe.Bytes, TimeProvider.System));
    }

    public bool TryGet(string key, out ReadOnlyMemory<byte> value)
    {
        ReadOnlyMemory<byte>? found = cache.GetAsync(key).Result;
        value = found.GetValueOrDefault();
        return found.HasValue;
    }

    public void Set(string key, byte[] value) => cache.SetAsync(key, value).GetAwaiter().GetResult();
}

/// <summary>No cache: what a table without any bookkeeping takes.</summary>
internal readonly struct Dictionary(ConcurrentDictionary<string, byte[]> table) : IBenchCache
{
    public static string Name => "ConcurrentDictionary";
    public static bool IsBounded => false;

    public bool TryGet(string key, out ReadOnlyMemory<byte> value)
    {
        bool isThere = table.TryGetValue(key, out byte[]? found);
        value = found;
        return isThere;
    }

    public void Set(string key, byte[] value) => table[key] = value;
}

internal readonly struct ExtensionsCache(MemoryCache cache) : IBenchCache
{
    public static string Name => "Microsoft.Extensions MemoryCache";
    public static bool IsBounded => true;

    public bool TryGet(string key, out ReadOnlyMemory<byte> value)
    {
        bool isThere = cache.TryGetValue(key, out object? found);
        value = (byte[]?)found;
        return isThere;
    }

    public void Set(string key, byte[] value)
    {
        using ICacheEntry entry = cache.CreateEntry(key);
        entry.Size = 1;
        entry.Value = value;
    }
}

internal readonly struct BitFasterLru(ConcurrentLru<string, byte[]> cache) : IBenchCache
{
    public static string Name => "BitFaster ConcurrentLru";
    public static bool IsBounded => true;

    public bool TryGet(string key, out ReadOnlyMemory<byte> value)
    {
        bool isThere = cache.TryGet(key, out byte[]? found);
        value = found;
        return isThere;
    }

    public void Set(string key, byte[] value) => cache.AddOrUpdate(key, value);
}

internal readonly struct BitFasterLfu(ConcurrentLfu<string, byte[]> cache) : IBenchCache
{
    public static string Name => "BitFaster ConcurrentLfu";
    public static bool IsBounded => true;

    public bool TryGet(string key, out ReadOnlyMemory<byte> value)
    {
        bool isThere = cache.TryGet(key, out byte[]? found);
        value = found;
        return isThere;
    }

    public void Set(string key, byte[] value) => cache.AddOrUpdate(key, value);
}

/// <summary>Least recently used, exactly: the measure of a hit rate. For one thread.</summary>
internal readonly struct ExactLru(int capacity) : IBenchCache
{
    private readonly LinkedList<(string Key, byte[] Value)> _order = new();
    private readonly Dictionary<string, LinkedListNode<(string Key, byte[] Value)>> _nodes = [];

    public static string Name => "exact LRU";
    public static bool IsBounded => true;

    public bool TryGet(string key, out ReadOnlyMemory<byte> value)
    {
        value = default;
        if (!_nodes.TryGetValue(key, out LinkedListNode<(string, byte[] Value)>? node)) return false;
        _order.Remove(node);
        _order.AddFirst(node);
        value = node.Value.Value;
        return true;
    }

    public void Set(string key, byte[] value)
    {
        if (_nodes.Count == capacity)
        {
            _nodes.Remove(_order.Last!.Value.Key);
            _order.RemoveLast();
        }
        _nodes[key] = _order.AddFirst((key, value));
    }
}

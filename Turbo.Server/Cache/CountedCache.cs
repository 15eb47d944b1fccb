using Turbo.Net.Diagnostics;

namespace Turbo.Server.Cache;

/// <summary>A cache whose reads are counted; one that failed is neither a hit nor a miss.</summary>
internal sealed class CountedCache(ICache cache) : ICache
{
    private const int HitCell = 0, MissCell = 1;

    private readonly MetricCells _cells = new(2);

    public long Hits => _cells.Read(HitCell);

    public long Misses => _cells.Read(MissCell);

    public ValueTask<ReadOnlyMemory<byte>?> GetAsync(string key)
    {
        ValueTask<ReadOnlyMemory<byte>?> reading = cache.GetAsync(key);
        if (!reading.IsCompletedSuccessfully) return CountAsync(reading);
        ReadOnlyMemory<byte>? value = reading.Result;
        Count(value is not null);
        return new ValueTask<ReadOnlyMemory<byte>?>(value);
    }

    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>?> ReadListAsync(string key)
    {
        ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>?> reading = cache.ReadListAsync(key);
        if (!reading.IsCompletedSuccessfully) return CountAsync(reading);
        IReadOnlyList<ReadOnlyMemory<byte>>? items = reading.Result;
        Count(items is not null);
        return new ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>?>(items);
    }

    public ValueTask SetAsync(string key, ReadOnlyMemory<byte> value, TimeSpan? expiry = null) => cache.SetAsync(key, value, expiry);

    public ValueTask<bool> DeleteAsync(string key) => cache.DeleteAsync(key);

    public ValueTask SetListAsync(string key, IReadOnlyList<ReadOnlyMemory<byte>> items, TimeSpan? expiry = null) => cache.SetListAsync(key, items, expiry);

    public ValueTask<bool> AppendAsync(string key, ReadOnlyMemory<byte> item, int keep) => cache.AppendAsync(key, item, keep);

    public Task CheckAsync() => cache.CheckAsync();

    private async ValueTask<T?> CountAsync<T>(ValueTask<T?> reading)
    {
        T? value = await reading;
        Count(value is not null);
        return value;
    }

    private void Count(bool isHit) => _cells.Add(isHit ? HitCell : MissCell);
}

using Turbo.Server.Cache;
using Turbo.Server.Events;
using Turbo.Server.Redis;

namespace Turbo.Server;

/// <summary>Cache and event bus: of this process, or over Redis where REDIS_ADDRESS names one, shared by every node.</summary>
internal sealed class Backplane : IAsyncDisposable
{
    private readonly RedisLink? _redis;
    private readonly RedisEventBus? _redisBus;

    private Backplane(ICache cache, IEventBus bus, RedisLink? redis = null, RedisEventBus? redisBus = null)
    {
        CountedCache = new CountedCache(cache);
        MemoryCache = cache as MemoryCache;
        Bus = bus;
        _redis = redis;
        _redisBus = redisBus;
    }

    public ICache Cache => CountedCache;

    /// <summary>The cache, and how often it was read with and without success.</summary>
    public CountedCache CountedCache { get; }

    /// <summary>The cache where it is in memory, else null.</summary>
    public MemoryCache? MemoryCache { get; }

    public IEventBus Bus { get; }

    /// <summary>Whether Redis must answer for this node to be ready.</summary>
    public bool IsShared => _redis is not null;

    /// <exception cref="RedisUnavailableException">Redis cannot be reached.</exception>
    public static async Task<Backplane> OpenAsync(AppOptions options, TimeProvider time, Action<string, Exception?> report)
    {
        if (options.Redis is not { } address) return new Backplane(new MemoryCache(options.CacheBytes, time), new MemoryEventBus());
        RedisLink redis = await RedisLink.ConnectAsync(address);
        try
        {
            RedisEventBus bus = await RedisEventBus.StartAsync(redis, report);
            return new Backplane(new RedisCache(redis), bus, redis, bus);
        }
        catch
        {
            await redis.DisposeAsync();
            throw;
        }
    }

    /// <summary>Completes when both answer.</summary>
    public Task CheckAsync() => Bus.CheckAsync();

    public async ValueTask DisposeAsync()
    {
        if (_redisBus is not null) await _redisBus.DisposeAsync();
        if (_redis is not null) await _redis.DisposeAsync();
    }
}

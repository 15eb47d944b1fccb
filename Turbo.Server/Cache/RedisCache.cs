using StackExchange.Redis;
using Turbo.Server.Redis;

namespace Turbo.Server.Cache;

/// <summary>
/// The cache that nodes share. A list is a Redis list whose items carry a tag before their bytes, so that one without
/// items can exist too: it holds a mark alone.
/// </summary>
internal sealed class RedisCache(RedisLink redis) : ICache
{
    private const byte Item = (byte)'i';
    private static readonly RedisValue s_mark = "m";

    public async ValueTask<ReadOnlyMemory<byte>?> GetAsync(string key)
    {
        RedisValue value = await Try(redis.Database.StringGetAsync(Key(key)));
        return value.IsNull ? default(ReadOnlyMemory<byte>?) : (ReadOnlyMemory<byte>)value;
    }

    public async ValueTask SetAsync(string key, ReadOnlyMemory<byte> value, TimeSpan? expiry = null) =>
        await Try(redis.Database.StringSetAsync(Key(key), value, expiry is { } after ? new Expiration(after) : Expiration.Default));

    public async ValueTask<bool> DeleteAsync(string key) => await Try(redis.Database.KeyDeleteAsync(Key(key)));

    public async ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>?> ReadListAsync(string key)
    {
        RedisValue[] values = await Try(redis.Database.ListRangeAsync(Key(key)));
        if (values.Length == 0) return null;
        List<ReadOnlyMemory<byte>> items = new(values.Length);
        foreach (RedisValue value in values)
        {
            ReadOnlyMemory<byte> bytes = value;
            if (bytes.Length > 0 && bytes.Span[0] == Item) items.Add(bytes[1..]);
        }
        return items;
    }

    public async ValueTask SetListAsync(string key, IReadOnlyList<ReadOnlyMemory<byte>> items, TimeSpan? expiry = null)
    {
        RedisValue[] values = [s_mark, .. items.Select(Tagged)];
        ITransaction whole = redis.Database.CreateTransaction();
        _ = whole.KeyDeleteAsync(Key(key));
        _ = whole.ListRightPushAsync(Key(key), values);
        if (expiry is { } after) _ = whole.KeyExpireAsync(Key(key), after);
        await Try(whole.ExecuteAsync());
    }

    public async ValueTask<bool> AppendAsync(string key, ReadOnlyMemory<byte> item, int keep)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(keep, 1);
        ITransaction whole = redis.Database.CreateTransaction();
        Task<long> length = whole.ListRightPushAsync(Key(key), Tagged(item), When.Exists);
        // The mark goes with the first item that is one too many; a list with items needs none.
        _ = whole.ListTrimAsync(Key(key), -keep, -1);
        await Try(whole.ExecuteAsync());
        return await Try(length) > 0;
    }

    public Task CheckAsync() => redis.CheckAsync();

    private static RedisKey Key(string key) => RedisLink.Prefix + "c:" + key;

    private static RedisValue Tagged(ReadOnlyMemory<byte> item)
    {
        byte[] tagged = new byte[item.Length + 1];
        tagged[0] = Item;
        item.CopyTo(tagged.AsMemory(1));
        return tagged;
    }

    private static async Task<T> Try<T>(Task<T> command)
    {
        try
        {
            return await command;
        }
        catch (Exception e) when (RedisLink.IsOutage(e))
        {
            throw new CacheException("the cache does not answer", e);
        }
    }
}

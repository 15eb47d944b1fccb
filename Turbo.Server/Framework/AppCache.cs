using System.Text;
using Turbo.Server.Cache;

namespace Turbo.Server;

/// <summary>
/// Values by key, forgotten when there is no room (CACHE_BYTES) or their time is over; with REDIS_ADDRESS shared by every
/// node. Keys of an application are its own. What reads and writes throws <see cref="CacheException"/> while Redis is away,
/// which answers 503 where a handler lets it pass; the calls without <c>Async</c> block their thread until Redis answers.
/// </summary>
public sealed class AppCache
{
    private readonly TurboApp _app;

    internal AppCache(TurboApp app) => _app = app;

    /// <summary>The value, or null.</summary>
    public async Task<string?> GetAsync(string key) => await Cache.GetAsync(Key(key)) is { } value ? Encoding.UTF8.GetString(value.Span) : null;

    /// <summary>The value, or null: a copy of its own.</summary>
    public async Task<byte[]?> GetBytesAsync(string key) => (await Cache.GetAsync(Key(key)))?.ToArray();

    /// <summary>Sets a value.</summary>
    /// <param name="key">1 to 500 characters.</param>
    /// <param name="value">The value; one that is larger than the cache is not kept.</param>
    /// <param name="expiry">How long it is kept at most; null is no limit.</param>
    public Task SetAsync(string key, string value, TimeSpan? expiry = null) => SetAsync(key, Encoding.UTF8.GetBytes(value), expiry);

    /// <inheritdoc cref="SetAsync(string, string, TimeSpan?)"/>
    public Task SetAsync(string key, ReadOnlyMemory<byte> value, TimeSpan? expiry = null) => Cache.SetAsync(Key(key), value, expiry).AsTask();

    /// <summary>Forgets a value; false when there was none.</summary>
    public Task<bool> DeleteAsync(string key) => Cache.DeleteAsync(Key(key)).AsTask();

    /// <summary>As <see cref="GetAsync"/>, blocking.</summary>
    public string? Get(string key) => GetAsync(key).GetAwaiter().GetResult();

    /// <summary>As <see cref="SetAsync(string, string, TimeSpan?)"/>, blocking.</summary>
    public void Set(string key, string value, TimeSpan? expiry = null) => SetAsync(key, value, expiry).GetAwaiter().GetResult();

    /// <summary>As <see cref="DeleteAsync"/>, blocking.</summary>
    public bool Delete(string key) => DeleteAsync(key).GetAwaiter().GetResult();

    private ICache Cache => _app.Host.Cache;

    private static string Key(string key)
    {
        if (key.Length is 0 or > 500) throw new ArgumentException("a key has 1 to 500 characters", nameof(key));
        return "app:" + key;
    }
}

namespace Turbo.Server.Cache;

/// <summary>
/// Values by key, forgotten when there is no room or their time is over. In memory calls complete at once; over Redis
/// they are shared by every node and fail with <see cref="CacheException"/> while it is away.
/// </summary>
internal interface ICache
{
    /// <summary>The value, or null. It is the cache's own: read it, do not write to it.</summary>
    ValueTask<ReadOnlyMemory<byte>?> GetAsync(string key);

    /// <summary>Sets the value, whole: a reader sees the old one or the new one.</summary>
    /// <param name="key">1 to 512 characters.</param>
    /// <param name="value">Copied. One that is larger than the cache is not kept.</param>
    /// <param name="expiry">How long it is kept at most; null is no limit.</param>
    ValueTask SetAsync(string key, ReadOnlyMemory<byte> value, TimeSpan? expiry = null);

    /// <summary>Forgets the value; false when there was none.</summary>
    ValueTask<bool> DeleteAsync(string key);

    /// <summary>The items of a list, oldest first; null when there is no list.</summary>
    ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>?> ReadListAsync(string key);

    /// <summary>Makes or replaces a list.</summary>
    ValueTask SetListAsync(string key, IReadOnlyList<ReadOnlyMemory<byte>> items, TimeSpan? expiry = null);

    /// <summary>
    /// Adds to the end of a list that exists, keeping the last <paramref name="keep"/> items; false when there is none.
    /// Of two at once both are kept.
    /// </summary>
    ValueTask<bool> AppendAsync(string key, ReadOnlyMemory<byte> item, int keep);

    /// <summary>Completes when the cache answers: readiness.</summary>
    Task CheckAsync();
}

/// <summary>The shared cache did not answer.</summary>
public sealed class CacheException : Exception
{
    internal CacheException(string message, Exception inner) : base(message, inner)
    {
    }
}

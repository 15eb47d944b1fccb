using StackExchange.Redis;
using Turbo.Server.Redis;

namespace Turbo.Server.Events;

/// <summary>
/// Topics across nodes, over Redis pub/sub. Every node takes all of Turbo's channels by one pattern from its start on, so
/// that a subscription counts at once, and hands on what its own subscribers want; what a node publishes comes back to
/// it the same way, in the same order as to the others. When the connection breaks messages may be missed: then every
/// subscription ends, rather than going on with a hole in it.
/// </summary>
internal sealed class RedisEventBus : IEventBus, IAsyncDisposable
{
    private const string ChannelPrefix = RedisLink.Prefix + "t:";

    private readonly RedisLink _redis;
    private readonly MemoryEventBus _here = new();
    private readonly Action<string, Exception?> _report;

    private RedisEventBus(RedisLink redis, Action<string, Exception?> report)
    {
        _redis = redis;
        _report = report;
    }

    /// <param name="redis">The connection; stays its owner's.</param>
    /// <param name="report">Told of outages, for the log.</param>
    public static async Task<RedisEventBus> StartAsync(RedisLink redis, Action<string, Exception?> report)
    {
        RedisEventBus bus = new(redis, report);
        redis.Connection.ConnectionFailed += bus.ConnectionFailed;
        try
        {
            ChannelMessageQueue messages = await redis.Subscriber.SubscribeAsync(RedisChannel.Pattern(ChannelPrefix + "*"));
            // One after the other: the order of publishing is the order of delivery.
            messages.OnMessage(bus.Received);
        }
        catch (Exception e) when (RedisLink.IsOutage(e))
        {
            redis.Connection.ConnectionFailed -= bus.ConnectionFailed;
            throw new RedisUnavailableException("Redis does not take subscriptions", e);
        }
        return bus;
    }

    /// <summary>Subscribers may be on any node.</summary>
    public bool HasSubscribers(string topic) => true;

    public void Publish(string topic, ReadOnlyMemory<byte> message)
    {
        try
        {
            _redis.Subscriber.Publish(RedisChannel.Literal(ChannelPrefix + topic), message, CommandFlags.FireAndForget);
        }
        catch (Exception e) when (RedisLink.IsOutage(e))
        {
            // Not sent: whoever waits for it has missed it.
            _here.EndAll();
        }
    }

    public ISubscription Subscribe(string topic, int capacity = IEventBus.DefaultCapacity) => _here.Subscribe(topic, capacity);

    public async Task SettleAsync(TimeSpan patience)
    {
        // A mark comes back behind all that was published before it, or never where the connection broke meanwhile.
        string topic = $"settle:{Guid.NewGuid():N}";
        using ISubscription mark = _here.Subscribe(topic);
        Publish(topic, new byte[1]);
        Task next = mark.NextAsync(CancellationToken.None).AsTask();
        await next.WaitAsync(patience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public Task CheckAsync() => _redis.CheckAsync();

    public async ValueTask DisposeAsync()
    {
        _redis.Connection.ConnectionFailed -= ConnectionFailed;
        try
        {
            await _redis.Subscriber.UnsubscribeAsync(RedisChannel.Pattern(ChannelPrefix + "*"));
        }
        catch (Exception e) when (RedisLink.IsOutage(e))
        {
            _report("leaving Redis", e);
        }
        _here.EndAll();
    }

    private void Received(ChannelMessage message)
    {
        string? channel = message.Channel;
        if (channel is not null) _here.Publish(channel[ChannelPrefix.Length..], message.Message);
    }

    private void ConnectionFailed(object? sender, ConnectionFailedEventArgs failure)
    {
        _report("Redis is away: streams end, and go on when their clients come back", failure.Exception);
        _here.EndAll();
    }
}

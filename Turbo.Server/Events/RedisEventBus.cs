using StackExchange.Redis;
using Turbo.Server.Redis;

namespace Turbo.Server.Events;

/// <summary>
/// Topics across nodes, over Redis pub/sub. Every node takes all of Turbo's channels by one pattern from its start on, so
/// that a subscription counts at once, and hands on what its own subscribers want; what a node publishes comes back to
/// it the same way, in the same order as to the others.
/// </summary>
/// <remarks>
/// Pub/sub keeps nothing. Where a message may have been missed, every subscription that it may have been for ends rather
/// than going on with a hole in it: here when the connection breaks, and on every node when something that this one
/// published may not have arrived. From then on the bus is away, until a mark that it publishes has come back to it: by then
/// the pattern is subscribed again.
/// </remarks>
internal sealed class RedisEventBus : IEventBus, IAsyncDisposable
{
    /// <summary>On this topic a node tells the others that they may have missed a message of its own.</summary>
    private const string GapTopic = "gap";

    /// <summary>What the topics of marks begin with, which are between a node and itself.</summary>
    private const string MarkTopic = "mark:";

    /// <summary>How long a mark may take to come back before another is sent.</summary>
    private static readonly TimeSpan s_markPatience = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(50);

    private readonly RedisLink _redis;
    private readonly string _prefix;
    private readonly RedisChannel _pattern;
    private readonly MemoryEventBus _here = new();
    private readonly MemoryEventBus _marks = new();
    private readonly byte[] _node = Guid.NewGuid().ToByteArray();
    private readonly Action<string, Exception?> _report;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private Task _returning = Task.CompletedTask;
    private long _outages;
    private bool _hasGap;
    private bool _isAway;

    private RedisEventBus(RedisLink redis, Action<string, Exception?> report)
    {
        _redis = redis;
        // Channels, unlike keys, are the same for every database of a Redis.
        _prefix = $"{RedisLink.Prefix}t{redis.Database.Database}:";
        _pattern = RedisChannel.Pattern(_prefix + "*");
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
            ChannelMessageQueue messages = await redis.Subscriber.SubscribeAsync(bus._pattern);
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

    public bool IsAway => Volatile.Read(ref _isAway);

    /// <summary>Subscribers may be on any node.</summary>
    public bool HasSubscribers(string topic) => true;

    public void Publish(string topic, ReadOnlyMemory<byte> message)
    {
        if (!IsAway || !IsMissed()) _ = PublishAsync(topic, message).AsTask();
    }

    public async ValueTask<bool> PublishAsync(string topic, ReadOnlyMemory<byte> message)
    {
        if (IsAway) return false;
        if (await SendAsync(topic, message) is not { } failure) return true;
        GoAway(hasGap: true, failure);
        return false;
    }

    public ISubscription Subscribe(string topic, int capacity = IEventBus.DefaultCapacity) => _here.Subscribe(topic, capacity);

    public Task SettleAsync(TimeSpan patience) => MarkReturnsAsync(patience);

    public async Task CheckAsync()
    {
        await _redis.CheckAsync();
        lock (_gate)
        {
            if (!_returning.IsCompleted) throw new RedisUnavailableException("Redis does not hand on messages yet");
        }
    }

    public async ValueTask DisposeAsync()
    {
        _redis.Connection.ConnectionFailed -= ConnectionFailed;
        await _stop.CancelAsync();
        Task returning;
        lock (_gate) returning = _returning;
        await returning;
        try
        {
            await _redis.Subscriber.UnsubscribeAsync(_pattern);
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
        if (channel is null) return;
        string topic = channel[_prefix.Length..];
        if (topic.StartsWith(MarkTopic, StringComparison.Ordinal)) _marks.Publish(topic, message.Message);
        else if (topic != GapTopic) _here.Publish(topic, message.Message);
        // This node's own subscriptions have ended when it went away.
        else if (!((ReadOnlyMemory<byte>)message.Message).Span.SequenceEqual(_node)) _here.EndAll();
    }

    /// <summary>Null when Redis has it.</summary>
    private async ValueTask<Exception?> SendAsync(string topic, ReadOnlyMemory<byte> message)
    {
        try
        {
            await _redis.Subscriber.PublishAsync(RedisChannel.Literal(_prefix + topic), message);
            return null;
        }
        catch (Exception e) when (RedisLink.IsOutage(e))
        {
            return e;
        }
    }

    /// <summary>Whether a mark comes back: it does so behind all that was published before it.</summary>
    private async Task<bool> MarkReturnsAsync(TimeSpan patience)
    {
        string topic = $"{MarkTopic}{Guid.NewGuid():N}";
        using ISubscription mark = _marks.Subscribe(topic);
        if (await SendAsync(topic, new byte[1]) is not null) return false;
        Task<ReadOnlyMemory<byte>?> next = mark.NextAsync(CancellationToken.None).AsTask();
        await ((Task)next).WaitAsync(patience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return next.IsCompletedSuccessfully;
    }

    /// <summary>The bus is away, and the other nodes are to be told of it when it is not: true. It is back: false.</summary>
    private bool IsMissed()
    {
        lock (_gate) return _isAway && (_hasGap = true);
    }

    private void ConnectionFailed(object? sender, ConnectionFailedEventArgs failure) => GoAway(hasGap: false, failure.Exception);

    private void GoAway(bool hasGap, Exception? failure)
    {
        lock (_gate)
        {
            _outages++;
            _hasGap |= hasGap;
            if (!_isAway && !_stop.IsCancellationRequested)
            {
                // Before the subscriptions end: whoever subscribes now and finds the bus there is ended below.
                Volatile.Write(ref _isAway, true);
                _report("Redis is away: streams end, and go on when their clients come back", failure);
                _returning = Task.Run(ReturnAsync);
            }
        }
        _here.EndAll();
    }

    /// <summary>Never throws.</summary>
    private async Task ReturnAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            long outages;
            lock (_gate) outages = _outages;
            if (await MarkReturnsAsync(s_markPatience) && TryReturn(outages, out bool hasGap))
            {
                // Behind it comes what is published from now on: a stream that is opened when it has come has no hole.
                if (hasGap && await SendAsync(GapTopic, _node) is { } failure) GoAway(hasGap: true, failure);
                return;
            }
            await Task.Delay(s_pause, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private bool TryReturn(long outages, out bool hasGap)
    {
        lock (_gate)
        {
            hasGap = _hasGap;
            // Broken again since the mark was sent.
            if (outages != _outages) return false;
            _hasGap = false;
            Volatile.Write(ref _isAway, false);
        }
        _report("Redis is back", null);
        return true;
    }
}

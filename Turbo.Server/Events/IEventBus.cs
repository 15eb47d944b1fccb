namespace Turbo.Server.Events;

/// <summary>Topics within this process (and, with Redis, across nodes).</summary>
internal interface IEventBus
{
    /// <summary>Messages that may wait for a subscriber.</summary>
    const int DefaultCapacity = 1024;

    /// <summary>Bytes of the messages that may wait for a subscriber; a single one may have more.</summary>
    const long DefaultCapacityBytes = 16 * 1024 * 1024;

    /// <summary>Whether publishing reaches anyone: a message need not be built otherwise.</summary>
    bool HasSubscribers(string topic);

    /// <summary>Hands the message to every subscriber of the topic, in the order of publishing; never waits.</summary>
    void Publish(string topic, ReadOnlyMemory<byte> message);

    /// <summary>As <see cref="Publish"/>, and says whether the message is on its way to every node; false while the bus is away.</summary>
    ValueTask<bool> PublishAsync(string topic, ReadOnlyMemory<byte> message);

    /// <summary>
    /// Whether messages do not get through. Every subscription has ended then; a new one may miss messages, so look at this
    /// after subscribing: one that finds the bus there is ended when it goes.
    /// </summary>
    bool IsAway { get; }

    /// <summary>
    /// Completes when what was published here before has come to the subscribers here: over Redis it takes a way of its own.
    /// Gives up, without a failure, when messages do not get through or after <paramref name="patience"/>.
    /// </summary>
    Task SettleAsync(TimeSpan patience);

    /// <summary>Completes when messages get through; fails while they do not: readiness.</summary>
    Task CheckAsync();

    /// <summary>Messages published from now on; dispose to leave.</summary>
    /// <param name="topic">Any name.</param>
    /// <param name="capacity">
    /// Messages that may wait, of <see cref="DefaultCapacityBytes"/> together; a subscriber that falls further behind is closed.
    /// </param>
    ISubscription Subscribe(string topic, int capacity = DefaultCapacity);
}

/// <summary>One subscriber's queue; read by one reader at a time.</summary>
internal interface ISubscription : IDisposable
{
    /// <summary>True once the queue was full: what was queued before can still be read, then the subscription is over.</summary>
    bool FellBehind { get; }

    /// <summary>The next message; null when the subscription is over.</summary>
    ValueTask<ReadOnlyMemory<byte>?> NextAsync(CancellationToken cancellation);
}

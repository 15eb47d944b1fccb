using System.Runtime.CompilerServices;
using System.Text;
using Turbo.Server.Events;

namespace Turbo.Server;

/// <summary>
/// Values by topic, handed to whoever subscribes to it: within the process, and with REDIS_ADDRESS on every node. Topics
/// of an application are its own: neither Turbo's nor those that users name reach them.
/// </summary>
public sealed class AppEvents
{
    private readonly TurboApp _app;

    internal AppEvents(TurboApp app) => _app = app;

    private IEventBus Bus => _app.Host.EventBus;

    /// <summary>Hands a value to every subscriber of a topic, in the order of publishing. Never waits.</summary>
    public void Publish(string topic, string value)
    {
        if (Bus.HasSubscribers(Topic(topic))) Bus.Publish(Topic(topic), Encoding.UTF8.GetBytes(value));
    }

    /// <summary>As <see cref="Publish"/>; false where the value is not on its way to every node, because Redis is away.</summary>
    public async Task<bool> PublishAsync(string topic, string value) =>
        !Bus.HasSubscribers(Topic(topic)) || await Bus.PublishAsync(Topic(topic), Encoding.UTF8.GetBytes(value));

    /// <summary>Values published on a topic from now on. Dispose it.</summary>
    /// <param name="topic">Any name.</param>
    /// <param name="capacity">Values that may wait to be taken. Default 1,024. A subscriber that falls further behind, or 16 MiB, is ended, and nothing is skipped.</param>
    public AppSubscription Subscribe(string topic, int capacity = IEventBus.DefaultCapacity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        return new AppSubscription(Bus.Subscribe(Topic(topic), capacity));
    }

    // What users name stands after "event:", Turbo's own after other words.
    private static string Topic(string topic)
    {
        ArgumentException.ThrowIfNullOrEmpty(topic);
        return "app:" + topic;
    }
}

/// <summary>One subscriber's values of a topic; read by one reader at a time.</summary>
public sealed class AppSubscription : IDisposable
{
    private readonly ISubscription _subscription;

    internal AppSubscription(ISubscription subscription) => _subscription = subscription;

    /// <summary>Whether it has ended because its reader was too slow: what waits can still be taken.</summary>
    public bool FellBehind => _subscription.FellBehind;

    /// <summary>The next value; null when the subscription is over: disposed, fallen behind, or Redis went away.</summary>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async Task<string?> NextAsync(CancellationToken cancellation = default) =>
        await _subscription.NextAsync(cancellation) is { } value ? Encoding.UTF8.GetString(value.Span) : null;

    /// <summary>The values as they come, until the subscription is over.</summary>
    public async IAsyncEnumerable<string> AllAsync([EnumeratorCancellation] CancellationToken cancellation = default)
    {
        while (await NextAsync(cancellation) is { } value) yield return value;
    }

    /// <summary>Ends the subscription.</summary>
    public void Dispose() => _subscription.Dispose();
}

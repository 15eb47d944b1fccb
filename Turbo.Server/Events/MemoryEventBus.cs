using System.Collections.Concurrent;
using System.Threading.Channels;

namespace Turbo.Server.Events;

/// <summary>
/// The bus of one process. Publishing reads an array that only subscribing replaces. Who publishes on one topic at once
/// takes turns, so that all its subscribers get all messages in one order.
/// </summary>
internal sealed class MemoryEventBus : IEventBus
{
    private const int Turns = 64;

    // By the topic's hash; held while a message is put into queues, which waits for nobody.
    private readonly Lock[] _turns = [.. Enumerable.Range(0, Turns).Select(static _ => new Lock())];
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<string, Subscription[]> _topics = new(StringComparer.Ordinal);

    public bool HasSubscribers(string topic) => _topics.ContainsKey(topic);

    public void Publish(string topic, ReadOnlyMemory<byte> message)
    {
        if (!_topics.ContainsKey(topic))
            return;
        lock (_turns[(uint)topic.GetHashCode() % Turns])
        {
            if (!_topics.TryGetValue(topic, out Subscription[]? subscribers))
                return;
            foreach (Subscription subscriber in subscribers)
                subscriber.Offer(message);
        }
    }

    public ValueTask<bool> PublishAsync(string topic, ReadOnlyMemory<byte> message)
    {
        Publish(topic, message);
        return new ValueTask<bool>(true);
    }

    public bool IsAway => false;

    public ISubscription Subscribe(string topic, int capacity = IEventBus.DefaultCapacity)
    {
        var added = new Subscription(this, topic, capacity);
        lock (_gate)
            _topics[topic] = _topics.TryGetValue(topic, out Subscription[]? others) ? [.. others, added] : [added];
        return added;
    }

    public Task SettleAsync(TimeSpan patience) => Task.CompletedTask;

    public Task CheckAsync() => Task.CompletedTask;

    /// <summary>Ends every subscription: messages may have been missed, and no stream may have a hole in it.</summary>
    public void EndAll()
    {
        Subscription[] all;
        lock (_gate)
            all = [.. _topics.Values.SelectMany(static subscriptions => subscriptions)];
        foreach (Subscription subscription in all)
            subscription.Dispose();
    }

    private void Remove(Subscription leaving)
    {
        lock (_gate)
        {
            if (!_topics.TryGetValue(leaving.Topic, out Subscription[]? all))
                return;
            Subscription[] left = Array.FindAll(all, subscription => subscription != leaving);
            if (left.Length > 0)
                _topics[leaving.Topic] = left;
            else
                _topics.TryRemove(leaving.Topic, out _);
        }
    }

    private sealed class Subscription(MemoryEventBus bus, string topic, int capacity) : ISubscription
    {
        private readonly Channel<ReadOnlyMemory<byte>> _queue = Channel.CreateBounded<ReadOnlyMemory<byte>>(
            new BoundedChannelOptions(capacity) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });

        private volatile bool _fellBehind;
        private long _waitingBytes;

        public string Topic { get; } = topic;

        public bool FellBehind => _fellBehind;

        /// <summary>A full queue closes the subscription: its reader is told, rather than given a stream with a hole in it.</summary>
        public void Offer(ReadOnlyMemory<byte> message)
        {
            long waiting = Interlocked.Add(ref _waitingBytes, message.Length);
            bool fits = waiting <= IEventBus.DefaultCapacityBytes || waiting == message.Length;
            if ((fits && _queue.Writer.TryWrite(message)) || _queue.Reader.Completion.IsCompleted)
                return;
            // Full, or closed with messages still to read; only the one who closes it may say that it was full.
            if (!_queue.Writer.TryComplete())
                return;
            _fellBehind = true;
            bus.Remove(this);
        }

        public async ValueTask<ReadOnlyMemory<byte>?> NextAsync(CancellationToken cancellation)
        {
            // WaitToRead before TryRead would be one await more for each message that already waits.
            while (true)
            {
                if (_queue.Reader.TryRead(out ReadOnlyMemory<byte> message))
                {
                    Interlocked.Add(ref _waitingBytes, -message.Length);
                    return message;
                }
                if (!await _queue.Reader.WaitToReadAsync(cancellation))
                    return null;
            }
        }

        public void Dispose()
        {
            _queue.Writer.TryComplete();
            bus.Remove(this);
        }
    }
}

using System.Text;
using Turbo.Server.Events;

namespace Turbo.Tests.Server.Events;

[TestFixture]
internal sealed class MemoryEventBusTests
{
    private readonly MemoryEventBus _bus = new();

    private void Publish(string topic, string message) => _bus.Publish(topic, Encoding.UTF8.GetBytes(message));

    private static async Task<string?> Next(ISubscription subscription) =>
        await subscription.NextAsync(CancellationToken.None).AsTask().WaitAsync(TimeSpan.FromSeconds(10)) is { } message
            ? Encoding.UTF8.GetString(message.Span)
            : null;

    [Test]
    public async Task Every_subscriber_of_the_topic_gets_every_message_in_order()
    {
        using ISubscription one = _bus.Subscribe("a"), two = _bus.Subscribe("a"), other = _bus.Subscribe("b");
        for (int i = 0; i < 100; i++)
            Publish("a", i.ToString());
        Publish("b", "b");
        for (int i = 0; i < 100; i++)
            Assert.That((await Next(one), await Next(two)), Is.EqualTo((i.ToString(), i.ToString())));
        Assert.That(await Next(other), Is.EqualTo("b"));
    }

    [Test]
    public async Task A_reader_that_waits_is_woken()
    {
        using ISubscription subscription = _bus.Subscribe("a");
        Task<string?> next = Next(subscription);
        Assert.That(next.IsCompleted, Is.False);
        Publish("a", "x");
        Assert.That(await next, Is.EqualTo("x"));
    }

    [Test]
    public async Task Falling_behind_closes_after_what_was_queued()
    {
        ISubscription slow = _bus.Subscribe("a", capacity: 4);
        using ISubscription fast = _bus.Subscribe("a");
        for (int i = 0; i < 6; i++)
            Publish("a", i.ToString());
        Assert.That(slow.FellBehind);
        for (int i = 0; i < 4; i++)
            Assert.That(await Next(slow), Is.EqualTo(i.ToString()));
        Assert.That(await Next(slow), Is.Null);
        Assert.That(fast.FellBehind, Is.False);
        slow.Dispose();
    }

    [Test]
    public async Task Too_many_bytes_are_too_far_behind()
    {
        using ISubscription slow = _bus.Subscribe("a"), fast = _bus.Subscribe("a");
        byte[] half = new byte[IEventBus.DefaultCapacityBytes / 2], over = new byte[IEventBus.DefaultCapacityBytes + 1];
        _bus.Publish("a", over);
        Assert.That(slow.FellBehind, Is.False, "a single message may be of any size");
        Assert.That((await fast.NextAsync(CancellationToken.None))?.Length, Is.EqualTo(over.Length));
        _bus.Publish("a", half);
        Assert.That(slow.FellBehind);
        _bus.Publish("a", half);
        Assert.That(fast.FellBehind, Is.False, "what was read counts no longer");
        Assert.That((await slow.NextAsync(CancellationToken.None))?.Length, Is.EqualTo(over.Length));
        Assert.That(await slow.NextAsync(CancellationToken.None), Is.Null);
    }

    [Test]
    public async Task Leaving_is_not_falling_behind()
    {
        ISubscription subscription = _bus.Subscribe("a");
        Task<string?> waiting = Next(subscription);
        Assert.That(_bus.HasSubscribers("a"));
        subscription.Dispose();
        Publish("a", "x");
        Assert.That(await waiting, Is.Null);
        Assert.That((subscription.FellBehind, _bus.HasSubscribers("a")), Is.EqualTo((false, false)));
    }

    [Test]
    public void A_wait_can_be_cancelled()
    {
        using ISubscription subscription = _bus.Subscribe("a");
        using var stop = new CancellationTokenSource();
        Task<ReadOnlyMemory<byte>?> next = subscription.NextAsync(stop.Token).AsTask();
        stop.Cancel();
        Assert.CatchAsync<OperationCanceledException>(async () => await next);
    }

    [Test]
    public async Task Comings_and_goings_disturb_nobody()
    {
        using ISubscription steady = _bus.Subscribe("a", capacity: 100_000);
        Task publishing = Task.Run(() =>
        {
            for (int i = 0; i < 20_000; i++)
                Publish("a", i.ToString());
        });
        Task coming = Task.Run(() =>
        {
            while (!publishing.IsCompleted)
                _bus.Subscribe("a", 1).Dispose();
        });
        await Task.WhenAll(publishing, coming);
        for (int i = 0; i < 20_000; i++)
            Assert.That(await Next(steady), Is.EqualTo(i.ToString()));
    }

    /// <summary>Each publisher's own order would be kept without it: that of both is one for all who listen.</summary>
    [Test]
    public async Task Who_publishes_at_once_is_heard_in_one_order_by_all()
    {
        const int messages = 2000;
        ISubscription[] all = [.. Enumerable.Range(0, 50).Select(_ => _bus.Subscribe("a", capacity: 2 * messages))];
        using Barrier begin = new(2);
        Task[] publishing = [.. Enumerable.Range(0, 2).Select(publisher => Task.Factory.StartNew(() =>
        {
            begin.SignalAndWait();
            for (int i = 0; i < messages; i++) _bus.Publish("a", new byte[] { (byte)publisher, (byte)i, (byte)(i >> 8) });
        }, TaskCreationOptions.LongRunning))];
        await Task.WhenAll(publishing);
        string[] heard = new string[all.Length];
        for (int i = 0; i < all.Length; i++)
        {
            List<string> got = [];
            for (int n = 0; n < 2 * messages; n++) got.Add(Convert.ToHexString((await all[i].NextAsync(CancellationToken.None))!.Value.Span));
            heard[i] = string.Join(' ', got);
            all[i].Dispose();
        }
        Assert.That(heard.Distinct().Count(), Is.EqualTo(1));
    }
}

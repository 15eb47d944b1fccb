using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Turbo.Server;
using Turbo.Server.Events;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>Contract section 7 with many subscribers, and with one that takes nothing.</summary>
internal sealed class StreamCrowdTests(DatabaseKind kind) : EachKindFixture(kind)
{
    private MockServer _mock = null!;
    private TestApp _app = null!;
    private string _token = "", _chat = "", _topic = "";

    [SetUp]
    public async Task StartAsync()
    {
        _mock = new MockServer(new MockOptions { Interval = TimeSpan.Zero });
        _mock.Start();
        _app = await StartAppAsync(options => options with
        {
            Upstream = UpstreamTarget.At(_mock.EndPoints[0]), Limits = options.Limits with { WriteTimeout = TimeSpan.FromMinutes(5) },
        });
        (_token, _) = await _app.SignUpAsync("ann");
        _chat = (await _app.PostAsync("/chat/create", _token)).Json.GetProperty("id").GetString()!;
        _topic = "chat:" + _chat;
    }

    [TearDown]
    public async Task StopAsync()
    {
        if (_app is not null) await _app.DisposeAsync();
        await _mock.DisposeAsync();
    }

    [Test]
    public async Task A_thousand_of_each_kind_get_every_message_in_order()
    {
        const int each = 1000, prompts = 25;
        // A streamed reply word by word, between whole messages.
        string words = string.Join(' ', Enumerable.Range(0, 20));
        const int messages = prompts + 1 + 4 + 20 + 1;
        CrowdClient[] all = await Task.WhenAll(Enumerable.Range(0, 2 * each).Select(i => CrowdClient.OpenAsync(_app, i % 2 == 0 ? StreamKind.Sse : StreamKind.WebSocket, _chat, _token)));
        await Until.TrueAsync(() => _app.App.Streams.Count == 2 * each);
        using ISubscription spy = _app.App.EventBus.Subscribe(_topic);

        long start = Stopwatch.GetTimestamp();
        Task<List<string>>[] reading = [.. all.Select(one => one.ReadAsync(messages))];
        for (int i = 0; i < prompts; i++)
        {
            if (i == prompts / 2) await PromptAsync(words, "&stream=true");
            await PromptAsync(i.ToString(CultureInfo.InvariantCulture), "&otr=true");
        }
        List<string> expected = [];
        while (expected.Count < messages) expected.Add(Encoding.UTF8.GetString((await Until.DoneAsync(spy.NextAsync(default).AsTask()))!.Value.Span));
        List<string>[] got = await Task.WhenAll(reading).WaitAsync(TimeSpan.FromSeconds(60));
        TestContext.Out.WriteLine($"{2 * each} subscribers had {messages} messages each in {Stopwatch.GetElapsedTime(start).TotalSeconds:f1} s");

        Assert.That(expected.Count(static message => message.EndsWith("\"partial\":false}", StringComparison.Ordinal)), Is.EqualTo(prompts + 1));
        for (int i = 0; i < got.Length; i++) Assert.That(got[i], Is.EqualTo(expected), $"subscriber {i}");
        foreach (CrowdClient one in all) one.Dispose();
        await Until.TrueAsync(() => _app.App.Streams.Count == 0);
    }

    [Test]
    public async Task A_stalled_subscriber_delays_nobody_and_keeps_no_more_than_it_may()
    {
        using CrowdClient stalled = await CrowdClient.OpenAsync(_app, StreamKind.Sse, _chat, _token, receiveBufferBytes: 4096);
        using CrowdClient stalledSocket = await CrowdClient.OpenAsync(_app, StreamKind.WebSocket, _chat, _token, receiveBufferBytes: 4096);
        await using StreamClient quick = await StreamClient.OpenAsync(StreamKind.Sse, _app, $"/chat/stream?id={_chat}", _token);
        await Until.TrueAsync(() => _app.App.Streams.Count == 3);

        // Enough to fill what the kernel holds for the stalled ones, and then their queues.
        const int bytes = 32 * 1024;
        List<WeakReference> messages = [];
        int most = 0;
        while (_app.App.Streams.Count > 1)
        {
            Assert.That((long)messages.Count * bytes, Is.LessThan(4 * IEventBus.DefaultCapacityBytes), "the stalled ones are still there");
            messages.Add(Publish(messages.Count, bytes));
            Assert.That((await quick.NextAsync()).GetProperty("n").GetInt32(), Is.EqualTo(messages.Count - 1));
            if (messages.Count % 64 == 0) most = Math.Max(most, Alive(messages));
        }
        TestContext.Out.WriteLine($"of {messages.Count} messages at most {most} were kept");
        // Those that wait are the same for both. Over Redis what is kept is a copy.
        if (Kind == DatabaseKind.Sqlite) Assert.That(most, Is.InRange(64, (IEventBus.DefaultCapacityBytes / bytes) + 128), "what one may be behind, and what came until it was closed");
        Assert.That((await stalled.RestAsync(), await stalledSocket.RestAsync()), Is.EqualTo(("reset", "1013")));
        stalledSocket.Dispose();
        await Until.TrueAsync(() => Alive(messages) <= 1, "what was kept for them is let go, but for the last one that the others had");
    }

    [Test]
    public async Task A_subscriber_1024_messages_behind_is_closed_without_a_gap([Values] StreamKind kind)
    {
        using CrowdClient stalled = await CrowdClient.OpenAsync(_app, kind, _chat, _token, receiveBufferBytes: 4096);
        await Until.TrueAsync(() => _app.App.Streams.Count == 1);
        int sent = 0;
        // Slower than the stream takes them, so that it is the client that falls behind; more than any kernel keeps for it.
        while (_app.App.Streams.Count == 1 && sent < 200_000)
        {
            for (int i = 0; i < 64; i++) _app.App.EventBus.Publish(_topic, Encoding.UTF8.GetBytes((sent++).ToString("d256", CultureInfo.InvariantCulture)));
            await _app.App.EventBus.SettleAsync(Until.Deadline);
            await Task.Yield();
        }
        // Stuck in a send, it is closed at the next tick.
        await Until.TrueAsync(() => _app.App.Streams.Count == 0);
        string end = await stalled.RestAsync();
        Assert.That(stalled.Messages.Select(static text => int.Parse(text, CultureInfo.InvariantCulture)), Is.EqualTo(Enumerable.Range(0, stalled.Messages.Count)), "a gap");
        // What its buffers held it has; what waited for it, more than may, it has not.
        Assert.That(sent - stalled.Messages.Count, Is.GreaterThan(IEventBus.DefaultCapacity - 64));
        Assert.That(end, Is.EqualTo(kind == StreamKind.Sse ? "reset" : "1013"));
    }

    // In a frame of its own, so that no register holds the message.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private WeakReference Publish(int n, int bytes)
    {
        byte[] message = Encoding.UTF8.GetBytes($$"""{"n":{{n}},"pad":"{{new string('x', bytes)}}"}""");
        _app.App.EventBus.Publish(_topic, message);
        return new WeakReference(message);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Alive(List<WeakReference> messages)
    {
        GC.Collect();
        return messages.Count(static message => message.IsAlive);
    }

    private async Task PromptAsync(string prompt, string fields)
    {
        Reply reply = await _app.FormAsync("/chat/prompt", $"id={_chat}&prompt={Uri.EscapeDataString(prompt)}{fields}", _token);
        Assert.That(reply.Status, Is.EqualTo(200), reply.Content);
    }
}

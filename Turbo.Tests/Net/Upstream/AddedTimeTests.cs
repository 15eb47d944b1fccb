using System.Diagnostics.Metrics;
using Turbo.Net.Diagnostics;
using Turbo.Net.Upstream;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Upstream;

/// <summary>The time that a relay added, on a clock that moves only here: what is waiting and what is not.</summary>
public sealed class AddedTimeTests
{
    private const string Get = "GET /v1/x HTTP/1.1\r\nHost: a\r\n\r\n";
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    private readonly CountedTime _time = new();

    [Test]
    public async Task Waiting_for_the_origin_is_not_added()
    {
        using SemaphoreSlim hasFirstByte = new(0);
        await using RelayFixture relay = Start(peer =>
        {
            peer.ReadRequest();
            Pass(100, after: OnFresh);
            peer.Send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
            peer.Send("HTTP/1.1 200 OK\r\nContent-Le");
            peer.Send("ngth: 2\r\n\r\no");
            // What follows is no longer timed.
            hasFirstByte.Wait(Until.Deadline);
            _time.Advance(1000);
            peer.Send("k");
        });
        using RawClient client = relay.Connect();
        Begin();
        Assert.That(client.Exchange(Get).Status, Is.EqualTo(103));
        Assert.That(client.ReadHead(), Does.StartWith("HTTP/1.1 200 OK\r\n"));
        await Until.TrueAsync(() => relay.Pool.Metrics.AddedTime.Read().Count == 1);
        hasFirstByte.Release();
        Assert.That(client.Take(2), Is.EqualTo("ok"u8.ToArray()));
        await ExpectAsync(relay, count: 1, addedMilliseconds: 0, firstByteMilliseconds: 100);
    }

    /// <summary>The relay's own work, stood for by what an observer takes of its time before anything is flushed.</summary>
    [Test]
    public async Task Its_own_work_is_added()
    {
        await using RelayFixture relay = Start(peer =>
        {
            while (true)
            {
                peer.ReadRequest();
                Pass(100, after: OnFresh);
                peer.Send(Ok);
                peer.ReadRequest();
                Pass(100, after: OnPooled);
                peer.Send(Ok);
            }
        }, new SlowObserver(() => _time.Advance(7)));
        using RawClient client = relay.Connect();
        for (int i = 1; i <= 2; i++)
        {
            Begin();
            client.Exchange(Get);
            await ExpectAsync(relay, count: i, addedMilliseconds: i * 7, firstByteMilliseconds: i * 107);
        }
        // As a program's own collector reads it.
        using Meter meter = relay.Pool.Metrics.CreateMeter();
        Dictionary<string, double> seen = [];
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, listening) =>
        {
            if (ReferenceEquals(instrument.Meter, meter)) listening.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => seen[instrument.Name + (tags.Length > 0 ? $":{tags[0].Value}" : "")] = value);
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => seen[instrument.Name] = value);
        listener.Start();
        listener.RecordObservableInstruments();
        Assert.That((seen["turbo.relay.responses"], seen["turbo.relay.exchanges:Complete"], seen["turbo.upstream.connects"]), Is.EqualTo((2, 2, 1)));
        Assert.That(seen["turbo.relay.added_time"], Is.EqualTo(0.014).Within(1e-9));
        Assert.That(seen["turbo.relay.first_byte_time"], Is.EqualTo(0.214).Within(1e-9));
    }

    [Test]
    public async Task An_upload_that_takes_its_time_is_a_wait()
    {
        using SemaphoreSlim hasPassed = new(0);
        await using RelayFixture relay = Start(peer =>
        {
            peer.ReadHead();
            peer.Take(1);
            Pass(50, after: OnFresh);
            hasPassed.Release();
            peer.Take(2);
            peer.Send(Ok);
        });
        using RawClient client = relay.Connect();
        Begin();
        client.Send("POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
        Assert.That(await hasPassed.WaitAsync(Until.Deadline));
        client.Send("bc");
        Assert.That(client.Read().Text, Is.EqualTo("ok"));
        await ExpectAsync(relay, count: 1, addedMilliseconds: 0, firstByteMilliseconds: 50);
    }

    [Test]
    public async Task An_attempt_on_a_dead_connection_is_a_wait()
    {
        await using RelayFixture relay = Start(peer =>
        {
            peer.ReadRequest();
            if (peer.Index == 1) Pass(40, after: OnPooled + OnDead);
            peer.Send(Ok);
            if (peer.Index == 1) return;
            peer.ReadRequest();
            Pass(30, after: OnPooled);
            peer.Reset();
        });
        using RawClient client = relay.Connect();
        client.Exchange(Get);
        await ExpectAsync(relay, count: 1, addedMilliseconds: 0, firstByteMilliseconds: 0);
        Begin();
        client.Exchange(Get);
        Assert.That(relay.Pool.Retries, Is.EqualTo(1));
        await ExpectAsync(relay, count: 2, addedMilliseconds: 0, firstByteMilliseconds: 70);
        Assert.That((relay.Pool.Metrics.Connects, relay.Pool.Metrics.Relayed(RelayResult.Complete)), Is.EqualTo((2, 2)));
    }

    [Test]
    public async Task What_gets_no_response_is_not_timed()
    {
        await using RelayFixture relay = Start(static peer =>
        {
            peer.ReadRequest();
            peer.Send("nonsense\r\n\r\n");
        });
        using RawClient client = relay.Connect();
        Assert.That(client.Exchange(Get).Status, Is.EqualTo(502));
        // Nor what follows it on the client's connection.
        Assert.That(client.Exchange(Get).Status, Is.EqualTo(502));
        Assert.That((relay.Pool.Metrics.AddedTime.Read().Count, relay.Pool.Metrics.Relayed(RelayResult.MalformedResponse)), Is.EqualTo((0, 2)));
    }

    [Test]
    public async Task A_pool_without_room_or_origin_counts()
    {
        await using (RelayFixture relay = new(static _ => { }, static o => o with { MaxConnections = 0 }))
        using (RawClient client = relay.Connect())
        {
            Assert.That(client.Exchange(Get).Status, Is.EqualTo(503));
            Assert.That((relay.Pool.Metrics.Refused, relay.Pool.Metrics.Connects), Is.EqualTo((1, 0)));
        }
        await using (RelayFixture relay = new(static _ => { }, static o => o with { Port = 1 }))
        using (RawClient client = relay.Connect())
        {
            Assert.That(client.Exchange(Get).Status, Is.EqualTo(502));
            Assert.That((relay.Pool.Metrics.ConnectFailures, relay.Pool.Metrics.Relayed(RelayResult.Unreachable)), Is.EqualTo((1, 1)));
        }
    }

    // How often the relay looks at the clock until it waits: on arrival, before and after it connects, when the request is
    // sent; on finding that a connection was dead, when it has given that up, and the last three again.
    private const int OnFresh = 4, OnPooled = 2, OnDead = 5;

    private long _begun;

    private void Begin() => _begun = _time.Reads;

    /// <summary>Time passes while the relay waits, which it does when it has looked at the clock so often.</summary>
    private void Pass(int milliseconds, int after)
    {
        if (!SpinWait.SpinUntil(() => _time.Reads - _begun >= after, Until.Deadline)) throw new TimeoutException("the relay does not come to wait");
        _time.Advance(milliseconds);
    }

    private RelayFixture Start(Action<UpstreamPeer> script, IRelayObserver? observer = null) => new(script, observer: observer, time: _time);

    // The last flush is recorded when the client may have it already.
    private static async Task ExpectAsync(RelayFixture relay, int count, double addedMilliseconds, double firstByteMilliseconds)
    {
        UpstreamMetrics metrics = relay.Pool.Metrics;
        await Until.TrueAsync(() => metrics.AddedTime.Read().Count >= count);
        (long addedCount, double added) = metrics.AddedTime.Read();
        (long firstByteCount, double firstByte) = metrics.FirstByteTime.Read();
        Assert.That((addedCount, firstByteCount), Is.EqualTo((count, count)));
        Assert.That(added * 1000, Is.EqualTo(addedMilliseconds).Within(1e-6));
        Assert.That(firstByte * 1000, Is.EqualTo(firstByteMilliseconds).Within(1e-6));
    }

    /// <summary>A manual clock that tells how often it was looked at; what its timers do is not counted.</summary>
    private sealed class CountedTime : TimeProvider
    {
        private readonly ManualTimeProvider _manual = new();
        private int _reads;
        private int _advancing;

        public int Reads => Volatile.Read(ref _reads);

        public override long TimestampFrequency => _manual.TimestampFrequency;

        public override DateTimeOffset GetUtcNow() => _manual.GetUtcNow();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => _manual.CreateTimer(callback, state, dueTime, period);

        public override long GetTimestamp()
        {
            if (Volatile.Read(ref _advancing) != Environment.CurrentManagedThreadId) Interlocked.Increment(ref _reads);
            return _manual.GetTimestamp();
        }

        public void Advance(int milliseconds)
        {
            Volatile.Write(ref _advancing, Environment.CurrentManagedThreadId);
            _manual.Advance(TimeSpan.FromMilliseconds(milliseconds));
            Volatile.Write(ref _advancing, 0);
        }
    }

    private sealed class SlowObserver(Action takesTime) : IRelayObserver
    {
        public void RequestContent(ReadOnlySpan<byte> content) { }

        public void ResponseHead(int status, Turbo.Net.HeaderFields fields) => takesTime();

        public void ResponseContent(ReadOnlySpan<byte> content) { }
    }
}

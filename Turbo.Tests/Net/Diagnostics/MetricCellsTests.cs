using System.Diagnostics.Metrics;
using System.Net;
using Turbo.Net;
using Turbo.Net.Diagnostics;
using Turbo.Net.Transport;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Diagnostics;

internal sealed class MetricCellsTests
{
    /// <summary>Nothing is lost, whichever threads add: event loops and others at once.</summary>
    [Test]
    public async Task Adding_from_every_thread_loses_nothing()
    {
        const int Each = 20_000, Threads = 8;
        MetricCells cells = new(3);
        await using NetServer server = new(exchange =>
        {
            for (int i = 0; i < 1000; i++) cells.Add(1, 2);
            exchange.Response.Send(200, "text/plain"u8, default);
            return default;
        });
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(_ => new Thread(() =>
        {
            for (int i = 0; i < Each; i++) cells.Add(1);
        }))];
        foreach (Thread thread in threads) thread.Start();
        RawClient[] clients = [.. Enumerable.Range(0, 8).Select(_ => server.Connect())];
        foreach (RawClient client in clients) client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        foreach (RawClient client in clients) client.Read();
        foreach (Thread thread in threads) thread.Join();
        foreach (RawClient client in clients) client.Dispose();
        Assert.That((cells.Read(0), cells.Read(1), cells.Read(2)), Is.EqualTo((0, Threads * Each + 8 * 1000 * 2, 0)));
    }

    [Test]
    public void Adding_and_recording_allocate_nothing()
    {
        MetricCells cells = new(2);
        LatencyHistogram histogram = new(LatencyHistogram.Fine, TimeProvider.System);
        Run();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Run();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Assert.That((cells.Read(1), histogram.Read().Count), Is.EqualTo((20_000, 20_000)));

        void Run()
        {
            for (int i = 0; i < 10_000; i++)
            {
                cells.Add(1);
                histogram.Record(i * 1000);
            }
        }
    }

    [TestCase(true)]
    [TestCase(false)]
    public void Bounds_rise(bool fine)
    {
        double[] bounds = (fine ? LatencyHistogram.Fine : LatencyHistogram.Coarse).ToArray();
        Assert.That(bounds, Is.Ordered.Ascending.And.Unique);
        if (fine) Assert.That((bounds[0], bounds[^1]), Is.EqualTo((5e-6, 10)));
    }

    /// <summary>What a program reads from the server itself, and from the runtime's meters.</summary>
    [TestCase(TransportKind.Auto)]
    [TestCase(TransportKind.Sockets)]
    public async Task A_server_counts_and_its_meter_tells(TransportKind transport)
    {
        ServerLimits limits = new() { MaxConnections = 1 };
        await using NetServer server = new(limits: limits, with: o => o with { Transport = transport });
        ServerMetrics metrics = server.Server.Metrics;
        using Meter meter = metrics.CreateMeter();
        Dictionary<string, long> seen = [];
        using MeterListener listener = new()
        {
            InstrumentPublished = (instrument, listening) =>
            {
                if (ReferenceEquals(instrument.Meter, meter)) listening.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            string key = instrument.Name + (tags.Length > 0 ? $":{tags[0].Value}" : "");
            seen[key] = value;
        });
        listener.Start();

        const string Request = "GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n";
        int sent;
        using (RawClient client = server.Connect())
        {
            sent = client.Exchange(Request).ToWire().Length;
            sent += client.Exchange("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n").ToWire().Length;
            using RawClient refused = server.Connect();
            Assert.That(refused.Read().Status, Is.EqualTo(503));
            await Until.TrueAsync(() => metrics.SentBytes >= sent);
        }
        await Until.TrueAsync(() => metrics.Ended(EndReason.PeerClosed) + metrics.Ended(EndReason.PeerReset) == 1);
        using (RawClient client = server.Connect())
        {
            sent += client.Exchange("GET /throw HTTP/1.1\r\nHost: a\r\n\r\n").ToWire().Length;
            client.ExpectFin();
        }
        await Until.TrueAsync(() => metrics.Ended(EndReason.NotPersistent) == 1);
        Assert.That((metrics.Accepted, metrics.Responded(2), metrics.Responded(4), metrics.Responded(5)), Is.EqualTo((2, 1, 1, 1)));
        Assert.That((metrics.Rejected(RejectReason.TooManyConnections), metrics.HandlerFailures), Is.EqualTo((1, 1)));
        Assert.That(metrics.ReceivedBytes, Is.EqualTo(Request.Length + "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n".Length + "GET /throw HTTP/1.1\r\nHost: a\r\n\r\n".Length));
        // The refusal is sent over a connection of its own, whose bytes may count.
        Assert.That(metrics.SentBytes, Is.InRange(sent, sent + 200));

        listener.RecordObservableInstruments();
        Assert.That(meter.Name, Is.EqualTo("Turbo.Net"));
        Assert.That((seen["turbo.server.connections.accepted"], seen["turbo.server.responses:2xx"], seen["turbo.server.requests.rejected:TooManyConnections"]), Is.EqualTo((2, 1, 1)));
        Assert.That(seen["turbo.server.io.received"], Is.EqualTo(metrics.ReceivedBytes));
    }

    [Test]
    public async Task Handshakes_count()
    {
        await using NetServer server = new(isTls: true);
        using (RawClient client = server.Connect()) client.Exchange("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n");
        using (RawClient plain = new(server.EndPoint)) plain.Exchange("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n");
        ServerMetrics metrics = server.Server.Metrics;
        await Until.TrueAsync(() => metrics.FailedHandshakes(EndReason.PlainText) == 1);
        Assert.That((metrics.Handshakes, metrics.Accepted), Is.EqualTo((1, 1)));
    }
}

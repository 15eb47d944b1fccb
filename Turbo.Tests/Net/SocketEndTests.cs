using System.Net;
using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net;

/// <summary>Time and the server's stop as a client at a real socket sees them.</summary>
[TestFixture(false)]
[TestFixture(true)]
internal sealed class SocketEndTests(bool isTls)
{
    private const string Get = "GET /plaintext HTTP/1.1\r\nHost: h\r\n\r\n";

    private readonly ManualTimeProvider _time = new();
    private NetServer? _server;

    [TearDown]
    public async Task Stop()
    {
        if (_server is not null) await _server.DisposeAsync();
        _server = null;
    }

    private RawClient Connect(RequestHandler? handler = null, int receiveBufferBytes = 0)
    {
        _server ??= new NetServer(handler, time: _time, isTls: isTls);
        return _server.Connect(receiveBufferBytes);
    }

    private void Advance(double seconds) => _time.Advance(TimeSpan.FromSeconds(seconds));

    [Test]
    public async Task A_partial_head_is_408_and_an_idle_connection_ends_silently()
    {
        using RawClient partial = Connect();
        using RawClient idle = Connect();
        // What is sent with a complete request has been seen when that is answered.
        Assert.That(partial.Exchange(Get + "GET /par").Status + idle.Exchange(Get).Status, Is.EqualTo(400));
        Advance(10.5);
        RawResponse late = partial.Read();
        Assert.That((late.Status, late.Field("Connection")), Is.EqualTo((408, "close")));
        partial.HalfClose().ExpectFin();
        Assert.That(idle.IsQuiet);
        Advance(65);
        idle.ExpectFin();
        await Until.TrueAsync(() => _server!.Log.Ended.Count() == 2);
        Assert.That(_server!.Log.Ended, Is.EquivalentTo(new[] { EndReason.IdleTimeout, EndReason.ReadTimeout }));
    }

    [Test]
    public async Task A_stalled_body_is_408()
    {
        TaskCompletionSource reading = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using RawClient client = Connect(async exchange =>
        {
            ValueTask<BodyContent> content = exchange.Body.ReadAllAsync();
            reading.SetResult();
            Assert.That((await content).Reject, Is.EqualTo(RejectReason.RequestTimeout));
        });
        client.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345");
        await Until.DoneAsync(reading.Task);
        // The five bytes may come in a read of their own, which starts the time anew.
        await Until.TrueAsync(() =>
        {
            Advance(31);
            return client.Socket.Available > 0;
        });
        Assert.That(client.Read().Status, Is.EqualTo(408));
    }

    [Test]
    public async Task A_client_that_takes_a_little_is_waited_for_and_one_that_takes_nothing_is_reset()
    {
        TaskCompletionSource<bool> taken = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
        const int total = 64 << 20;
        using RawClient client = Connect(async exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.EndHead(total);
            exchange.Response.Write(new byte[total]);
            ValueTask<bool> flush = exchange.Response.FlushAsync();
            waits.SetResult();
            taken.SetResult(await flush);
        }, receiveBufferBytes: 64 * 1024);
        client.Send(Get);
        await Until.DoneAsync(waits.Task);
        for (int i = 0; i < 5; i++)
        {
            // One flush of 64 MiB is never done in a minute by a client this slow; yet each minute it takes some.
            Advance(59);
            client.Drop(4 << 20);
            Advance(0.5);
            Assert.That(taken.Task.IsCompleted, Is.False);
        }
        await Until.TrueAsync(() =>
        {
            Advance(61);
            return taken.Task.IsCompleted;
        });
        Assert.That(await taken.Task, Is.False);
        client.ExpectReset();
        await Until.TrueAsync(() => !_server!.Log.Ended.IsEmpty);
        Assert.That(_server!.Log.Ended.Single(), Is.EqualTo(EndReason.WriteTimeout));
    }

    [Test]
    public async Task A_lingering_close_ends_without_the_client()
    {
        using RawClient client = Connect();
        Assert.That(client.Exchange("POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 999999\r\n\r\n12345").Text, Is.EqualTo("ignored"));
        client.ExpectFin();
        Assert.That(_server!.Server.ConnectionCount, Is.EqualTo(1), "lingers");
        await Until.TrueAsync(() =>
        {
            Advance(2.5);
            return _server.Server.ConnectionCount == 0;
        });
    }

    [Test]
    public async Task Stopping_closes_the_idle_finishes_the_busy_and_takes_no_more()
    {
        TaskCompletionSource gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using RawClient idle = Connect(async exchange =>
        {
            if (exchange.Query.Length > 0)
            {
                waits.SetResult();
                await gate.Task;
            }
            exchange.Response.Send(200, default, "done"u8);
        });
        using RawClient busy = Connect();
        idle.Exchange(Get);
        busy.Send("GET /?wait HTTP/1.1\r\nHost: h\r\n\r\n");
        await Until.DoneAsync(waits.Task);
        IPEndPoint endPoint = _server!.EndPoint;
        Task<int> stop = _server.Server.StopAsync(TimeSpan.FromSeconds(30));
        idle.ExpectFin();
        Assert.Throws<System.Net.Sockets.SocketException>(() => new RawClient(endPoint));
        Assert.That(stop.IsCompleted, Is.False);
        gate.SetResult();
        RawResponse last = busy.Read();
        Assert.That((last.Text, last.Field("Connection")), Is.EqualTo(("done", "close")));
        busy.HalfClose().ExpectFin();
        Assert.That(await Until.DoneAsync(stop), Is.Zero);
    }

    [Test]
    public async Task Stopping_resets_what_does_not_end()
    {
        TaskCompletionSource waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using RawClient client = Connect(async exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.EndHeadChunked();
            await exchange.Response.WriteAsync("begun"u8.ToArray());
            CancellationToken aborted = exchange.Aborted;
            waits.SetResult();
            await Task.Delay(Timeout.Infinite, aborted);
        });
        client.Send("GET / HTTP/1.0\r\n\r\n");
        await Until.DoneAsync(waits.Task);
        Task<int> stop = _server!.Server.StopAsync(TimeSpan.FromSeconds(30));
        await Until.TrueAsync(() =>
        {
            Advance(31);
            return stop.IsCompleted;
        });
        Assert.That(await stop, Is.EqualTo(1));
        client.ExpectReset();
    }
}

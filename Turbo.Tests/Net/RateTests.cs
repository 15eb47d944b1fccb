using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net;

/// <summary>The least rates at which a client must send and take: 100 bytes a second after 10 s of the server's waiting.</summary>
[TestFixture]
internal sealed class RateTests : MemoryFixture
{
    private const string Post = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";
    private const string Chunked = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    private const string Unread = "POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n";
    private const string Head = "GET /plaintext HTTP/1.1\r\nHost: h\r\nX: ";

    private static readonly ServerLimits s_rates = s_limits with
    {
        HeaderTimeout = TimeSpan.FromHours(1),
        MinRequestBytesPerSecond = 100,
        MinResponseBytesPerSecond = 1 << 20,
        RateGrace = TimeSpan.FromSeconds(10),
    };

    private double SecondsUntilEnd(MemoryClient client, string eachSecond, int most = 100)
    {
        for (int n = 0; n < most; n++)
        {
            for (int quarter = 1; quarter <= 4; quarter++)
            {
                Advance(0.25);
                client.Take();
                if (client.HasEnded || client.Transport.EndReason != EndReason.None) return n + quarter / 4.0;
            }
            client.Send(eachSecond);
        }
        return double.PositiveInfinity;
    }

    [TestCase(Post, "x")]
    [TestCase(Chunked, "1\r\nx\r\n")]
    [TestCase(Unread, "x")]
    [TestCase(Head, "x")]
    [TestCase("G", "")]
    public void A_drip_is_cut_off_soon_after_the_grace(string begin, string drip)
    {
        MemoryClient client = Connect(limits: s_rates).Send(begin);
        Assert.That(SecondsUntilEnd(client, drip), Is.InRange(10, 11.5));
        Assert.That(_server.Log.HandlerFaults, Is.Empty);
        client.Fin();
    }

    [TestCase(Post)]
    [TestCase(Unread)]
    [TestCase(Head)]
    public void A_client_at_the_rate_is_not(string begin)
    {
        MemoryClient client = Connect(limits: s_rates).Send(begin);
        Assert.That(SecondsUntilEnd(client, new string('x', 100)), Is.EqualTo(double.PositiveInfinity));
        client.Fin();
    }

    [Test]
    public void A_drip_is_answered_408()
    {
        MemoryClient client = Connect(static async exchange =>
        {
            BodyContent content = await exchange.Body.ReadAllAsync();
            Assert.That(content.Reject, Is.EqualTo(RejectReason.RequestTimeout));
        }, s_rates);
        client.Send(Post);
        for (int i = 0; i < 12; i++)
        {
            Advance(1);
            client.Send("x");
        }
        Assert.That(client.TakeText(), Does.StartWith("HTTP/1.1 408 ").And.Contain("Connection: close"));
        Assert.That(Ended(client), Is.EqualTo(EndReason.ReadTimeout));
    }

    [Test]
    public void Bytes_that_came_pay_for_time_that_comes()
    {
        MemoryClient client = Connect(limits: s_rates).Send(Post).Send(new string('x', 1000));
        Assert.That(SecondsUntilEnd(client, ""), Is.InRange(20, 21));
        client.Fin();
    }

    [Test]
    public void Time_that_the_handler_takes_is_not_the_clients()
    {
        TaskCompletionSource gate = new();
        MemoryClient client = Connect(async exchange =>
        {
            await gate.Task.ConfigureAwait(false);
            await NetServer.EchoAsync(exchange);
        }, s_rates);
        client.Send(Post);
        Advance(1000);
        Inline.Run(gate.SetResult);
        Advance(9);
        Assert.That(client.HasEnded, Is.False);
        Assert.That(SecondsUntilEnd(client, "x"), Is.LessThan(3));
        client.Fin();
    }

    [Test]
    public void Each_request_begins_anew_and_idle_time_counts_for_none()
    {
        MemoryClient client = Connect(limits: s_rates);
        for (int i = 0; i < 5; i++)
        {
            client.Send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n");
            Advance(9);
            client.Send("ok");
            Assert.That(client.TakeText(), Does.EndWith("ok"));
            Advance(20);
            client.Send("GET /plaintext HTTP/1.1\r\n");
            Advance(9);
            client.Send("Host: h\r\n\r\n");
            Assert.That(client.TakeText(), Does.EndWith("Hello, World!"));
        }
    }

    [Test]
    public void No_rate_is_no_limit()
    {
        MemoryClient client = Connect(limits: s_rates with { MinRequestBytesPerSecond = 0 }).Send(Post);
        Assert.That(SecondsUntilEnd(client, "x"), Is.EqualTo(double.PositiveInfinity));
        client.Fin();
    }

    // ---- reading the response: what a client takes is the kernel's to say, so at a socket

    [TestCase(512 * 1024, true)]
    [TestCase(2 << 20, false)]
    [TestCase(64 * 1024, true)]
    public async Task A_slow_reader_is_cut_off_and_one_at_the_rate_is_not(int eachSecond, bool isCut)
    {
        const int total = 128 << 20;
        TaskCompletionSource waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource<bool> taken = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _server = new NetServer(async exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.EndHead(total);
            byte[] piece = new byte[1 << 20];
            // One wait: the pipe takes 64 KiB ahead.
            for (int i = 0; i < 64; i++) exchange.Response.Write(piece);
            ValueTask<bool> flush = exchange.Response.FlushAsync();
            waits.SetResult();
            bool isThere = await flush;
            taken.SetResult(isThere);
            if (isThere) exchange.Abort();
        }, s_rates, _time);
        using RawClient client = _server.Connect(receiveBufferBytes: 64 * 1024);
        client.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        await Until.DoneAsync(waits.Task);
        Advance(0.25);
        int seconds = 0;
        while (!taken.Task.IsCompleted && TryDrop(client, eachSecond) && ++seconds < 100) Advance(1);
        Assert.That(await Until.DoneAsync(taken.Task), Is.EqualTo(!isCut));
        if (isCut) Assert.That(seconds, Is.InRange(9, 30));
        await Until.TrueAsync(() => !_server.Log.Ended.IsEmpty);
        Assert.That(_server.Log.Ended.Single(), Is.EqualTo(isCut ? EndReason.WriteTimeout : EndReason.Aborted));
    }

    // All of it: the server sends faster than a client this slow reads.
    private static bool TryDrop(RawClient client, int bytes)
    {
        try
        {
            client.Drop(bytes);
            return true;
        }
        catch (AssertionException)
        {
            return false;
        }
    }
}

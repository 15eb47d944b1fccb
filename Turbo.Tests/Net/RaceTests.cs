using System.IO.Pipelines;
using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net;

/// <summary>
/// Events that meet at the worst moment, many times over: whichever wins, a response is whole or absent, every connection
/// is let go, and the server reports no fault of its own (which <see cref="NetServer"/> asserts at its end).
/// </summary>
[TestFixture]
internal sealed class RaceTests
{
    private const string Get = "GET /plaintext HTTP/1.1\r\nHost: h\r\n\r\n";

    /// <summary>Asks until the server ends the connection; false when what came last was less than a response.</summary>
    private static bool AskUntilClosed(NetServer server, int most, out int answers)
    {
        answers = 0;
        RawClient? client = null;
        try
        {
            using (client = server.Connect())
            {
                for (; answers < most; answers++)
                {
                    if (!client.TrySend(Get)) return true;
                    if (client.ReadToNext() is not { } response) return client.Unread == 0;
                    if (response.Text != "Hello, World!") return false;
                    if (response.Field("Connection") == "close") return true;
                }
                return true;
            }
        }
        catch (System.Net.Sockets.SocketException) when (client is null)
        {
            // The listener was gone first.
            return true;
        }
    }

    [Test]
    public async Task Stopping_under_load_cuts_no_response()
    {
        for (int round = 0; round < 20; round++)
        {
            await using NetServer server = new();
            int answered = 0;
            Task<bool>[] clients = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
            {
                bool isWhole = true;
                for (int i = 0; i < 50 && isWhole; i++)
                {
                    isWhole = AskUntilClosed(server, 1 + (i % 5), out int answers);
                    Interlocked.Add(ref answered, answers);
                }
                return isWhole;
            }))];
            await Until.TrueAsync(() => Volatile.Read(ref answered) > 20);
            Assert.That(await Until.DoneAsync(server.Server.StopAsync(TimeSpan.FromSeconds(8))), Is.Zero, "none had to be reset");
            Assert.That(await Until.DoneAsync(Task.WhenAll(clients)), Has.All.True);
        }
    }

    [Test]
    public async Task Timeouts_that_meet_requests_cut_no_response()
    {
        ManualTimeProvider time = new();
        // Every tick is due for whatever waits at that moment.
        ServerLimits limits = new() { KeepAliveTimeout = TimeSpan.FromMilliseconds(1) };
        await using NetServer server = new(limits: limits, time: time);
        bool isOver = false;
        Task ticking = Task.Run(() =>
        {
            while (!Volatile.Read(ref isOver))
            {
                time.Advance(TimeSpan.FromMilliseconds(250));
                Thread.Yield();
            }
        });
        int answered = 0;
        Task<bool>[] clients = [.. Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
        {
            bool isWhole = true;
            for (int i = 0; i < 300 && isWhole; i++)
            {
                isWhole = AskUntilClosed(server, 20, out int answers);
                Interlocked.Add(ref answered, answers);
            }
            return isWhole;
        }))];
        bool[] whole = await Task.WhenAll(clients).WaitAsync(TimeSpan.FromSeconds(60));
        Volatile.Write(ref isOver, true);
        await ticking;
        Assert.That(whole, Has.All.True);
        Assert.That(answered, Is.GreaterThan(0));
        Assert.That(server.Log.Ended, Does.Contain(EndReason.IdleTimeout), "the race was run");
        Assert.That(server.Log.HandlerFaults, Is.Empty);
    }

    [Test]
    public async Task A_watch_that_meets_the_end_of_its_handler_the_next_request_or_the_clients_close()
    {
        int told = 0;
        await using NetServer server = new(async exchange =>
        {
            exchange.OnClientClosed((_, _) => Interlocked.Increment(ref told), null);
            CancellationToken aborted = exchange.Aborted;
            if (exchange.Query.Length > 0) await Task.Yield();
            exchange.Response.Send(200, "text/plain"u8, "Hello, World!"u8);
            _ = aborted.IsCancellationRequested;
        });
        await Task.WhenAll(Enumerable.Range(0, 2).Select(n => Task.Run(() =>
        {
            Random random = new(n);
            for (int i = 0; i < 400; i++)
            {
                using RawClient client = server.Connect();
                int sent = random.Next(1, 4);
                client.Send(string.Concat(Enumerable.Repeat(random.Next(2) == 0 ? Get : Get.Replace("/plaintext", "/?yield"), sent)));
                int read = random.Next(sent + 1);
                for (int r = 0; r < read; r++) Assert.That(client.Read().Text, Is.EqualTo("Hello, World!"));
                if (random.Next(3) == 0) client.Reset();
                else if (random.Next(2) == 0)
                {
                    client.HalfClose();
                    for (int r = read; r < sent; r++) Assert.That(client.Read().Text, Is.EqualTo("Hello, World!"));
                    client.ExpectFin();
                }
            }
        })));
        await Until.TrueAsync(() => server.Server.ConnectionCount == 0);
        Assert.That(server.Log.HandlerFaults, Is.Empty);
    }

    [Test]
    public async Task An_abort_from_another_thread_at_any_moment_of_a_response()
    {
        byte[] piece = new byte[5000];
        Array.Fill(piece, (byte)'x');
        await using NetServer server = new(async exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.EndHeadChunked();
            Task aborting = Task.Run(exchange.Abort);
            while (await exchange.Response.WriteAsync(piece)) { }
            await aborting;
        });
        for (int i = 0; i < 300; i++)
        {
            using RawClient client = server.Connect();
            client.Send(Get);
            byte[] got = client.ExpectReset();
            // Nothing of another connection's bytes.
            int head = got.AsSpan().IndexOf("\r\n\r\n"u8);
            if (head >= 0) Assert.That(got.AsSpan(head).ContainsAnyExcept("x\r\n01234567890abcdef"u8), Is.False, Segmented.Show(got, 300));
        }
        await Until.TrueAsync(() => server.Server.ConnectionCount == 0);
        Assert.That(server.Log.Ended, Has.All.EqualTo(EndReason.Aborted));
        Assert.That(server.Log.HandlerFaults, Is.Empty);
    }

    [Test]
    public async Task Earlier_answers_that_leave_while_the_next_handler_writes_on_another_thread()
    {
        int n = 0;
        await using NetServer server = new(async exchange =>
        {
            byte[] path = exchange.Path.ToArray();
            // Some are done at once, some when the loop is about to see that they are not, some later.
            int kind = Interlocked.Increment(ref n) % 3;
            if (kind == 1) await Task.Yield();
            if (kind == 2) await Task.Delay(1);
            exchange.Response.Send(200, default, path);
        });
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            using RawClient client = server.Connect();
            for (int i = 0; i < 100; i++)
            {
                client.Send(string.Concat(Enumerable.Range(0, 8).Select(k => $"GET /{i}/{k} HTTP/1.1\r\nHost: h\r\n\r\n")));
                for (int k = 0; k < 8; k++) Assert.That(client.Read().Text, Is.EqualTo($"/{i}/{k}"));
            }
        })));
    }

    [Test]
    public async Task Stopping_while_connections_open()
    {
        for (int round = 0; round < 30; round++)
        {
            await using NetServer server = new();
            bool[]? whole = null;
            Task opening = Task.Run(() => whole = [.. Enumerable.Range(0, 20).Select(_ => AskUntilClosed(server, 1, out int _))]);
            if (round % 3 == 0) await Task.Yield();
            await Until.DoneAsync(server.Server.StopAsync(TimeSpan.FromSeconds(8)));
            await Until.DoneAsync(opening);
            Assert.That(whole, Has.All.True);
        }
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task An_upgraded_handler_that_ends_the_output_itself(bool aborts)
    {
        await using NetServer server = new(async exchange =>
        {
            exchange.Response.Start(101);
            exchange.Response.EndHead(0);
            await exchange.Response.FlushAsync();
            Connection connection = exchange.Upgrade();
            ReadResult read = await connection.Input.ReadAsync();
            connection.Input.AdvanceTo(read.Buffer.End);
            if (aborts) connection.Abort(EndReason.Upgraded);
            await connection.Output.CompleteAsync();
            await connection.Output.CompleteAsync();
            await connection.OutputEnded;
        });
        using RawClient client = server.Connect();
        client.Send(Get);
        Assert.That(client.Read().Status, Is.EqualTo(101));
        client.Send("x");
        if (aborts) client.ExpectReset();
        else client.ExpectFin();
        await Until.TrueAsync(() => server.Server.ConnectionCount == 0);
        Assert.That(server.Log.Ended, Has.All.EqualTo(EndReason.Upgraded));
    }
}

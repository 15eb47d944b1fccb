using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net;

/// <summary>Every way in which a connection ends: time, the client, an upgrade, the server.</summary>
[TestFixture]
internal sealed class ConnectionEndTests : MemoryFixture
{
    // ---- time

    [Test]
    public void An_idle_connection_is_closed_silently()
    {
        MemoryClient client = Connect();
        client.Send(Get);
        client.Take();
        Advance(74);
        Assert.That(client.HasEnded, Is.False);
        Advance(1.5);
        Assert.That(client.Take(), Is.Empty);
        Assert.That(Ended(client), Is.EqualTo(EndReason.IdleTimeout));
    }

    [Test]
    public void A_connection_that_says_nothing_is_closed_after_the_header_timeout()
    {
        MemoryClient client = Connect();
        Advance(10.5);
        Assert.That(client.Take(), Is.Empty);
        Assert.That(Ended(client), Is.EqualTo(EndReason.IdleTimeout));
    }

    [TestCase("G")]
    [TestCase("GET / HTTP/1.1\r\nHost: h\r\n")]
    [TestCase(Get + "\r\nGET / HT")]
    public void A_head_that_is_not_finished_in_time_is_408(string wire)
    {
        MemoryClient client = Connect();
        client.Send(wire);
        client.Take();
        Advance(6);
        client.Send("x");
        Assert.That(client.HasEnded, Is.False, "a byte must not start the time anew");
        Advance(4.5);
        Assert.That(client.TakeText(), Does.StartWith("HTTP/1.1 408 Request Timeout").And.Contain("Connection: close"));
        Assert.That(Ended(client), Is.EqualTo(EndReason.ReadTimeout));
    }

    [Test]
    public void Empty_lines_do_not_begin_a_request()
    {
        MemoryClient client = Connect();
        client.Send(Get + "\r\n");
        client.Take();
        Advance(20);
        Assert.That(client.HasEnded, Is.False);
        client.Send(Get);
        Assert.That(Status(client.TakeText()), Is.EqualTo("200"));
    }

    [Test]
    public void A_stalled_body_is_408_and_a_slow_one_is_not()
    {
        MemoryClient client = Connect(limits: s_limits with { MinRequestBytesPerSecond = 0 });
        client.Send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
        for (int i = 0; i < 5; i++)
        {
            Advance(29);
            client.Send("x");
        }
        Assert.That(client.TakeText(), Does.EndWith("xxxxx"));
        client.Send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
        Advance(30.5);
        Assert.That(client.TakeText(), Does.StartWith("HTTP/1.1 408 ").And.Contain("Connection: close"));
        Assert.That(Ended(client), Is.EqualTo(EndReason.ReadTimeout));
        Assert.That(_server.Log.HandlerFaults, Is.Empty);
    }

    [Test]
    public void A_body_that_stalls_within_the_response_resets_it()
    {
        MemoryClient client = Connect();
        client.Send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
        Advance(30.5);
        Assert.That(client.HasEnded && client.IsReset);
    }

    [Test]
    public void A_handler_may_take_any_time()
    {
        TaskCompletionSource gate = new();
        MemoryClient client = Connect(async exchange =>
        {
            await gate.Task.ConfigureAwait(false);
            exchange.Response.Send(200, default, "late"u8);
        });
        client.Send(Get);
        Advance(1000);
        Assert.That(client.HasEnded, Is.False);
        Inline.Run(gate.SetResult);
        Assert.That(client.TakeText(), Does.EndWith("late"));
    }

    [Test]
    public void A_client_that_takes_nothing_is_reset_and_the_handler_told()
    {
        bool? isTaken = null;
        MemoryClient client = Connect(async exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.EndHead(2 << 20);
            exchange.Response.Write(new byte[2 << 20]);
            isTaken = await exchange.Response.FlushAsync();
        });
        client.Send(Get);
        Advance(59);
        Assert.That(isTaken, Is.Null, "the flush waits");
        Advance(2);
        Assert.That(isTaken, Is.False);
        Assert.That(client.HasEnded && client.IsReset);
        Assert.That(client.Transport.EndReason, Is.EqualTo(EndReason.WriteTimeout));
        Assert.That(_server.Log.HandlerFaults, Is.Empty);
    }

    [Test]
    public void A_flush_after_sending_failed_tells_the_handler_and_does_not_throw()
    {
        TaskCompletionSource sendingFailed = new();
        bool? isTaken = null;
        MemoryClient client = Connect(async exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.EndHeadChunked();
            await exchange.Response.FlushAsync();
            await sendingFailed.Task;
            exchange.Response.Write("x"u8);
            isTaken = await exchange.Response.FlushAsync();
        });
        client.Send(Get);
        client.Transport.PeerInput.Complete(new IOException("sending failed"));
        Inline.Run(sendingFailed.SetResult);
        Assert.That(isTaken, Is.False);
        client.Fin();
        Assert.That(client.Transport.EndReason, Is.EqualTo(EndReason.PeerReset));
    }

    [Test]
    public void A_request_that_comes_with_the_timeout_is_served()
    {
        MemoryClient client = Connect();
        client.Send(Get);
        client.Take();
        // Bytes that are there but not flushed arrive in the very read that the tick ends.
        Segmented.Bytes(Get).CopyTo(client.Transport.PeerOutput.GetSpan(100));
        client.Transport.PeerOutput.Advance(Get.Length);
        Inline.Run(() =>
        {
            _time.Advance(TimeSpan.FromSeconds(74.9));
            client.Transport.Input.CancelPendingRead();
            client.Transport.PeerOutput.FlushAsync().AsTask();
        });
        Assert.That(Status(client.TakeText()), Is.EqualTo("200"));
    }

    // ---- the client that leaves

    [Test]
    public void A_client_done_sending_still_gets_its_answers()
    {
        MemoryClient client = Connect();
        client.Send(Get + "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok").Fin();
        Assert.That(client.TakeText(), Does.Contain("Hello, World!").And.EndWith("ok"));
        Assert.That(Ended(client), Is.EqualTo(EndReason.PeerClosed));
    }

    [TestCase("")]
    [TestCase("G")]
    [TestCase(Get)]
    public void A_client_that_closes_or_resets_between_requests_is_no_fault(string wire)
    {
        MemoryClient client = Connect();
        client.Send(wire).Take();
        client.Fin();
        Assert.That(client.HasEnded && client.Serving.IsCompletedSuccessfully);
        Assert.That(client.Transport.EndReason, Is.EqualTo(EndReason.PeerClosed));
        MemoryClient other = _server.ConnectInMemory().Send(wire);
        other.Rst();
        Assert.That(other.Serving.IsCompletedSuccessfully);
        Assert.That(other.Transport.EndReason, Is.EqualTo(EndReason.PeerReset));
    }

    [Test]
    public void A_body_cut_short_is_400_to_a_client_that_can_still_read()
    {
        MemoryClient client = Connect();
        client.Send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n").Fin();
        Assert.That(client.TakeText(), Does.StartWith("HTTP/1.1 400 ").And.EndWith("request body ended early"));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void A_watched_client_that_leaves_is_told_once_to_each_observer(bool resets)
    {
        TaskCompletionSource gate = new();
        List<string> told = [];
        CancellationToken aborted = default;
        MemoryClient client = Connect(async exchange =>
        {
            exchange.OnClientClosed((state, reset) => told.Add($"{state} {reset}"), "first");
            exchange.OnClientClosed((state, reset) => told.Add($"{state} {reset}"), "second");
            aborted = exchange.Aborted;
            await gate.Task.ConfigureAwait(false);
            exchange.OnClientClosed((state, reset) => told.Add($"{state} {reset}"), "late");
            exchange.Response.Send(200, default, "x"u8);
        });
        client.Send(Get);
        Assert.That(told, Is.Empty);
        if (resets) client.Rst();
        else client.Fin();
        Assert.That(told, Is.EqualTo(new[] { $"first {resets}", $"second {resets}" }));
        Assert.That(aborted.IsCancellationRequested);
        Inline.Run(gate.SetResult);
        Assert.That(told, Has.Count.EqualTo(3));
        if (!resets) Assert.That(client.TakeText(), Does.EndWith("x"));
        Assert.That(client.Serving.IsCompletedSuccessfully);
    }

    [Test]
    public void A_watch_leaves_no_trace_on_the_requests_after_it()
    {
        int calls = 0;
        MemoryClient client = Connect(async exchange =>
        {
            exchange.OnClientClosed((_, _) => calls++, null);
            CancellationToken aborted = exchange.Aborted;
            if (!exchange.Body.IsComplete) Assert.Fail();
            await Task.CompletedTask;
            exchange.Response.Send(200, default, aborted.IsCancellationRequested ? "gone"u8 : "here"u8);
        });
        for (int i = 0; i < 3; i++)
        {
            client.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
            Assert.That(client.TakeText().Split("here"), Has.Length.EqualTo(3));
        }
        client.Fin();
        Assert.That(calls, Is.Zero);
        Assert.That(client.HasEnded);
    }

    [Test]
    public void Requests_sent_ahead_wait_while_a_client_is_watched_and_are_bounded()
    {
        TaskCompletionSource gate = new();
        bool isGone = false;
        MemoryClient client = Connect(async exchange =>
        {
            if (exchange.Query.Length > 0)
            {
                exchange.OnClientClosed((_, _) => isGone = true, null);
                await gate.Task.ConfigureAwait(false);
            }
            exchange.Response.Send(200, default, "x"u8);
        });
        client.Send("GET /?wait HTTP/1.1\r\nHost: h\r\n\r\n");
        byte[] ahead = Segmented.Bytes(string.Concat(Enumerable.Repeat("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 30)));
        int sent = 0;
        while (client.Sending.IsCompleted && sent < 1 << 20)
        {
            client.Send(ahead);
            sent += ahead.Length;
        }
        Assert.That(sent, Is.LessThan(200_000), "the client is held back");
        Assert.That(isGone, Is.False);
        Inline.Run(gate.SetResult);
        Assert.That(client.TakeText().Split("HTTP/1.1 200"), Has.Length.EqualTo(2 + 30 * (sent / ahead.Length)));
    }

    [Test]
    public void Watching_before_the_content_was_read_is_a_mistake()
    {
        MemoryClient client = Connect(static exchange =>
        {
            Assert.Throws<InvalidOperationException>(() => _ = exchange.Aborted);
            Assert.Throws<InvalidOperationException>(() => exchange.Upgrade());
            exchange.Response.Send(200, default, "x"u8);
            return default;
        });
        client.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n1");
        Assert.That(Status(client.TakeText()), Is.EqualTo("200"));
    }

    // ---- upgrade

    [Test]
    public void Upgrade_hands_over_bytes_that_came_early()
    {
        MemoryClient client = Connect(static async exchange =>
        {
            exchange.Response.Start(101);
            exchange.Response.Field("Upgrade"u8, "shout"u8);
            exchange.Response.Field("Connection"u8, "Upgrade"u8);
            exchange.Response.EndHead(0);
            await exchange.Response.FlushAsync();
            Connection connection = exchange.Upgrade();
            while (true)
            {
                ReadResult read = await connection.Input.ReadAsync();
                foreach (ReadOnlyMemory<byte> piece in read.Buffer) connection.Output.Write(Encoding.ASCII.GetBytes(Encoding.ASCII.GetString(piece.Span).ToUpperInvariant()));
                connection.Input.AdvanceTo(read.Buffer.End);
                await connection.Output.FlushAsync();
                if (read.IsCompleted) return;
            }
        });
        client.Send("GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: shout\r\n\r\nearly");
        Assert.That(client.TakeText(), Does.StartWith("HTTP/1.1 101 Switching Protocols").And.EndWith("\r\nUpgrade: shout\r\nConnection: Upgrade\r\n\r\nEARLY").And.Not.Contain("close"));
        Advance(1000);
        client.Send("late");
        Assert.That(client.TakeText(), Is.EqualTo("LATE"));
        Assert.That(Ended(client), Is.EqualTo(EndReason.Upgraded));
    }

    // ---- the end of the server

    [Test]
    public async Task Stopping_closes_the_idle_and_finishes_what_is_in_flight()
    {
        TaskCompletionSource gate = new();
        MemoryClient idle = Connect(async exchange =>
        {
            if (exchange.Query.Length > 0) await gate.Task.ConfigureAwait(false);
            exchange.Response.Send(200, default, "done"u8);
        });
        idle.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").Take();
        MemoryClient fresh = _server.ConnectInMemory();
        MemoryClient partial = _server.ConnectInMemory().Send("GET / HTTP/1.1\r\nHo");
        MemoryClient busy = _server.ConnectInMemory().Send("GET /?wait HTTP/1.1\r\nHost: h\r\n\r\n");
        Task<int> stop = Inline.Run(() => _server.Server.StopAsync(TimeSpan.FromSeconds(30)));
        await Until.TrueAsync(() => idle.HasEnded && fresh.HasEnded);
        Assert.That(idle.Transport.EndReason, Is.EqualTo(EndReason.Draining));
        Assert.That(stop.IsCompleted, Is.False);
        partial.Send("st: h\r\n\r\n");
        Assert.That(partial.TakeText(), Does.Contain("Connection: close").And.EndWith("done"));
        Inline.Run(gate.SetResult);
        Assert.That(busy.TakeText(), Does.Contain("Connection: close").And.EndWith("done"));
        partial.Fin();
        busy.Fin();
        Assert.That(await Until.DoneAsync(stop), Is.Zero);
        Assert.That(_server.Server.ConnectionCount, Is.Zero);
    }

    [Test]
    public async Task Stopping_resets_what_does_not_end_in_time()
    {
        CancellationToken aborted = default;
        MemoryClient busy = Connect(async exchange =>
        {
            aborted = exchange.Aborted;
            await Task.Delay(Timeout.Infinite, aborted);
        });
        busy.Send(Get);
        Task<int> stop = _server.Server.StopAsync(TimeSpan.FromSeconds(30));
        await Until.TrueAsync(() => _server.Server.ConnectionCount == 1 && !stop.IsCompleted);
        Advance(31);
        Assert.That(await Until.DoneAsync(stop), Is.EqualTo(1));
        Assert.That(aborted.IsCancellationRequested);
        Assert.That(busy.HasEnded && busy.IsReset);
        Assert.That(busy.Transport.EndReason, Is.EqualTo(EndReason.Draining));
    }

    [Test]
    public void A_connection_that_comes_while_the_server_stops_gets_one_answer()
    {
        MemoryClient first = Connect();
        Inline.Run(() => _server.Server.StopAsync(TimeSpan.FromSeconds(30)));
        MemoryClient silent = _server.ConnectInMemory();
        Assert.That(silent.HasEnded);
        Assert.That(first.HasEnded);
    }
}

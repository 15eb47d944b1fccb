using System.Net.Sockets;
using System.Text;
using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net;

/// <summary>Real sockets: content of every size both ways, back-pressure, resets, limits at their edge and one past.</summary>
[TestFixture(false)]
[TestFixture(true)]
internal sealed class SocketTests(bool isTls)
{
    private const string Get = "GET /plaintext HTTP/1.1\r\nHost: h\r\n\r\n";

    private NetServer? _server;

    [TearDown]
    public async Task Stop()
    {
        if (_server is not null) await _server.DisposeAsync();
        _server = null;
    }

    private RawClient Connect(RequestHandler? handler = null, ServerLimits? limits = null, int receiveBufferBytes = 0)
    {
        _server ??= new NetServer(handler, limits, isTls: isTls);
        return _server.Connect(receiveBufferBytes);
    }

    // ---- content

    private static byte Pattern(long at) => (byte)((at * 31) ^ (at >> 12));

    private static readonly byte[] s_pattern = [.. Enumerable.Range(0, 1 << 20).Select(static i => Pattern(i))];

    [Test]
    public async Task Echo_of_every_size([Values(0, 1, 4095, 4096, 4097, 65535, 65536, 65537, 1 << 20, 64 << 20)] int size, [Values] bool isChunked)
    {
        using RawClient client = Connect(static async exchange =>
        {
            exchange.Body.MaxBytes = long.MaxValue;
            await NetServer.EchoAsync(exchange);
        });
        Task sending = Task.Run(() => SendContent(client, "POST / HTTP/1.1\r\nHost: h\r\n", size, isChunked));
        string head = client.ReadHead();
        Assert.That(head, Does.StartWith("HTTP/1.1 200 OK\r\n").And.Contain(isChunked ? "Transfer-Encoding: chunked" : $"Content-Length: {size}"));
        long at = 0;
        client.ReadContent(head, piece =>
        {
            foreach (byte b in piece)
            {
                if (b != s_pattern[at++ & 0xFFFFF]) Assert.Fail($"byte {at - 1} of {size}");
            }
        });
        await Until.DoneAsync(sending);
        Assert.That(at, Is.EqualTo(size));
        Assert.That(client.Exchange("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx").Text, Is.EqualTo("x"), "the connection goes on");
    }

    private static void SendContent(RawClient client, string head, int size, bool isChunked)
    {
        client.Send(head + (isChunked ? "Transfer-Encoding: chunked\r\n\r\n" : $"Content-Length: {size}\r\n\r\n"));
        for (int at = 0, n = 0; at < size; n++)
        {
            // Odd piece sizes, so that blocks, chunks and reads never line up.
            int take = Math.Min(size - at, Math.Min(1 + (n * 7919 % 65521), (1 << 20) - (at & 0xFFFFF)));
            if (isChunked) client.Send($"{take:X}\r\n");
            client.Send(s_pattern.AsSpan(at & 0xFFFFF, take));
            if (isChunked) client.Send("\r\n");
            at += take;
        }
        if (isChunked) client.Send("0\r\n\r\n");
    }

    [Test]
    public async Task A_client_that_does_not_read_makes_the_handler_wait()
    {
        long written = 0;
        TaskCompletionSource waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource<bool> taken = new(TaskCreationOptions.RunContinuationsAsynchronously);
        byte[] piece = new byte[64 * 1024];
        const long total = 64L << 20;
        using RawClient client = Connect(async exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.EndHead(total);
            while (written < total)
            {
                exchange.Response.Write(piece);
                written += piece.Length;
                ValueTask<bool> flush = exchange.Response.FlushAsync();
                if (!flush.IsCompleted) waits.TrySetResult();
                if (!await flush) break;
            }
            taken.SetResult(written == total);
        }, receiveBufferBytes: 32 * 1024);
        client.Send(Get);
        await Until.DoneAsync(waits.Task);
        Assert.That(Volatile.Read(ref written), Is.LessThan(16L << 20), "more than the kernel's buffers may hold");
        Assert.That(taken.Task.IsCompleted, Is.False);
        client.ReadHead();
        client.Drop(total);
        Assert.That(await Until.DoneAsync(taken.Task));
    }

    [Test]
    public async Task A_handler_that_does_not_read_holds_the_client_back()
    {
        TaskCompletionSource gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
        long read = 0;
        using RawClient client = Connect(async exchange =>
        {
            await gate.Task;
            exchange.Body.MaxBytes = long.MaxValue;
            while (true)
            {
                BodyRead piece = await exchange.Body.ReadAsync();
                read += piece.Data.Length;
                if (piece.IsEnd) break;
            }
            exchange.Response.Send(200, default, "all"u8);
        });
        const long total = 64L << 20;
        client.Send($"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {total}\r\n\r\n");
        long sent = 0;
        Task sending = Task.Run(() =>
        {
            while (Volatile.Read(ref sent) < total)
            {
                int length = (int)Math.Min(64 * 1024, total - sent);
                client.Send(s_pattern.AsSpan(0, length));
                Interlocked.Add(ref sent, length);
            }
        });
        // The kernel takes what its buffers hold, and then nothing while the handler does not read.
        for (long before = -1; before != Volatile.Read(ref sent); await Task.Delay(300)) before = Volatile.Read(ref sent);
        Assert.That(Volatile.Read(ref sent), Is.LessThan(32L << 20), "the server reads on for nobody");
        gate.SetResult();
        await Until.DoneAsync(sending);
        Assert.That(client.Read().Text, Is.EqualTo("all"));
        Assert.That(read, Is.EqualTo(total));
    }

    // ---- answers that must arrive

    [TestCase("/ignore", false, "200")]
    [TestCase("/ignore", true, "200")]
    [TestCase("/nowhere", false, "404")]
    [TestCase("/nowhere", true, "404")]
    [TestCase("/echo", false, "413")]
    public void The_answer_to_a_large_body_that_nobody_reads_arrives(string path, bool isChunked, string status)
    {
        // 8 MiB are sent before the answer is read: past every buffer, so that a careless close would reset.
        for (int i = 0; i < 5; i++)
        {
            using RawClient client = Connect(limits: new() { MaxBodyBytes = 100_000 });
            SendContent(client, $"POST {path} HTTP/1.1\r\nHost: h\r\n", 8 << 20, isChunked);
            string head = client.ReadHead();
            Assert.That(head[9..12], Is.EqualTo(status));
            if (!isChunked) Assert.That(head, Does.Contain("Connection: close"));
        }
    }

    [Test]
    public void A_client_that_stops_sending_still_gets_its_answer()
    {
        using RawClient client = Connect();
        client.Send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello").HalfClose();
        Assert.That(client.Read().Text, Is.EqualTo("hello"));
        client.ExpectFin();
    }

    [Test]
    public void Pipelined_answers_before_a_bad_request_arrive()
    {
        using RawClient client = Connect();
        client.Send(Get + Get + "GET / HTTP/1.1\nHost: h\n\n" + new string('x', 300_000));
        Assert.That(client.Read().Text, Is.EqualTo("Hello, World!"));
        Assert.That(client.Read().Text, Is.EqualTo("Hello, World!"));
        Assert.That(client.Read().Status, Is.EqualTo(400));
        client.HalfClose().ExpectFin();
    }

    // ---- answers that must not look whole

    [Test]
    public void A_response_cut_by_its_handler_is_reset([Values("1.1", "1.0")] string version, [Values("length", "short", "open")] string how)
    {
        using RawClient client = Connect(async exchange =>
        {
            exchange.Response.Start(200);
            if (how == "open") exchange.Response.EndHeadChunked();
            else exchange.Response.EndHead(10);
            exchange.Response.Write("12345"u8);
            if (how == "short") return;
            await exchange.Response.FlushAsync();
            throw new InvalidOperationException("midway");
        });
        client.Send($"GET / HTTP/{version}\r\nHost: h\r\nConnection: keep-alive\r\n\r\n");
        // On HTTP/1.0 an open length ends with the connection: FIN would say that this was all.
        Assert.That(Encoding.Latin1.GetString(client.ExpectReset()), how == "short" ? Is.Not.Null : Does.Contain("12345").And.Not.Contain("\r\n0\r\n\r\n"));
    }

    [Test]
    public void Abort_is_a_reset()
    {
        using RawClient client = Connect(static async exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.EndHeadChunked();
            exchange.Response.Write("x"u8);
            await exchange.Response.FlushAsync();
            exchange.Abort();
            exchange.Response.Write("y"u8);
            Assert.That(await exchange.Response.FlushAsync(), Is.False);
        });
        client.Send("GET / HTTP/1.0\r\n\r\n");
        client.ExpectReset();
        Assert.That(_server!.Log.HandlerFaults, Is.Empty);
    }

    // ---- the client that leaves

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_watched_client_that_leaves_is_noticed(bool resets)
    {
        TaskCompletionSource watching = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource<bool> left = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using RawClient client = Connect(async exchange =>
        {
            exchange.OnClientClosed((_, reset) => left.TrySetResult(reset), null);
            CancellationToken aborted = exchange.Aborted;
            watching.TrySetResult();
            await Task.Delay(Timeout.Infinite, aborted);
        });
        client.Send(Get);
        await Until.DoneAsync(watching.Task);
        if (resets) client.Reset();
        else client.HalfClose();
        Assert.That(await Until.DoneAsync(left.Task), Is.EqualTo(resets));
        if (!resets) Assert.That(client.Read().Status, Is.EqualTo(500), "a handler that gave up");
        await Until.TrueAsync(() => _server!.Server.ConnectionCount == 0);
        Assert.That(_server!.Log.HandlerFaults, Is.Empty);
    }

    [Test]
    public async Task Clients_that_reset_while_a_handler_writes_are_no_fault_and_leave_nothing_behind()
    {
        byte[] piece = new byte[3000];
        int stopped = 0;
        _server = new NetServer(async exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.EndHeadChunked();
            while (await exchange.Response.WriteAsync(piece)) { }
            Interlocked.Increment(ref stopped);
        }, isTls: isTls);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(n => Task.Run(() =>
        {
            for (int i = 0; i < 25; i++)
            {
                using RawClient client = _server.Connect();
                client.Send(Get + Get);
                client.Take(1 + (i * 997));
                if ((i + n) % 2 == 0) client.Reset();
            }
        })));
        await Until.TrueAsync(() => _server.Server.ConnectionCount == 0);
        Assert.That(stopped, Is.EqualTo(100));
        Assert.That(_server.Log.HandlerFaults, Is.Empty);
    }

    // ---- limits

    private void Statuses(string wire, int status, RejectReason? reason)
    {
        using RawClient client = Connect();
        RawResponse response = client.Exchange(wire);
        Assert.That(response.Status, Is.EqualTo(status), response.ToString());
        Assert.That(_server!.Log.Rejected.TryDequeue(out RejectReason told) ? told : (RejectReason?)null, Is.EqualTo(reason));
        Assert.That(response.Field("Connection"), Is.EqualTo(reason is null ? null : "close"));
    }

    [Test]
    public void Every_limit_of_a_head_and_of_the_chunked_coding_holds_at_its_edge()
    {
        ServerLimits limits = new();
        string Line(int bytes) => $"GET /nowhere?{new string('q', bytes - 22)} HTTP/1.1\r\nHost: h\r\n\r\n";
        Statuses(Line(limits.MaxRequestLineBytes), 404, null);
        Statuses(Line(limits.MaxRequestLineBytes + 1), 414, RejectReason.RequestLineTooLong);

        string Head(int bytes) => $"GET /plaintext HTTP/1.1\r\nHost: h\r\nA: {new string('a', bytes - 41)}\r\n\r\n";
        Assert.That(Head(100), Has.Length.EqualTo(100));
        Statuses(Head(limits.MaxHeaderBytes), 200, null);
        Statuses(Head(limits.MaxHeaderBytes + 1), 431, RejectReason.HeadTooLarge);

        string Fields(int count) => "GET /plaintext HTTP/1.1\r\nHost: h\r\n" + string.Concat(Enumerable.Repeat("A: b\r\n", count - 1)) + "\r\n";
        Statuses(Fields(limits.MaxHeaderFields), 200, null);
        Statuses(Fields(limits.MaxHeaderFields + 1), 431, RejectReason.TooManyFields);

        const string chunked = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        string Extension(int bytes) => chunked + "1;" + new string('e', bytes - 1) + "\r\nx\r\n0\r\n\r\n";
        Statuses(Extension(limits.MaxChunkExtensionBytes), 200, null);
        Statuses(Extension(limits.MaxChunkExtensionBytes + 1), 400, RejectReason.ChunkExtensionsTooLarge);

        // Trailers come after the echo has begun: only a body without content is still answered.
        string Trailer(int bytes) => chunked + "0\r\nT: " + new string('t', bytes - 7) + "\r\n\r\n";
        Statuses(Trailer(limits.MaxTrailerBytes), 200, null);
        Statuses(Trailer(limits.MaxTrailerBytes + 1), 431, RejectReason.TrailersTooLarge);
    }

    [Test]
    public async Task One_connection_too_many_is_503_and_a_place_freed_is_taken()
    {
        using RawClient first = Connect(limits: new() { MaxConnections = 2 });
        using RawClient second = Connect();
        Assert.That(first.Exchange(Get).Status + second.Exchange(Get).Status, Is.EqualTo(400));
        for (int i = 0; i < 20; i++)
        {
            using RawClient third = Connect();
            RawResponse refused = third.Exchange(Get + new string('x', 10_000));
            Assert.That(refused.Status, Is.EqualTo(503));
            Assert.That(refused.Field("Retry-After"), Is.Not.Null);
            third.HalfClose().ExpectFin();
        }
        Assert.That(second.Exchange(Get).Status, Is.EqualTo(200));
        first.Dispose();
        await Until.TrueAsync(() => _server!.Server.ConnectionCount == 1);
        using RawClient fourth = Connect();
        Assert.That(fourth.Exchange(Get).Status, Is.EqualTo(200));
    }
}

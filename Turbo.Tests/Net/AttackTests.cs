using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Turbo.Net;
using Turbo.Net.Buffers;
using Turbo.Net.Transport;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net;

/// <summary>
/// Clients that mean harm, many at once, on each transport: what they cost is bounded in time and in memory, they are let
/// go of, and meanwhile others are served.
/// </summary>
[TestFixture(TransportKind.Sockets)]
[TestFixture(TransportKind.Epoll)]
internal sealed class AttackTests(TransportKind transport)
{
    private const string Get = "GET /plaintext HTTP/1.1\r\nHost: h\r\n\r\n";

    private readonly List<RawClient> _attackers = [];
    private ManualTimeProvider _time = null!;
    private NetServer? _server;

    [SetUp]
    public void Prepare() => _time = new ManualTimeProvider();

    [TearDown]
    public async Task StopAsync()
    {
        foreach (RawClient attacker in _attackers) attacker.Dispose();
        _attackers.Clear();
        if (_server is not null) await _server.DisposeAsync();
        _server = null;
    }

    private NetServer Start(RequestHandler? handler = null, ServerLimits? limits = null, bool isManual = true) =>
        _server = new NetServer(handler, limits, isManual ? _time : null, with: o => o with { Transport = transport });

    /// <summary>Connects that many and sends each these bytes; the server has seen them all when this returns.</summary>
    private async Task<List<RawClient>> AttackAsync(int count, string wire, int receiveBufferBytes = 0)
    {
        List<RawClient> attackers = [];
        for (int i = 0; i < count; i++)
        {
            RawClient attacker = _server!.Connect(receiveBufferBytes);
            _attackers.Add(attacker);
            attackers.Add(attacker);
            if (wire.Length > 0) attacker.Send(wire);
        }
        await Until.TrueAsync(() => _server!.Server.ConnectionCount >= count);
        return attackers;
    }

    /// <summary>Time passes, a good client is served all the while, and at its end none of the others is connected.</summary>
    private async Task LetGoAsync(RawClient good, double seconds, Action<int>? each = null)
    {
        for (int i = 0; i < seconds; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            each?.Invoke(i);
            Assert.That(good.Exchange(Get).Text, Is.EqualTo("Hello, World!"), $"after {i + 1} s");
        }
        await Until.TrueAsync(() =>
        {
            // What lingers for its client's close is let go, too.
            _time.Advance(TimeSpan.FromSeconds(1));
            good.Exchange(Get);
            return _server!.Server.ConnectionCount == 1;
        });
    }

    [Test]
    public async Task Slow_heads()
    {
        Start();
        using RawClient good = _server!.Connect();
        List<RawClient> slow = await AttackAsync(150, "GET /plaintext HTTP/1.1\r\nHost: h\r\nX: ");
        await LetGoAsync(good, 10, _ =>
        {
            foreach (RawClient client in slow) client.TrySend("x");
        });
        foreach (RawClient client in slow) Assert.That(client.Read().Status, Is.EqualTo(408));
    }

    [Test]
    public async Task Slow_bodies([Values("Content-Length: 1000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n")] string framing)
    {
        // Each byte within its time; all of them too slow.
        Start(limits: new() { MinRequestBytesPerSecond = 100, RateGrace = TimeSpan.FromSeconds(5) });
        using RawClient good = _server!.Connect();
        int blocks = PinnedBlockPool.Shared.Outstanding;
        List<RawClient> slow = await AttackAsync(150, "POST /echo HTTP/1.1\r\nHost: h\r\n" + framing);
        await LetGoAsync(good, 6, i =>
        {
            if (i < 4) return;
            foreach (RawClient client in slow) client.TrySend(framing[0] == 'C' ? "x" : "1;a\r\n");
        });
        // A connection leaves the table before what it held is given back.
        await Until.TrueAsync(() => PinnedBlockPool.Shared.Outstanding <= blocks + 8);
    }

    [Test]
    public async Task Slow_readers()
    {
        int cut = 0;
        byte[] piece = new byte[16 * 1024];
        Start(async exchange =>
        {
            if (exchange.Query.IsEmpty)
            {
                exchange.Response.Send(200, "text/plain"u8, "Hello, World!"u8);
                return;
            }
            exchange.Response.Start(200);
            exchange.Response.EndHeadChunked();
            while (await exchange.Response.WriteAsync(piece)) { }
            Interlocked.Increment(ref cut);
        });
        using RawClient good = _server!.Connect();
        int blocks = PinnedBlockPool.Shared.Outstanding;
        List<RawClient> readers = await AttackAsync(100, "GET /?endless HTTP/1.1\r\nHost: h\r\n\r\n", receiveBufferBytes: 4096);
        // All of them stuck; what waits for one is bounded by its pipe.
        await Until.TrueAsync(() => readers.All(static r => r.Socket.Available > 0));
        Assert.That(PinnedBlockPool.Shared.Outstanding - blocks, Is.LessThan(readers.Count * (64 * 1024 / PinnedBlockPool.BlockBytes + 8)));
        await LetGoAsync(good, 62);
        Assert.That(cut, Is.EqualTo(readers.Count));
        foreach (RawClient reader in readers) reader.ExpectReset();
    }

    [Test]
    public async Task Connections_that_say_nothing_or_less_than_a_head()
    {
        Start();
        using RawClient good = _server!.Connect();
        await AttackAsync(300, "");
        await AttackAsync(100, "\r\n");
        await AttackAsync(100, "G");
        Assert.That(PinnedBlockPool.Shared.Outstanding, Is.LessThan(1200));
        await LetGoAsync(good, 11);
    }

    [Test]
    public async Task A_flood_at_the_limit_harms_nobody_who_is_there()
    {
        const int limit = 20;
        Start(limits: new() { MaxConnections = limit }, isManual: false);
        RawClient[] old = [.. Enumerable.Range(0, limit).Select(_ => _server!.Connect())];
        _attackers.AddRange(old);
        foreach (RawClient client in old) Assert.That(client.Exchange(Get).Status, Is.EqualTo(200));

        int refused = 0, reset = 0;
        Task flood = Task.WhenAll(Enumerable.Range(0, 4).Select(n => Task.Run(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                using RawClient client = _server!.Connect();
                client.TrySend(Get);
                if (client.ReadToNext() is { } answer)
                {
                    Assert.That((answer.Status, answer.Field("Connection"), answer.Field("Retry-After")), Is.EqualTo((503, "close", "1")));
                    Interlocked.Increment(ref refused);
                }
                else
                {
                    Interlocked.Increment(ref reset);
                }
                if ((i + n) % 2 == 0) client.Reset();
            }
        })));
        int served = 0;
        while (!flood.IsCompleted)
        {
            foreach (RawClient client in old) Assert.That(client.Exchange(Get).Status, Is.EqualTo(200));
            served++;
        }
        await flood;
        Assert.That(served, Is.Positive);
        Assert.That(refused, Is.GreaterThan(reset), "most are told");
        Assert.That(_server!.Server.ConnectionCount, Is.EqualTo(limit));
        old[0].Dispose();
        await Until.TrueAsync(() => _server.Server.ConnectionCount == limit - 1);
        using RawClient next = _server.Connect();
        Assert.That(next.Exchange(Get).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task Connections_that_reset_at_once()
    {
        Start(isManual: false);
        for (int i = 0; i < 500; i++)
        {
            RawClient client = _server!.Connect();
            if (i % 3 == 0) client.Send(Get);
            if (i % 3 == 1) client.Send(Get[..20]);
            client.Reset();
        }
        await Until.TrueAsync(() => _server!.Server.ConnectionCount == 0);
        Assert.That(_server!.Log.HandlerFaults, Is.Empty);
        using RawClient good = _server.Connect();
        Assert.That(good.Exchange(Get).Status, Is.EqualTo(200));
    }

    /// <summary>What a head costs grows with its bytes and not with their square.</summary>
    [Test]
    public void Floods_of_header_fields()
    {
        ServerLimits limits = new();
        Start(limits: limits, isManual: false);
        string colliding = string.Concat(Enumerable.Range(0, limits.MaxHeaderFields - 2).Select(static i => new string('a', 200) + (char)('a' + i % 26) + ": b\r\n"));
        string options = "Connection: " + string.Join(',', Enumerable.Range(0, limits.MaxHeaderFields).Select(static i => new string('a', 190) + i)) + "\r\n";
        string[] heads =
        [
            colliding,
            string.Concat(Enumerable.Repeat("content-length-\t: x\r\n"[..15] + ": x\r\n", limits.MaxHeaderFields - 2)),
            options,
            "X: " + new string(' ', 25_000) + "\r\n",
            "Connection: " + string.Concat(Enumerable.Repeat("a, ", 100)) + new string('\t', 20_000) + "\r\n",
            "Cookie: " + new string(';', 25_000) + "\r\n",
        ];
        foreach (string lines in heads)
        {
            using RawClient client = _server!.Connect();
            string wire = "GET /plaintext HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n";
            TimeSpan before = Environment.CpuUsage.TotalTime;
            for (int i = 0; i < 100; i++) Assert.That(client.Exchange(wire).Status, Is.EqualTo(200), Segmented.Show(Segmented.Bytes(wire), 100));
            Assert.That((Environment.CpuUsage.TotalTime - before).TotalMilliseconds / 100, Is.LessThan(10), $"ms for {Segmented.Show(Segmented.Bytes(wire), 100)}");
        }
    }

    [Test]
    public async Task A_huge_pipeline_is_answered_in_order_in_bounded_memory()
    {
        const int count = 20_000;
        int n = 0, most = 0;
        Start(exchange =>
        {
            most = Math.Max(most, PinnedBlockPool.Shared.Outstanding);
            exchange.Response.Send(200, default, Encoding.ASCII.GetBytes($"{n++}"));
            return default;
        }, isManual: false);
        using RawClient client = _server!.Connect(receiveBufferBytes: 16 * 1024);
        byte[] wire = Segmented.Bytes(string.Concat(Enumerable.Repeat("GET / HTTP/1.1\r\nHost: h\r\n\r\n", count)));
        Task sending = Task.Run(() => client.Send(wire));
        for (int i = 0; i < count; i++)
        {
            if (client.Read().Text != $"{i}") Assert.Fail($"answer {i} is another's");
        }
        await Until.DoneAsync(sending);
        Assert.That(most, Is.LessThan(100));
    }

    [Test]
    public async Task A_million_chunks_of_a_byte()
    {
        const int count = 1_000_000;
        Start(static async exchange =>
        {
            exchange.Body.MaxBytes = long.MaxValue;
            long bytes = 0;
            while (true)
            {
                BodyRead read = await exchange.Body.ReadAsync();
                bytes += read.Data.Length;
                if (read.IsEnd) break;
            }
            exchange.Response.Send(200, default, Encoding.ASCII.GetBytes($"{bytes}"));
        }, isManual: false);
        using RawClient client = _server!.Connect();
        byte[] wire = Segmented.Bytes(string.Concat(Enumerable.Repeat("1\r\nx\r\n", 10_000)));
        TimeSpan before = Environment.CpuUsage.TotalTime;
        Task sending = Task.Run(() =>
        {
            client.Send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (int i = 0; i < count / 10_000; i++) client.Send(wire);
            client.Send("0\r\n\r\n");
        });
        Assert.That(client.Read().Text, Is.EqualTo($"{count}"));
        await Until.DoneAsync(sending);
        Assert.That((Environment.CpuUsage.TotalTime - before).TotalSeconds, Is.LessThan(5), "of processor time");
    }

    [Test]
    public async Task A_client_that_never_reads_a_gigabyte()
    {
        const long total = 1L << 30;
        long written = 0;
        TaskCompletionSource<bool> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        byte[] piece = new byte[64 * 1024];
        Start(async exchange =>
        {
            if (exchange.Query.IsEmpty)
            {
                exchange.Response.Send(200, "text/plain"u8, "Hello, World!"u8);
                return;
            }
            exchange.Response.Start(200);
            exchange.Response.EndHead(total);
            bool isThere = true;
            while (isThere && written < total)
            {
                written += piece.Length;
                isThere = await exchange.Response.WriteAsync(piece);
            }
            done.SetResult(isThere);
        });
        using RawClient good = _server!.Connect();
        int blocks = PinnedBlockPool.Shared.Outstanding;
        RawClient client = (await AttackAsync(1, "GET /?all HTTP/1.1\r\nHost: h\r\n\r\n")).Single();
        await Until.TrueAsync(() => client.Socket.Available > 0);
        await LetGoAsync(good, 62);
        Assert.That(await Until.DoneAsync(done.Task), Is.False);
        Assert.That(written, Is.LessThan(32L << 20), "more than the kernel's buffers may hold");
        await Until.TrueAsync(() => PinnedBlockPool.Shared.Outstanding <= blocks + 2);
        await Until.TrueAsync(() => _server.Log.Ended.Contains(EndReason.WriteTimeout));
    }

    /// <summary>A program out of descriptors: those it has go on, no processor is burnt meanwhile, and then all is as before.</summary>
    [Test]
    public async Task Descriptors_run_out()
    {
        string configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;
        ProcessStartInfo start = new("bash") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add("ulimit -n 120; exec dotnet \"$0\"");
        start.ArgumentList.Add(Path.Combine(Repository.Root, "examples/echo/bin", configuration, "net10.0/echo.dll"));
        start.Environment["ADDRESS"] = "127.0.0.1:0";
        start.Environment["TRANSPORT"] = $"{transport}";
        using Process process = Process.Start(start)!;
        Queue<RawClient> clients = [];
        try
        {
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string? line = await Until.DoneAsync(process.StandardOutput.ReadLineAsync());
            Assert.That(line, Does.StartWith("listening on "), line is null ? await errors : "");
            System.Net.IPEndPoint endPoint = System.Net.IPEndPoint.Parse(line!["listening on ".Length..]);
            // A program loads its code with the first request, which needs descriptors too.
            using (RawClient first = new(endPoint)) Assert.That(first.Exchange(Get).Status, Is.EqualTo(200));

            for (int i = 0; i < 200; i++) clients.Enqueue(new RawClient(endPoint));
            RawClient oldest = clients.Peek();
            Assert.That(oldest.Exchange(Get).Status, Is.EqualTo(200));
            // 120 of them wait in the kernel's backlog.
            process.Refresh();
            TimeSpan before = process.TotalProcessorTime;
            long began = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(1))
            {
                Assert.That(oldest.Exchange(Get).Status, Is.EqualTo(200));
                await Task.Delay(50);
            }
            process.Refresh();
            Assert.That((process.TotalProcessorTime - before).TotalMilliseconds, Is.LessThan(500), "of processor time in a second of waiting");

            foreach (RawClient client in clients) client.Send(Get);
            while (clients.TryDequeue(out RawClient? client))
            {
                using (client) Assert.That(client.Read().Text, Is.EqualTo("Hello, World!"), $"with {clients.Count} behind it");
            }
            using RawClient last = new(endPoint);
            Assert.That(last.Exchange(Get).Status, Is.EqualTo(200));
        }
        finally
        {
            foreach (RawClient client in clients) client.Dispose();
            process.Kill();
            await process.WaitForExitAsync();
        }
    }
}

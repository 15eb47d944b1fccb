using System.Text;
using System.Text.Json;
using Turbo.Server.Logging;

namespace Turbo.Tests.Server.Logging;

[TestFixture]
internal sealed class LogTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    /// <summary>2026-11-23T17:59:19.045Z, always.</summary>
    private sealed class StoppedClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => new(2026, 11, 23, 17, 59, 19, 45, TimeSpan.Zero);
    }

    /// <summary>A stream whose writes wait for a gate, or fail.</summary>
    private sealed class GatedStream : Stream
    {
        private readonly MemoryStream _written = new();
        public ManualResetEventSlim Gate { get; } = new(true);
        public ManualResetEventSlim Entered { get; } = new();
        public volatile bool Fails;

        public string Text
        {
            get
            {
                lock (_written) return Encoding.UTF8.GetString(_written.ToArray());
            }
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Entered.Set();
            Gate.Wait();
            if (Fails) throw new IOException("No space left on device");
            lock (_written) _written.Write(buffer);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
        public override void Flush() { }
        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => 0;
        public override long Position { get; set; }
        public override int Read(byte[] buffer, int offset, int count) => 0;
        public override long Seek(long offset, SeekOrigin origin) => 0;
        public override void SetLength(long value) { }
    }

    private static string Logged(LogFormat format, Action<LogWriter> act)
    {
        var output = new GatedStream();
        using (var writer = new LogWriter(output, format, new StoppedClock())) act(writer);
        return output.Text;
    }

    private static void Write(LogWriter writer, string method, string path, int status, string? user = null, LogLevel level = LogLevel.Info) =>
        new RequestLog(writer, level).Write(new RequestLine
        {
            Method = Encoding.Latin1.GetBytes(method),
            Path = Encoding.Latin1.GetBytes(path),
            Status = status,
            Duration = TimeSpan.FromMicroseconds(1_234_056),
            BytesIn = 12,
            BytesOut = 3_000_000_000,
            Client = "192.0.2.7"u8,
            UserId = user,
        });

    [Test]
    public void A_request_in_text() =>
        Assert.That(Logged(LogFormat.Text, w => Write(w, "GET", "/v1/models", 200, "u-1")), Is.EqualTo(
            "2026-11-23T17:59:19.045Z info GET /v1/models 200 1234.056ms bytes_in=12 bytes_out=3000000000 client_ip=192.0.2.7 user_id=u-1\n"));

    [Test]
    public void A_request_in_json() =>
        Assert.That(Logged(LogFormat.Json, w => Write(w, "GET", "/v1/models", 502)), Is.EqualTo(
            "{\"time\":\"2026-11-23T17:59:19.045Z\",\"level\":\"error\",\"method\":\"GET\",\"path\":\"/v1/models\",\"status\":502," +
            "\"duration_ms\":1234.056,\"bytes_in\":12,\"bytes_out\":3000000000,\"client_ip\":\"192.0.2.7\"}\n"));

    [Test]
    public void What_was_not_read_is_a_dash() =>
        Assert.That(Logged(LogFormat.Text, w => Write(w, "", "", 400)), Does.Contain(" info - - 400 "));

    [TestCase("/chat/stream?token=hunter2", "/chat/stream")]
    [TestCase("/a#token=hunter2", "/a")]
    [TestCase("?token=hunter2", "-")]
    [TestCase("http://h/a?token=hunter2", "http://h/a")]
    public void A_query_string_is_never_logged(string target, string path)
    {
        string line = Logged(LogFormat.Text, w => Write(w, "GET", target, 200));
        Assert.That(line, Does.Contain($" GET {path} 200 ").And.Not.Contain("hunter2"));
    }

    [TestCase("/a\nb", @"/a\u{a}b", "/a\nb")]
    [TestCase("/a\u001b[31m", @"/a\u{1b}[31m", "/a\u001b[31m")]
    [TestCase("/a\"b\\c", "/a\"b\\\\c", "/a\"b\\c")]
    [TestCase("/a b", @"/a\u{20}b", "/a b")]
    [TestCase("/\u00c3\u00bc", "/ü", "/ü")]                              // UTF-8 as it came
    [TestCase("/\u00e2\u0080\u00ae", @"/\u{202e}", "/\u202e")]           // right-to-left override
    [TestCase("/\u00ff\u00c3", @"/\xff\xc3", "/\ufffd\ufffd")]           // not UTF-8
    public void What_could_forge_a_line_is_escaped(string path, string text, string json)
    {
        Assert.That(Logged(LogFormat.Text, w => Write(w, "GET", path, 200)), Does.Contain($" GET {text} 200 ").And.EndsWith("\n"));
        string line = Logged(LogFormat.Json, w => Write(w, "GET", path, 200));
        Assert.That(line.Count(c => c == '\n'), Is.EqualTo(1));
        Assert.That(JsonDocument.Parse(line).RootElement.GetProperty("path").GetString(), Is.EqualTo(json));
    }

    [Test]
    public void A_long_path_is_cut([Values] LogFormat format)
    {
        foreach (string unit in new[] { "x", "\n", "\"" })
        {
            string line = Logged(format, w => Write(w, "GET", string.Concat(Enumerable.Repeat(unit, 100_000)), 200, "u-1"));
            Assert.That(Encoding.UTF8.GetByteCount(line), Is.LessThan(1400));
            Assert.That(line, Does.Contain("…").And.Contains("u-1").And.EndsWith("\n"));
            if (format == LogFormat.Json) Assert.That(() => JsonDocument.Parse(line), Throws.Nothing);
        }
    }

    [Test]
    public void A_long_message_is_cut([Values] LogFormat format)
    {
        for (int length = 4000; length < 4120; length++)
        {
            string line = Logged(format, w => new AppLog(w, LogLevel.Info).Info(new string('\u202e', 1) + new string('m', length)));
            Assert.That(Encoding.UTF8.GetByteCount(line), Is.LessThanOrEqualTo(LogLine.MaxBytes));
            Assert.That(line, Does.EndWith("\n"));
            if (format == LogFormat.Json) Assert.That(() => JsonDocument.Parse(line), Throws.Nothing, line);
        }
    }

    [TestCase(LogLevel.Debug, "debug,info,warn,error,200,500")]
    [TestCase(LogLevel.Info, "info,warn,error,200,500")]
    [TestCase(LogLevel.Warn, "warn,error,500")]
    [TestCase(LogLevel.Error, "error,500")]
    public void Levels(LogLevel level, string expected)
    {
        string text = Logged(LogFormat.Text, w =>
        {
            var log = new AppLog(w, level);
            log.Debug("debug");
            log.Info("info");
            log.Warn("warn");
            log.Error("error");
            Write(w, "GET", "/", 200, level: level);
            Write(w, "GET", "/", 500, level: level);
            foreach (int status in new[] { 200, 500 })
                Assert.That(new RequestLog(w, level).IsOn(status), Is.EqualTo(expected.Contains($"{status}", StringComparison.Ordinal)));
        });
        IEnumerable<string> said = text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ')).Select(words => words.Length > 3 ? words[4] : words[2]);
        Assert.That(string.Join(',', said), Is.EqualTo(expected));
    }

    [Test]
    public void A_message_keeps_its_spaces_and_an_exception_stays_on_one_line()
    {
        string text = Logged(LogFormat.Text, w => new AppLog(w, LogLevel.Info).Error("opening it", new IOException("a\r\nb")));
        Assert.That(text, Does.StartWith("2026-11-23T17:59:19.045Z error opening it: System.IO.IOException: a b"));
        Assert.That(text.Count(c => c == '\n'), Is.EqualTo(1));
    }

    [Test]
    public void Lines_come_out_without_another_line_or_a_stop()
    {
        var output = new GatedStream();
        using var writer = new LogWriter(output, LogFormat.Text, TimeProvider.System);
        for (int i = 1; i <= 3; i++)
        {
            Write(writer, "GET", "/" + i, 200);
            Assert.That(() => output.Text, Does.Contain($" /{i} ").After((int)s_patience.TotalMilliseconds, 5));
        }
    }

    [Test]
    public void A_blocked_output_makes_nobody_wait_and_the_lost_are_counted()
    {
        var output = new GatedStream();
        output.Gate.Reset();
        const int sent = 5000;
        using (var writer = new LogWriter(output, LogFormat.Text, new StoppedClock(), capacityBytes: 1 << 14))
        {
            for (int i = 0; i < sent; i++) Write(writer, "GET", "/" + i, 200);   // returns, though nothing is taken
            Assert.That(output.Entered.Wait(s_patience));
            Assert.That(writer.Lost, Is.GreaterThan(sent / 2));
            output.Gate.Set();
        }
        string[] lines = output.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] reports = [.. lines.Where(l => l.Contains("were lost", StringComparison.Ordinal))];
        long lost = reports.Sum(l => long.Parse(l.Split(' ')[2]));
        Assert.That(reports, Is.Not.Empty);
        Assert.That(reports[0], Is.EqualTo($"2026-11-23T17:59:19.045Z warn {reports[0].Split(' ')[2]} log lines were lost: the output did not take them in time"));
        Assert.That(lines.Length - reports.Length + lost, Is.EqualTo(sent));
    }

    [Test]
    public void A_stop_does_not_wait_for_a_blocked_output_for_ever()
    {
        var output = new GatedStream();
        output.Gate.Reset();
        var writer = new LogWriter(output, LogFormat.Text, TimeProvider.System);
        Write(writer, "GET", "/", 200);
        Assert.That(output.Entered.Wait(s_patience));
        Assert.That(Task.Run(writer.Dispose).Wait(s_patience));
        output.Gate.Set();
    }

    [Test]
    public void An_output_that_fails_loses_lines_and_says_so_once_it_works_again()
    {
        var output = new GatedStream { Fails = true };
        using (var writer = new LogWriter(output, LogFormat.Text, new StoppedClock()))
        {
            Write(writer, "GET", "/lost", 200);
            Assert.That(() => writer.Lost, Is.EqualTo(1).After((int)s_patience.TotalMilliseconds, 5));
            output.Fails = false;
            Write(writer, "GET", "/kept", 200);
        }
        Assert.That(output.Text, Does.Contain(" /kept ").And.Not.Contains(" /lost "));
        Assert.That(output.Text, Does.Contain(" warn 1 log lines were lost"));
    }

    [Test]
    public void Lines_of_many_threads_stay_whole_and_each_threads_in_order()
    {
        const int threads = 4, each = 20_000;
        var output = new GatedStream();
        using (var writer = new LogWriter(output, LogFormat.Text, new StoppedClock(), capacityBytes: 1 << 24))
        {
            Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, thread =>
            {
                for (int i = 0; i < each; i++)
                    Write(writer, "GET", $"/{thread}/{i}{new string('x', i % 50)}", 200);
            });
            Assert.That(writer.Lost, Is.Zero);
        }
        var next = new int[threads];
        foreach (string line in output.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] words = line.Split(' ');
            string[] path = words[3].Split('/');
            int thread = int.Parse(path[1]), i = int.Parse(path[2].TrimEnd('x'));
            Assert.That(words, Has.Length.EqualTo(9), line);
            Assert.That(path[2], Is.EqualTo($"{i}{new string('x', i % 50)}"));
            Assert.That(i, Is.EqualTo(next[thread]++));
        }
        Assert.That(next, Is.All.EqualTo(each));
    }

    [Test]
    public void The_ring_gives_back_exactly_what_it_took()
    {
        // A small ring, so that every offset is a line's start at some time, against a queue as its model.
        var ring = new LogRing(256);
        var model = new Queue<string>();
        var random = new Random(4711);
        var destination = new byte[128];
        for (int step = 0; step < 200_000; step++)
        {
            if (random.Next(2) == 0)
            {
                string line = new((char)('a' + random.Next(26)), random.Next(1, 65));
                if (ring.TryWrite(Encoding.ASCII.GetBytes(line))) model.Enqueue(line);
                else Assert.That(model.Sum(l => (l.Length + 11) & -8) + 2 * 72, Is.GreaterThan(256), "refused with room left");
            }
            else
            {
                int bytes = ring.Read(destination.AsSpan(0, random.Next(64, 129)), out int lines);
                string expected = string.Concat(Enumerable.Range(0, lines).Select(_ => model.Dequeue()));
                Assert.That(Encoding.ASCII.GetString(destination, 0, bytes), Is.EqualTo(expected));
                if (lines == 0) Assert.That(model, Is.Empty);
            }
        }
        Assert.That(ring.TryWrite(new byte[65]), Is.False, "longer than a quarter");
        Assert.That(ring.TryWrite([]), Is.False);
    }

    [Test]
    public void The_ring_loses_nothing_between_threads()
    {
        const int threads = 4, each = 50_000;
        var ring = new LogRing(1024);
        var seen = new int[threads];
        var producers = new Task[threads];
        using var done = new CancellationTokenSource(s_patience);
        for (int t = 0; t < threads; t++)
        {
            int thread = t;
            producers[t] = Task.Factory.StartNew(() =>
            {
                var spin = new SpinWait();
                for (int i = 0; i < each; i++)
                {
                    byte[] line = Encoding.ASCII.GetBytes($"{thread} {i}\n");
                    while (!ring.TryWrite(line) && !done.IsCancellationRequested) spin.SpinOnce();
                }
            }, TaskCreationOptions.LongRunning);
        }
        var destination = new byte[256];
        while (seen.Sum() < threads * each && !done.IsCancellationRequested)
        {
            int bytes = ring.Read(destination, out _);
            foreach (string line in Encoding.ASCII.GetString(destination, 0, bytes).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                int[] numbers = [.. line.Split(' ').Select(int.Parse)];
                Assert.That(numbers[1], Is.EqualTo(seen[numbers[0]]++));
            }
        }
        Assert.That(seen, Is.All.EqualTo(each));
        Assert.That(Task.WaitAll(producers, s_patience));
        Assert.That(ring.UsedBytes, Is.Zero);
    }

    [Test]
    public void A_line_allocates_nothing()
    {
        using var writer = new LogWriter(Stream.Null, LogFormat.Text, TimeProvider.System);
        var log = new RequestLog(writer, LogLevel.Info);
        void Log()
        {
            for (int i = 0; i < 1000; i++)
            {
                log.Write(new RequestLine
                {
                    Method = "POST"u8, Path = "/v1/chat/completions?x=1"u8, Status = 200, Duration = TimeSpan.FromMilliseconds(1.5),
                    BytesIn = 100, BytesOut = 100_000, Client = "::1"u8, UserId = "a2cace66-7b7b-44f2-9bf8-cc2d02f42c92",
                });
            }
        }
        Log();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Log();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }
}

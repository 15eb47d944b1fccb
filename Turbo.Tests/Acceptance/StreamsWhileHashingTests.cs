using System.Globalization;
using System.Text;
using Turbo.Tests.Support;

namespace Turbo.Tests.Acceptance;

/// <summary>
/// Two hundred streams pass while logins hash passwords without a pause, and none waits for the hashing. Time proves
/// nothing on a busy machine, so progress is counted in hashes: whatever slows the machine down slows both. A stream that
/// had to wait its turn among the queued logins would see most of them answered before its next event.
/// </summary>
[TestFixture, NonParallelizable, Platform("Linux")]
internal sealed class StreamsWhileHashingTests
{
    private const int Streams = 200;
    private const int Events = 20;

    // Each asks again as soon as it is answered: so many are queued or being hashed at any time.
    private const int Logins = 24;

    [Test]
    public async Task Two_hundred_streams_wait_for_no_hash()
    {
        using ManualResetEventSlim isOver = new();
        await using ProxyApp proxy = await ProxyApp.StartAsync(
            peer =>
            {
                peer.ReadRequest();
                peer.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
                // The test sends the events, those of all streams in step.
                isOver.Wait(TimeSpan.FromMinutes(2));
            },
            static options => options with { BcryptCost = 10 });
        RawClient[] clients = [.. Enumerable.Range(0, Streams).Select(_ => proxy.Connect())];
        try
        {
            string request = proxy.Request("POST /v1/chat/completions", "Content-Length: 15\r\n", "{\"stream\":true}");
            foreach (RawClient client in clients) client.Send(request);
            foreach (RawClient client in clients) Assert.That(client.ReadHead(), Does.StartWith("HTTP/1.1 200"));
            Assert.That(proxy.Origin.Connections, Is.EqualTo(Streams), "all are open at once");

            Dictionary<string, long> before = HashingTicks();
            await using LoginLoad load = new(proxy.App);
            await load.HasAnsweredAsync(1);
            int most = 0;
            for (int i = 0; i < Events; i++)
            {
                string text = $"data: {i:0000}\n\n";
                string wire = $"{text.Length:x}\r\n{text}\r\n";
                int sent = load.Answered;
                for (int stream = 0; stream < Streams; stream++) proxy.Origin.Peer(stream).Send(wire);
                foreach (RawClient client in clients) Assert.That(Encoding.ASCII.GetString(client.Take(wire.Length)), Is.EqualTo(wire));
                most = Math.Max(most, load.Answered - sent);
                Assert.That(load.Outstanding, Is.GreaterThan(Environment.ProcessorCount), "logins wait all the time");
            }
            for (int stream = 0; stream < Streams; stream++) proxy.Origin.Peer(stream).Send("0\r\n\r\n");
            foreach (RawClient client in clients) Assert.That(Encoding.ASCII.GetString(client.Take(5)), Is.EqualTo("0\r\n\r\n"));
            Assert.That(most, Is.LessThan(Logins / 2), "logins answered between sending an event to all streams and its arrival at all");

            // The logins had their turn as well, and their hashing was done by the threads made for it.
            await load.HasAnsweredAsync(10);
            int hashes = load.Answered;
            long ticks = HashingTicks().Sum(thread => thread.Value - before.GetValueOrDefault(thread.Key));
            Assert.That(ticks, Is.GreaterThan(hashes * TicksOfOneHash() / 2), $"clock ticks of the bcrypt threads for {hashes} hashes");
        }
        finally
        {
            isOver.Set();
            foreach (RawClient client in clients) client.Dispose();
        }
    }

    /// <summary>CPU time of each thread called bcrypt, in clock ticks (proc(5): utime and stime).</summary>
    private static Dictionary<string, long> HashingTicks() => Directory.EnumerateDirectories("/proc/self/task")
        .Select(static thread => (thread, Name: ReadOrEmpty(thread + "/comm"), Stat: ReadOrEmpty(thread + "/stat")))
        .Where(static thread => thread.Name == "bcrypt\n" && thread.Stat.Length > 0)
        .ToDictionary(static thread => thread.thread, static thread => Ticks(thread.Stat));

    private static double TicksOfOneHash()
    {
        const int Hashes = 4;
        double ticks = 0;
        // A thread of its own, so that its time is that of the hashes alone.
        Thread thread = new(() =>
        {
            for (int i = 0; i < Hashes; i++) BCrypt.Net.BCrypt.HashPassword("correct horse", 10);
            ticks = Ticks(File.ReadAllText("/proc/thread-self/stat"));
        });
        thread.Start();
        thread.Join();
        return ticks / Hashes;
    }

    private static long Ticks(string stat)
    {
        // The second field is the name in parentheses, which may hold blanks.
        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
    }

    private static string ReadOrEmpty(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            // The thread has ended meanwhile.
            return "";
        }
    }

    /// <summary>Logins without a pause until it is disposed.</summary>
    private sealed class LoginLoad : IAsyncDisposable
    {
        private readonly TestApp _app;
        private readonly Task[] _running;
        private volatile bool _ends;
        private int _answered;
        private int _outstanding;

        public LoginLoad(TestApp app)
        {
            _app = app;
            _running = [.. Enumerable.Range(0, Logins).Select(_ => Task.Run(RunAsync))];
        }

        public int Answered => Volatile.Read(ref _answered);

        public int Outstanding => Volatile.Read(ref _outstanding);

        public Task HasAnsweredAsync(int count) => Until.TrueAsync(() => Answered >= count || _running.Any(static task => task.IsFaulted));

        public async ValueTask DisposeAsync()
        {
            _ends = true;
            await Task.WhenAll(_running);
        }

        private async Task RunAsync()
        {
            while (!_ends)
            {
                Interlocked.Increment(ref _outstanding);
                Reply reply = await _app.FormAsync("/user/login", "username=alice&password=correct+horse");
                Interlocked.Decrement(ref _outstanding);
                Assert.That(reply.Status, Is.EqualTo(200), reply.Content);
                Interlocked.Increment(ref _answered);
            }
        }
    }
}

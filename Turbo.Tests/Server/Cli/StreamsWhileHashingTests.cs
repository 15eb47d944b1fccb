using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Cli;

/// <summary>Hashing never holds up proxying (contract section 3).</summary>
[TestFixture]
[Category(TurboProcess.Category)]
internal sealed class StreamsWhileHashingTests
{
    private const int Streams = 200;
    private const int Logins = 3;
    private const string Password = "correct horse";

    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    /// <summary>When events came on one stream.</summary>
    private sealed class Arrivals
    {
        private long _last = Stopwatch.GetTimestamp();
        private long _longestGap;
        private int _count;

        public int Count => Volatile.Read(ref _count);

        /// <summary>The longest time without an event, the one that still lasts included.</summary>
        public TimeSpan LongestGap =>
            Stopwatch.GetElapsedTime(0, Math.Max(Interlocked.Read(ref _longestGap), Stopwatch.GetTimestamp() - Interlocked.Read(ref _last)));

        public void Add()
        {
            long now = Stopwatch.GetTimestamp();
            if (now - _last > _longestGap) Interlocked.Exchange(ref _longestGap, now - _last);
            Interlocked.Exchange(ref _last, now);
            Interlocked.Increment(ref _count);
        }

        /// <summary>Forgets the gaps so far.</summary>
        public void Restart()
        {
            Interlocked.Exchange(ref _last, Stopwatch.GetTimestamp());
            Interlocked.Exchange(ref _longestGap, 0);
        }
    }

    [Test]
    public async Task Two_hundred_streams_go_on_while_logins_hash_passwords()
    {
        using var folder = new TempFolder();
        // A hash of this cost takes most of a second or more: one on a socket's thread would be a gap of that length.
        using TurboProcess turbo = TurboProcess.Start(
            folder.Path, new Dictionary<string, string> { ["ADDRESS"] = "127.0.0.1:0", ["BCRYPT_COST"] = "14" }, "serve", "--mock");
        string line = await turbo.LineAsync("listening on http://");
        using HttpClient client = new() { BaseAddress = new Uri(line[line.IndexOf("http://", StringComparison.Ordinal)..]) };
        string token = await LogInAsync(client, "/user/signup");

        using var stop = new CancellationTokenSource();
        Arrivals[] arrivals = [.. Enumerable.Range(0, Streams).Select(static _ => new Arrivals())];
        Task[] streams = [.. arrivals.Select(each => StreamAsync(client, token, each, stop.Token))];
        await WaitAsync(() => arrivals.All(each => each.Count >= 3), streams);

        foreach (Arrivals each in arrivals) each.Restart();
        TimeSpan[] hashed = await Task.WhenAll(Enumerable.Range(0, Logins).Select(async _ =>
        {
            long started = Stopwatch.GetTimestamp();
            await LogInAsync(client, "/user/login");
            return Stopwatch.GetElapsedTime(started);
        })).WaitAsync(s_patience);
        TimeSpan longest = arrivals.Max(each => each.LongestGap);
        TestContext.Out.WriteLine($"logins took {hashed.Min().TotalMilliseconds:f0} to {hashed.Max().TotalMilliseconds:f0} ms; the longest gap was {longest.TotalMilliseconds:f0} ms");

        Assert.That(hashed.Min(), Is.GreaterThan(TimeSpan.FromMilliseconds(500)), "too quick to hold anything up");
        Assert.That(longest, Is.LessThan(hashed.Min() / 2));
        await stop.CancelAsync();
        await Until.DoneAsync(Task.WhenAll(streams));
    }

    private static async Task StreamAsync(HttpClient client, string token, Arrivals arrivals, CancellationToken stop)
    {
        using var request = new HttpRequestMessage(System.Net.Http.HttpMethod.Post, "/v1/chat/completions");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        request.Headers.Add("X-Mock-Words", "100000");
        request.Headers.Add("X-Mock-Interval", "100");
        request.Content = new StringContent("""{"model":"m","stream":true,"messages":[{"role":"user","content":"go on"}]}""", Encoding.UTF8, "application/json");
        try
        {
            using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop);
            response.EnsureSuccessStatusCode();
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(stop));
            while (await reader.ReadLineAsync(stop) is { } text)
            {
                if (text.StartsWith("data: {", StringComparison.Ordinal)) arrivals.Add();
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The test has seen enough.
        }
    }

    private static async Task<string> LogInAsync(HttpClient client, string path)
    {
        using HttpResponseMessage response = await client.PostAsync(path, new StringContent($$"""{"username":"ann","password":"{{Password}}"}"""));
        response.EnsureSuccessStatusCode();
        return JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("Token").GetString()!;
    }

    private static async Task WaitAsync(Func<bool> condition, Task[] running)
    {
        long started = Stopwatch.GetTimestamp();
        while (!condition())
        {
            foreach (Task task in running)
            {
                if (task.IsFaulted) await task;
            }
            Assert.That(Stopwatch.GetElapsedTime(started), Is.LessThan(s_patience), "the streams do not come");
            await Task.Delay(10);
        }
    }
}

using System.Globalization;
using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Net.Upstream;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Upstream;

/// <summary>
/// Large bodies that no observer wants, which go through a pipe of the kernel's where the transport can, and through blocks
/// where it cannot, where there is no pipe to be had, or where they come in small pieces: nobody outside can tell.
/// </summary>
[TestFixture]
internal sealed class RelaySpliceTests
{
    private const string Get = "GET /v1/x HTTP/1.1\r\nHost: a\r\n\r\n";
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    // No multiple of a page or a block: what is lost, doubled or swapped shows.
    private static readonly byte[] s_content = MakeContent(1_000_003);

    private static bool Splices => TransportKinds.Auto != TransportKind.Sockets && OperatingSystem.IsLinux();

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(128)]
    public async Task Bodies_of_every_framing_pass_whole_both_ways_and_the_connections_go_on(int pipes)
    {
        long[] lengths = [SpliceEdge - 1, SpliceEdge + 1, 300_000, 3_000_017];
        await using RelayFixture relay = new(peer =>
        {
            while (true)
            {
                string head = peer.ReadHead();
                if (Length(head) is { } sent and > 0) peer.Drop(sent, s_content);
                long wanted = long.Parse(head.Split(' ')[1].Split('=')[1], CultureInfo.InvariantCulture);
                if (head.Contains("/chunks?", StringComparison.Ordinal)) SendChunks(peer, wanted);
                else if (head.Contains("/close?", StringComparison.Ordinal)) peer.Send("HTTP/1.1 200 OK\r\n\r\n");
                else peer.Send($"HTTP/1.1 200 OK\r\nContent-Length: {wanted}\r\n\r\n");
                if (!head.Contains("/chunks?", StringComparison.Ordinal)) SendContent(wanted, piece => peer.Send(piece));
                if (!head.Contains("/close?", StringComparison.Ordinal)) continue;
                peer.Close();
                return;
            }
        }, o => o with { MaxPipes = pipes });
        using RawClient client = relay.Connect();
        foreach (string kind in new[] { "length", "chunks", "close" })
        {
            foreach (long length in lengths)
            {
                // The next request is there before the last byte of this one's response.
                client.Send($"GET /{kind}?n={length} HTTP/1.1\r\nHost: a\r\n\r\nGET /{kind}?n={length} HTTP/1.1\r\nHost: a\r\n\r\n");
                for (int i = 0; i < 2; i++) ReadContent(client, length);
                // And one directly behind the content of an upload.
                client.Send($"POST /{kind}?n={length} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
                SendContent(length, piece => client.Send(piece));
                client.Send($"GET /{kind}?n={length} HTTP/1.1\r\nHost: a\r\n\r\n");
                for (int i = 0; i < 2; i++) ReadContent(client, length);
            }
        }
        using (RawClient old = relay.Connect())
        {
            // HTTP/1.0: the content of the chunks alone, up to the end.
            old.Send($"GET /chunks?n={lengths[^1]} HTTP/1.0\r\n\r\n");
            old.ReadHead();
            PeerEnd end = old.ReadToEnd(out byte[] got);
            Assert.That((end, got.Length, FirstDifference(got)), Is.EqualTo((PeerEnd.Fin, (int)lengths[^1], -1)));
        }
        await Until.TrueAsync(() => relay.Results.Length == 3 * lengths.Length * 4 + 1);
        Assert.That(relay.Results, Is.All.EqualTo(RelayResult.Complete));
        // Those that the origin closed are all that were not used again.
        Assert.That(relay.Origin.Connections, Is.LessThanOrEqualTo(lengths.Length * 4 + 2));
        if (!Splices || pipes == 0) Assert.That(relay.Pool.Pipes?.MovedBytes ?? 0, Is.Zero);
        else Assert.That(relay.Pool.Pipes!.MovedBytes, Is.GreaterThan(lengths[^1]));
    }

    [Test]
    public async Task Bytes_and_pipes_are_counted_and_the_pipes_given_back()
    {
        const long length = 8_000_000;
        int pipesBefore = OpenPipes();
        RelayFixture relay = new(peer =>
        {
            while (true)
            {
                peer.Drop(Length(peer.ReadHead())!.Value, s_content);
                peer.Send($"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                SendContent(length, piece => peer.Send(piece));
            }
        });
        await using (relay)
        {
            using RawClient client = relay.Connect();
            client.Send($"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
            SendContent(length, piece => client.Send(piece));
            ReadContent(client, length);
            await Until.TrueAsync(() => relay.Results.Length == 1);
            long[] counts = [relay.Server.Metrics.ReceivedBytes, relay.Server.Metrics.SentBytes, relay.Pool.Metrics.ReceivedBytes, relay.Pool.Metrics.SentBytes];
            // What is more are the heads.
            Assert.That(counts, Is.All.InRange(length, length + 1000));
            if (Splices)
            {
                Assert.That(relay.Pool.Pipes!.MovedBytes, Is.GreaterThan(length), "of both bodies");
                // Nobody wants the idle ones.
                await Until.TrueAsync(() => relay.Pool.Pipes.Count == 0);
            }
        }
        Assert.That(OpenPipes(), Is.EqualTo(pipesBefore));
    }

    [Test]
    public async Task Who_finds_no_pipe_copies_while_a_slow_client_holds_it_and_is_held_back_by_it()
    {
        const long endless = 1L << 40;
        long sent = 0;
        await using RelayFixture relay = new(peer =>
        {
            bool isSlow = peer.ReadHead().Contains("/slow", StringComparison.Ordinal);
            peer.Send($"HTTP/1.1 200 OK\r\nContent-Length: {(isSlow ? endless : 3_000_017)}\r\n\r\n");
            SendContent(isSlow ? endless : 3_000_017, piece =>
            {
                peer.Send(piece);
                if (isSlow) Interlocked.Add(ref sent, piece.Length);
            });
            peer.WaitForEnd();
        }, static o => o with { MaxPipes = 1 });
        using RawClient slow = new(relay.Server.EndPoints[0], receiveBufferBytes: 32 * 1024);
        slow.Send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
        slow.ReadHead();
        await Until.TrueAsync(Stands(() => Interlocked.Read(ref sent)));
        Assert.That(sent, Is.LessThan(64 << 20), "bytes in the buffers of four sockets and a pipe");
        long moved = relay.Pool.Pipes?.MovedBytes ?? 0;
        if (Splices) Assert.That((moved > 0, relay.Pool.Pipes!.Count), Is.EqualTo((true, 1)));

        using RawClient client = relay.Connect();
        client.Send(Get);
        ReadContent(client, 3_000_017);
        Assert.That(relay.Pool.Pipes?.MovedBytes ?? 0, Is.EqualTo(moved), "while the pipe is in use");
        // The slow one goes on where it was.
        long taken = 0;
        while (taken < 4_000_000) taken += Check(slow.Take(100_000), taken);
        slow.Reset();
        await Until.TrueAsync(() => relay.Results.Contains(RelayResult.ClientGone) && (relay.Pool.Pipes?.Count ?? 0) == 0);
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Who_dies_within_a_body_ends_the_exchange_for_both(bool resets)
    {
        const int half = 2_000_000;
        await using RelayFixture relay = new(peer =>
        {
            string head = peer.ReadHead();
            if (Length(head) is { } length)
            {
                peer.Drop(half, s_content);
                // The client goes, or the origin.
                if (head.Contains("/client", StringComparison.Ordinal)) peer.WaitForEnd();
                else if (resets) peer.Reset();
                else peer.Close();
                return;
            }
            peer.Send(head.Contains("/endless", StringComparison.Ordinal) ? "HTTP/1.1 200 OK\r\n\r\n" : $"HTTP/1.1 200 OK\r\nContent-Length: {4 * half}\r\n\r\n");
            SendContent(half, piece => peer.Send(piece));
            if (head.Contains("/client", StringComparison.Ordinal))
            {
                peer.WaitForCue();
                SendContent(64 << 20, piece => peer.Send(piece));
            }
            else if (resets)
            {
                peer.Reset();
            }
            else
            {
                peer.Close();
            }
        });
        int done = 0;
        async Task<RelayResult> Result()
        {
            done++;
            await Until.TrueAsync(() => relay.Results.Length == done);
            return relay.Results[^1];
        }

        // The origin, within a response: the client's breaks off visibly. A reset may take bytes with it.
        foreach (string path in new[] { "/origin", "/endless" })
        {
            if (path == "/endless" && !resets) continue;
            using RawClient client = relay.Connect();
            client.Send($"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
            client.ReadHead();
            PeerEnd end = client.ReadToEnd(out byte[] got);
            if (path == "/origin")
            {
                if (!resets) Assert.That((end, got.Length), Is.EqualTo((PeerEnd.Fin, half)));
                Assert.That(got, Has.Length.LessThanOrEqualTo(half));
                Assert.That(FirstDifference(got), Is.EqualTo(-1));
            }
            else
            {
                Assert.That(got.AsSpan().EndsWith("\r\n0\r\n\r\n"u8), Is.False, "no last chunk");
            }
            Assert.That(await Result(), Is.EqualTo(RelayResult.Truncated));
        }

        // The client, within a response: the origin is told by a reset.
        using (RawClient client = relay.Connect())
        {
            client.Send("GET /client HTTP/1.1\r\nHost: a\r\n\r\n");
            client.ReadHead();
            client.Drop(half);
            if (resets) client.Reset();
            else client.Dispose();
            UpstreamPeer peer = relay.Origin.Peer(relay.Origin.Connections - 1);
            peer.GiveCue();
            Assert.That(await Result(), Is.EqualTo(RelayResult.ClientGone));
            await Until.TrueAsync(() => peer.HasEnded);
        }

        // The client, within a request: it is no whole one to the origin.
        using (RawClient client = relay.Connect())
        {
            int others = relay.Origin.Connections;
            client.Send($"POST /client HTTP/1.1\r\nHost: a\r\nContent-Length: {4 * half}\r\n\r\n");
            SendContent(half, piece => client.Send(piece));
            await Until.TrueAsync(() => relay.Origin.Connections > others);
            UpstreamPeer peer = relay.Origin.Peer(others);
            await Until.TrueAsync(() => peer.IsWaiting);
            if (resets) client.Reset();
            else client.HalfClose();
            if (!resets) Assert.That(client.Read().Status, Is.EqualTo(400));
            Assert.That(await Result(), Is.EqualTo(RelayResult.RequestRejected));
            await Until.TrueAsync(() => peer.HasEnded);
        }

        // The origin, within a request.
        using (RawClient client = relay.Connect())
        {
            client.Send($"POST /origin HTTP/1.1\r\nHost: a\r\nContent-Length: {4 * half}\r\n\r\n");
            try
            {
                SendContent(4 * half, piece => client.Send(piece));
                Assert.That(client.Read().Status, Is.EqualTo(502));
            }
            catch (System.Net.Sockets.SocketException)
            {
                // The server has answered, and reads no more.
            }
            Assert.That(await Result(), Is.EqualTo(RelayResult.Unreachable));
        }
        await Until.TrueAsync(() => relay.Pool.OpenCount == 0);
        if (Splices) await Until.TrueAsync(() => relay.Pool.Pipes!.Count == 0);
    }

    [Test]
    public async Task A_body_goes_on_by_copy_when_it_comes_in_small_pieces_or_the_system_splices_no_more()
    {
        const int large = 2_000_000, small = 3000;
        int[] pieces = [large, small, small, large, large];
        using SemaphoreSlim more = new(0);
        await using RelayFixture relay = new(peer =>
        {
            peer.Drop(Length(peer.ReadHead())!.Value, s_content);
            peer.Send($"HTTP/1.1 200 OK\r\nContent-Length: {pieces.Sum() + 1_000_000}\r\n\r\n");
            SendContent(pieces.Sum() + 1_000_000, piece => peer.Send(piece), pieces, more);
            peer.WaitForEnd();
        });
        using RawClient client = relay.Connect();
        client.Send($"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {pieces.Sum()}\r\n\r\n");
        long sent = 0;
        foreach (int piece in pieces)
        {
            SendContent(piece, bytes => client.Send(bytes), from: sent);
            sent += piece;
            await Until.TrueAsync(() => relay.Pool.Metrics.SentBytes >= sent);
        }
        client.ReadHead();
        long got = 0;
        for (int i = 0; i < pieces.Length; i++)
        {
            long moved = relay.Pool.Pipes?.MovedBytes ?? 0;
            if (i == pieces.Length - 1) relay.Pool.Pipes?.Close();
            more.Release();
            for (int left = pieces[i]; left > 0; left -= small) got += Check(client.Take(Math.Min(small, left)), got);
            if (!Splices) continue;
            moved = relay.Pool.Pipes!.MovedBytes - moved;
            if (i == pieces.Length - 1) Assert.That(moved, Is.Zero, "none is to be had any more");
            else if (pieces[i] == large) Assert.That(moved, Is.GreaterThan(large / 2));
        }
        more.Release();
        got += Check(client.Take(1_000_000), got);
        await Until.TrueAsync(() => relay.Results.Length == 1 && (relay.Pool.Pipes?.Count ?? 0) == 0);
        Assert.That(relay.Results[0], Is.EqualTo(RelayResult.Complete));
    }

    [Test]
    public async Task An_origin_that_answers_before_it_has_all_of_an_upload_is_heard()
    {
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadHead();
            peer.Drop(1_000_000, s_content);
            peer.Send("HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nmuch").WaitForEnd();
        });
        using RawClient client = relay.Connect();
        client.Send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
        SendContent(1_000_000, piece => client.Send(piece));
        RawResponse response = client.Read();
        Assert.That((response.Status, response.Text), Is.EqualTo((413, "much")));
        await Until.TrueAsync(() => relay.Pool.OpenCount == 0);
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task An_exchange_that_is_over_is_cut_off_within_a_body(bool isUpload)
    {
        // Neither the client nor the origin does anything: only the tick can end it.
        OverWhenTold observer = new();
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadHead();
            if (isUpload) peer.Drop(1_000_000, s_content);
            else SendPart(peer, 1L << 30);
            peer.WaitForEnd();
        }, observer: observer);
        using RawClient client = new(relay.Server.EndPoints[0], receiveBufferBytes: 32 * 1024);
        client.Send(isUpload ? "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n" : Get);
        if (isUpload) SendContent(1_000_000, piece => client.Send(piece));
        else client.Drop(1_000_000);
        if (Splices) await Until.TrueAsync(() => relay.Pool.Pipes!.MovedBytes > 0);
        observer.IsOver = true;
        if (!isUpload) client.ExpectReset();
        await Until.TrueAsync(() => relay.Results.Length == 1);
        Assert.That(relay.Results[0], Is.EqualTo(RelayResult.CutOff));
        await Until.TrueAsync(() => relay.Origin.Peer(0).HasEnded && (relay.Pool.Pipes?.Count ?? 0) == 0);
    }

    [Test]
    public async Task An_observer_is_told_what_it_wants_and_the_rest_goes_on()
    {
        const int length = 5_000_000;
        foreach (bool isChunked in new[] { false, true })
        {
            FirstBytes observer = new(100_000);
            await using RelayFixture relay = new(peer =>
            {
                peer.ReadHead();
                peer.Drop(length, s_content);
                if (isChunked)
                {
                    SendChunks(peer, length);
                }
                else
                {
                    peer.Send($"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                    SendContent(length, piece => peer.Send(piece));
                }
                peer.WaitForEnd();
            }, observer: observer);
            using RawClient client = relay.Connect();
            client.Send($"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
            SendContent(length, piece => client.Send(piece));
            ReadContent(client, length);
            await Until.TrueAsync(() => relay.Results.Length == 1);
            foreach (MemoryStream told in new[] { observer.Request, observer.Response })
            {
                Assert.That(told.Length, Is.InRange(100_000, 100_000 + 64 * 1024));
                Assert.That(FirstDifference(told.ToArray()), Is.EqualTo(-1));
            }
            if (Splices) Assert.That(relay.Pool.Pipes!.MovedBytes, Is.GreaterThan(length));
        }
    }

    [Test]
    public async Task Who_stands_still_within_a_body_is_cut_off_in_time()
    {
        ManualTimeProvider time = new();
        await using RelayFixture relay = new(peer =>
        {
            string head = peer.ReadHead();
            if (head.StartsWith("POST /sends", StringComparison.Ordinal)) peer.Drop(1_000_000, s_content);
            else if (head.StartsWith("GET /takes", StringComparison.Ordinal)) SendPart(peer, 1L << 30);
            else if (head.StartsWith("GET /origin", StringComparison.Ordinal)) SendPart(peer, 1_000_000);
            if (head.StartsWith("POST /origin", StringComparison.Ordinal)) peer.WaitForCue();
            else peer.WaitForEnd();
        }, static o => o with { IdleTimeout = TimeSpan.FromSeconds(20), FirstByteTimeout = TimeSpan.FromSeconds(1000) }, time: time);
        int done = 0;
        async Task<int> SecondsToResult(RelayResult expected)
        {
            done++;
            int seconds = 0;
            for (; relay.Results.Length < done; seconds++)
            {
                Assert.That(seconds, Is.LessThan(400));
                time.Advance(TimeSpan.FromSeconds(1));
                await Task.Delay(1);
            }
            Assert.That(relay.Results[^1], Is.EqualTo(expected));
            return seconds;
        }

        // A client that sends no more of its request: BodyTimeout is 30 s.
        using (RawClient client = relay.Connect())
        {
            client.Send("POST /sends HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
            SendContent(1_000_000, piece => client.Send(piece));
            await Until.TrueAsync(() => relay.Origin.Connections == 1 && relay.Origin.Peer(0).IsWaiting);
            Assert.That(await SecondsToResult(RelayResult.RequestRejected), Is.GreaterThanOrEqualTo(29));
            Assert.That(client.Read().Status, Is.EqualTo(408));
        }

        // A client that takes no more of its response: WriteTimeout is 60 s.
        using (RawClient client = new(relay.Server.EndPoints[0], receiveBufferBytes: 32 * 1024))
        {
            client.Send("GET /takes HTTP/1.1\r\nHost: a\r\n\r\n");
            client.Drop(1_000_000);
            await Until.TrueAsync(Stands(() => relay.Server.Metrics.SentBytes));
            Assert.That(await SecondsToResult(RelayResult.ClientGone), Is.GreaterThanOrEqualTo(59));
            client.ExpectReset();
        }

        // An origin that sends no more, or takes no more: IdleTimeout.
        using (RawClient client = relay.Connect())
        {
            client.Send("GET /origin HTTP/1.1\r\nHost: a\r\n\r\n");
            client.Drop(1_000_000);
            Assert.That(await SecondsToResult(RelayResult.Truncated), Is.GreaterThanOrEqualTo(19));
        }
        using (RawClient client = relay.Connect())
        {
            client.Send("POST /origin HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
            Task sending = Task.Run(() =>
            {
                try
                {
                    SendContent(1_000_000_000, piece => client.Send(piece));
                }
                catch (Exception e) when (e is System.Net.Sockets.SocketException or ObjectDisposedException)
                {
                    // Nobody reads.
                }
            });
            await Until.TrueAsync(Stands(() => relay.Pool.Metrics.SentBytes));
            Assert.That(await SecondsToResult(RelayResult.Unreachable), Is.GreaterThanOrEqualTo(19));
            client.Socket.Close();
            await Until.DoneAsync(sending);
        }
        relay.Origin.Peer(relay.Origin.Connections - 1).GiveCue();
    }

    private static int SpliceEdge => 64 * 1024;

    private static byte[] MakeContent(int length)
    {
        byte[] content = new byte[length];
        new Random(5).NextBytes(content);
        return content;
    }

    // The beginning of a response of 1 GiB.
    private static void SendPart(UpstreamPeer peer, long length)
    {
        peer.Send($"HTTP/1.1 200 OK\r\nContent-Length: {1L << 30}\r\n\r\n");
        SendContent(length, piece => peer.Send(piece));
    }

    private static void SendContent(long length, SendPiece send, int[]? pieces = null, SemaphoreSlim? each = null, long from = 0)
    {
        long sent = 0;
        foreach (long end in Ends(length, pieces))
        {
            each?.Wait(Until.Deadline);
            while (sent < end)
            {
                int at = (int)((from + sent) % s_content.Length);
                int piece = (int)Math.Min(end - sent, s_content.Length - at);
                send(s_content.AsSpan(at, piece));
                sent += piece;
            }
        }
    }

    private static IEnumerable<long> Ends(long length, int[]? pieces)
    {
        long end = 0;
        foreach (int piece in pieces ?? []) yield return end += piece;
        if (end < length) yield return length;
    }

    // One chunk that is worth splicing between two that are not.
    private static void SendChunks(UpstreamPeer peer, long length)
    {
        peer.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        long sent = 0;
        foreach (long size in new[] { 7, length - 20, 13 })
        {
            peer.Send($"{size:x}\r\n");
            for (long left = size; left > 0;)
            {
                int at = (int)(sent % s_content.Length);
                int piece = (int)Math.Min(left, s_content.Length - at);
                peer.Send(s_content.AsSpan(at, piece));
                sent += piece;
                left -= piece;
            }
            peer.Send("\r\n");
        }
        peer.Send("0\r\n\r\n");
    }

    private static void ReadContent(RawClient client, long length)
    {
        long got = 0;
        client.ReadContent(client.ReadHead(), piece => got += Check(piece, got));
        Assert.That(got, Is.EqualTo(length));
    }

    private static int Check(ReadOnlySpan<byte> piece, long from)
    {
        for (int done = 0; done < piece.Length;)
        {
            int at = (int)((from + done) % s_content.Length);
            int length = Math.Min(piece.Length - done, s_content.Length - at);
            if (!piece.Slice(done, length).SequenceEqual(s_content.AsSpan(at, length))) Assert.Fail($"the content differs after {from + done} bytes");
            done += length;
        }
        return piece.Length;
    }

    private static int FirstDifference(byte[] got)
    {
        for (int i = 0; i < got.Length; i++)
        {
            if (got[i] != s_content[i % s_content.Length]) return i;
        }
        return -1;
    }

    private static long? Length(string head)
    {
        string? line = head.Split("\r\n").FirstOrDefault(static l => l.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase));
        return line is null ? null : long.Parse(line.AsSpan(15).Trim(), CultureInfo.InvariantCulture);
    }

    /// <summary>True once the number has not moved for a while.</summary>
    private static Func<bool> Stands(Func<long> read)
    {
        long last = -1;
        int unchanged = 0;
        return () =>
        {
            long now = read();
            unchanged = now == last ? unchanged + 1 : 0;
            last = now;
            return now > 0 && unchanged == 100;
        };
    }

    private static int OpenPipes() => !OperatingSystem.IsLinux() ? 0 : Directory.GetFiles("/proc/self/fd").Count(static fd =>
        new FileInfo(fd).LinkTarget?.StartsWith("pipe:", StringComparison.Ordinal) == true);

    private delegate void SendPiece(ReadOnlySpan<byte> piece);

    private sealed class OverWhenTold : IRelayObserver
    {
        public bool WantsRequestContent => false;

        public bool WantsResponseContent => false;

        public bool IsOver { get; set; }

        public void RequestContent(ReadOnlySpan<byte> content) => Assert.Fail("told unasked");

        public void ResponseHead(int status, HeaderFields fields)
        {
        }

        public void ResponseContent(ReadOnlySpan<byte> content) => Assert.Fail("told unasked");
    }

    private sealed class FirstBytes(int most) : IRelayObserver
    {
        public MemoryStream Request { get; } = new();

        public MemoryStream Response { get; } = new();

        public bool WantsRequestContent => Request.Length < most;

        public bool WantsResponseContent => Response.Length < most;

        public void RequestContent(ReadOnlySpan<byte> content) => Request.Write(content);

        public void ResponseHead(int status, HeaderFields fields)
        {
        }

        public void ResponseContent(ReadOnlySpan<byte> content) => Response.Write(content);
    }
}

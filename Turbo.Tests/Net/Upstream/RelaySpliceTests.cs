using System.Globalization;
using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Net.Upstream;
using Turbo.Tests.Support;
using static Turbo.Tests.Net.Upstream.LargeContent;

namespace Turbo.Tests.Net.Upstream;

/// <summary>
/// Large bodies that no observer wants, which go through a pipe of the kernel's where the transport can, and through blocks
/// where it cannot, where there is no pipe to be had, or where they come in small pieces: nobody outside can tell.
/// </summary>
[TestFixture]
internal sealed class RelaySpliceTests
{
    private const string Get = "GET /v1/x HTTP/1.1\r\nHost: a\r\n\r\n";

    // The length from which content is spliced.
    private const int SpliceEdge = 64 * 1024;

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
                if (Length(head) is { } sent and > 0) peer.Drop(sent, Repeated);
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
                peer.Drop(Length(peer.ReadHead())!.Value, Repeated);
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

    [Test]
    public async Task A_body_goes_on_by_copy_when_it_comes_in_small_pieces_or_the_system_splices_no_more()
    {
        const int large = 2_000_000, small = 3000;
        int[] pieces = [large, small, small, large, large];
        using SemaphoreSlim more = new(0);
        await using RelayFixture relay = new(peer =>
        {
            peer.Drop(Length(peer.ReadHead())!.Value, Repeated);
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
    public async Task An_observer_is_told_what_it_wants_and_the_rest_goes_on()
    {
        const int length = 5_000_000;
        foreach (bool isChunked in new[] { false, true })
        {
            FirstBytes observer = new(100_000);
            await using RelayFixture relay = new(peer =>
            {
                peer.ReadHead();
                peer.Drop(length, Repeated);
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

    private static int OpenPipes() => !OperatingSystem.IsLinux() ? 0 : Directory.GetFiles("/proc/self/fd").Count(static fd =>
        new FileInfo(fd).LinkTarget?.StartsWith("pipe:", StringComparison.Ordinal) == true);

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

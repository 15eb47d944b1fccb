using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Net.Upstream;
using Turbo.Tests.Support;
using static Turbo.Tests.Net.Upstream.LargeContent;

namespace Turbo.Tests.Net.Upstream;

/// <summary>How a large body that is spliced ends when it is not to its end: somebody dies, stands still, answers early or has to go.</summary>
[TestFixture]
internal sealed class RelaySpliceEndTests
{
    private const string Get = "GET /v1/x HTTP/1.1\r\nHost: a\r\n\r\n";

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
                peer.Drop(half, Repeated);
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
    public async Task An_origin_that_answers_before_it_has_all_of_an_upload_is_heard()
    {
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadHead();
            peer.Drop(1_000_000, Repeated);
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
            if (isUpload) peer.Drop(1_000_000, Repeated);
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
    public async Task Who_stands_still_within_a_body_is_cut_off_in_time()
    {
        ManualTimeProvider time = new();
        await using RelayFixture relay = new(peer =>
        {
            string head = peer.ReadHead();
            if (head.StartsWith("POST /sends", StringComparison.Ordinal)) peer.Drop(1_000_000, Repeated);
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

    // The beginning of a response of 1 GiB.
    private static void SendPart(UpstreamPeer peer, long length)
    {
        peer.Send($"HTTP/1.1 200 OK\r\nContent-Length: {1L << 30}\r\n\r\n");
        SendContent(length, piece => peer.Send(piece));
    }

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
}

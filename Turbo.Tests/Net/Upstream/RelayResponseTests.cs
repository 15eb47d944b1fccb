using System.Text;
using Turbo.Net.Upstream;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Upstream;

/// <summary>What the client receives (contract section 8).</summary>
public sealed class RelayResponseTests
{
    private const string Get = "GET /v1/x HTTP/1.1\r\nHost: a\r\n\r\n";

    private static Action<UpstreamPeer> Answer(string wire) => peer =>
    {
        while (true)
        {
            peer.ReadRequest();
            peer.Send(wire);
        }
    };

    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nx-a:2\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nx-a:2\r\n\r\nok")]
    [TestCase("HTTP/1.1 299 Odd  reason \r\ncontent-length: 0\r\n\r\n", "HTTP/1.1 299 Odd  reason \r\ncontent-length: 0\r\n\r\n")]
    [TestCase("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nConnection: keep-alive\r\nKeep-Alive: timeout=1\r\nX: 1\r\n\r\n2\r\nok\r\n0\r\nSum: 7\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nX: 1\r\n\r\n2\r\nok\r\n0\r\nSum: 7\r\n\r\n")]
    [TestCase("HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n", "HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n")]
    [TestCase("HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\nETag: \"a\"\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\nETag: \"a\"\r\n\r\n")]
    [TestCase("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")]
    public async Task Client_receives(string sent, string received)
    {
        await using RelayFixture relay = new(Answer(sent));
        using RawClient client = relay.Connect();
        // Twice on one connection: the end of the first is where its framing says.
        for (int i = 0; i < 2; i++)
        {
            client.Send(Get);
            Assert.That(Encoding.Latin1.GetString(client.Take(received.Length)), Is.EqualTo(received));
        }
        Assert.That(client.IsQuiet);
        Assert.That(relay.Origin.Connections, Is.EqualTo(1));
        Assert.That(relay.Results, Is.All.EqualTo(RelayResult.Complete));
    }

    [Test]
    public async Task Client_receives_the_same_however_the_response_is_cut()
    {
        const string wire = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-A:  b \r\nTransfer-Encoding: chunked\r\n\r\n4;x=\"y\"\r\nabcd\r\n1\r\ne\r\n0\r\nT: 1\r\n\r\n";
        int cut = 0;
        await using RelayFixture relay = new(peer =>
        {
            while (true)
            {
                peer.ReadRequest();
                peer.Send(wire[..cut]).Send(wire[cut..]);
            }
        });
        using RawClient client = relay.Connect();
        for (cut = 1; cut < wire.Length; cut++)
        {
            client.Send(Get);
            Assert.That(client.ReadHead(), Is.EqualTo("HTTP/1.1 100 Continue\r\n\r\n"), $"cut at {cut}");
            RawResponse response = client.Read();
            Assert.That(response.Head, Is.EqualTo("HTTP/1.1 200 OK\r\nX-A:  b \r\nTransfer-Encoding: chunked\r\n\r\n"), $"cut at {cut}");
            Assert.That(response.Text, Is.EqualTo("abcde"), $"cut at {cut}");
        }
        Assert.That(relay.Origin.Connections, Is.EqualTo(1));
    }

    [Test]
    public async Task Head_has_the_length_and_no_body()
    {
        await using RelayFixture relay = new(Answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
        using RawClient client = relay.Connect();
        for (int i = 0; i < 2; i++)
        {
            RawResponse response = client.Exchange("HEAD /v1/x HTTP/1.1\r\nHost: a\r\n\r\n", isHead: true);
            Assert.That(response.Head, Is.EqualTo("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
        }
    }

    [Test]
    public async Task Body_until_close_becomes_chunked()
    {
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadRequest();
            peer.Send("HTTP/1.0 200 OK\r\nX: 1\r\n\r\nall of it").Close();
        });
        using RawClient client = relay.Connect();
        for (int i = 0; i < 2; i++)
        {
            RawResponse response = client.Exchange(Get);
            Assert.That(response.Head, Is.EqualTo("HTTP/1.1 200 OK\r\nX: 1\r\nTransfer-Encoding: chunked\r\n\r\n"));
            Assert.That(response.Text, Is.EqualTo("all of it"));
        }
    }

    [Test]
    public async Task Http_1_0_client_gets_no_chunks_and_no_informational_response()
    {
        await using RelayFixture relay = new(Answer("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"));
        using RawClient client = relay.Connect();
        client.Send("GET /v1/x HTTP/1.0\r\n\r\n");
        Assert.That(client.ReadToEnd(out byte[] all), Is.EqualTo(PeerEnd.Fin));
        Assert.That(Encoding.ASCII.GetString(all), Is.EqualTo("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok"));
    }

    [Test]
    public async Task Each_event_arrives_before_the_next_is_sent()
    {
        using SemaphoreSlim next = new(0);
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadRequest();
            peer.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (int i = 0; i < 5; i++)
            {
                next.Wait(Until.Deadline);
                peer.Send($"9\r\ndata: {i}\n\n\r\n");
            }
            next.Wait(Until.Deadline);
            peer.Send("0\r\n\r\n");
            peer.WaitForEnd();
        });
        using RawClient client = relay.Connect();
        client.Send(Get);
        client.ReadHead();
        for (int i = 0; i < 5; i++)
        {
            next.Release();
            string event_ = $"9\r\ndata: {i}\n\n\r\n";
            Assert.That(Encoding.ASCII.GetString(client.Take(event_.Length)), Is.EqualTo(event_));
        }
        next.Release();
        Assert.That(Encoding.ASCII.GetString(client.Take(5)), Is.EqualTo("0\r\n\r\n"));
    }

    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", false)]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", true)]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", false)]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", true)]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n", false)]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\n", false)]
    public async Task A_body_that_breaks_off_never_looks_complete(string wire, bool resets)
    {
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadRequest();
            peer.Send(wire);
            // The head reaches the client before the origin breaks.
            SpinWait.SpinUntil(() => relayed, Until.Deadline);
            if (resets) peer.Reset();
            else peer.Close();
        });
        using RawClient client = relay.Connect();
        client.Send(Get);
        client.ReadHead();
        relayed = true;
        client.ReadToEnd(out byte[] rest);
        string body = Encoding.ASCII.GetString(rest);
        Assert.That(body, Does.Contain("half"));
        Assert.That(body, Does.Not.Contain("0\r\n\r\n"));
        await Until.TrueAsync(() => relay.Results.Length == 1);
        Assert.That(relay.Results[0], Is.EqualTo(RelayResult.Truncated));
        Assert.That(relay.Pool.OpenCount, Is.Zero);
    }

    private volatile bool relayed;

    [SetUp]
    public void Forget() => relayed = false;

    [TestCase("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")]
    [TestCase("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok")]
    [TestCase("HTTP/1.1 200 OK\r\nX : 1\r\n\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n")]
    [TestCase("HTTP/1.1 101 Switching Protocols\r\n\r\n")]
    [TestCase("HTTP/2 200\r\n\r\n")]
    [TestCase("nonsense\r\n\r\n")]
    public async Task A_malformed_response_is_502(string wire)
    {
        await using RelayFixture relay = new(Answer(wire));
        using RawClient client = relay.Connect();
        RawResponse response = client.Exchange(Get);
        Assert.That(response.Status, Is.EqualTo(502));
        Assert.That(response.Text, Is.EqualTo(nameof(RelayResult.MalformedResponse)));
        Assert.That(relay.Pool.OpenCount, Is.Zero);
    }

    [Test]
    public async Task Surplus_bytes_end_the_connection_and_reach_nobody()
    {
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadRequest();
            peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
            peer.WaitForEnd();
        });
        using RawClient client = relay.Connect();
        for (int i = 0; i < 3; i++) Assert.That(client.Exchange(Get).Text, Is.EqualTo("ok"));
        Assert.That(relay.Origin.Connections, Is.EqualTo(3));
    }
}

using System.Text;
using Turbo.Net;
using Turbo.Net.Upstream;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Upstream;

/// <summary>
/// Where a message ends is a matter on which the client, Turbo and the origin must agree (RFC 9112 §11.2): what could be
/// read in two ways goes no further, in either direction, and what goes on is spelled so that nobody reads it otherwise.
/// </summary>
public sealed class RelaySmugglingTests
{
    private const string Get = "GET /v1/x HTTP/1.1\r\nHost: a\r\n\r\n";
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    private const string Key = "Authorization: Bearer key\r\n";
    private const string Chunks = "5\r\nhello\r\n0\r\n\r\n";

    private static void AnswerOk(UpstreamPeer peer)
    {
        while (true)
        {
            peer.ReadRequest();
            peer.Send(Ok);
        }
    }

    private static readonly (string Sent, string Received)[] s_spellings =
    [
        // Names keep their case and place; what frames the message is said plainly.
        Post("Content-Length: 5\r\n", "hello"),
        Post("content-length:   5\r\n", "hello"),
        Post("Content-Length: 0005\r\nX: y\r\n", "hello", "Content-Length: 5\r\nX: y\r\n"),
        Post("CONTENT-length:\t5\r\n", "hello", "CONTENT-length: 5\r\n"),
        Post("Content-Length: 5 \r\n", "hello", "Content-Length: 5\r\n"),
        Post("Content-Length: 000\r\n", "", "Content-Length: 0\r\n"),
        Post("Transfer-Encoding: chunked\r\n", Chunks),
        Post("transfer-ENCODING:chunked\r\n", Chunks),
        Post("Transfer-Encoding:\tchunked\r\nX: y\r\n", Chunks, "Transfer-Encoding: chunked\r\nX: y\r\n"),
        Post("Transfer-Encoding: chunked\t\r\n", Chunks, "Transfer-Encoding: chunked\r\n"),
        Post("Transfer-Encoding: chunked \r\n", Chunks, "Transfer-Encoding: chunked\r\n"),
        Post("Transfer-Encoding: CHUNKed\r\n", Chunks, "Transfer-Encoding: chunked\r\n"),
        // Chunks are this hop's own: no extension, no leading zero, no other spelling of a size goes on.
        Post("Transfer-Encoding: chunked\r\n", "0005;a=\"\\\"\";b\r\nhello\r\n000\r\n\r\n", "Transfer-Encoding: chunked\r\n", Chunks),
        Post("Transfer-Encoding: chunked\r\nTrailer: Sum\r\n", "00A\r\n0123456789\r\n0;x\r\nSum: 1\r\n\r\n", "Transfer-Encoding: chunked\r\nTrailer: Sum\r\n", "a\r\n0123456789\r\n0\r\nSum: 1\r\n\r\n"),
        // Connection takes away neither framing nor routing nor what the client waits for, whatever the case.
        Post("Connection: Content-Length\r\nContent-Length: 5\r\n", "hello", "Content-Length: 5\r\n"),
        Post("connection: x, CONTENT-LENGTH ,TRANSFER-ENCODING\r\nContent-Length: 5\r\n", "hello", "Content-Length: 5\r\n"),
        Post("Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n", Chunks, "Transfer-Encoding: chunked\r\n"),
        Post("Connection: host, Authorization, cookie\r\nContent-Length: 5\r\n", "hello", "Content-Length: 5\r\n"),
        Post("Connection: expect\r\nExpect: 100-continue\r\nContent-Length: 5\r\n", "hello", "Expect: 100-continue\r\nContent-Length: 5\r\n"),
        Post("Connection: close\r\nConnection: X-Hop\r\nX-Hop: 1\r\nx-hop: 2\r\nContent-Length: 5\r\n", "hello", "Content-Length: 5\r\n"),
        // Content is content, whatever it looks like.
        Post($"Content-Length: {Get.Length}\r\n", Get),
        // HTTP/1.0 goes on as 1.1, with the length it had.
        ("POST /v1/x HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", $"POST /v1/x HTTP/1.1\r\nHost: origin.test\r\nContent-Length: 5\r\n{Key}\r\nhello"),
        // The authority that was asked for stays here.
        ("GET http://other.test:81/v1/x HTTP/1.1\r\nHost: other.test:81\r\n\r\n", $"GET /v1/x HTTP/1.1\r\nHost: origin.test\r\n{Key}\r\n"),
        // A field that only looks like one of framing is end-to-end, and frames nothing.
        ("GET /v1/x HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\nTransfer_Encoding: chunked\r\n\r\n", $"GET /v1/x HTTP/1.1\r\nHost: origin.test\r\nContent_Length: 5\r\nTransfer_Encoding: chunked\r\n{Key}\r\n"),
        ("GET /v1/x HTTP/1.1\r\nHost: a\r\nX: caf\u00e9\u0080\u00ff\r\n\r\n", $"GET /v1/x HTTP/1.1\r\nHost: origin.test\r\nX: caf\u00e9\u0080\u00ff\r\n{Key}\r\n"),
        // Who traces a request is told what it held: not the key (RFC 9110 §9.3.8).
        ("TRACE /v1/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer mine\r\n\r\n", "TRACE /v1/x HTTP/1.1\r\nHost: origin.test\r\n\r\n"),
    ];

    private static (string, string) Post(string fields, string body, string? plainly = null, string? plainBody = null) =>
        ($"POST /v1/x HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}", $"POST /v1/x HTTP/1.1\r\nHost: origin.test\r\n{plainly ?? fields}{Key}\r\n{plainBody ?? body}");

    [Test]
    public async Task What_the_origin_receives_is_read_alike_by_all()
    {
        await using RelayFixture relay = new(AnswerOk);
        foreach ((string sent, string received) in s_spellings)
        {
            int before = relay.Origin.Connections > 0 ? relay.Origin.Peer(0).Received.Length : 0;
            using RawClient client = relay.Connect();
            Assert.That(client.Exchange(sent).Text, Is.EqualTo("ok"), sent);
            Assert.That(relay.Origin.Peer(0).Received.ToString()[before..], Is.EqualTo(received), sent);
        }
        Assert.That(relay.Origin.Connections, Is.EqualTo(1));
    }

    private static readonly string[] s_ambiguous =
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "Transfer-Encoding: chunked\r\nConnection: content-length\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5, 5\r\n", "Content-Length: +5\r\n", "Content-Length: -0\r\n", "Content-Length: 0x5\r\n", "Content-Length: 5\u00a0\r\n", "Content-Length: 5\v\r\n", "Content-Length :5\r\n", "Content-Length\t: 5\r\n", " Content-Length: 5\r\n",
        "Content-Length: 5\r\n Transfer-Encoding: chunked\r\n", "X: y\r\n\tTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", "X: y\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", "X: y\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", "X: \0\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "Transfer-Encoding: chunked, identity\r\n", "Transfer-Encoding: identity, chunked\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: ,chunked\r\n", "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding : chunked\r\n", "Transfer-Encoding: \vchunked\r\n", "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: \"chunked\"\r\n", "Transfer-Encoding: chunked\u0085\r\n", "Transfer-Encoding:\r\n chunked\r\n", "Transfer-Encoding: identity\r\n",
        "Host: b\r\nContent-Length: 5\r\n",
    ];

    [Test]
    public async Task What_may_be_read_in_two_ways_is_refused_and_reaches_nobody()
    {
        await using RelayFixture relay = new(AnswerOk);
        foreach (string fields in s_ambiguous)
        {
            using RawClient client = relay.Connect();
            // What would be smuggled, too: it is never taken for a request.
            client.Send($"POST /v1/x HTTP/1.1\r\nHost: a\r\n{fields}\r\n{Chunks}{Get}").HalfClose();
            Assert.That(client.ReadToEnd(out byte[] answer), Is.EqualTo(PeerEnd.Fin), fields);
            List<RawResponse> responses = RawResponse.Split(Encoding.Latin1.GetString(answer), isHead: false);
            Assert.That(responses, Has.Count.EqualTo(1), fields);
            Assert.That(responses[0].Status, Is.EqualTo(400).Or.EqualTo(501), fields);
            Assert.That(responses[0].Field("Connection"), Is.EqualTo("close"), fields);
        }
        Assert.That(relay.Origin.Connections, Is.Zero);
    }

    private static readonly string[] s_malformed =
    [
        // framing
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551618\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 2 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\nok", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        // informational responses that claim to have content, or end in something else
        "HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\n" + Ok, "HTTP/1.1 103 Early Hints\r\nContent-Length: 80\r\n\r\n" + Ok, "HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n" + Ok, "HTTP/1.1 100 Continue\r\nX : y\r\n\r\n" + Ok,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" + Ok, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        // lines
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok", "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", "HTTP/1.1 200 OK\r\n Content-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nX: y\r\n\tContent-Length: 9\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\n: y\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nX Y: z\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nX\r\nContent-Length: 2\r\n\r\nok",
        // status-lines
        "\r\n" + Ok, " " + Ok, "\0" + Ok, "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1\t200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 600 OK\r\n\r\n", "HTTP/1.1 -20 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n", "200 OK\r\n\r\n", "<html>hello</html>\r\n\r\n",
    ];

    [Test]
    public async Task A_response_that_may_be_read_in_two_ways_reaches_nobody_and_its_connection_is_not_used_again()
    {
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadRequest();
            peer.Send(s_malformed[peer.Index]).WaitForEnd();
        });
        using RawClient client = relay.Connect();
        foreach (string wire in s_malformed)
        {
            RawResponse response = client.Exchange(Get);
            // One that came before the malformed one was passed on.
            if (response.Status == 100) response = client.Read();
            Assert.That((response.Status, response.Text), Is.EqualTo((502, nameof(RelayResult.MalformedResponse))), wire);
            Assert.That(client.IsQuiet, wire);
        }
        Assert.That(relay.Origin.Connections, Is.EqualTo(s_malformed.Length));
        Assert.That(relay.Pool.OpenCount, Is.Zero);
    }

    // What comes within the head's response, and what the client gets of it.
    private static readonly (string Method, string Wire, string Received)[] s_surplus =
    [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"),
        ("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil", "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n", "HTTP/1.1 304 Not Modified\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\nevil", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nevil", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding:\tCHUNKED \r\n\r\n2\r\nok\r\n0\r\n\r\nevil", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length:\t02\r\n\r\nok" + Ok, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        // Connection takes no framing off a response either.
        ("GET", "HTTP/1.1 200 OK\r\nConnection: content-length\r\nContent-Length: 2\r\n\r\nok" + Ok, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        ("GET", "HTTP/1.1 200 OK\r\nConnection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nT: u\r\n\r\n" + Ok, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nT: u\r\n\r\n"),
    ];

    [Test]
    public async Task What_follows_a_response_is_no_part_of_it_nor_the_next_one()
    {
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadRequest();
            peer.Send(s_surplus[peer.Index].Wire).WaitForEnd();
        });
        using RawClient client = relay.Connect();
        foreach ((string method, string wire, string received) in s_surplus)
        {
            client.Send($"{method} /v1/x HTTP/1.1\r\nHost: a\r\n\r\n");
            Assert.That(Encoding.Latin1.GetString(client.Take(received.Length)), Is.EqualTo(received), wire);
        }
        Assert.That(client.IsQuiet);
        Assert.That(relay.Origin.Connections, Is.EqualTo(s_surplus.Length));
    }

    [Test]
    public async Task A_response_that_comes_unasked_is_nobodys()
    {
        using SemaphoreSlim isTaken = new(0), isSent = new(0);
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadRequest();
            peer.Send(Ok);
            if (peer.Index > 0) return;
            isTaken.Wait(Until.Deadline);
            peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
            isSent.Release();
            peer.WaitForEnd();
        });
        using RawClient client = relay.Connect();
        Assert.That(client.Exchange(Get).Text, Is.EqualTo("ok"));
        isTaken.Release();
        Assert.That(await isSent.WaitAsync(Until.Deadline));
        Assert.That(client.Exchange(Get).Text, Is.EqualTo("ok"));
        Assert.That(relay.Origin.Connections, Is.EqualTo(2));
    }

    private static readonly string[] s_brokenChunks =
    [
        "5\nhello\r\n0\r\n\r\n", "5;\nhello\r\n0\r\n\r\n", "5;a\0\r\nhello\r\n0\r\n\r\n", "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", "-0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "10000000000000005\r\nhello\r\n0\r\n\r\n", "\r\n5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\nT: u\n\r\n", "5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n", "5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", "5\r\nhello\r\n0\r\n folded\r\n\r\n", "5\r\nhello\r\n0\r\n\n",
    ];

    [Test]
    public async Task Malformed_chunks_of_a_response_break_it_off_visibly()
    {
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadRequest();
            peer.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + s_brokenChunks[peer.Index] + Ok).WaitForEnd();
        });
        foreach (string chunks in s_brokenChunks)
        {
            using RawClient client = relay.Connect();
            client.Send(Get);
            client.ReadToEnd(out byte[] received);
            Assert.That(Encoding.Latin1.GetString(received), Does.Not.Contain("0\r\n\r\n").And.Not.Contain("200 OK\r\nContent-Length"), chunks);
        }
        Assert.That(relay.Origin.Connections, Is.EqualTo(s_brokenChunks.Length));
        await Until.TrueAsync(() => relay.Pool.OpenCount == 0);
    }

    [Test]
    public async Task A_client_that_is_slow_to_take_the_answer_before_is_asked_once_and_loses_nothing()
    {
        // What waits for the client when it is asked, with a head of 81 bytes: ten bytes less than what holds a write up.
        const int Filling = 1024 * 1024 - 91;
        using SemaphoreSlim isAsked = new(0), answer = new(0);
        using FaultyUpstream origin = new(peer =>
        {
            peer.ReadRequest();
            isAsked.Release();
            answer.Wait(Until.Deadline);
            peer.Send(Ok);
            peer.WaitForEnd();
        });
        ManualTimeProvider time = new();
        await using UpstreamPool pool = new(new UpstreamOptions { Host = "127.0.0.1", Port = origin.Port, TimeProvider = time });
        Relay relay = new(pool);
        RelayRules rules = new() { Host = "origin.test"u8.ToArray() };
        RelayResult? result = null;
        await using NetServer server = new(async exchange =>
        {
            if (exchange.Path.SequenceEqual("/fill"u8)) exchange.Response.Send(200, default, new byte[Filling]);
            else result = await relay.RunAsync(exchange, rules, observer: null);
        }, time: time, listens: false);
        MemoryClient client = server.ConnectInMemory().Send("GET /fill HTTP/1.1\r\nHost: a\r\n\r\n" + Get).Fin();
        Assert.That(await isAsked.WaitAsync(Until.Deadline));
        // Asked at the first of these, again 5 s later: not while it has the first still to take.
        await Until.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return client.Transport.Flushes >= 2;
        });
        time.Advance(TimeSpan.FromSeconds(12));
        answer.Release();
        string received = "";
        await Until.TrueAsync(() => (received += client.TakeText()).EndsWith("\r\n\r\nok", StringComparison.Ordinal));
        Assert.That(received[(received.LastIndexOf('\0') + 1)..], Is.EqualTo("HTTP/1.1 102 Processing\r\n\r\n" + Ok));
        await client.Serving;
        Assert.That(result, Is.EqualTo(RelayResult.Complete));
        await pool.DisposeAsync();
    }
}

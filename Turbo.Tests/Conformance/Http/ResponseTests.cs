using System.Globalization;
using System.Text;
using Turbo.Net.Upstream;
using Turbo.Tests.Net.Upstream;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance.Http;

/// <summary>
/// RFC 9112 §4–§8 for an origin's responses, through the relay: nothing malformed reaches a client other than as a visible
/// break, and a connection that carried it serves nobody else.
/// </summary>
[TestFixture]
internal sealed class ResponseTests
{
    private const string Ok = "HTTP/1.1 200 OK\r\n";
    private const string Length = "Content-Length: 2\r\n";
    private const string Chunked = "Transfer-Encoding: chunked\r\n";
    private const string Switch = "HTTP/1.1 101 Switching Protocols\r\n";

    private RelayFixture _relay = null!;
    private volatile byte[] _answer = [];
    private volatile int _pieceBytes = int.MaxValue;

    [SetUp]
    public void Start() => _relay = new RelayFixture(peer =>
    {
        while (true)
        {
            bool isGood = peer.ReadRequest().StartsWith("GET /good", StringComparison.Ordinal);
            foreach (byte[] piece in isGood ? [Segmented.Bytes(Ok + "Content-Length: 4\r\n\r\ngood")] : _answer.Chunk(Math.Min(_pieceBytes, 1 << 20))) peer.Send(piece);
        }
    }, time: new ManualTimeProvider());

    [TearDown]
    public async Task StopAsync() => await _relay.DisposeAsync();

    // ---- refused whole: 502

    private static readonly string[] s_statusLines =
    [
        "HTTP/1.1 200 OK\n", "HTTP/1.1 200 OK\r", "HTTP/1.1 200 OK\r\r\n", "HTTP/1.1 200 O\rK\r\n", "HTTP/1.1 200 O\0K\r\n", "HTTP/1.1 200 \x01\r\n", "HTTP/1.1 200 O\x7fK\r\n", "HTTP/1.1\r\n", "HTTP/1.1 \r\n", "HTTP/1.1 20\r\n", "HTTP/1.1 2000\r\n", "HTTP/1.1 020 OK\r\n",
        "HTTP/1.1 099 OK\r\n", "HTTP/1.1 600 OK\r\n", "HTTP/1.1 999 OK\r\n", "HTTP/1.1 -20 OK\r\n", "HTTP/1.1 +20 OK\r\n", "HTTP/1.1 2x0 OK\r\n", "HTTP/1.1 200OK\r\n", "HTTP/1.1 200\tOK\r\n", "HTTP/1.1  200 OK\r\n", "HTTP/1.1\t200 OK\r\n", "HTTP/1.1 200.0 OK\r\n", " HTTP/1.1 200 OK\r\n", "\r\nHTTP/1.1 200 OK\r\n", "\nHTTP/1.1 200 OK\r\n",
        "HTTP/2 200\r\n", "HTTP/2.0 200 OK\r\n", "HTTP/0.9 200 OK\r\n", "HTTP/1 200 OK\r\n", "HTTP/1.10 200 OK\r\n", "HTTP/11 200 OK\r\n", "http/1.1 200 OK\r\n", "HTTPS/1.1 200 OK\r\n", "ICY 200 OK\r\n", "200 OK\r\n", "<html></html>\r\n", "\0\0\0\x12\x04\0\0\0\0\0\r\n", "220 mail.example ESMTP\r\n", "GET / HTTP/1.1\r\n",
    ];

    private static readonly string[] s_fields =
    [
        "X : 1\r\n", "X\t: 1\r\n", " X: 1\r\n", "\tX: 1\r\n", "X: 1\r\n 2\r\n", "X: 1\r\n\t2\r\n", "X:\r\n 1\r\n", "X\r\n", ": 1\r\n", "X Y: 1\r\n", "X(: 1\r\n", "X\0: 1\r\n", "\xc4: 1\r\n", "X: \0\r\n", "X: 1\x01\r\n", "X: 1\x7f\r\n", "X: 1\v\r\n", "X: 1\n", "X: 1\r", "X: 1\rY: 2\r\n", "X: 1\r\r\n", "X: 1\nSet-Cookie: a=b\r\n", "\n", "\r\r\n",
    ];

    private static readonly string[] s_framings =
    [
        Length + Chunked, Chunked + Length, Length + Length, Length + "Content-Length: 3\r\n", Length + "content-length:\r\n", "Content-Length: +2\r\n", "Content-Length: -0\r\n", "Content-Length: 2, 2\r\n", "Content-Length: 0x2\r\n", "Content-Length: 2 2\r\n", "Content-Length:\r\n", "Content-Length: 18446744073709551618\r\n", "Content-Length: two\r\n",
        "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked, chunked\r\n", "Transfer-Encoding: chunked, gzip\r\n", Chunked + Chunked, "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: identity\r\n", "Transfer-Encoding:\r\n", "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: chunked;q=1\r\n", "Transfer-Encoding: \"chunked\"\r\n",
    ];

    private static readonly string[] s_others =
    [
        // content announced where there is none
        "HTTP/1.1 204 No Content\r\n" + Length + "\r\nok", "HTTP/1.1 204 No Content\r\n" + Chunked + "\r\n0\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n" + Length + "\r\nok" + Ok + Length + "\r\nok", "HTTP/1.1 100 Continue\r\n" + Chunked + "\r\n0\r\n\r\n" + Ok + Length + "\r\nok",
        "HTTP/1.0 200 OK\r\n" + Chunked + "\r\n2\r\nok\r\n0\r\n\r\n", "HTTP/1.0 304 Not Modified\r\n" + Chunked + "\r\n",
        // malformed after an informational one
        "HTTP/1.1 103 Early Hints\r\nX : 1\r\n\r\n" + Ok + Length + "\r\nok",
        // a switch that was not asked for
        Switch + "\r\n", Switch + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", Switch + "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    ];

    private static IEnumerable<TestCaseData> Malformed() => Cases(
    [
        .. s_statusLines.Select(static line => line + Length + "\r\nok"),
        .. s_fields.Select(static lines => Ok + lines + Length + "\r\nok"),
        .. s_framings.Select(static lines => Ok + lines + "\r\n2\r\nok\r\n0\r\n\r\n"),
        .. s_others,
        Ok + "X: " + new string('x', 64 * 1024) + "\r\n" + Length + "\r\nok",
        Ok + string.Concat(Enumerable.Repeat("X:\r\n", 256)) + Length + "\r\nok",
        Ok + "Connection: " + new string(',', 256) + "\r\n" + Length + "\r\nok",
    ]);

    [TestCaseSource(nameof(Malformed))]
    public async Task A_malformed_head_is_502(string wire)
    {
        foreach (int pieceBytes in wire.Length < 1000 ? new[] { int.MaxValue, 1 } : [int.MaxValue])
        {
            int before = await BeginAsync(wire, pieceBytes);
            using RawClient client = _relay.Connect();
            RawResponse response = client.Exchange("GET /bad HTTP/1.1\r\nHost: h\r\n\r\n");
            Assert.That((response.Status, response.Text), Is.EqualTo((502, nameof(RelayResult.MalformedResponse))), $"in pieces of {pieceBytes}");
            await IsNotUsedAgainAsync(client, before);
        }
        // The program's own requests meet the same strictness.
        UpstreamClient own = new(_relay.Pool);
        UpstreamException failure = Assert.ThrowsAsync<UpstreamException>(() => own.SendAsync("GET /bad HTTP/1.1\r\nHost: h\r\n\r\n"u8.ToArray(), CancellationToken.None))!;
        Assert.That(failure.Result, Is.EqualTo(RelayResult.MalformedResponse));
    }

    // ---- broken within the content: cut off, visibly

    private static readonly string[] s_chunks =
    [
        "2\nok\r\n0\r\n\r\n", "2\rok\r\n0\r\n\r\n", "2\r\nok\n0\r\n\r\n", "2\r\nok0\r\n\r\n", "2\r\nokk\r\n0\r\n\r\n", "2;\nok\r\n0\r\n\r\n", "2;a\nok\r\n0\r\n\r\n", "2;\0\r\nok\r\n0\r\n\r\n", "2;a=\"\r\nok\r\n0\r\n\r\n", "2 \r\nok\r\n0\r\n\r\n", " 2\r\nok\r\n0\r\n\r\n", "+2\r\nok\r\n0\r\n\r\n", "-2\r\nok\r\n", "0x2\r\nok\r\n0\r\n\r\n", "\r\n", "x\r\n",
        "10000000000000002\r\nok\r\n0\r\n\r\n", "ffffffffffffffff\r\nok\r\n", "00000000000000002\r\nok\r\n0\r\n\r\n", "2;" + "eeeeeeee" + "=\x01\r\nok\r\n0\r\n\r\n",
        "2\r\nok\r\n0\n\r\n", "2\r\nok\r\n0\r\nX: 1\n\r\n", "2\r\nok\r\n0\r\nX : 1\r\n\r\n", "2\r\nok\r\n0\r\n X: 1\r\n\r\n", "2\r\nok\r\n0\r\nX: \0\r\n\r\n", "2\r\nok\r\n0\r\n\n",
        "2\r\nok\r\n0\r\nContent-Length: 5\r\n\r\n", "2\r\nok\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", "2\r\nok\r\n0\r\nConnection: close\r\n\r\n", "2\r\nok\r\n0\r\nContent-Encoding: gzip\r\n\r\n", "2\r\nok\r\nHTTP/1.1 200 OK\r\n\r\n",
    ];

    private static IEnumerable<TestCaseData> Broken() => Cases([.. s_chunks, "2;" + new string('e', 5000) + "\r\nok\r\n0\r\n\r\n", "2\r\nok\r\n0\r\nX: " + new string('x', 9000) + "\r\n\r\n"]);

    [TestCaseSource(nameof(Broken))]
    public async Task Malformed_content_is_cut_off(string body)
    {
        foreach ((int pieceBytes, string version) in new[] { (int.MaxValue, "1.1"), (body.Length < 1000 ? 1 : 1000, "1.1"), (int.MaxValue, "1.0") })
        {
            int before = await BeginAsync(Ok + Chunked + "\r\n" + body, pieceBytes);
            using RawClient client = _relay.Connect();
            client.Send($"GET /bad HTTP/{version}\r\nHost: h\r\n\r\n");
            PeerEnd end = client.ReadToEnd(out byte[] received);
            string text = Encoding.Latin1.GetString(received);
            // A last chunk, or for HTTP/1.0 a FIN, would say that this was all.
            Assert.That(text, Does.Not.EndWith("0\r\n\r\n"));
            if (version == "1.0") Assert.That(end, Is.EqualTo(PeerEnd.Reset));
            await IsNotUsedAgainAsync(null, before);
        }
    }

    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n0\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n0\r\nX: 1\r\n")]
    public async Task Content_that_ends_early_is_cut_off(string wire)
    {
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadRequest();
            peer.Send(wire).Close();
        });
        foreach (string version in new[] { "1.1", "1.0" })
        {
            using RawClient client = relay.Connect();
            client.Send($"GET / HTTP/{version}\r\nHost: h\r\n\r\n");
            PeerEnd end = client.ReadToEnd(out byte[] received);
            string text = Encoding.Latin1.GetString(received);
            text = text[(text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
            if (version == "1.1" || wire.Contains("Content-Length", StringComparison.Ordinal)) Assert.That(text, Does.Not.EndWith("0\r\n\r\n"));
            else Assert.That(end, Is.EqualTo(PeerEnd.Reset));
            await Until.TrueAsync(() => relay.Pool.OpenCount == 0);
        }
    }

    // ---- more than the content: the client gets its response, and nobody the rest

    private const string Evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";

    [TestCase("GET", Ok + Length + "\r\nok", Evil)]
    [TestCase("GET", Ok + Length + "\r\nok", "\r\n")]
    [TestCase("GET", Ok + Length + "\r\nok", "\0")]
    [TestCase("GET", Ok + Chunked + "\r\n2\r\nok\r\n0\r\n\r\n", Evil)]
    [TestCase("GET", "HTTP/1.1 204 No Content\r\n\r\n", Evil)]
    [TestCase("GET", "HTTP/1.1 304 Not Modified\r\n" + Length + "\r\n", "ok")]
    [TestCase("HEAD", Ok + Length + "\r\n", "ok")]
    [TestCase("HEAD", Ok + Chunked + "\r\n", "2\r\nok\r\n0\r\n\r\n")]
    public async Task Surplus_bytes_reach_nobody(string method, string answer, string surplus)
    {
        using SemaphoreSlim later = new(0), sent = new(0);
        bool isLater = false;
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadRequest();
            peer.Send(answer + (isLater ? "" : surplus));
            // A response before its request: with the connection idle.
            later.Wait(Until.Deadline);
            if (isLater) peer.Send(surplus);
            sent.Release();
            peer.ReadRequest();
            peer.Send(Evil);
        }, time: new ManualTimeProvider());
        foreach (bool comesLater in new[] { false, true })
        {
            isLater = comesLater;
            using RawClient client = relay.Connect();
            for (int i = 0; i < 4; i++)
            {
                RawResponse response = client.Exchange($"{method} / HTTP/1.1\r\nHost: h\r\n\r\n", isHead: method == "HEAD");
                Assert.That(response.Head, Does.StartWith(answer[..(answer.IndexOf('\r', StringComparison.Ordinal) + 2)]));
                Assert.That(response.Text, Is.EqualTo(method == "GET" && response.Status == 200 ? "ok" : ""));
                later.Release();
                Assert.That(await sent.WaitAsync(Until.Deadline));
            }
            Assert.That(client.IsQuiet);
        }
        Assert.That(relay.Origin.Connections, Is.EqualTo(8), "each is the connection's last");
        Assert.That(relay.Results, Is.All.EqualTo(RelayResult.Complete));
    }

    // ---- informational responses

    [Test]
    public async Task Informational_responses_lose_what_ends_at_this_hop()
    {
        int before = await BeginAsync("HTTP/1.0 103 Early Hints\r\nLink: </a>\r\nConnection: X\r\nX: 1\r\nKeep-Alive: 1\r\n\r\nHTTP/1.7 199\r\n\r\nHTTP/1.7 200\r\n" + Length + "\r\nok", int.MaxValue);
        using RawClient client = _relay.Connect();
        client.Send("GET /bad HTTP/1.1\r\nHost: h\r\n\r\n");
        Assert.That(client.ReadHead(), Is.EqualTo("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"));
        Assert.That(client.ReadHead(), Is.EqualTo("HTTP/1.1 199 \r\n\r\n"), "a status-line has both spaces");
        RawResponse response = client.Read();
        Assert.That((response.Head, response.Text), Is.EqualTo(("HTTP/1.1 200 \r\n" + Length + "\r\n", "ok")));
        Assert.That(_relay.Origin.Connections, Is.EqualTo(before));
    }

    [TestCase(100, true)]
    [TestCase(101, false)]
    public async Task Informational_responses_are_bounded(int count, bool isTaken)
    {
        int before = await BeginAsync(string.Concat(Enumerable.Repeat("HTTP/1.1 102 Processing\r\n\r\n", count)) + Ok + Length + "\r\nok", int.MaxValue);
        using RawClient client = _relay.Connect();
        client.Send("GET /bad HTTP/1.1\r\nHost: h\r\n\r\n");
        for (int i = 0; i < 100; i++) Assert.That(client.ReadHead(), Is.EqualTo("HTTP/1.1 102 Processing\r\n\r\n"));
        RawResponse response = client.Read();
        Assert.That(response.Status, Is.EqualTo(isTaken ? 200 : 502));
        if (!isTaken) await IsNotUsedAgainAsync(client, before);
    }

    // ---- switching protocols (RFC 9110 §7.8)

    [TestCase("Connection: Upgrade\r\nUpgrade: h2c\r\n", "")]
    [TestCase("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n", "")]
    [TestCase("Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n", "")]
    [TestCase("Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n", "")]
    [TestCase("Connection: Upgrade\r\nUpgrade: TLS/1.0\r\nX: 1\r\n", "X: 1\r\n")]
    [TestCase("Upgrade: websocket\r\n", "")]
    [TestCase("Connection: Upgrade\r\nUpgrade: WebSocket\r\nX: 1\r\n", "Connection: Upgrade\r\nUpgrade: WebSocket\r\nX: 1\r\n")]
    public async Task Nothing_but_a_WebSocket_is_asked_for(string lines, string passed)
    {
        await using RelayFixture relay = new(static peer =>
        {
            while (true)
            {
                peer.ReadRequest();
                peer.Send(Ok + Length + "\r\nok");
            }
        });
        using RawClient client = relay.Connect();
        Assert.That(client.Exchange($"GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n").Text, Is.EqualTo("ok"));
        Assert.That(relay.Origin.Peer(0).Received.ToString(), Is.EqualTo($"GET / HTTP/1.1\r\nHost: origin.test\r\n{passed}Authorization: Bearer key\r\n\r\n"));
        // An HTTP/1.0 client's is ignored.
        using RawClient old = relay.Connect();
        Assert.That(old.Exchange($"GET / HTTP/1.0\r\n{lines}\r\n").Text, Is.EqualTo("ok"));
        Assert.That(string.Concat(Enumerable.Range(0, relay.Origin.Connections).Select(i => relay.Origin.Peer(i).Received.ToString())).Split("Upgrade: "), Has.Length.EqualTo(passed.Contains("Upgrade", StringComparison.Ordinal) ? 2 : 1));
    }

    [TestCase("")]
    [TestCase("Connection: Upgrade\r\n")]
    [TestCase("Upgrade: websocket\r\n")]
    [TestCase("Connection: Upgrade\r\nUpgrade: h2c\r\n")]
    [TestCase("Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n")]
    [TestCase("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n")]
    [TestCase("Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n")]
    public async Task A_switch_to_anything_else_is_502(string lines)
    {
        int before = await BeginAsync(Switch + lines + "\r\n", int.MaxValue);
        using RawClient client = _relay.Connect();
        RawResponse response = client.Exchange("GET /bad HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        Assert.That((response.Status, response.Text), Is.EqualTo((502, nameof(RelayResult.MalformedResponse))));
        await IsNotUsedAgainAsync(null, before);
    }

    private static IEnumerable<TestCaseData> Cases(string[] wires) =>
        wires.Select(static (wire, i) => new TestCaseData(wire).SetArgDisplayNames(string.Create(CultureInfo.InvariantCulture, $"{i} {Segmented.Show(Segmented.Bytes(wire), 100)}")));

    /// <summary>One pooled connection, which has served before; the number of connections so far.</summary>
    private async Task<int> BeginAsync(string answer, int pieceBytes)
    {
        _answer = Segmented.Bytes(answer);
        _pieceBytes = pieceBytes;
        using RawClient client = _relay.Connect();
        Assert.That(client.Exchange("GET /good HTTP/1.1\r\nHost: h\r\n\r\n").Text, Is.EqualTo("good"));
        await Until.TrueAsync(() => _relay.Pool.OpenCount == 1 && _relay.Pool.IdleCount == 1);
        return _relay.Origin.Connections;
    }

    private async Task IsNotUsedAgainAsync(RawClient? client, int before)
    {
        await Until.TrueAsync(() => _relay.Pool.OpenCount == 0);
        using RawClient next = _relay.Connect();
        Assert.That((client ?? next).Exchange("GET /good HTTP/1.1\r\nHost: h\r\n\r\n").Text, Is.EqualTo("good"));
        Assert.That(_relay.Origin.Connections, Is.EqualTo(before + 1));
    }
}

using Turbo.Tests.Support;

namespace Turbo.Tests.Net;

/// <summary>However the network cuts a request, the bytes that come back are the same.</summary>
[TestFixture]
internal sealed class CutTests
{
    private const string Get = "GET /plaintext HTTP/1.1\r\nHost: h\r\n\r\n";
    private const string Hello = "200 OK Hello, World!";

    /// <summary>A conversation, and the status-lines (less version) and contents that answer it; "close" where the server closes.</summary>
    private static readonly (string Wire, string[] Answers)[] s_shapes =
    [
        (Get, [Hello]),
        (Get + Get + Get, [Hello, Hello, Hello]),
        ("\r\n\r\n" + Get + "\r\n" + Get, [Hello, Hello]),
        ("\r\n\r\n\r\n" + Get, ["400 Bad Request malformed request line", "close"]),
        ("GET http://h/plaintext?x HTTP/1.1\r\nHost: h\r\n\r\n", [Hello]),
        ("HEAD /plaintext HTTP/1.1\r\nHost: h\r\n\r\n" + Get, ["200 OK ", Hello]),
        ("GET /empty HTTP/1.1\r\nHost: h\r\n\r\n" + Get, ["204 No Content ", Hello]),
        ("GET /chunked HTTP/1.1\r\nHost: h\r\n\r\n" + Get, [Hello, Hello]),
        ("GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n" + Get, ["404 Not Found not found", Hello]),
        ("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n" + Get, ["405 Method Not Allowed method not allowed", Hello]),
        ("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n" + Get, ["204 No Content ", Hello]),
        ("GET /plaintext HTTP/1.0\r\n\r\n", [Hello, "close"]),
        ("GET /plaintext HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + Get, [Hello, Hello]),
        ("GET /chunked HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", [Hello, "close"]),
        ("GET /plaintext HTTP/1.1\r\nHost: h\r\nConnection: x, close\r\n\r\n" + Get, [Hello, "close"]),
        ("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\nhello, world" + Get, ["200 OK hello, world", Hello]),
        ("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n" + Get, ["200 OK ", Hello]),
        ("POST /echo HTTP/1.1\r\nHost: h\r\n\r\n" + Get, ["200 OK ", Hello]),
        ("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked \r\n\r\n5;a=\"b\"\r\nhello\r\n7\r\n, world\r\n0\r\nT: u\r\n\r\n" + Get, ["200 OK hello, world", Hello]),
        ("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Get, ["200 OK ", Hello]),
        ("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n" + Get, ["400 Bad Request malformed chunked body", "close"]),
        ("POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\nhello, world" + Get, ["200 OK ignored", Hello]),
        ("POST /ignore HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + Get, ["200 OK ignored", Hello]),
        ("POST /ignore HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhellooo", ["200 OK ignored", "close"]),
        ("POST /ignore HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", ["200 OK ignored", "close"]),
        ("POST /ignore HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", ["200 OK ignored", "close"]),
        (Get + "GET /throw HTTP/1.1\r\nHost: h\r\n\r\n" + Get, [Hello, "500 Internal Server Error internal error", "close"]),
        (Get + "GET / HTTP/1.1\r\nHost : h\r\n\r\n" + Get, [Hello, "400 Bad Request malformed header field", "close"]),
        (Get + "GET / HTTP/1.1\r\n\r\n" + Get, [Hello, "400 Bad Request missing or malformed Host", "close"]),
        ("HEAD / HTTP/9.9\r\n\r\n", ["505 HTTP Version Not Supported ", "close"]),
        ("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n", ["501 Not Implemented CONNECT is not supported", "close"]),
        ("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Get, ["400 Bad Request malformed Transfer-Encoding", "close"]),
        ("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", ["501 Not Implemented transfer coding not supported", "close"]),
        ("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: cake\r\nContent-Length: 5\r\n\r\nhello" + Get, ["417 Expectation Failed expectation not supported", "close"]),
        ("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", ["413 Content Too Large request body too large", "close"]),
    ];

    private NetServer _server = null!;

    [SetUp]
    public void Start() => _server = new NetServer();

    [TearDown]
    public async Task Stop() => await _server.DisposeAsync();

    public static IEnumerable<TestCaseData> Shapes() =>
        s_shapes.Select(static s => new TestCaseData(s.Wire, s.Answers).SetArgDisplayNames(Segmented.Show(Segmented.Bytes(s.Wire), 150)));

    [TestCaseSource(nameof(Shapes))]
    public void In_memory_at_every_offset(string text, string[] answers)
    {
        byte[] wire = Segmented.Bytes(text);
        List<RawResponse> whole = Answer(_server.ConnectInMemory().Send(wire), wire, out bool hasEnded);
        Assert.That(whole.Select(static r => r.StatusLine["HTTP/1.1 ".Length..] + " " + r.Text).Concat(hasEnded ? ["close"] : []), Is.EqualTo(answers));
        string[] expected = [.. whole.Select(static r => r.Undated)];

        for (int at = 1; at < wire.Length; at++) Same(_server.ConnectInMemory().Send(wire.AsSpan(0, at)).Send(wire.AsSpan(at)), $"cut at {at}");
        MemoryClient trickle = _server.ConnectInMemory();
        foreach (byte b in wire) trickle.Send([b]);
        Same(trickle, "byte by byte");

        void Same(MemoryClient client, string how)
        {
            Assert.That(Answer(client, wire, out bool ended).Select(static r => r.Undated), Is.EqualTo(expected), how);
            Assert.That(ended, Is.EqualTo(hasEnded), how);
        }
    }

    [TestCaseSource(nameof(Shapes))]
    public void On_a_socket_at_every_offset(string text, string[] answers)
    {
        byte[] wire = Segmented.Bytes(text);
        for (int at = 0; at < wire.Length; at++)
        {
            using RawClient client = _server.Connect();
            client.SendCut(wire, at);
            List<string> contents = [];
            foreach (string answer in answers)
            {
                if (answer == "close")
                {
                    // RST would be wrong here: it can take the answer away from a client that reads late.
                    client.HalfClose().ExpectFin();
                    contents.Add(answer);
                    break;
                }
                RawResponse response = client.Read(isHead: answer.EndsWith(' ') && text.StartsWith("HEAD", StringComparison.Ordinal));
                contents.Add(response.StatusLine["HTTP/1.1 ".Length..] + " " + response.Text);
            }
            Assert.That(contents, Is.EqualTo(answers), $"cut at {at}");
            Assert.That(client.IsQuiet || answers[^1] == "close", $"cut at {at}: more than the answers");
        }
    }

    /// <summary>Everything the server sent once it can do no more; a client that is done sending has closed its side.</summary>
    private static List<RawResponse> Answer(MemoryClient client, byte[] request, out bool hasEnded)
    {
        string wire = client.TakeText();
        hasEnded = wire.Contains("Connection: close", StringComparison.Ordinal) || client.HasEnded;
        if (hasEnded) client.Fin();
        Assert.That(client.HasEnded, Is.EqualTo(hasEnded), "closed as it said");
        Assert.That(client.IsReset, Is.False);
        Assert.That(client.TakeText(), Is.Empty);
        return RawResponse.Split(wire, request.AsSpan().StartsWith("HEAD"u8));
    }
}

namespace Turbo.Tests.Conformance.Http;

/// <summary>RFC 9112 §6.1: chunked alone, once, on HTTP/1.1, and without Content-Length; everything else is refused and the connection closed.</summary>
[TestFixture]
internal sealed class TransferEncodingTests : HttpTable
{
    private const string Body = "5\r\nhello\r\n0\r\n\r\n";

    private static string Request(string lines, string version = "1.1") => $"POST /body HTTP/{version}\r\nHost: h\r\n{lines}\r\n{Body}";

    [TestCaseSource(nameof(Taken))]
    public void Is_taken(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Taken() => Rows(Seen("hello") + Hello, [.. s_taken.Select(static line => Request(line) + Get)]);

    private static readonly string[] s_taken =
    [
        "Transfer-Encoding: chunked\r\n", "transfer-encoding:chunked\r\n", "TRANSFER-ENCODING: CHUNKED\r\n", "Transfer-Encoding: \t cHuNkEd \t\r\n",
        // TE is the client's for the response
        "Transfer-Encoding: chunked\r\nTE: trailers, deflate\r\n",
    ];

    [TestCaseSource(nameof(Refused))]
    public void Is_refused(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Refused() => Rows(BadRequest("malformed Transfer-Encoding"),
    [
        .. s_refused.Select(static lines => Request(lines)),
        // HTTP/1.0 knows no Transfer-Encoding: what came through an old hop is framed otherwise there, whatever it says of persistence
        Request("Transfer-Encoding: chunked\r\n", "1.0"), Request("Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n", "1.0"), Request("Transfer-Encoding: identity\r\n", "1.0"), Request("Transfer-Encoding: gzip\r\nConnection: keep-alive\r\n", "1.0"),
    ]);

    private static readonly string[] s_refused =
    [
        // beside Content-Length, in any order, whatever either says
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", "Content-Length: 15\r\nX: y\r\ntransfer-encoding: chunked\r\n",
        "Content-Length: x\r\nTransfer-Encoding: chunked\r\n", "Content-Length:\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n", "Transfer-Encoding: identity\r\nContent-Length: 5\r\n", "Transfer-Encoding:\r\nContent-Length: 5\r\n",
        // twice, or among others
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n",
        "Transfer-Encoding: chunked, chunked\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked, gzip\r\n", "Transfer-Encoding: identity, chunked\r\n", "Transfer-Encoding: chunked, identity\r\n", "Transfer-Encoding: gzip, deflate\r\n",
        // nothing, or not a coding's name alone
        "Transfer-Encoding:\r\n", "Transfer-Encoding: \t\r\n", "Transfer-Encoding: ,\r\n", "Transfer-Encoding: chunked,\r\n", "Transfer-Encoding: ,chunked\r\n", "Transfer-Encoding: chunked;\r\n", "Transfer-Encoding: chunked;q=1\r\n", "Transfer-Encoding: chunked ; a=b\r\n",
        "Transfer-Encoding: chunked x\r\n", "Transfer-Encoding: x chunked\r\n", "Transfer-Encoding: chun ked\r\n",
    ];

    [TestCaseSource(nameof(Unknown))]
    public void A_coding_not_spoken_is_501(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Unknown() => Rows(Refusal("501 Not Implemented", "transfer coding not supported"), [.. s_unknown.Select(static coding => Request($"Transfer-Encoding: {coding}\r\n"))]);

    private static readonly string[] s_unknown =
    [
        "gzip", "deflate", "identity", "x", "chunke", "chunkedd", "xchunked", "x-chunked", "\"chunked\"", "'chunked'", "chunked\xa0", "\u00a0chunked", "\u0085chunked", "chun\xadked", "chunked\x80", "c\xc5\xbfhunked", "chunKed\xe2\x84\xaa", "chunked\"", "[chunked]", "=chunked",
    ];
}

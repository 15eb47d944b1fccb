using System.Text;
using Turbo.Net;

namespace Turbo.Tests.Conformance.Http;

/// <summary>RFC 9112 §7.1.2, RFC 9110 §6.5: field lines after the last chunk, as strict as those of the header section.</summary>
[TestFixture]
internal sealed class TrailerTests : HttpTable
{
    private const string Head = "POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";

    private static string Request(string trailers) => $"{Head}0\r\n{trailers}\r\n";

    [TestCaseSource(nameof(Taken))]
    public void Is_taken(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Taken() => Rows(
        (Request("") + Get, Seen("hello") + Hello),
        (Request("Sum: 7\r\n") + Get, Seen("hello|Sum: 7\r\n") + Hello),
        (Request("a:\r\nA: \t b \r\nX-A: \x80\r\n") + Get, Seen("hello|a:\r\n|A: \t b \r\n|X-A: \x80\r\n") + Hello));

    [TestCaseSource(nameof(Malformed))]
    public void Is_refused(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Malformed() => Rows(BadRequest("malformed header field"),
        [.. ((string[])[" A: b\r\n", "A: b\r\n c\r\n", "A : b\r\n", "A\r\n", ": b\r\n", "A b: c\r\n", "A: b\0\r\n", "A: \x01\r\n", "A: b\x7f\r\n", "\0\r\n", "A(: b\r\n", "GET / HTTP/1.1\r\n"]).Select(static lines => Request(lines))]);

    [TestCaseSource(nameof(Ends))]
    public void Ends_in_CRLF_alone(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Ends() => Rows(BadRequest("malformed line end"),
        [.. ((string[])["A: b\n", "\n", "A: b\r\n\n", "A: b\rC: d\r\n", "A: b\r\r\n", "\r\r\n", "A\n", "A: b\n\n"]).Select(static lines => Request(lines))]);

    // RFC 9110 §6.5.1: a recipient that merged these would frame, route, admit or read the message anew.
    [TestCaseSource(nameof(Forbidden))]
    public void Framing_routing_and_credentials_are_refused(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Forbidden() => Rows(BadRequest("field not allowed in a trailer section"),
        [.. ((string[])[
            "Content-Length: 5", "Content-Length: 0", "transfer-encoding: chunked", "Transfer-Encoding:", "Host: h", "HOST: i", "Connection: close", "Keep-Alive: timeout=5", "Proxy-Connection: close", "TE: trailers", "Trailer: Sum", "Upgrade: h2c",
            "Expect: 100-continue", "Authorization: Bearer x", "Cookie: sess=x", "Content-Type: text/html", "Content-Encoding: gzip",
        ]).Select(static line => Request($"A: b\r\n{line}\r\n"))]);

    [TestCase(0)]
    [TestCase(1)]
    public void The_section_is_bounded(int past)
    {
        string line = "A: " + new string('a', Limits.MaxTrailerBytes - 7 + past) + "\r\n";
        Answers(Request(line), past == 0 ? Seen("hello|" + line) : Refusal("431 Request Header Fields Too Large", "trailer section too large"));
    }

    [TestCase(0)]
    [TestCase(1)]
    public void The_fields_are_bounded(int past)
    {
        StringBuilder lines = new();
        for (int i = 0; i < Limits.MaxHeaderFields + past; i++) lines.Append("A:\r\n");
        Answers(Request(lines.ToString()), past == 0 ? Seen("hello|" + string.Join('|', Enumerable.Repeat("A:\r\n", Limits.MaxHeaderFields))) : Refusal("431 Request Header Fields Too Large", "trailer section too large"));
    }
}

/// <summary>The least bounds: an empty trailer section is there in any case.</summary>
[TestFixture]
internal sealed class NoTrailerTests : HttpTable
{
    private const string Head = "POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n";

    protected override ServerLimits Limits { get; } = new() { MaxTrailerBytes = 0, MaxChunkExtensionBytes = 0 };

    [Test]
    public void None_is_taken() => Answers(Head + "\r\n" + Get, Seen("hello") + Hello);

    [Test]
    public void One_is_refused() => Answers(Head + "A: b\r\n\r\n", Refusal("431 Request Header Fields Too Large", "trailer section too large"));

    [Test]
    public void An_extension_is_refused() => Answers(Head.Replace("5\r\n", "5;a\r\n", StringComparison.Ordinal), BadRequest("chunk extensions too large"));
}

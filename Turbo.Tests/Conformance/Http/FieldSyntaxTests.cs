using System.Text;

namespace Turbo.Tests.Conformance.Http;

/// <summary>RFC 9112 §5, RFC 9110 §5: field-line = field-name ":" OWS field-value OWS; no folding, no other white space.</summary>
[TestFixture]
internal sealed class FieldSyntaxTests : HttpTable
{
    private static string Request(string lines) => $"GET /seen HTTP/1.1\r\nHost: h\r\n{lines}\r\n";

    [TestCaseSource(nameof(Taken))]
    public void Is_taken(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Taken() => Rows([.. s_taken.Select(static row => (Request(row.Lines), Seen("GET 11 path=/seen query= host=h" + row.Seen)))]);

    private static readonly (string Lines, string Seen)[] s_taken =
    [
        ("", ""),
        ("A: b\r\n", " A=b"),
        ("A:b\r\n", " A=b"),
        ("A: \t b \t c\t \r\n", " A=b \t c"),
        ("A:\r\n", " A="),
        ("A: \t \r\n", " A="),
        ("A: b\r\na: c\r\nA: b\r\n", " A=b a=c A=b"),
        ("A: b: c\r\n", " A=b: c"),
        ("A: \"b\\\"\r\n", " A=\"b\\\""),
        // obs-text (RFC 9110 §5.5): bytes, of no encoding
        ("A: \x80\xff\xc3\r\n", " A=\x80\xff\xc3"),
        ("!#$%&'*+-.^_`|~09AZaz: b\r\n", " !#$%&'*+-.^_`|~09AZaz=b"),
        ("Content_Length: 5\r\nTransfer_Encoding: chunked\r\n", " Content_Length=5 Transfer_Encoding=chunked"),
    ];

    [TestCaseSource(nameof(Malformed))]
    public void Is_refused(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Malformed() => Rows(BadRequest("malformed header field"), [.. s_malformed.Select(static lines => Request(lines)), .. s_first.Select(static lines => "GET /seen HTTP/1.1\r\n" + lines + "\r\n")]);

    private static readonly string[] s_malformed =
    [
        // white space before the colon (RFC 9112 §5.1)
        "A : b\r\n", "A\t: b\r\n", "A  : b\r\n", "Content-Length : 5\r\n", "Transfer-Encoding : chunked\r\n", "Transfer-Encoding\v: chunked\r\n", "Transfer-Encoding\xa0: chunked\r\n",
        // obs-fold (§5.2)
        "A: b\r\n c\r\n", "A: b\r\n\tc\r\n", "A:\r\n b\r\n", "A: b\r\n \r\n", "Transfer-Encoding:\r\n chunked\r\n", "A: b\r\n Transfer-Encoding: chunked\r\n",
        // a name that is none
        ": b\r\n", "A\r\n", "A b\r\n", "A b: c\r\n", "(A): b\r\n", "A@b: c\r\n", "\"A\": b\r\n", "A\\: b\r\n", "A/b: c\r\n", "A[: b\r\n", "{A}: b\r\n", "A=b\r\n", "A;b: c\r\n", "A,b: c\r\n", "A?: b\r\n", "\xc4: b\r\n", "A\x7f: b\r\n", "\0: b\r\n", "A\0: b\r\n",
        // CTL within a value
        "A: b\0\r\n", "A: \0b\r\n", "A: b\u0001c\r\n", "A: b\bc\r\n", "A: b\vc\r\n", "A: b\fc\r\n", "A: b\u001bc\r\n", "A: b\u001fc\r\n", "A: b\x7f\r\n", "A:\x0b\r\n", "Content-Length: 5\0\r\n", "Transfer-Encoding: \0chunked\r\n", "Transfer-Encoding: chunked\x0b\r\n",
    ];

    // White space between the request-line and the first field (§2.2)
    private static readonly string[] s_first = [" Host: h\r\n", "\tHost: h\r\n", " \r\nHost: h\r\n", " X\r\nHost: h\r\n"];

    [TestCaseSource(nameof(Ends))]
    public void Ends_in_CRLF_alone(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Ends() => Rows(BadRequest("malformed line end"), [.. s_ends.Select(static lines => Request(lines))]);

    private static readonly string[] s_ends =
    [
        "A: b\n", "A: b\r", "A: b\rc\r\n", "A: b\r\r\n", "A: b\r\0\n", "A: \rb\r\n", "A: \n\r\n", "A\n", "A:\n", "\n", "\r\r\n", "A: b\r\n\n", "A: b\nTransfer-Encoding: chunked\r\n", "A: b\rTransfer-Encoding: chunked\r\n", "A: b\r\n\rC: d\r\n",
    ];

    [TestCaseSource(nameof(Unfinished))]
    public void Is_awaited(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Unfinished() => Rows("", "GET /seen HTTP/1.1\r\nHost: h", "GET /seen HTTP/1.1\r\nHost: h\r", "GET /seen HTTP/1.1\r\nHost: h\r\n", "GET /seen HTTP/1.1\r\nHost: h\r\n\r", "GET /seen HTTP/1.1\r\nHost: h\r\nA", "GET /seen HTTP/1.1\r\nHost: h\r\nA:");

    [TestCase(0)]
    [TestCase(1)]
    public void The_section_is_bounded(int past)
    {
        string start = "GET /plaintext HTTP/1.1\r\nHost: h\r\nA: ";
        Answers(start + new string('a', Limits.MaxHeaderBytes - start.Length - 4 + past) + "\r\n\r\n", past == 0 ? Hello : Refusal("431 Request Header Fields Too Large", "request header section too large"));
    }

    [TestCase(0)]
    [TestCase(1)]
    public void The_fields_are_bounded(int past)
    {
        StringBuilder lines = new("GET /plaintext HTTP/1.1\r\nHost: h\r\n");
        for (int i = 1; i < Limits.MaxHeaderFields + past; i++) lines.Append($"f{i}: x\r\n");
        Answers(lines + "\r\n", past == 0 ? Hello : Refusal("431 Request Header Fields Too Large", "too many header fields"));
    }

    [TestCase(0, 1)]
    [TestCase(1, 1)]
    [TestCase(0, 4)]
    [TestCase(1, 4)]
    public void Connection_options_are_bounded_as_fields_are(int past, int lines)
    {
        int each = Limits.MaxHeaderFields / lines;
        string wire = "GET /plaintext HTTP/1.1\r\nHost: h\r\n";
        for (int i = 0; i < lines; i++) wire += "Connection: " + string.Join(',', Enumerable.Repeat("x", each + (i == 0 ? past : 0))) + "\r\n";
        Answers(wire + "\r\n", past == 0 ? Hello : Refusal("431 Request Header Fields Too Large", "too many header fields"));
    }
}

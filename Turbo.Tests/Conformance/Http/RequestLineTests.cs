namespace Turbo.Tests.Conformance.Http;

/// <summary>RFC 9112 §3: request-line = method SP request-target SP HTTP-version; §2.2: what may stand before it.</summary>
[TestFixture]
internal sealed class RequestLineTests : HttpTable
{
    [TestCaseSource(nameof(Taken))]
    public void Is_taken(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Taken() => Rows(
        ("GET /seen HTTP/1.1\r\nHost: h\r\n\r\n", Seen("GET 11 path=/seen query= host=h")),
        ("DELETE /seen HTTP/1.1\r\nHost: h\r\n\r\n", Seen("DELETE 11 path=/seen query= host=h")),
        // Any token is a method (RFC 9110 §9.1); methods are case-sensitive.
        ("!#$%&'*+-.^_`|~09AZaz /seen HTTP/1.1\r\nHost: h\r\n\r\n", Seen("!#$%&'*+-.^_`|~09AZaz 11 path=/seen query= host=h")),
        ("get /plaintext HTTP/1.1\r\nHost: h\r\n\r\n", Error("405 Method Not Allowed", "method not allowed", "Allow: GET, HEAD\r\n")),
        // A higher minor version is answered as 1.1 (RFC 9110 §6.2).
        ("GET /seen HTTP/1.2\r\nHost: h\r\n\r\n", Seen("GET 11 path=/seen query= host=h")),
        ("GET /seen HTTP/1.9\r\nHost: h\r\n\r\n", Seen("GET 11 path=/seen query= host=h")),
        ("GET /seen HTTP/1.0\r\nHost: h\r\n\r\n", Seen("GET 10 path=/seen query= host=h", isLast: true)),
        // Two empty lines may come first, from a client that ends a body with a line too many.
        ("\r\n" + Get, Hello),
        ("\r\n\r\n" + Get + "\r\n\r\n" + Get, Hello + Hello),
        // Not yet a request.
        ("", ""),
        ("\r\n", ""),
        ("\r\n\r\n", ""),
        ("GET", ""),
        ("GET /seen HTTP/1.1", ""),
        ("GET /seen HTTP/1.1\r", ""));

    [TestCaseSource(nameof(Malformed))]
    public void Is_refused(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Malformed() => Rows(BadRequest("malformed request line"), [.. s_malformed.Select(static line => line + "\r\nHost: h\r\n\r\n"), .. s_ended]);

    private static readonly string[] s_malformed =
    [
        // white space where one SP belongs
        " GET / HTTP/1.1", "\tGET / HTTP/1.1", "GET\t/ HTTP/1.1", "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.1 ", "GET / HTTP/1.1\t", "GET\v/ HTTP/1.1", "GET\xa0/ HTTP/1.1",
        // parts that are missing, or too many
        "GET", "GET ", "GET /", "GET / ", "GET HTTP/1.1", " / HTTP/1.1", "GET / x HTTP/1.1", "GET / HTTP/1.1 x", "GET / HTTP/1.1 HTTP/1.1", "GET # HTTP/1.1", "SSH-2.0-client",
        // a method that is no token
        "G(T / HTTP/1.1", "G@T / HTTP/1.1", "GET: / HTTP/1.1", "\"GET\" / HTTP/1.1", "G\0T / HTTP/1.1", "G\x7fT / HTTP/1.1", "G\xc9T / HTTP/1.1", "\x1bGET / HTTP/1.1", "\xef\xbb\xbfGET / HTTP/1.1",
        // a version of another form
        "GET / HTTP/1", "GET / HTTP/1.", "GET / HTTP/.1", "GET / HTTP/11", "GET / HTTP/1.10", "GET / HTTP/01.1", "GET / HTTP/1.01", "GET / HTTP/1,1", "GET / HTTP/1.x", "GET / HTTP/x.1", "GET / HTTP/+1.1", "GET / HTTP/-1.1",
        "GET / HTTP/ 1.1", "GET / HTTP /1.1", "GET / http/1.1", "GET / Http/1.1", "GET / HTTPS/1.1", "GET / HTTQ/1.1", "GET / HTTP/1.1a", "GET / HTTP/1.1\0", "GET / HTTP/1.1\x7f",
    ];

    private static readonly string[] s_ended =
    [
        // ends of lines before it, or a line too many
        "\n", "\n" + Get, "\r\r\n", "\rGET / HTTP/1.1\r\n\r\n", "\r\n\n" + Get, "\r\n\r\n\r\n" + Get, "\r\n\r\n\r\n\r\n\r\n\r\n",
        "GET /\n", "GET / HTTP\n/1.1\r\n", "GET\n/ HTTP/1.1\r\n", "GET\r\n/ HTTP/1.1\r\n", "GET /\r\nHTTP/1.1\r\n",
        // HTTP/0.9, and a TLS hello on a plain port
        "GET /\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ];

    [TestCaseSource(nameof(Ends))]
    public void Ends_in_CRLF_alone(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Ends() => Rows(BadRequest("malformed line end"),
        "GET / HTTP/1.1\nHost: h\n\n", "GET / HTTP/1.1\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\rHost: h\r\n\r\n", "GET / HTTP/1.1\r\0\nHost: h\r\n\r\n", "GET / HTTP/1.0\n\n");

    [TestCaseSource(nameof(Versions))]
    public void Another_major_version_is_505(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Versions() => Rows(Refusal("505 HTTP Version Not Supported", "HTTP version not supported"),
        "GET / HTTP/0.9\r\n\r\n", "GET / HTTP/0.0\r\n\r\n", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", "GET / HTTP/3.0\r\nHost: h\r\n\r\n", "GET / HTTP/9.9\r\nHost: h\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

    [TestCase(0)]
    [TestCase(1)]
    public void Is_bounded(int past)
    {
        string target = "/seen?" + new string('q', Limits.MaxRequestLineBytes - "GET /seen? HTTP/1.1".Length + past);
        Answers($"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n", past > 0
            ? Refusal("414 URI Too Long", "request line too long")
            : Seen($"GET 11 path=/seen query={target[6..]} host=h"));
    }

    [TestCase("GET /", 'x')]
    [TestCase("", 'G')]
    [TestCase("GET / HTTP/1.1\r\n\r\n", '\0')]
    public void Is_bounded_before_it_ends(string start, char fill)
    {
        if (fill == '\0') Answers(new string('M', Limits.MaxRequestLineBytes) + " " + start, Refusal("414 URI Too Long", "request line too long"));
        else Answers(start + new string(fill, Limits.MaxRequestLineBytes + 2 - start.Length), Refusal("414 URI Too Long", "request line too long"));
    }
}

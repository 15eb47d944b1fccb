namespace Turbo.Tests.Conformance.Http;

/// <summary>RFC 9110 §9.3: HEAD, OPTIONS, TRACE and CONNECT.</summary>
[TestFixture]
internal sealed class MethodTests : HttpTable
{
    private static string Request(string method, string path, string lines = "", string version = "1.1") => $"{method} {path} HTTP/{version}\r\nHost: h\r\n{lines}\r\n";

    private static string Bodiless(string answer) => answer[..(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)];

    /// <summary>The same fields as GET's, and no content after them, whatever they say.</summary>
    [TestCaseSource(nameof(Heads))]
    public void HEAD(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Heads() => Rows(
        (Request("HEAD", "/plaintext") + Get, Bodiless(Hello) + Hello),
        (Request("HEAD", "/plaintext") + Request("HEAD", "/plaintext") + Get, Bodiless(Hello) + Bodiless(Hello) + Hello),
        (Request("HEAD", "/chunked") + Get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + Hello),
        (Request("HEAD", "/empty") + Get, "HTTP/1.1 204 No Content\r\n\r\n" + Hello),
        (Request("HEAD", "/nowhere") + Get, Bodiless(Error("404 Not Found", "not found")) + Hello),
        (Request("HEAD", "/body") + Get, Bodiless(Seen("")) + Hello),
        (Request("HEAD", "/body", "Content-Length: 5\r\n") + "hello" + Get, Bodiless(Seen("hello")) + Hello),
        (Request("HEAD", "/plaintext", "Connection: close\r\n"), Bodiless(LastHello)),
        (Request("HEAD", "/plaintext", version: "1.0"), Bodiless(LastHello)),
        // Refusals of a request that is known to be HEAD
        (Request("HEAD", "/plaintext", "A : b\r\n"), Bodiless(BadRequest("malformed header field"))),
        (Request("HEAD", "/plaintext", "Content-Length: x\r\n"), Bodiless(BadRequest("malformed Content-Length"))),
        (Request("HEAD", "/a#b"), Bodiless(BadRequest("malformed request target"))),
        (Request("HEAD", "/", version: "9.9"), Bodiless(Refusal("505 HTTP Version Not Supported", "HTTP version not supported"))),
        ("HEAD /plaintext HTTP/1.1\r\n\r\n", Bodiless(BadRequest("missing or malformed Host"))),
        ("head /plaintext HTTP/1.1\r\nHost: h\r\n\r\n", Error("405 Method Not Allowed", "method not allowed", "Allow: GET, HEAD\r\n")));

    [TestCaseSource(nameof(Others))]
    public void OPTIONS_TRACE_CONNECT_and_the_rest(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Others() => Rows(
    [
        (Request("OPTIONS", "*") + Get, "HTTP/1.1 204 No Content\r\n\r\n" + Hello),
        (Request("OPTIONS", "*", "Content-Length: 5\r\n") + "hello" + Get, "HTTP/1.1 204 No Content\r\n\r\n" + Hello),
        (Request("OPTIONS", "*", version: "1.0"), "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
        (Request("OPTIONS", "/plaintext") + Get, Error("405 Method Not Allowed", "method not allowed", "Allow: GET, HEAD\r\n") + Hello),
        (Request("options", "*"), BadRequest("malformed request target")),
        (Request("HEAD", "*"), Bodiless(BadRequest("malformed request target"))),
        // Nothing is echoed (a credential of the user's would be among it).
        (Request("TRACE", "/plaintext", "Cookie: secret\r\n") + Get, Error("405 Method Not Allowed", "method not allowed", "Allow: GET, HEAD\r\n") + Hello),
        (Request("TRACE", "/nowhere", "Max-Forwards: 0\r\n") + Get, Error("404 Not Found", "not found") + Hello),
        (Request("TRACE", "*"), BadRequest("malformed request target")),
        (Request("POST", "/plaintext") + Get, Error("405 Method Not Allowed", "method not allowed", "Allow: GET, HEAD\r\n") + Hello),
        (Request("GET", "/ignore") + Get, Error("405 Method Not Allowed", "method not allowed", "Allow: POST\r\n") + Hello),
        (Request("BREW", "/ignore") + Get, Error("405 Method Not Allowed", "method not allowed", "Allow: POST\r\n") + Hello),
        .. s_connects.Select(static target => (Request("CONNECT", target) + "\x16\x03\x01", Refusal("501 Not Implemented", "CONNECT is not supported"))),
        (Request("CONNECT", "h:443", version: "1.0"), Refusal("501 Not Implemented", "CONNECT is not supported")),
        (Request("connect", "h:443"), BadRequest("malformed request target")),
    ]);

    private static readonly string[] s_connects = ["h:443", "h", "[::1]:443", "/", "*", "http://h/"];
}

namespace Turbo.Tests.Conformance.Http;

/// <summary>RFC 9112 §3.2: the forms of a request-target. It is read as it stands: no decoding, no dot segments removed.</summary>
[TestFixture]
internal sealed class RequestTargetTests : HttpTable
{
    private static (string, string) Origin(string target, string path, string query = "") =>
        ($"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n", Seen($"GET 11 path={path} query={query} host=h"));

    private static (string, string) Absolute(string target, string host, string path, string query = "") =>
        ($"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n", Seen($"GET 11 path={path} query={query} host={host}"));

    [TestCaseSource(nameof(Taken))]
    public void Is_taken(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Taken() => Rows(
        Origin("/seen", "/seen"),
        Origin("/seen?", "/seen"),
        Origin("/seen?a=b?c&d", "/seen", "a=b?c&d"),
        Origin("/seen%2F%zz%", "/seen%2F%zz%"),
        Origin("/seen/../x//y;z", "/seen/../x//y;z"),
        // Not a URI's, yet sent by clients; every recipient reads them alike.
        Origin("/seen\"<>\\^`{|}", "/seen\"<>\\^`{|}"),
        Origin("/seen@h:80", "/seen@h:80"),
        Absolute("http://h/seen?x", "h", "/seen", "x"),
        Absolute("HTTP://H/seen", "h", "/seen"),
        Absolute("https://h/seen", "h", "/seen"),
        Absolute("http://h:8080/seen", "H:8080", "/seen"),
        Absolute("http://[::1]:80/seen", "[::1]:80", "/seen"),
        Absolute("http://h%41/seen", "h%41", "/seen"),
        ("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", Error("404 Not Found", "not found")),
        ("GET http://h?x HTTP/1.1\r\nHost: h\r\n\r\n", Error("404 Not Found", "not found")),
        ("GET http://h/seen HTTP/1.0\r\n\r\n", Seen("GET 10 path=/seen query= host=", isLast: true)),
        ("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n" + Get, "HTTP/1.1 204 No Content\r\n\r\n" + Hello));

    [TestCaseSource(nameof(Refused))]
    public void Is_refused(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Refused() => Rows(BadRequest("malformed request target"), [.. s_refused.Select(static target => $"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"),
        "OPTIONS ** HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS *? HTTP/1.1\r\nHost: h\r\n\r\n", "POST * HTTP/1.1\r\nHost: h\r\n\r\n"]);

    private static readonly string[] s_refused =
    [
        // a fragment, which is never sent and which some cut off and some do not
        "/seen#", "/seen#x", "/seen?x#y", "http://h/#x",
        // bytes that are not visible ASCII
        "/\0", "/\x01", "/\t", "/\v", "/\x1f", "/\x7f", "/\x80", "/\xff", "/\xc3\xa4", "/a\tb",
        // no form at all
        "seen", "?x", "h", "h:80", "h/seen", ".", "*", "*seen", "\\seen", "%2Fseen",
        // another scheme, or none
        "ftp://h/", "ws://h/", "http:", "http:/", "http:/h/", "http:h/", "://h/", "file:///x", "javascript:x",
        // an authority that is none
        "http://", "http:///seen", "http://?x", "http://u@h/", "http://u:p@h/", "http://@h/", "http://:80/", "http://h:x/", "http://h:-1/", "http://h:65536/", "http://h:80:80/", "http://[::1/", "http://::1/", "http://[]/",
        "http://[h]/", "http://[1.2.3.4]/", "http://[::1]x/", "http://h%/", "http://h%4/", "http://h%zz/", "http://h\\x/", "http://h\"/", "http://h<>/", "http://h{}/", "http://h|x/", "http://h^/",
    ];
}

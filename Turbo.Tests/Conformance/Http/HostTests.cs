namespace Turbo.Tests.Conformance.Http;

/// <summary>RFC 9110 §7.2, RFC 9112 §3.2: one Host, well-formed, not empty, and that of an absolute-form target.</summary>
[TestFixture]
internal sealed class HostTests : HttpTable
{
    private static (string, string) Takes(string line, string host) => ($"GET /seen HTTP/1.1\r\n{line}\r\n\r\n", Seen($"GET 11 path=/seen query= host={host}"));

    [TestCaseSource(nameof(Taken))]
    public void Is_taken(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Taken() => Rows(
        Takes("Host: h", "h"),
        Takes("hOST:h", "h"),
        Takes("Host: \t h \t", "h"),
        Takes("Host: h:80", "h:80"),
        Takes("Host: h:", "h:"),
        Takes("Host: h:00080", "h:00080"),
        Takes("Host: h:65535", "h:65535"),
        Takes("Host: 127.0.0.1:8080", "127.0.0.1:8080"),
        Takes("Host: [::1]", "[::1]"),
        Takes("Host: [2001:DB8::192.0.2.1]:443", "[2001:DB8::192.0.2.1]:443"),
        Takes("Host: a-b_c.d~e%41", "a-b_c.d~e%41"),
        Takes("Host: !$&'()*+,;=", "!$&'()*+,;="),
        // HTTP/1.0 knew no Host.
        ("GET /seen HTTP/1.0\r\n\r\n", Seen("GET 10 path=/seen query= host=", isLast: true)));

    [TestCaseSource(nameof(Refused))]
    public void Is_refused(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Refused() => Rows(BadRequest("missing or malformed Host"),
    [
        "GET /seen HTTP/1.1\r\n\r\n",
        "GET /seen HTTP/1.1\r\nXHost: h\r\nHos: h\r\n\r\n",
        "GET http://h/seen HTTP/1.1\r\n\r\n",
        .. s_doubled.Select(static lines => $"GET /seen HTTP/1.1\r\n{lines}\r\n"),
        .. s_doubled.Select(static lines => $"GET /seen HTTP/1.0\r\n{lines}\r\n"),
        .. s_refused.Select(static host => $"GET /seen HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        // 1.0 need not send one; what it sends is judged all the same.
        "GET /seen HTTP/1.0\r\nHost: u@h\r\n\r\n", "GET /seen HTTP/1.0\r\nHost:\r\n\r\n",
        .. s_disagreeing.Select(static pair => $"GET http://{pair.Target}/seen HTTP/1.1\r\nHost: {pair.Host}\r\n\r\n"),
    ]);

    private static readonly string[] s_doubled = ["Host: h\r\nHost: h\r\n", "Host: h\r\nhost: i\r\n", "Host: h\r\nX: y\r\nHOST: h\r\n", "Host:\r\nHost: h\r\n", "Host: h\r\nHost:\r\n"];

    private static readonly string[] s_refused =
    [
        "", " ", "\t", "u@h", "u:p@h", "@h", "h@", "h h", "h, i", "h\ti", "h/", "h/x", "h?x", "h#x", "h\\x", "http://h", "h:x", "h:-1", "h:+80", "h:8 0", "h: 80", "h:0x50", "h:80:80", "h:65536", "h:99999999999999999999",
        ":80", ":", "::1", "[::1", "::1]", "[]", "[:]", "[:::]", "[::1]x", "[::1]:x", "[::1]:65536", "[1.2.3.4]", "[h]", "[v1.x]", "[fe80::1%25eth0]", "[::1 ]", "[12345::]", "[1::2::3]", "%", "h%", "h%4", "h%zz", "%%%",
        "\"h\"", "<h>", "h^", "h`", "h{", "h|", "h}", "h\x80", "\xc3\xa4", "h\xff",
    ];

    private static readonly (string Target, string Host)[] s_disagreeing = [("h", "i"), ("h", "h:80"), ("h:80", "h"), ("h:80", "h:080"), ("h", "h."), ("[::1]", "[0::1]"), ("h%41", "hA")];
}

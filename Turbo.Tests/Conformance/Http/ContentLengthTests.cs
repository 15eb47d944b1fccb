namespace Turbo.Tests.Conformance.Http;

/// <summary>RFC 9110 §8.6, RFC 9112 §6.2: Content-Length = 1*DIGIT, once.</summary>
[TestFixture]
internal sealed class ContentLengthTests : HttpTable
{
    private static (string, string) Takes(string lines, string body, string method = "POST") =>
        ($"{method} /body HTTP/1.1\r\nHost: h\r\n{lines}\r\n{body}" + Get, Seen(body) + Hello);

    [TestCaseSource(nameof(Taken))]
    public void Is_taken(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Taken() => Rows(
        Takes("", ""),
        Takes("Content-Length: 0\r\n", ""),
        Takes("Content-Length: 00\r\n", ""),
        Takes("content-LENGTH:5\r\n", "hello"),
        Takes("Content-Length: \t5 \t\r\n", "hello"),
        Takes("Content-Length: 0005\r\n", "hello"),
        Takes("Content-Length: 000000000000000005\r\n", "hello"),
        Takes("Content-Length: 4\r\n", "\r\n\r\n"),
        Takes($"Content-Length: {Get.Length}\r\n", Get),
        // Content has no meaning for these methods, and its bytes are still content (RFC 9110 §9.3.1).
        Takes("Content-Length: 5\r\n", "hello", "GET"),
        Takes("Content-Length: 5\r\n", "hello", "DELETE"),
        Takes("Content-Length: 5\r\n", "hello", "OPTIONS"),
        // What is short is waited for.
        ("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhell", ""),
        ("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", ""),
        ("POST /body HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", Seen("hello", isLast: true)));

    [TestCaseSource(nameof(Refused))]
    public void Is_refused(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Refused() => Rows(BadRequest("malformed Content-Length"),
    [
        .. s_refused.Select(static value => $"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: {value}\r\n\r\nhello"),
        .. s_refused.Select(static value => $"GET /plaintext HTTP/1.0\r\nContent-Length: {value}\r\n\r\nhello"),
        .. s_doubled.Select(static lines => $"POST /body HTTP/1.1\r\nHost: h\r\n{lines}\r\nhello"),
    ]);

    private static readonly string[] s_refused =
    [
        "", " ", "+5", "-5", "-0", "+0", "- 5", "5 5", "5\t5", "5,", ",5", "5,5", "5, 5", "5, 6", "5;", "5;q=1", "0x5", "0X5", "x5", "5x", "5h", "5.", "5.0", ".5", "5e0", "1e1", "1_0", "1'0", "\"5\"", "'5'", "(5)", "5 hello",
        "\xb2", "\u00b25", "\xd9\xa5", "5\x80", "five", "NaN", "null", "auto", "*",
        // past 2^63, past 2^64, and 5 modulo either
        "9223372036854775808", "18446744073709551616", "18446744073709551621", "9223372036854775813", "99999999999999999999", "0000000000000000005", "340282366920938463463374607431768211461",
    ];

    private static readonly string[] s_doubled =
    [
        "Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 5\r\ncontent-length: 0\r\n", "Content-Length: 0\r\nX: y\r\nContent-Length: 5\r\n", "Content-Length: 5\r\nContent-Length:\r\n", "Content-Length:\r\nContent-Length: 5\r\n",
    ];

    [Test]
    public void Beyond_the_limit_is_413_before_a_byte_of_it([Values("16777217", "999999999999999999")] string length) =>
        Answers($"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n", Refusal("413 Content Too Large", "request body too large"));
}

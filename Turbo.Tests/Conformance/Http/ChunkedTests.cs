using System.Text;

namespace Turbo.Tests.Conformance.Http;

/// <summary>RFC 9112 §7.1: chunk-size, chunk-ext, chunk-data, last-chunk, each line ended by CRLF.</summary>
[TestFixture]
internal sealed class ChunkedTests : HttpTable
{
    private const string Head = "POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

    [TestCaseSource(nameof(Taken))]
    public void Is_taken(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Taken() => Rows([.. s_taken.Select(static row => (Head + row.Body + Get, Seen(row.Content) + Hello)), .. s_unfinished.Select(static body => (Head + body, ""))]);

    private static readonly (string Body, string Content)[] s_taken =
    [
        ("0\r\n\r\n", ""),
        ("0000000000000000\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("1\r\nh\r\n2\r\nel\r\n2\r\nlo\r\n0\r\n\r\n", "hello"),
        ("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
        ("0000000000000005\r\nhello\r\n000\r\n\r\n", "hello"),
        ("9\r\n\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n0\r\n\r\n\r\n"),
        // chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
        ("5;a\r\nhello\r\n0;b=c\r\n\r\n", "hello"),
        ("5;a=b;c=d;e\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5 ;\ta = b\t;\tc\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5;a=\"\"\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5;a=\"b;\\\"c\\\\ =\t,\x80\xff\"\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5;0x=5;!#$%&'*+-.^_`|~=1\r\nhello\r\n0\r\n\r\n", "hello"),
    ];

    private static readonly string[] s_unfinished = ["", "5", "5\r", "5;", "5;a=\"", "5;a=\"\\", "5 ", "5\r\n", "5\r\nhell", "5\r\nhello", "5\r\nhello\r", "5\r\nhello\r\n", "0", "0\r\n", "0\r\n\r", "0\r\nA", "0\r\nA: b\r\n", "fffffffffffffff\r\nhello"];

    [TestCaseSource(nameof(Refused))]
    public void Is_refused(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Refused() => Rows(BadRequest("malformed chunked body"), [.. s_refused.Select(static body => Head + body)]);

    private static readonly string[] s_refused =
    [
        // no size
        "\r\n", "\n", "\r\nhello", " \r\n", ";a\r\n", "g\r\n", "\r\n5\r\nhello\r\n0\r\n\r\n", "\0\r\n", "\x80\r\n",
        // signs, prefixes, suffixes
        "+5\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n", "-0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "0X5\r\n", "x5\r\n", "5h\r\nhello\r\n", "5.\r\n", "5,5\r\nhello\r\n", "\"5\"\r\n", "5_\r\n", "5\0\r\nhello\r\n", "5\x80\r\n", "\xd9\xa5\r\n",
        // white space that belongs to no extension
        " 5\r\nhello\r\n0\r\n\r\n", "\t5\r\nhello\r\n", "5 \r\nhello\r\n0\r\n\r\n", "5\t\r\nhello\r\n", "5 5\r\nhello\r\n", "5\vhello\r\n", "5\xa0\r\n", "0 \r\n\r\n",
        // sizes that do not fit, and 5 modulo 2^32 and 2^64; more zeros before the digits than a size may have
        "1000000000000000\r\n", "7fffffffffffffff\r\n", "8000000000000000\r\n", "ffffffffffffffff\r\n", "fffffffffffffffb\r\n", "10000000000000005\r\nhello\r\n", "100000000000000005\r\nhello\r\n", "00000000000000005\r\nhello\r\n", "00000000000000000\r\n\r\n", new string('0', 5000),
        // line ends of the size
        "5\nhello\r\n0\r\n\r\n", "5\rhello\r\n", "5\r\r\nhello\r\n", "5\n\nhello\r\n", "0\n\r\n", "0\r\r\n\r\n", "5\r\0\nhello\r\n",
        // line ends within extensions: what another parser skips as one, it then reads as a chunk
        "5;a\nhello\r\n0\r\n\r\n", "5;\nhello\r\n", "5;\n5\r\nhello\r\n0\r\n\r\n", "5;a\rb\r\nhello\r\n", "5;a\r\r\nhello\r\n", "5;a=\"\n\"\r\nhello\r\n", "5;a=\"\r\n\"\r\nhello\r\n", "5;a=\"\r\"\r\nhello\r\n", "0;\n\r\n", "0;a\n\r\n", "5;\r\0\n",
        // extensions that are none
        "5;\r\nhello\r\n", "5;;a\r\nhello\r\n", "5;a;\r\nhello\r\n", "5;a \r\nhello\r\n", "5; \r\nhello\r\n", "5;=b\r\nhello\r\n", "5;a=\r\nhello\r\n", "5;a==b\r\nhello\r\n", "5;a b\r\nhello\r\n", "5;a=b c\r\nhello\r\n", "5;a,b\r\nhello\r\n", "5;(a)\r\nhello\r\n", "5;a=(b)\r\nhello\r\n", "5;a:b\r\nhello\r\n",
        "5a;\0\r\n", "5;\0\r\nhello\r\n", "5;a\0\r\nhello\r\n", "5;a=b\0\r\nhello\r\n", "5;a=\"\0\"\r\nhello\r\n", "5;a=\"\x01\"\r\nhello\r\n", "5;a=\"\x7f\"\r\nhello\r\n", "5;a=\"\\\0\"\r\nhello\r\n", "5;\x80=b\r\nhello\r\n", "5;a=\x80\r\nhello\r\n", "5;a\x7f\r\nhello\r\n",
        "5;a=\"b\r\nhello\r\n", "5;a=\"b\\\r\nhello\r\n", "5;a=\"b\\\"\r\nhello\r\n", "5;a=\"b\"c\r\nhello\r\n", "5;a=\"b\" c\r\nhello\r\n", "5;\"a\"\r\nhello\r\n", "5;a='b c'\r\nhello\r\n", "5\"a\"\r\nhello\r\n", "5=a\r\nhello\r\n",
        // data that ends elsewhere
        "5\r\nhello0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r0\r\n\r\n", "5\r\nhelloo\r\n0\r\n\r\n", "5\r\nhello\r\r\n0\r\n\r\n", "5\r\nhello\0\n0\r\n\r\n", "4\r\nhello\r\n0\r\n\r\n", "5\r\nhello\n\r\n0\r\n\r\n", "5\r\nhello \r\n0\r\n\r\n", "6\r\nhello\r\n0\r\n\r\n",
    ];

    [TestCase(0)]
    [TestCase(1)]
    public void Extensions_are_bounded_in_one_chunk(int past)
    {
        string extension = ";" + new string('e', Limits.MaxChunkExtensionBytes - 1 + past);
        Answers($"{Head}5{extension}\r\nhello\r\n0\r\n\r\n", past == 0 ? Seen("hello") : BadRequest("chunk extensions too large"));
    }

    [TestCase(0)]
    [TestCase(1)]
    public void Extensions_are_bounded_in_all_chunks_together(int past)
    {
        StringBuilder wire = new(Head);
        int chunks = Limits.MaxChunkExtensionBytes / 4;
        for (int i = 0; i < chunks; i++) wire.Append("1;abc\r\nx\r\n");
        wire.Append(past == 0 ? "0\r\n\r\n" : "0;a\r\n\r\n");
        Answers(wire.ToString(), past == 0 ? Seen(new string('x', chunks)) : BadRequest("chunk extensions too large"));
    }

    [Test]
    public void An_extension_is_not_awaited_for_ever() =>
        Answers($"{Head}5;{new string('e', Limits.MaxChunkExtensionBytes + 20)}", BadRequest("chunk extensions too large"));

    [Test]
    public void Content_is_bounded()
    {
        string wire = Head + "fffff0\r\n" + new string('x', 0xfffff0) + "\r\n";
        Talks(wire, "", "10\r\n" + new string('x', 16) + "\r\n1\r\nx\r\n0\r\n\r\n", Refusal("413 Content Too Large", "request body too large"));
    }
}

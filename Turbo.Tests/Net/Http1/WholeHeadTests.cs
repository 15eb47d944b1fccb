using System.Text;
using Turbo.Net;
using Turbo.Net.Http1;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Http1;

/// <summary>The parser for a whole head finds what the one that goes line by line finds, or leaves it to that.</summary>
[TestFixture]
internal sealed class WholeHeadTests
{
    private static readonly ServerLimits s_limits = new() { MaxRequestLineBytes = 64, MaxHeaderFields = 6 };

    // Lines that end in every place of a block of 64 bytes, and lines longer than one.
    private static IEnumerable<byte[]> Heads()
    {
        for (int pad = 0; pad < 64; pad++)
            yield return Segmented.Bytes($"GET /{new string('p', pad % 50)}?q=1 HTTP/1.1\r\nHost: h:80\r\nX-{new string('n', pad)}:\t a, b \r\nConnection: close, te\r\nContent-Length: 12\r\n\r\nGET / HTTP/1.1\r\n");
        yield return Segmented.Bytes("POST /a HTTP/1.1\r\n\r\n" + new string('x', 80));
        yield return Segmented.Bytes($"POST /a HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {new string('v', 200)}\r\nCookie: a=b\r\ncookie: c\r\nX: \r\nY:\t\r\n\r\n");
        yield return Segmented.Bytes("GET http://h:80/a HTTP/1.1\r\nhOST: h:80\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n\r\n");
        yield return Segmented.Bytes("GET / HTTP/1.1\r\nHost: h\r\nConnection: a,b,c,d\r\nConnection: e,f\r\nConnection: g,h,i,j,k,l\r\n\r\n");
        yield return Segmented.Bytes("GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\nF: 6\r\nG: 7\r\n\r\n");
    }

    [Test]
    public void Every_head_with_any_byte_in_any_place()
    {
        Random random = new(20261129);
        foreach (byte[] head in Heads())
        {
            Compare(head);
            byte[] changed = [.. head];
            for (int at = 0; at < head.Length; at++)
            {
                foreach (byte other in "\r\n\0\t :,#?%-"u8) Try(other);
                for (int i = 0; i < 4; i++) Try((byte)random.Next(256));
                changed[at] = head[at];

                void Try(byte other)
                {
                    changed[at] = other;
                    Compare(changed);
                }
            }
        }
    }

    [Test]
    public void Every_head_that_is_not_all_there()
    {
        foreach (byte[] head in Heads())
        {
            for (int length = 0; length < head.Length; length++) Compare(head.AsSpan(0, length).ToArray());
        }
    }

    [Test]
    public void Scan_finds_every_byte_that_ends_a_name_or_a_value()
    {
        if (!HeadScan.IsSupported) Assert.Ignore("not on this processor");
        const string Token = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        for (int length = HeadScan.BlockBytes; length < 200; length += 17)
        {
            byte[] plain = new byte[length];
            Array.Fill(plain, (byte)'a');
            HeadScan none = new(plain);
            Assert.That((none.NotToken(0), none.NotValue(length - 1), none.NotToken(length)), Is.EqualTo((-1, -1, -1)));
            for (int at = 0; at < length; at++)
            {
                for (int b = 0; b < 256; b++)
                {
                    plain[at] = (byte)b;
                    HeadScan scan = new(plain);
                    int notToken = Token.Contains((char)b, StringComparison.Ordinal) ? -1 : at;
                    int notValue = b is (< 0x20 and not '\t') or 0x7F ? at : -1;
                    // From the start, from the place itself, and from behind it.
                    if (scan.NotToken(0) != notToken || scan.NotValue(0) != notValue || scan.NotToken(at) != notToken || scan.NotValue(at) != notValue
                        || scan.NotToken(at + 1) != -1 || scan.NotValue(at + 1) != -1)
                        Assert.Fail($"0x{b:X2} at {at} of {length}");
                }
                plain[at] = (byte)'a';
            }
        }
    }

    private static void Compare(byte[] wire)
    {
        RequestHead whole = new(), byLine = new();
        ParseStatus status = Http1Parser.ReadRequestHead(wire, whole, s_limits, out int consumed);
        ParseStatus expected = Http1Parser.ReadByLine(wire, byLine, s_limits, out int expectedConsumed);
        if (status == ParseStatus.Complete) whole.Take(wire.AsSpan(0, consumed));
        if (expected == ParseStatus.Complete) byLine.Take(wire.AsSpan(0, expectedConsumed));
        string found = Describe(status, consumed, whole), due = Describe(expected, expectedConsumed, byLine);
        if (found != due) Assert.Fail($"{Segmented.Show(wire)}\n{found}\n{due}");
    }

    private static string Describe(ParseStatus status, int consumed, RequestHead head)
    {
        StringBuilder text = new($"{status} {consumed} {head.Reject} {head.Version} {head.Method} {head.StartLineParsed} {head.ParsedTo}");
        if (status != ParseStatus.Complete) return text.ToString();
        text.Append(' ').Append(head.Form).Append(' ').Append(Text(head.MethodName)).Append(' ').Append(Text(head.Target)).Append(' ').Append(Text(head.Authority));
        text.Append(' ').Append(Text(head.Path)).Append(' ').Append(Text(head.Query)).Append(' ').Append(head.Fields.ConnectionOptions);
        for (int i = 0; i < head.Fields.Count; i++)
        {
            HeaderField field = head.Fields[i];
            text.Append('\n').Append(Text(field.Name)).Append('|').Append(Text(field.Value)).Append('|').Append(Text(field.Line)).Append('|').Append(field.Known).Append('|').Append(head.Fields.IsRepeated(field.Known));
        }
        return text.ToString();
    }

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);
}

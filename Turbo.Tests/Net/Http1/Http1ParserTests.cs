using System.Text;
using Turbo.Net;
using Turbo.Net.Http1;
using Turbo.Tests.Support;
using HttpMethod = Turbo.Net.HttpMethod;

namespace Turbo.Tests.Net.Http1;

/// <summary>RFC 9112 §2–§5: every head in every cut, accepted or refused for the same reason each time.</summary>
[TestFixture]
internal sealed class Http1ParserTests
{
    private const string Host = "Host: h\r\n";

    private static readonly ServerLimits s_limits = new();

    private static ParseStatus Parse(byte[] wire, int[] arrivals, RequestHead head, ServerLimits limits, out int consumed)
    {
        ParseStatus status = ParseStatus.NeedMore;
        consumed = 0;
        foreach (int received in arrivals)
        {
            status = Http1Parser.ReadRequestHead(wire.AsSpan(0, received), head, limits, out consumed);
            if (status != ParseStatus.NeedMore) break;
            Assert.That(consumed, Is.Zero);
        }
        if (status == ParseStatus.Complete) head.Take(wire.AsSpan(0, consumed));
        return status;
    }

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    [TestCase("GET / HTTP/1.1", HttpMethod.Get, "/", "/", "", 11)]
    [TestCase("HEAD /a?b HTTP/1.1", HttpMethod.Head, "/a?b", "/a", "b", 11)]
    [TestCase("POST /a? HTTP/1.0", HttpMethod.Post, "/a?", "/a", "", 10)]
    [TestCase("PUT /%2F%zz/..//x HTTP/1.1", HttpMethod.Put, "/%2F%zz/..//x", "/%2F%zz/..//x", "", 11)]
    [TestCase("DELETE /?a=/?b HTTP/1.1", HttpMethod.Delete, "/?a=/?b", "/", "a=/?b", 11)]
    [TestCase("PATCH / HTTP/1.9", HttpMethod.Patch, "/", "/", "", 11)]
    [TestCase("OPTIONS * HTTP/1.1", HttpMethod.Options, "*", "*", "", 11)]
    [TestCase("OPTIONS / HTTP/1.1", HttpMethod.Options, "/", "/", "", 11)]
    [TestCase("TRACE / HTTP/1.1", HttpMethod.Trace, "/", "/", "", 11)]
    [TestCase("get / HTTP/1.1", HttpMethod.Other, "/", "/", "", 11)]
    [TestCase("M-SEARCH / HTTP/1.1", HttpMethod.Other, "/", "/", "", 11)]
    [TestCase("!#$%&'*+-.^_`|~09AZaz / HTTP/1.1", HttpMethod.Other, "/", "/", "", 11)]
    [TestCase("GET http://h HTTP/1.1", HttpMethod.Get, "http://h", "/", "", 11)]
    [TestCase("GET http://h/ HTTP/1.1", HttpMethod.Get, "http://h/", "/", "", 11)]
    [TestCase("GET HTTPS://h:8/a?b HTTP/1.1", HttpMethod.Get, "HTTPS://h:8/a?b", "/a", "b", 11)]
    [TestCase("GET http://[::1]?q HTTP/1.1", HttpMethod.Get, "http://[::1]?q", "/", "q", 11)]
    [TestCase("GET /\"<>\\^`{|}~ HTTP/1.1", HttpMethod.Get, "/\"<>\\^`{|}~", "/\"<>\\^`{|}~", "", 11)]
    public void Request_line(string line, HttpMethod method, string target, string path, string query, int version)
    {
        byte[] wire = Segmented.Bytes(line + "\r\n" + Host + "\r\n");
        foreach (int[] arrivals in Segmented.Arrivals(wire.Length))
        {
            RequestHead head = new();
            Assert.That(Parse(wire, arrivals, head, s_limits, out int consumed), Is.EqualTo(ParseStatus.Complete), $"{head.Reject}");
            Assert.Multiple(() =>
            {
                Assert.That(consumed, Is.EqualTo(wire.Length));
                Assert.That(head.Method, Is.EqualTo(method));
                Assert.That(Text(head.MethodName), Is.EqualTo(line[..line.IndexOf(' ')]));
                Assert.That(Text(head.Target), Is.EqualTo(target));
                Assert.That(Text(head.Path), Is.EqualTo(path));
                Assert.That(Text(head.Query), Is.EqualTo(query));
                Assert.That(head.Version, Is.EqualTo(version));
                Assert.That(Text(head.Bytes), Is.EqualTo(Text(wire)));
            });
        }
    }

    [TestCase(" GET / HTTP/1.1\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("\tGET / HTTP/1.1\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("\nGET / HTTP/1.1\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("GET\t/ HTTP/1.1\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("GET  / HTTP/1.1\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("GET\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("GET /\r\n", RejectReason.InvalidRequestLine)]        // HTTP/0.9
    [TestCase("GET / \r\n\r\n\r\n\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("GET /\n", RejectReason.InvalidRequestLine)]
    [TestCase("G\x00T / HTTP/1.1\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("G(T / HTTP/1.1\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("G:T / HTTP/1.1\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("\x16\x03\x01\x02\x00\x01\x00", RejectReason.InvalidRequestLine)] // a TLS hello on a plain port
    [TestCase("GET /  HTTP/1.1\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("GET / x HTTP/1.1\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("GET / HTTP/1.1 \r\n", RejectReason.InvalidRequestLine)]
    [TestCase("GET / HTTP/1.10\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("GET / HTTP/11\r\n\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("GET / HTTP/1,1\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("GET / HTTP/a.1\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("GET / http/1.1\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("GET / HTTPS/1.1\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("GET / HTTP\n/1.1\r\n", RejectReason.InvalidRequestLine)]
    [TestCase("GET / HTTP/1.1\n", RejectReason.InvalidLineEnd)]
    [TestCase("GET / HTTP/1.1\nHost: h\n\n", RejectReason.InvalidLineEnd)]
    [TestCase("GET / HTTP/1.1\r\r\n", RejectReason.InvalidLineEnd)]
    [TestCase("GET / HTTP/1.1\rHost: h\r\n", RejectReason.InvalidLineEnd)]
    [TestCase("GET / HTTP/0.9\r\n", RejectReason.UnsupportedVersion)]
    [TestCase("GET / HTTP/2.0\r\n", RejectReason.UnsupportedVersion)]
    [TestCase("GET / HTTP/2.0\n", RejectReason.UnsupportedVersion)]
    [TestCase("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", RejectReason.UnsupportedVersion)]
    [TestCase("GET /\x00 HTTP/1.1\r\n", RejectReason.InvalidRequestTarget)]
    [TestCase("GET /\x7f HTTP/1.1\r\n", RejectReason.InvalidRequestTarget)]
    [TestCase("GET /\xc3\xa4 HTTP/1.1\r\n", RejectReason.InvalidRequestTarget)]
    [TestCase("GET /a#b HTTP/1.1\r\n", RejectReason.InvalidRequestTarget)]
    [TestCase("GET /\t HTTP/1.1\r\n", RejectReason.InvalidRequestTarget)]
    [TestCase("GET a HTTP/1.1\r\n", RejectReason.InvalidRequestTarget)]
    [TestCase("GET * HTTP/1.1\r\n", RejectReason.InvalidRequestTarget)]
    [TestCase("OPTIONS *a HTTP/1.1\r\n", RejectReason.InvalidRequestTarget)]
    [TestCase("GET h:80 HTTP/1.1\r\n", RejectReason.InvalidRequestTarget)]
    [TestCase("GET http:// HTTP/1.1\r\n", RejectReason.InvalidRequestTarget)]
    [TestCase("GET http:///a HTTP/1.1\r\n", RejectReason.InvalidRequestTarget)]
    [TestCase("GET http://u@h/ HTTP/1.1\r\n", RejectReason.InvalidRequestTarget)]
    [TestCase("GET http://h:8x/ HTTP/1.1\r\n", RejectReason.InvalidRequestTarget)]
    [TestCase("GET ftp://h/ HTTP/1.1\r\n", RejectReason.InvalidRequestTarget)]
    [TestCase("CONNECT h:443 HTTP/1.1\r\n", RejectReason.ConnectNotSupported)]
    [TestCase("CONNECT / HTTP/1.1\r\n", RejectReason.ConnectNotSupported)]
    public void Refused_request_line(string wire, RejectReason reason) => Refused(wire, reason);

    [TestCase("Host : h\r\n", RejectReason.InvalidFieldLine)]
    [TestCase("Host\t: h\r\n", RejectReason.InvalidFieldLine)]
    [TestCase(": h\r\n", RejectReason.InvalidFieldLine)]
    [TestCase("Host\r\n", RejectReason.InvalidFieldLine)]
    [TestCase("Ho st: h\r\n", RejectReason.InvalidFieldLine)]
    [TestCase("H\xf6st: h\r\n", RejectReason.InvalidFieldLine)]
    [TestCase("H@st: h\r\n", RejectReason.InvalidFieldLine)]
    [TestCase(" Host: h\r\n", RejectReason.InvalidFieldLine)]
    [TestCase("A: b\r\n c\r\n", RejectReason.InvalidFieldLine)]      // obs-fold
    [TestCase("A: b\r\n\tc\r\n", RejectReason.InvalidFieldLine)]
    [TestCase("A: b\x00\r\n", RejectReason.InvalidFieldLine)]
    [TestCase("A: b\x01\r\n", RejectReason.InvalidFieldLine)]
    [TestCase("A: b\x7f\r\n", RejectReason.InvalidFieldLine)]
    [TestCase("A:\vb\r\n", RejectReason.InvalidFieldLine)]
    [TestCase("A: b\n", RejectReason.InvalidLineEnd)]
    [TestCase("A\n", RejectReason.InvalidLineEnd)]
    [TestCase("\n", RejectReason.InvalidLineEnd)]
    [TestCase("\r\r\n", RejectReason.InvalidLineEnd)]
    [TestCase("A: b\rc\r\n", RejectReason.InvalidLineEnd)]
    [TestCase("A: b\r\r\n", RejectReason.InvalidLineEnd)]
    public void Refused_field_line(string fields, RejectReason reason) => Refused("GET / HTTP/1.1\r\n" + fields + "\r\n", reason);

    private static void Refused(string text, RejectReason reason)
    {
        byte[] wire = Segmented.Bytes(text);
        foreach (int[] arrivals in Segmented.Arrivals(wire.Length))
        {
            RequestHead head = new();
            Assert.That(Parse(wire, arrivals, head, s_limits, out _), Is.EqualTo(ParseStatus.Rejected), Segmented.Show(wire));
            Assert.That(head.Reject, Is.EqualTo(reason), $"arriving as [{string.Join(", ", arrivals)}]");
        }
    }

    [TestCase("GET / HTTP/1.1\r\nHost: h\r\n\r")]
    [TestCase("GET / HTTP/1.1\r\nHost: h\r\n")]
    [TestCase("GET / HTTP/1.1\r\nHost")]
    [TestCase("GET / HTTP/1.1\r")]
    [TestCase("GET")]
    [TestCase("")]
    public void Unfinished_head_consumes_nothing(string wire)
    {
        RequestHead head = new();
        Assert.That(Http1Parser.ReadRequestHead(Segmented.Bytes(wire), head, s_limits, out int consumed), Is.EqualTo(ParseStatus.NeedMore));
        Assert.That(consumed, Is.Zero);
    }

    [Test]
    public void Fields_keep_order_case_and_repetition_and_lose_outer_white_space()
    {
        byte[] wire = Segmented.Bytes("GET / HTTP/1.1\r\nHOST:h\r\nx-A: \t 1 , 2\t \r\nX-a:\r\nx-empty: \t\r\nX-obs: \x80\xff\r\nhost2: a:b\r\n\r\nGET");
        foreach (int[] arrivals in Segmented.Arrivals(wire.Length))
        {
            RequestHead head = new();
            Assert.That(Parse(wire, arrivals, head, s_limits, out int consumed), Is.EqualTo(ParseStatus.Complete));
            Assert.That(consumed, Is.EqualTo(wire.Length - 3));
            List<string> fields = [];
            StringBuilder lines = new();
            for (int i = 0; i < head.Fields.Count; i++)
            {
                fields.Add($"{Text(head.Fields[i].Name)}={Text(head.Fields[i].Value)}");
                lines.Append(Text(head.Fields[i].Line));
            }
            Assert.That(fields, Is.EqualTo(new[] { "HOST=h", "x-A=1 , 2", "X-a=", "x-empty=", "X-obs=\x80\xff", "host2=a:b" }));
            Assert.That("GET / HTTP/1.1\r\n" + lines + "\r\n", Is.EqualTo(Text(head.Bytes)), "lines are the bytes as sent");
        }
    }

    [Test]
    public void Request_line_is_bounded()
    {
        ServerLimits limits = new() { MaxRequestLineBytes = 20 };
        AssertAll("GET /789 HTTP/1.1\r\n\r\n", limits, RejectReason.None);
        AssertAll("GET /789012 HTTP/1.1\r\n\r\n", limits, RejectReason.None);
        AssertAll("GET /7890123 HTTP/1.1\r\n\r\n", limits, RejectReason.RequestLineTooLong);
        AssertAll("GET /78901234567890123456789", limits, RejectReason.RequestLineTooLong);
        AssertAll("GETTTTTTTTTTTTTTTTTTTTTTTTT", limits, RejectReason.RequestLineTooLong);
        AssertAll("GET /78901234567890 ", limits, null);
        AssertAll("GET /789012345678901 H", limits, RejectReason.RequestLineTooLong);
    }

    [Test]
    public void Head_is_bounded_in_bytes_and_fields()
    {
        const string head = "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n";
        AssertAll(head, new() { MaxHeaderBytes = head.Length }, RejectReason.None);
        AssertAll(head + "\x01", new() { MaxHeaderBytes = head.Length }, RejectReason.None);
        AssertAll(head, new() { MaxHeaderBytes = head.Length - 1 }, RejectReason.HeadTooLarge);
        AssertAll("GET / HTTP/1.1\r\nHost: hhhhhhhhhhhhhhhhhhhhhhh", new() { MaxHeaderBytes = 30 }, RejectReason.HeadTooLarge);
        AssertAll("GET / HTTP/1.1\r\nHost: hhhhhhhh\x01", new() { MaxHeaderBytes = 30 }, RejectReason.HeadTooLarge);
        AssertAll("GET / HTTP/1.1\r\nHost: hhhhhhhh\x01", new() { MaxHeaderBytes = 31 }, RejectReason.InvalidFieldLine);
        // A line limit above the head's does not hide the head's.
        AssertAll("GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", new() { MaxHeaderBytes = 30 }, RejectReason.HeadTooLarge);
        AssertAll(head, new() { MaxHeaderFields = 2 }, RejectReason.None);
        AssertAll(head, new() { MaxHeaderFields = 1 }, RejectReason.TooManyFields);
    }

    private static void AssertAll(string text, ServerLimits limits, RejectReason? reason)
    {
        byte[] wire = Segmented.Bytes(text);
        ParseStatus expected = reason switch { null => ParseStatus.NeedMore, RejectReason.None => ParseStatus.Complete, _ => ParseStatus.Rejected };
        foreach (int[] arrivals in Segmented.Arrivals(wire.Length))
        {
            RequestHead head = new();
            Assert.That(Parse(wire, arrivals, head, limits, out _), Is.EqualTo(expected), $"{text} arriving as [{string.Join(", ", arrivals)}]: {head.Reject}");
            Assert.That(head.Reject, Is.EqualTo(reason ?? RejectReason.None), $"arriving as [{string.Join(", ", arrivals)}]");
        }
    }

    [TestCase("GET / HTTP/1.1\r\nHost: h\r\nOrigin: o\r\nBad field\r\n\r\n", "/", "o")]
    [TestCase("GET / HTTP/1.1\r\nOrigin: o\r\nHo", "/", "o")]
    [TestCase("GET /x HTTP/3.0\r\n", "", "")]
    [TestCase("GET x HTTP/1.1\r\n", "", "")]
    [TestCase("G", "", "")]
    public void What_was_parsed_of_a_refused_head_can_be_read_and_nothing_of_the_one_before(string wire, string target, string origin)
    {
        RequestHead head = new();
        byte[] before = Segmented.Bytes("POST /secret?token HTTP/1.1\r\nHost: h\r\nAuthorization: secret\r\nOrigin: secret\r\n\r\n");
        Assert.That(Parse(before, [before.Length], head, s_limits, out _), Is.EqualTo(ParseStatus.Complete));
        head.Reset();

        byte[] bytes = Segmented.Bytes(wire);
        Parse(bytes, [bytes.Length], head, s_limits, out _);
        head.TakeParsed(new(bytes));
        head.Fields.TryGet(KnownField.Origin, out ReadOnlySpan<byte> value);
        Assert.That(Text(value), Is.EqualTo(origin));
        Assert.That(Text(head.Target), Is.EqualTo(target));
        Assert.That(Text(head.MethodName), Is.EqualTo(target.Length > 0 ? "GET" : ""));
        Assert.That(head.Method, Is.EqualTo(wire.Length > 1 ? HttpMethod.Get : HttpMethod.Other));
        Assert.That(Text(head.Path) + Text(head.Query) + Text(head.Authority), Is.EqualTo("/"));
    }
}

/// <summary>RFC 9112 §4: what an origin server may answer with.</summary>
[TestFixture]
internal sealed class ResponseHeadTests
{
    [TestCase("HTTP/1.1 200 OK\r\n", 200, 11, "200 OK")]
    [TestCase("HTTP/1.0 404 Not Found here\r\n", 404, 10, "404 Not Found here")]
    [TestCase("HTTP/1.1 599 \r\n", 599, 11, "599 ")]
    [TestCase("HTTP/1.1 204\r\n", 204, 11, "204")]
    [TestCase("HTTP/1.7 100 \xe4\t!\r\n", 100, 11, "100 \xe4\t!")]
    public void Status_line(string line, int status, int version, string statusAndReason)
    {
        byte[] wire = Segmented.Bytes(line + "A: b\r\n\r\n");
        foreach (int[] arrivals in Segmented.Arrivals(wire.Length))
        {
            ResponseHead head = Read(wire, arrivals, out ParseStatus outcome, out int consumed);
            Assert.That(outcome, Is.EqualTo(ParseStatus.Complete));
            head.Take(wire.AsSpan(0, consumed));
            Assert.That(head.StatusCode, Is.EqualTo(status));
            Assert.That(head.Version, Is.EqualTo(version));
            Assert.That(Encoding.Latin1.GetString(head.StatusAndReason), Is.EqualTo(statusAndReason));
            Assert.That(Encoding.Latin1.GetString(head.StatusLine), Is.EqualTo(line));
            Assert.That(head.Fields.Count, Is.EqualTo(1));
        }
    }

    [TestCase("HTTP/1.1 99 OK\r\n", RejectReason.InvalidStatusLine)]
    [TestCase("HTTP/1.1 099 OK\r\n", RejectReason.InvalidStatusLine)]
    [TestCase("HTTP/1.1 600 OK\r\n", RejectReason.InvalidStatusLine)]
    [TestCase("HTTP/1.1 2000\r\n", RejectReason.InvalidStatusLine)]
    [TestCase("HTTP/1.1 20x OK\r\n", RejectReason.InvalidStatusLine)]
    [TestCase("HTTP/1.1  200 OK\r\n", RejectReason.InvalidStatusLine)]
    [TestCase("HTTP/1.1 200\tOK\r\n", RejectReason.InvalidStatusLine)]
    [TestCase("HTTP/2.0 200 OK\r\n", RejectReason.InvalidStatusLine)]
    [TestCase("HTTP/1.1\r\n", RejectReason.InvalidStatusLine)]
    [TestCase("http/1.1 200 OK\r\n", RejectReason.InvalidStatusLine)]
    [TestCase("ICY 200 OK and more\r\n", RejectReason.InvalidStatusLine)]
    [TestCase("\r\n", RejectReason.InvalidStatusLine)]
    [TestCase("HTTP/1.1 200 O\x00K\r\n", RejectReason.InvalidStatusLine)]
    [TestCase("HTTP/1.1 200 OK\n", RejectReason.InvalidLineEnd)]
    [TestCase("HTTP/1.1 200 OK\rX\r\n", RejectReason.InvalidLineEnd)]
    [TestCase("HTTP/1.1 200 OK\r\n A: b\r\n", RejectReason.InvalidFieldLine)]
    [TestCase("HTTP/1.1 200 OK\r\nA : b\r\n", RejectReason.InvalidFieldLine)]
    [TestCase("HTTP/1.1 200 OK\r\nA: b\r\n", null)]
    public void Refused_response_head(string text, RejectReason? reason)
    {
        byte[] wire = Segmented.Bytes(text);
        foreach (int[] arrivals in Segmented.Arrivals(wire.Length))
        {
            ResponseHead head = Read(wire, arrivals, out ParseStatus outcome, out _);
            Assert.That(outcome, Is.EqualTo(reason is null ? ParseStatus.NeedMore : ParseStatus.Rejected));
            Assert.That(head.Reject, Is.EqualTo(reason ?? RejectReason.None), $"arriving as [{string.Join(", ", arrivals)}]");
        }
    }

    [Test]
    public void Response_head_is_bounded()
    {
        byte[] wire = Segmented.Bytes("HTTP/1.1 200 OK\r\nA: b\r\n\r\n");
        Assert.That(Http1Parser.ReadResponseHead(wire, new ResponseHead(), wire.Length, 1, out _), Is.EqualTo(ParseStatus.Complete));
        ResponseHead head = new();
        Assert.That(Http1Parser.ReadResponseHead(wire, head, wire.Length - 1, 1, out _), Is.EqualTo(ParseStatus.Rejected));
        Assert.That(head.Reject, Is.EqualTo(RejectReason.HeadTooLarge));
        head = new();
        Assert.That(Http1Parser.ReadResponseHead(wire, head, 10, 1, out _), Is.EqualTo(ParseStatus.Rejected));
        Assert.That(head.Reject, Is.EqualTo(RejectReason.HeadTooLarge));
        head = new();
        Assert.That(Http1Parser.ReadResponseHead(wire, head, wire.Length, 0, out _), Is.EqualTo(ParseStatus.Rejected));
        Assert.That(head.Reject, Is.EqualTo(RejectReason.TooManyFields));
    }

    private static ResponseHead Read(byte[] wire, int[] arrivals, out ParseStatus status, out int consumed)
    {
        ResponseHead head = new();
        status = ParseStatus.NeedMore;
        consumed = 0;
        foreach (int received in arrivals)
        {
            status = Http1Parser.ReadResponseHead(wire.AsSpan(0, received), head, 32 * 1024, 128, out consumed);
            if (status != ParseStatus.NeedMore) break;
        }
        return head;
    }
}

using Turbo.Net;
using Turbo.Net.Http1;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Http1;

/// <summary>RFC 9112 §6: which body follows, and every ambiguity refused.</summary>
[TestFixture]
internal sealed class MessageFramingTests
{
    private static RejectReason OfRequest(string wire, out BodyKind kind, out long length)
    {
        RequestHead head = new();
        byte[] bytes = Segmented.Bytes(wire);
        Assert.That(Http1Parser.ReadRequestHead(bytes, head, new ServerLimits(), out int consumed), Is.EqualTo(ParseStatus.Complete), $"{head.Reject}");
        head.Take(bytes.AsSpan(0, consumed));
        return MessageFraming.OfRequest(head, out kind, out length);
    }

    [TestCase("", BodyKind.None, 0)]
    [TestCase("Content-Length: 0\r\n", BodyKind.Length, 0)]
    [TestCase("content-length:\t5 \r\n", BodyKind.Length, 5)]
    [TestCase("Content-Length: 0000000000005\r\n", BodyKind.Length, 5)]
    [TestCase("Content-Length: 999999999999999999\r\n", BodyKind.Length, 999999999999999999)]
    [TestCase("Transfer-Encoding: chunked\r\n", BodyKind.Chunked, 0)]
    [TestCase("Transfer-Encoding:Chunked \r\n", BodyKind.Chunked, 0)]
    [TestCase("tRANSFER-eNCODING: \t CHUNKED\t\r\n", BodyKind.Chunked, 0)]
    public void Request(string fields, BodyKind kind, long length)
    {
        foreach (string method in new[] { "GET", "POST", "HEAD", "X" })
        {
            Assert.That(OfRequest($"{method} / HTTP/1.1\r\nHost: h\r\n{fields}\r\n", out BodyKind k, out long l), Is.EqualTo(RejectReason.None));
            Assert.That((k, l), Is.EqualTo((kind, length)));
        }
    }

    [TestCase("Content-Length:\r\n", RejectReason.InvalidContentLength)]
    [TestCase("Content-Length: +5\r\n", RejectReason.InvalidContentLength)]
    [TestCase("Content-Length: -5\r\n", RejectReason.InvalidContentLength)]
    [TestCase("Content-Length: 5 5\r\n", RejectReason.InvalidContentLength)]
    [TestCase("Content-Length: 5, 5\r\n", RejectReason.InvalidContentLength)]
    [TestCase("Content-Length: 5,\r\n", RejectReason.InvalidContentLength)]
    [TestCase("Content-Length: 0x5\r\n", RejectReason.InvalidContentLength)]
    [TestCase("Content-Length: 5.0\r\n", RejectReason.InvalidContentLength)]
    [TestCase("Content-Length: 1e3\r\n", RejectReason.InvalidContentLength)]
    [TestCase("Content-Length: \xb2\r\n", RejectReason.InvalidContentLength)]
    [TestCase("Content-Length: 9223372036854775808\r\n", RejectReason.InvalidContentLength)]
    [TestCase("Content-Length: 18446744073709551621\r\n", RejectReason.InvalidContentLength)] // 5 modulo 2^64
    [TestCase("Content-Length: 5\r\nContent-Length: 5\r\n", RejectReason.InvalidContentLength)]
    [TestCase("Content-Length: 5\r\ncontent-length: 6\r\n", RejectReason.InvalidContentLength)]
    [TestCase("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", RejectReason.InvalidTransferEncoding)]
    [TestCase("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", RejectReason.InvalidTransferEncoding)]
    [TestCase("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n", RejectReason.InvalidTransferEncoding)]
    [TestCase("Transfer-Encoding:\r\n", RejectReason.InvalidTransferEncoding)]
    [TestCase("Transfer-Encoding: chunked, chunked\r\n", RejectReason.InvalidTransferEncoding)]
    [TestCase("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", RejectReason.InvalidTransferEncoding)]
    [TestCase("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", RejectReason.InvalidTransferEncoding)]
    [TestCase("Transfer-Encoding: gzip, chunked\r\n", RejectReason.InvalidTransferEncoding)]
    [TestCase("Transfer-Encoding: chunked, gzip\r\n", RejectReason.InvalidTransferEncoding)]
    [TestCase("Transfer-Encoding: chunked,\r\n", RejectReason.InvalidTransferEncoding)]
    [TestCase("Transfer-Encoding: chunked;q=1\r\n", RejectReason.InvalidTransferEncoding)]
    [TestCase("Transfer-Encoding: \"chunked\"\r\n", RejectReason.UnknownTransferCoding)]
    [TestCase("Transfer-Encoding: xchunked\r\n", RejectReason.UnknownTransferCoding)]
    [TestCase("Transfer-Encoding: identity\r\n", RejectReason.UnknownTransferCoding)]
    [TestCase("Transfer-Encoding: gzip\r\n", RejectReason.UnknownTransferCoding)]
    public void Refused_request(string fields, RejectReason reason) =>
        Assert.That(OfRequest($"POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n", out _, out _), Is.EqualTo(reason));

    [Test]
    public void Transfer_encoding_on_http_1_0_is_refused() =>
        Assert.That(OfRequest("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", out _, out _), Is.EqualTo(RejectReason.InvalidTransferEncoding));

    [TestCase("GET / HTTP/1.1\r\n", RejectReason.InvalidHost)]
    [TestCase("GET / HTTP/1.1\r\nHost:\r\n", RejectReason.InvalidHost)]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n", RejectReason.InvalidHost)]
    [TestCase("GET / HTTP/1.1\r\nHost: a b\r\n", RejectReason.InvalidHost)]
    [TestCase("GET / HTTP/1.1\r\nHost: u@a\r\n", RejectReason.InvalidHost)]
    [TestCase("GET http://a/ HTTP/1.1\r\nHost: b\r\n", RejectReason.InvalidHost)]
    [TestCase("GET http://a/ HTTP/1.1\r\nHost: a:80\r\n", RejectReason.InvalidHost)]
    [TestCase("GET http://a/ HTTP/1.1\r\n", RejectReason.InvalidHost)]
    [TestCase("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n", RejectReason.InvalidHost)]
    [TestCase("GET http://A/ HTTP/1.1\r\nHost: a\r\n", RejectReason.None)]
    [TestCase("GET / HTTP/1.0\r\n", RejectReason.None)]
    [TestCase("GET http://a/ HTTP/1.0\r\n", RejectReason.None)]
    [TestCase("OPTIONS * HTTP/1.1\r\nHost: a\r\n", RejectReason.None)]
    public void Host(string head, RejectReason reason) => Assert.That(OfRequest(head + "\r\n", out _, out _), Is.EqualTo(reason));

    [TestCase("200 OK", "Content-Length: 5\r\n", false, BodyKind.Length, 5)]
    [TestCase("200 OK", "Content-Length: 5\r\n", true, BodyKind.None, 0)]
    [TestCase("200 OK", "Transfer-Encoding: chunked\r\n", false, BodyKind.Chunked, 0)]
    [TestCase("200 OK", "Transfer-Encoding: chunked\r\n", true, BodyKind.None, 0)]
    [TestCase("200 OK", "", false, BodyKind.UntilClose, 0)]
    [TestCase("200 OK", "", true, BodyKind.None, 0)]
    [TestCase("204 No Content", "", false, BodyKind.None, 0)]
    [TestCase("304 Not Modified", "Content-Length: 5\r\n", false, BodyKind.None, 0)]
    [TestCase("101 Switching Protocols", "", false, BodyKind.None, 0)]
    public void Response(string status, string fields, bool answersHead, BodyKind kind, long length)
    {
        ResponseHead head = new();
        byte[] bytes = Segmented.Bytes($"HTTP/1.1 {status}\r\n{fields}\r\n");
        Assert.That(Http1Parser.ReadResponseHead(bytes, head, 1000, 10, out int consumed), Is.EqualTo(ParseStatus.Complete));
        head.Take(bytes.AsSpan(0, consumed));
        Assert.That(MessageFraming.OfResponse(head, answersHead, out BodyKind k, out long l), Is.EqualTo(RejectReason.None));
        Assert.That((k, l), Is.EqualTo((kind, length)));
    }
}

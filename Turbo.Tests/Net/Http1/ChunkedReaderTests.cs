using System.Buffers;
using System.Text;
using Turbo.Net;
using Turbo.Net.Http1;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Http1;

/// <summary>RFC 9112 §7.1, strict: any leniency here is a second opinion on where a message ends.</summary>
[TestFixture]
internal sealed class ChunkedReaderTests
{
    private sealed record Outcome(ParseStatus Status, RejectReason Reject, string Content, string Left, string Trailers);

    /// <summary>Feeds the bytes as they arrive, carrying over what is not consumed, as a connection does.</summary>
    private static Outcome Read(byte[] wire, int[] arrivals, ServerLimits limits)
    {
        ChunkedReader reader = default;
        TrailerSection trailers = new();
        StringBuilder content = new();
        int consumed = 0;
        ParseStatus status = ParseStatus.NeedMore;
        foreach (int received in arrivals)
        {
            do
            {
                ReadOnlySequence<byte> input = new(wire.AsMemory(consumed, received - consumed));
                long before = input.Length;
                status = reader.Read(ref input, out ReadOnlySequence<byte> data, limits, trailers);
                consumed += (int)(before - input.Length);
                content.Append(Encoding.Latin1.GetString(data));
            }
            while (status == ParseStatus.Complete && !reader.IsDone);
            if (status != ParseStatus.NeedMore) break;
        }
        return Done(status, reader, content, wire[consumed..], trailers);
    }

    private static Outcome ReadSegmented(ReadOnlySequence<byte> input, ServerLimits limits)
    {
        ChunkedReader reader = default;
        TrailerSection trailers = new();
        StringBuilder content = new();
        ParseStatus status;
        do
        {
            status = reader.Read(ref input, out ReadOnlySequence<byte> data, limits, trailers);
            content.Append(Encoding.Latin1.GetString(data));
        }
        while (status == ParseStatus.Complete && !reader.IsDone);
        return Done(status, reader, content, input.ToArray(), trailers);
    }

    private static Outcome Done(ParseStatus status, ChunkedReader reader, StringBuilder content, byte[] left, TrailerSection trailers)
    {
        StringBuilder lines = new();
        for (int i = 0; i < trailers.Fields.Count; i++) lines.Append(Encoding.Latin1.GetString(trailers.Fields[i].Line));
        return status == ParseStatus.Complete
            ? new Outcome(status, reader.Reject, content.ToString(), Encoding.Latin1.GetString(left), lines.ToString())
            : new Outcome(status, reader.Reject, "", "", "");
    }

    private static void All(string wire, ServerLimits limits, Outcome expected)
    {
        byte[] bytes = Segmented.Bytes(wire);
        foreach (int[] arrivals in Segmented.Arrivals(bytes.Length))
            Assert.That(Read(bytes, arrivals, limits), Is.EqualTo(expected), $"{Segmented.Show(bytes)} arriving as [{string.Join(", ", arrivals)}]");
        foreach (ReadOnlySequence<byte> input in Segmented.Every(bytes))
            Assert.That(ReadSegmented(input, limits), Is.EqualTo(expected), Segmented.Show(bytes));
    }

    private static void Accepted(string wire, string content, string left = "", string trailers = "", ServerLimits? limits = null) =>
        All(wire + left, limits ?? new(), new Outcome(ParseStatus.Complete, RejectReason.None, content, left, trailers));

    private static void Refused(string wire, RejectReason reason, ServerLimits? limits = null) =>
        All(wire, limits ?? new(), new Outcome(ParseStatus.Rejected, reason, "", "", ""));

    [TestCase("0\r\n\r\n", "")]
    [TestCase("000\r\n\r\n", "")]
    [TestCase("5\r\nhello\r\n0\r\n\r\n", "hello")]
    [TestCase("3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", "hello")]
    [TestCase("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789")]
    [TestCase("0000000000000005\r\nhello\r\n0\r\n\r\n", "hello")]
    [TestCase("2\r\n\r\n\r\n0\r\n\r\n", "\r\n")]
    [TestCase("5;a\r\nhello\r\n0;b=c\r\n\r\n", "hello")]
    [TestCase("5 ; a = b\t;\tc\r\nhello\r\n0\r\n\r\n", "hello")]
    [TestCase("5;a=\"\"\r\nhello\r\n0\r\n\r\n", "hello")]
    [TestCase("5;a=\"b;c=\\\"\\\\ \t\x80\";d=\"e\"\r\nhello\r\n0\r\n\r\n", "hello")]
    public void Content(string wire, string content)
    {
        Accepted(wire, content);
        Accepted(wire, content, left: "GET / HTTP/1.1\r\n");
        Accepted(wire, content, left: "0\r\n\r\n");
    }

    [TestCase("\r\n")]
    [TestCase("\n")]
    [TestCase(" 5\r\nhello\r\n0\r\n\r\n")]
    [TestCase("-5\r\n")]
    [TestCase("+5\r\n")]
    [TestCase("0x5\r\n")]
    [TestCase("5h\r\n")]
    [TestCase("g\r\n")]
    [TestCase(";a\r\n")]
    [TestCase("5 \r\nhello\r\n0\r\n\r\n")]
    [TestCase("5\t\r\n")]
    [TestCase("5\nhello\r\n0\r\n\r\n")]
    [TestCase("5\rhello")]
    [TestCase("5\r\r\nhello")]
    [TestCase("5;\r\n")]
    [TestCase("5;a;\r\n")]
    [TestCase("5;;a\r\n")]
    [TestCase("5;a \r\n")]
    [TestCase("5;a=\r\n")]
    [TestCase("5;=b\r\n")]
    [TestCase("5;a b\r\n")]
    [TestCase("5;a=b c\r\n")]
    [TestCase("5;a=\"b\r\n")]
    [TestCase("5;a=\"b\\\r\n")]
    [TestCase("5;a=\"\x01\"\r\n")]
    [TestCase("5;a=\"\x7f\"\r\n")]
    [TestCase("5;a=\"b\"c\r\n")]
    [TestCase("5;a\rb\r\n")]
    [TestCase("5;a\n")]
    [TestCase("5;\x80\r\n")]
    [TestCase("5\r\nhello0\r\n\r\n")]
    [TestCase("5\r\nhello\n0\r\n\r\n")]
    [TestCase("5\r\nhello\rx")]
    [TestCase("5\r\nhelloo\r\n")]
    [TestCase("4\r\nhello\r\n")]
    [TestCase("00000000000000005\r\n")]          // 17 digits
    [TestCase("1000000000000000\r\n")]           // 2^60
    [TestCase("ffffffffffffffff\r\n")]
    [TestCase("10000000000000005\r\n")]          // 5 modulo 2^64
    public void Refused_chunk(string wire) => Refused(wire, RejectReason.InvalidChunk);

    [TestCase("")]
    [TestCase("5")]
    [TestCase("5\r")]
    [TestCase("5;a=\"")]
    [TestCase("5\r\nhell")]
    [TestCase("5\r\nhello")]
    [TestCase("5\r\nhello\r")]
    [TestCase("0\r\n")]
    [TestCase("0\r\n\r")]
    [TestCase("0\r\nA: b\r\n")]
    [TestCase("fffffffffffffff\r\n")]
    public void Unfinished(string wire) => All(wire, new(), new Outcome(ParseStatus.NeedMore, RejectReason.None, "", "", ""));

    [Test]
    public void Trailers()
    {
        Accepted("0\r\nA: b\r\n\r\n", "", trailers: "A: b\r\n");
        Accepted("1\r\nx\r\n0;e\r\nA:b\r\na: \tc\r\n\r\n", "x", left: "next", trailers: "A:b\r\na: \tc\r\n");
        Refused("0\r\n A: b\r\n\r\n", RejectReason.InvalidFieldLine);
        Refused("0\r\nA : b\r\n\r\n", RejectReason.InvalidFieldLine);
        Refused("0\r\nA\r\n\r\n", RejectReason.InvalidFieldLine);
        Refused("0\r\nA: b\n\r\n", RejectReason.InvalidLineEnd);
        Refused("0\r\n\n", RejectReason.InvalidLineEnd);
        Refused("0\r\n\rx", RejectReason.InvalidLineEnd);
    }

    [Test]
    public void Limits_at_the_edge_and_one_past()
    {
        ServerLimits limits = new() { MaxChunkExtensionBytes = 8, MaxTrailerBytes = 10, MaxHeaderFields = 2 };
        Accepted("1;a=bcdef\r\nx\r\n0\r\n\r\n", "x", limits: limits);
        Accepted("0000000000000001;a=bcdef\r\nx\r\n0\r\n\r\n", "x", limits: limits);
        Refused("1;a=bcdefg\r\nx\r\n0\r\n\r\n", RejectReason.ChunkExtensionsTooLarge, limits);
        Refused("1xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", RejectReason.InvalidChunk, limits);
        Refused("1;a=bbbbbbbbbbbbbbbbbbbbbbbbbbbb", RejectReason.ChunkExtensionsTooLarge, limits);
        Refused("1;a=bbbbbbbbbbbbbbbbbbbbbbbbbbbb\n", RejectReason.ChunkExtensionsTooLarge, limits);
        // All chunks together.
        Accepted("1;abc\r\nx\r\n1;abc\r\ny\r\n0\r\n\r\n", "xy", limits: limits);
        Refused("1;abc\r\nx\r\n1;abc\r\ny\r\n0;\r\n\r\n", RejectReason.ChunkExtensionsTooLarge, limits);
        Accepted("0\r\nA: bcd\r\n\r\n", "", trailers: "A: bcd\r\n", limits: limits);
        Refused("0\r\nA: bcde\r\n\r\n", RejectReason.TrailersTooLarge, limits);
        Refused("0\r\nA: bcdefghijk", RejectReason.TrailersTooLarge, limits);
        Accepted("0\r\nA:\r\nB:\r\n\r\n", "", trailers: "A:\r\nB:\r\n", limits: limits);
        Refused("0\r\nA:\r\nB:\r\nC:\r\n\r\n", RejectReason.TrailersTooLarge, limits with { MaxTrailerBytes = 100 });
    }
}

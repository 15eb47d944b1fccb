using System.Text;
using Turbo.Server.Ai;

namespace Turbo.Tests.Server.Ai;

/// <summary>Usage in event streams (WHATWG HTML §9.2.6), however they are cut and whichever way their lines end.</summary>
[TestFixture]
internal sealed class EventStreamScannerTests
{
    private const string Chat =
        "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"data: {\\\"model\\\":\\\"x\\\"}\"}}],\"usage\":null}\n\n" +
        "data: {\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\n" +
        "data: [DONE]\n\n";

    private const string Responses =
        "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"model\":\"m\",\"usage\":null}}\n\n" +
        "event: response.output_text.delta\ndata: {\"delta\":\"x\"}\n\n" +
        "event: response.completed\ndata: {\"response\":{\"model\":\"m\",\"usage\":{\"input_tokens\":1,\"output_tokens\":2,\"total_tokens\":3}}}\n\n";

    [TestCase(Chat, "m 1 2 3")]
    [TestCase(Responses, "m 1 2 3")]
    [TestCase("data:{\"model\":\"m\"}\n\n", "m - - -", Description = "the blank after the colon is optional")]
    [TestCase(": a comment\nid: 1\nretry: 5\ndata: {\"model\":\"m\"}\nevent: x\n\n", "m - - -")]
    [TestCase("data: {\"model\":\ndata: \"m\"}\n\n", "m - - -", Description = "one event's data over two lines")]
    [TestCase("data: {\"model\":\"m\"\n\ndata: ,\"usage\":{\"total_tokens\":1}}\n\n", "m - - -", Description = "two events are two texts")]
    [TestCase("datax: {\"model\":\"x\"}\ndat: {\"model\":\"y\"}\nDATA: {\"model\":\"z\"}\n data: {\"model\":\"w\"}\n\n", " - - -")]
    [TestCase("dat\na: {\"model\":\"x\"}\n\n", " - - -")]
    [TestCase("data\n\ndata: {\"model\":\"m\"}\n\n", "m - - -", Description = "a field without a colon")]
    [TestCase("\n\n\ndata: {\"model\":\"m\"}", "m - - -", Description = "cut off before the event's end")]
    [TestCase("data: not JSON {[\"\n\ndata: {\"model\":\"m\"}\n\n", "m - - -", Description = "a bad event spoils no other")]
    [TestCase("", " - - -")]
    public void Found_wherever_the_bytes_are_cut(string stream, string expected)
    {
        foreach (string end in new[] { "\n", "\r\n", "\r" })
        {
            byte[] bytes = Encoding.UTF8.GetBytes(stream.Replace("\n", end));
            string what = $"lines end in {end.Length} bytes";
            Assert.That(Scan(bytes), Is.EqualTo(expected), what);
            Assert.That(Scan([.. bytes.Select(static b => new[] { b })]), Is.EqualTo(expected), $"byte by byte, {what}");
            for (int at = 1; at < bytes.Length; at++) Assert.That(Scan(bytes[..at], bytes[at..]), Is.EqualTo(expected), $"cut at {at}, {what}");
        }
    }

    [Test]
    public void Another_stream_starts_afresh()
    {
        UsageScanner usage = new();
        EventStreamScanner scanner = new(usage);
        scanner.Feed("data: {\"model\":\"a\",\"usage\":{\"total_"u8);
        usage.Reset();
        scanner.Reset();
        scanner.Feed("data: {\"model\":\"b\"}\n\n"u8);
        Assert.That(UsageScannerTests.Show(usage), Is.EqualTo("b - - -"));
    }

    private static string Scan(params byte[][] pieces)
    {
        UsageScanner usage = new();
        EventStreamScanner scanner = new(usage);
        foreach (byte[] piece in pieces) scanner.Feed(piece);
        return UsageScannerTests.Show(usage);
    }
}

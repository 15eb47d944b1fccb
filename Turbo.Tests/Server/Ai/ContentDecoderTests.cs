using System.IO.Compression;
using System.Text;
using Turbo.Server.Ai;

namespace Turbo.Tests.Server.Ai;

[TestFixture]
internal sealed class ContentDecoderTests
{
    private static readonly ContentCoding[] s_codings = [ContentCoding.Gzip, ContentCoding.Brotli, ContentCoding.Deflate];

    [TestCase("", ContentCoding.Identity)]
    [TestCase("identity", ContentCoding.Identity)]
    [TestCase("GZip", ContentCoding.Gzip)]
    [TestCase("x-gzip", ContentCoding.Gzip)]
    [TestCase("br", ContentCoding.Brotli)]
    [TestCase("deflate", ContentCoding.Deflate)]
    [TestCase("zstd", ContentCoding.Unknown)]
    [TestCase("gzip, br", ContentCoding.Unknown)]
    public void Classify(string coding, ContentCoding expected) =>
        Assert.That(ContentDecoder.Classify(Encoding.ASCII.GetBytes(coding)), Is.EqualTo(expected));

    [TestCaseSource(nameof(s_codings))]
    public void A_copy_cut_anywhere_yields_what_it_holds(ContentCoding coding)
    {
        string text = string.Concat(Enumerable.Range(0, 200).Select(static i => $"data: {i}\n\n"));
        byte[] coded = Encode(coding, text);
        Assert.That(Decode(coding, coded, coded.Length), Is.EqualTo(text));
        for (int length = 0; length < coded.Length; length++) Assert.That(text, Does.StartWith(Decode(coding, coded, length)), $"cut at {length}");
    }

    [TestCaseSource(nameof(s_codings))]
    public void Bytes_of_another_kind_yield_nothing_and_throw_nothing(ContentCoding coding)
    {
        Random random = new(7);
        for (int i = 0; i < 500; i++)
        {
            byte[] garbage = new byte[random.Next(0, 100)];
            random.NextBytes(garbage);
            Assert.DoesNotThrow(() => Decode(coding, garbage, garbage.Length));
        }
        byte[] coded = Encode(coding, new string('x', 1000));
        for (int i = 0; i < coded.Length; i++)
        {
            byte[] spoilt = [.. coded];
            spoilt[i] ^= 0x55;
            Assert.DoesNotThrow(() => Decode(coding, spoilt, spoilt.Length), $"byte {i}");
        }
    }

    [TestCaseSource(nameof(s_codings))]
    public void A_bomb_is_read_no_further_than_16_MiB(ContentCoding coding)
    {
        byte[] coded = Encode(coding, new string('0', 64 << 20));
        Assert.That(coded, Has.Length.LessThan(ContentDecoder.MaxCodedBytes));
        long decoded = 0;
        ContentDecoder.Decode(coding, coded, coded.Length, piece => decoded += piece.Length);
        Assert.That(decoded, Is.InRange(16 << 20, (16 << 20) + (64 << 10)));
    }

    private static string Decode(ContentCoding coding, byte[] coded, int length)
    {
        using MemoryStream decoded = new();
        ContentDecoder.Decode(coding, coded, length, piece => decoded.Write(piece));
        return Encoding.UTF8.GetString(decoded.ToArray());
    }

    private static byte[] Encode(ContentCoding coding, string text)
    {
        using MemoryStream coded = new();
        using (Stream coder = coding switch
        {
            ContentCoding.Brotli => new BrotliStream(coded, CompressionLevel.Fastest, leaveOpen: true),
            ContentCoding.Deflate => new ZLibStream(coded, CompressionLevel.Fastest, leaveOpen: true),
            _ => new GZipStream(coded, CompressionLevel.Fastest, leaveOpen: true),
        }) coder.Write(Encoding.UTF8.GetBytes(text));
        return coded.ToArray();
    }
}

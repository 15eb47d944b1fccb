using System.IO.Compression;
using System.Text;
using Turbo.Net.WebSocket;

namespace Turbo.Tests.Net.WebSocket;

/// <summary>RFC 1951 and RFC 7692 §7.2: the inflater against what zlib made, whole and cut anywhere.</summary>
internal sealed class DeflateInflaterTests
{
    private static readonly DeflateParameters s_takeover = new(false, false, 15, 15, false);
    private static readonly DeflateParameters s_alone = new(false, true, 15, 15, false);

    private static IEnumerable<TestCaseData> Contents()
    {
        Random random = new(11);
        byte[] noise = new byte[200_000];
        random.NextBytes(noise);
        yield return new TestCaseData("Hello"u8.ToArray()).SetName("Hello");
        yield return new TestCaseData(new byte[1]).SetName("one octet");
        yield return new TestCaseData(new byte[100_000]).SetName("zeros");
        yield return new TestCaseData(noise).SetName("noise");
        yield return new TestCaseData(Json(3000)).SetName("JSON");
        yield return new TestCaseData(Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("abcdefgh", 20_000)))).SetName("a short period");
        yield return new TestCaseData((byte[])[.. noise[..30_000], .. noise[..30_000], .. noise[..32_768], .. noise[..40_000]]).SetName("matches far back");
        yield return new TestCaseData(Skewed(random, 150_000)).SetName("long code words");
    }

    [TestCaseSource(nameof(Contents))]
    public void What_zlib_compressed(byte[] content)
    {
        foreach (CompressionLevel level in new[] { CompressionLevel.Fastest, CompressionLevel.Optimal, CompressionLevel.SmallestSize, CompressionLevel.NoCompression })
        {
            byte[] flushed = Flushed(content, level);
            byte[] finished = Finished(content, level);
            Assert.That(Inflate(s_takeover, flushed[..^4]).AsSpan().SequenceEqual(content), $"{level}, flushed");
            Assert.That(Inflate(s_takeover, finished).AsSpan().SequenceEqual(content), $"{level}, final block and nothing after it");
            Assert.That(Inflate(s_takeover, [.. finished, 0]).AsSpan().SequenceEqual(content), $"{level}, final block and the empty one that RFC 7692 asks for");
        }
    }

    [Test]
    public void Other_strategies_of_zlib()
    {
        byte[] content = Json(500);
        foreach (ZLibCompressionStrategy strategy in Enum.GetValues<ZLibCompressionStrategy>())
        {
            MemoryStream output = new();
            using (DeflateStream stream = new(output, new ZLibCompressionOptions { CompressionLevel = 6, CompressionStrategy = strategy }, leaveOpen: true)) stream.Write(content);
            Assert.That(Inflate(s_takeover, output.ToArray()), Is.EqualTo(content), $"{strategy}");
        }
    }

    [Test]
    public void Cut_anywhere()
    {
        byte[] content = Json(30);
        byte[][] forms = [Flushed(content, CompressionLevel.Optimal)[..^4], [.. Finished(content, CompressionLevel.Optimal), 0], Flushed(content, CompressionLevel.NoCompression)[..^4], Fixed(content)];
        foreach (byte[] form in forms)
        {
            for (int at = 0; at <= form.Length; at++)
                Assert.That(Inflate(s_takeover, [form[..at], form[at..]]), Is.EqualTo(content), $"cut at {at}");
            Assert.That(Inflate(s_takeover, [.. form.Select(static b => new[] { b })]), Is.EqualTo(content), "octet by octet");
        }
    }

    [Test]
    public void Pieces_that_are_released_as_they_come()
    {
        byte[] content = [.. Json(2000), .. new byte[100_000], .. Json(2000)];
        DeflateInflater inflater = new(s_takeover);
        for (int message = 0; message < 3; message++)
        {
            byte[] wire = Flushed(content, CompressionLevel.Optimal)[..^4];
            List<byte> got = [];
            for (int at = 0; at < wire.Length; at += 100)
            {
                byte[] piece = wire[at..Math.Min(at + 100, wire.Length)];
                Assert.That(inflater.Append(piece, at + 100 >= wire.Length, long.MaxValue), Is.EqualTo(InflateResult.Done));
                got.AddRange(inflater.Taken.Span);
                inflater.Release();
            }
            Assert.That(got.SequenceEqual(content));
        }
    }

    [Test]
    public void Messages_that_refer_to_those_before()
    {
        MemoryStream output = new();
        using DeflateStream stream = new(output, CompressionLevel.Optimal, leaveOpen: true);
        DeflateInflater inflater = new(s_takeover);
        Random random = new(5);
        byte[] noise = new byte[60_000];
        random.NextBytes(noise);
        for (int i = 0; i < 300; i++)
        {
            int start = random.Next(noise.Length - 20_000);
            byte[] content = noise[start..(start + random.Next(1, 20_000))];
            output.SetLength(0);
            stream.Write(content);
            stream.Flush();
            Assert.That(inflater.Append(output.ToArray().AsSpan(..^4), true, long.MaxValue), Is.EqualTo(InflateResult.Done));
            Assert.That(inflater.Taken.Span.SequenceEqual(content), $"message {i}");
            inflater.Release();
        }
    }

    [Test]
    public void A_message_that_refers_back_although_it_may_not()
    {
        MemoryStream output = new();
        using DeflateStream stream = new(output, CompressionLevel.Optimal, leaveOpen: true);
        DeflateInflater inflater = new(s_alone);
        byte[] content = Json(20);
        stream.Write(content);
        stream.Flush();
        Assert.That(inflater.Append(output.ToArray().AsSpan(..^4), true, long.MaxValue), Is.EqualTo(InflateResult.Done));
        inflater.Release();
        output.SetLength(0);
        stream.Write(content);
        stream.Flush();
        Assert.That(inflater.Append(output.ToArray().AsSpan(..^4), true, long.MaxValue), Is.EqualTo(InflateResult.Invalid));
    }

    [TestCase(9)]
    [TestCase(10)]
    [TestCase(14)]
    public void A_match_beyond_the_window(int bits)
    {
        // As much noise as fits the window, then its first octets again.
        byte[] noise = new byte[1 << bits];
        new Random(bits).NextBytes(noise);
        byte[] within = Fixed([.. noise, .. noise[..8]], matchAt: noise.Length, distance: noise.Length);
        Assert.That(Inflate(new(false, false, 15, bits, false), within), Is.EqualTo((byte[])[.. noise, .. noise[..8]]));
        byte[] beyond = Fixed([1, .. noise, 1, .. noise[..7]], matchAt: noise.Length + 1, distance: noise.Length + 1);
        Assert.That(new DeflateInflater(new(false, false, 15, bits, false)).Append(beyond, true, long.MaxValue), Is.EqualTo(InflateResult.Invalid));
        Assert.That(Inflate(s_takeover, beyond), Is.EqualTo((byte[])[1, .. noise, 1, .. noise[..7]]));
    }

    [Test]
    public void A_window_of_8_bits_is_taken_as_one_of_9_as_zlib_does()
    {
        byte[] noise = new byte[512];
        new Random(8).NextBytes(noise);
        byte[] wire = Fixed([.. noise, .. noise[..8]], matchAt: noise.Length, distance: noise.Length);
        Assert.That(Inflate(new(false, false, 15, 8, false), wire), Is.EqualTo((byte[])[.. noise, .. noise[..8]]));
    }

    [TestCase("F2 48 CD C9 C9 07 00", "Hello", TestName = "RFC 7692 §7.2.3.1: one block with fixed codes")]
    [TestCase("F2 48 05 00 00 00 FF FF CA C9 C9 07 00", "Hello", TestName = "RFC 7692 §7.2.3.5: two blocks in one message")]
    [TestCase("00 05 00 FA FF 48 65 6C 6C 6F 00", "Hello", TestName = "RFC 7692 §7.2.3.3: a stored block")]
    [TestCase("F3 48 CD C9 C9 07 00 00", "Hello", TestName = "RFC 7692 §7.2.3.4: the final bit")]
    [TestCase("F3 48 CD C9 C9 07 00", "Hello", TestName = "the final bit and nothing after it")]
    [TestCase("F3 48 CD C9 C9 07 00 F3 48 CD C9 C9 07 00 00", "HelloHello", TestName = "two final blocks")]
    [TestCase("01 05 00 FA FF 48 65 6C 6C 6F 01 00 00 FF FF", "Hello", TestName = "final stored blocks")]
    [TestCase("00", "", TestName = "RFC 7692 §7.2.3.6: an empty message")]
    [TestCase("", "", TestName = "an empty message without an octet")]
    [TestCase("00 00 00 FF FF 00 00 00 FF FF 00", "", TestName = "empty stored blocks")]
    [TestCase("02 00", "", TestName = "an empty block with fixed codes")]
    [TestCase("03 00", "", TestName = "an empty final block with fixed codes")]
    public void Hand_made(string octets, string content)
    {
        byte[] wire = Convert.FromHexString(octets.Replace(" ", ""));
        Assert.That(Encoding.ASCII.GetString(Inflate(s_takeover, wire)), Is.EqualTo(content));
        Assert.That(Encoding.ASCII.GetString(Inflate(s_takeover, [.. wire.Select(static b => new[] { b })])), Is.EqualTo(content), "octet by octet");
        // A second message is none the worse for it.
        DeflateInflater inflater = new(s_takeover);
        for (int i = 0; i < 3; i++)
        {
            Assert.That(inflater.Append(wire, true, long.MaxValue), Is.EqualTo(InflateResult.Done));
            Assert.That(Encoding.ASCII.GetString(inflater.Taken.Span), Is.EqualTo(content));
            inflater.Release();
        }
    }

    [Test]
    public void Context_from_message_to_message_as_in_the_RFC()
    {
        DeflateInflater inflater = new(s_takeover);
        foreach (string octets in new[] { "F248CDC9C90700", "F200110000" })
        {
            Assert.That(inflater.Append(Convert.FromHexString(octets), true, long.MaxValue), Is.EqualTo(InflateResult.Done));
            Assert.That(Encoding.ASCII.GetString(inflater.Taken.Span), Is.EqualTo("Hello"));
            inflater.Release();
        }
    }

    [TestCase("06", TestName = "block type 3")]
    [TestCase("07", TestName = "a final block of type 3")]
    [TestCase("00 05 00 FA FE 48 65 6C 6C 6F 00", TestName = "a stored length that does not match")]
    [TestCase("F2 48 CD C9 C9", TestName = "a message that ends within a block")]
    [TestCase("F2 48 CD C9 C9 07", TestName = "a message without its last header")]
    [TestCase("00 05 00 FA FF 48 65 6C", TestName = "a message that ends within a stored block")]
    [TestCase("00 05", TestName = "a message that ends within a stored length")]
    [TestCase("F3 48 CD C9 C9 07 00 F2", TestName = "a message that ends within the block after a final one")]
    [TestCase("02 06 00 00", TestName = "a match before the first octet")]
    [TestCase("1A 03 00 00 00", TestName = "length symbol 286 of the fixed code")]
    [TestCase("04 00 FE FF", TestName = "no code for the code lengths")]
    [TestCase("FC 00 00", TestName = "more than 286 literal and length symbols")]
    [TestCase("05 E0 81 08 00 00 00 00 20 7F EB 0B 00 00", TestName = "no code word for the end of the block")]
    public void Invalid(string octets)
    {
        byte[] wire = Convert.FromHexString(octets.Replace(" ", ""));
        Assert.That(new DeflateInflater(s_takeover).Append(wire, true, long.MaxValue), Is.EqualTo(InflateResult.Invalid));
        DeflateInflater byOctet = new(s_takeover);
        InflateResult last = InflateResult.Done;
        for (int i = 0; i < wire.Length && last == InflateResult.Done; i++) last = byOctet.Append(wire.AsSpan(i, 1), i == wire.Length - 1, long.MaxValue);
        Assert.That(last, Is.EqualTo(InflateResult.Invalid));
    }

    [Test]
    public void The_limit_and_one_past()
    {
        foreach (byte[] content in new[] { new byte[100_000], Json(2000), Noise(100_000) })
        {
            byte[] wire = Flushed(content, CompressionLevel.Optimal)[..^4];
            Assert.That(new DeflateInflater(s_takeover).Append(wire, true, content.Length), Is.EqualTo(InflateResult.Done));
            Assert.That(new DeflateInflater(s_takeover).Append(wire, true, content.Length - 1), Is.EqualTo(InflateResult.TooLarge));
            DeflateInflater inflater = new(s_takeover);
            InflateResult last = InflateResult.Done;
            for (int i = 0; i < wire.Length && last == InflateResult.Done; i++)
            {
                last = inflater.Append(wire.AsSpan(i, 1), i == wire.Length - 1, content.Length - 1);
                inflater.Release();
            }
            Assert.That(last, Is.EqualTo(InflateResult.TooLarge), "in pieces that are released");
        }
    }

    [Test]
    public void A_bomb_is_refused_without_its_memory()
    {
        byte[] wire = Flushed(new byte[500_000_000], CompressionLevel.SmallestSize)[..^4];
        DeflateInflater inflater = new(s_takeover);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(inflater.Append(wire, true, 1024 * 1024), Is.EqualTo(InflateResult.TooLarge));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(8 * 1024 * 1024));
        inflater.Close();
    }

    [Test]
    public void Damaged_data_ends_as_it_does_for_zlib()
    {
        Random random = new(3);
        byte[][] sound = [Finished(Json(20), CompressionLevel.Optimal), Finished(Json(20), CompressionLevel.Fastest), Finished(Noise(200), CompressionLevel.NoCompression), Finished(Skewed(random, 3000), CompressionLevel.SmallestSize)];
        int same = 0, refused = 0;
        for (int run = 0; run < 30_000; run++)
        {
            byte[] wire = [.. sound[run % sound.Length]];
            for (int n = random.Next(1, 4); n > 0; n--) wire[random.Next(random.Next(4) == 0 ? wire.Length : Math.Min(wire.Length, 60))] ^= (byte)(1 << random.Next(8));
            (byte[]? expected, bool isWhole) = ByZlib(wire);
            DeflateInflater inflater = new(s_takeover);
            InflateResult result = InflateResult.Done;
            for (int at = 0; at < wire.Length && result == InflateResult.Done;)
            {
                int take = random.Next(1, wire.Length - at + 1);
                result = inflater.Append(wire.AsSpan(at, take), false, 1 << 20);
                at += take;
            }
            if (result == InflateResult.TooLarge) continue;
            if (expected is null)
            {
                refused++;
                Assert.That(result, Is.EqualTo(InflateResult.Invalid), Convert.ToHexString(wire));
                continue;
            }
            // zlib stops after a final block, this goes on.
            ReadOnlySpan<byte> got = inflater.Taken.Span;
            if (!isWhole) Assert.That(result, Is.EqualTo(InflateResult.Done), Convert.ToHexString(wire));
            if (!got.StartsWith(expected)) Assert.Fail(Convert.ToHexString(wire));
            same++;
        }
        Assert.That(same, Is.GreaterThan(1000));
        Assert.That(refused, Is.GreaterThan(1000));
    }

    private static byte[] Inflate(DeflateParameters parameters, params byte[][] pieces)
    {
        DeflateInflater inflater = new(parameters);
        for (int i = 0; i < pieces.Length; i++)
            Assert.That(inflater.Append(pieces[i], i == pieces.Length - 1, long.MaxValue), Is.EqualTo(InflateResult.Done));
        byte[] content = inflater.Taken.ToArray();
        inflater.Close();
        return content;
    }

    // Null where zlib refuses; whether it saw the end.
    private static (byte[]? Content, bool IsWhole) ByZlib(byte[] wire)
    {
        MemoryStream input = new(wire), output = new();
        try
        {
            using DeflateStream stream = new(input, CompressionMode.Decompress);
            stream.CopyTo(output);
            return (output.ToArray(), true);
        }
        catch (InvalidDataException e)
        {
            // Truncated: what came out until then counts.
            return e.Message.Contains("truncated", StringComparison.OrdinalIgnoreCase) || e.Message.Contains("end of", StringComparison.OrdinalIgnoreCase) ? (output.ToArray(), false) : (null, false);
        }
    }

    private static byte[] Flushed(byte[] content, CompressionLevel level)
    {
        MemoryStream output = new();
        using DeflateStream stream = new(output, level, leaveOpen: true);
        stream.Write(content);
        stream.Flush();
        return output.ToArray();
    }

    private static byte[] Finished(byte[] content, CompressionLevel level)
    {
        MemoryStream output = new();
        using (DeflateStream stream = new(output, level, leaveOpen: true)) stream.Write(content);
        return output.ToArray();
    }

    private static byte[] Json(int records) => Encoding.UTF8.GetBytes(string.Join(",",
        Enumerable.Range(0, records).Select(static i => $"{{\"id\":{i},\"name\":\"naïve user {i * 7919 % 1000}\",\"partial\":{(i % 3 == 0 ? "true" : "false")}}}")));

    private static byte[] Noise(int size)
    {
        byte[] noise = new byte[size];
        new Random(size).NextBytes(noise);
        return noise;
    }

    // Octets whose frequencies differ so much that some code words are as long as they may be.
    private static byte[] Skewed(Random random, int size)
    {
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++)
        {
            int symbol = 0;
            while (random.Next(2) == 0 && symbol < 60) symbol++;
            bytes[i] = (byte)((symbol * 37) ^ (random.Next(300) == 0 ? random.Next(256) : 0));
        }
        return bytes;
    }

    // A block with fixed codes (RFC 1951 §3.2.6), of literals and, from matchAt on, one match of 8 octets; then the header of an empty stored one.
    private static byte[] Fixed(byte[] content, int matchAt = -1, int distance = 0)
    {
        List<bool> bits = [false, true, false];
        for (int i = 0; i < content.Length; i++)
        {
            if (i == matchAt)
            {
                // Length 8 is symbol 262, a 7-bit code word 0000110.
                Code(6, 7);
                int symbol = 0;
                while (symbol + 1 < s_distanceBase.Length && s_distanceBase[symbol + 1] <= distance) symbol++;
                Code(symbol, 5);
                int extra = symbol < 2 ? 0 : (symbol / 2) - 1;
                for (int b = 0; b < extra; b++) bits.Add((((distance - s_distanceBase[symbol]) >> b) & 1) != 0);
                break;
            }
            if (content[i] < 144) Code(0x30 + content[i], 8);
            else Code(0x190 + content[i] - 144, 9);
        }
        Code(0, 7);
        bits.AddRange([false, false, false]);
        byte[] wire = new byte[(bits.Count + 7) / 8];
        for (int i = 0; i < bits.Count; i++) wire[i / 8] |= (byte)(bits[i] ? 1 << (i % 8) : 0);
        return wire;

        void Code(int code, int length)
        {
            for (int b = length - 1; b >= 0; b--) bits.Add(((code >> b) & 1) != 0);
        }
    }

    private static readonly int[] s_distanceBase =
        [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
}

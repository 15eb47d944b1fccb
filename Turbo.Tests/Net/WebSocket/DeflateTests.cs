using System.IO.Compression;
using System.Text;
using Turbo.Net.WebSocket;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.WebSocket;

/// <summary>RFC 7692 on an open connection: the compressor, and compressed messages among frames of all kinds.</summary>
internal sealed class DeflateTests : WebSocketFixture
{
    private const string Offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

    private static readonly byte[] s_hello = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];

    [SetUp]
    public void Offered() => Options = new WebSocketOptions { Compression = new WebSocketCompression { MinMessageBytes = 0 }, PingInterval = TimeSpan.Zero };

    [Test]
    public void Windows_and_contexts_are_honoured([Values(8, 9, 10, 11, 12, 13, 14, 15)] int bits, [Values] bool noTakeover, [Values(CompressionLevel.Fastest, CompressionLevel.SmallestSize)] CompressionLevel level)
    {
        using DeflateCompressor compressor = new(new(noTakeover, false, bits, 15, true), new WebSocketCompression { Level = level });
        // The inflater refuses a match beyond the window it is made for, and one into a message before where there is no context.
        DeflateInflater inflater = new(new(false, noTakeover, 15, bits, true));
        Random random = new(bits);
        foreach (int size in new[] { 1, 5, 100, 255, 256, 257, 4096, 40_000, 5, 0, 300_000, 0, 0, 77 })
        {
            byte[] message = Text(random, size);
            ReadOnlyMemory<byte> wire = compressor.Compress(message);
            Assert.That(inflater.Append(wire.Span, true, long.MaxValue), Is.EqualTo(InflateResult.Done), $"{size}");
            Assert.That(inflater.Taken.Span.SequenceEqual(message), $"{size}");
            if (bits >= 12 && size >= 4096) Assert.That(wire.Length, Is.LessThan(size / 2));
            inflater.Release();
            compressor.Release();
        }
    }

    [Test]
    public void A_kept_context_compresses_what_was_said_before()
    {
        using DeflateCompressor compressor = new(new(false, false, 15, 15, false), new WebSocketCompression());
        byte[] message = Text(new Random(1), 1000);
        int first = compressor.Compress(message).Length;
        compressor.Release();
        Assert.That(compressor.Compress(message).Length, Is.LessThan(first / 4));
        compressor.Release();
    }

    [Test]
    public void Every_size_up_to_a_few_blocks_is_flushed_whole()
    {
        using DeflateCompressor compressor = new(new(false, false, 15, 15, false), new WebSocketCompression());
        DeflateInflater inflater = new(new(false, false, 15, 15, false));
        byte[] noise = new byte[20_000];
        new Random(2).NextBytes(noise);
        // Around the size of the buffer that the stream writes by.
        foreach (int size in Enumerable.Range(1, 300).Concat(Enumerable.Range(8100, 200)).Concat(Enumerable.Range(16_300, 120)))
        {
            Assert.That(inflater.Append(compressor.Compress(noise.AsSpan(0, size)).Span, true, long.MaxValue), Is.EqualTo(InflateResult.Done), $"{size}");
            Assert.That(inflater.Taken.Span.SequenceEqual(noise.AsSpan(0, size)), $"{size}");
            inflater.Release();
            compressor.Release();
        }
    }

    [Test]
    public void Negotiated_and_echoed()
    {
        MemoryClient client = Open(Offer);
        client.Send(Compressed(Frame.TextOpcode, s_hello).Masked());
        Frame answer = Take(client);
        Assert.That((answer.Opcode, answer.Reserved, answer.IsFinal), Is.EqualTo((Frame.TextOpcode, 4, true)));
        Assert.That(Inflate(answer.Payload), Is.EqualTo("Hello"));
        // A message need not be compressed.
        client.Send(Frame.Text("plain").Masked());
        Assert.That(Inflate(Take(client).Payload, "Hello"), Is.EqualTo("plain"));
    }

    [Test]
    public void Not_negotiated_where_it_is_off_or_not_offered()
    {
        Options = new WebSocketOptions();
        MemoryClient off = Connect();
        Assert.That(off.Send(Handshake + Offer + "\r\n").TakeText(), Does.Not.Contain("Sec-WebSocket-Extensions"));
        off.Send(Compressed(Frame.TextOpcode, s_hello).Masked());
        IsClosed(off, 1002);
        Offered();
        MemoryClient silent = Open();
        Assert.That(Exchange(silent, Frame.Text("Hello")), Is.EqualTo("text Hello"));
        silent.Send(Compressed(Frame.TextOpcode, s_hello).Masked());
        IsClosed(silent, 1002);
    }

    [TestCase("F2 48 CD C9 C9 07 00", "Hello")]
    [TestCase("F3 48 CD C9 C9 07 00 00", "Hello", TestName = "the final bit")]
    [TestCase("F3 48 CD C9 C9 07 00", "Hello", TestName = "the final bit and nothing after it")]
    [TestCase("F2 48 05 00 00 00 FF FF CA C9 C9 07 00", "Hello", TestName = "two blocks")]
    [TestCase("00", "", TestName = "empty")]
    [TestCase("", "", TestName = "empty without an octet")]
    public void Twice_whole_fragmented_and_octet_by_octet(string octets, string content)
    {
        byte[] payload = Convert.FromHexString(octets.Replace(" ", ""));
        Handler = PlainEchoAsync;
        Options = Options with { Compression = new WebSocketCompression { MinMessageBytes = int.MaxValue } };
        string shown = content.Length == 0 ? "text" : "text " + content;
        MemoryClient client = Open(Offer);
        client.Send([.. Compressed(Frame.TextOpcode, payload).Masked(), .. Compressed(Frame.TextOpcode, payload).Masked()]);
        Assert.That(Received(client), Is.EqualTo($"{shown} | {shown}"));
        for (int at = 0; at <= payload.Length; at++)
        {
            // RSV1 on the first frame alone, a ping in between (RFC 7692 §6.1).
            client.Send([.. new Frame(Frame.TextOpcode, payload[..at], false, 4).Masked(), .. Frame.Ping("p").Masked(), .. new Frame(Frame.ContinuationOpcode, [], false).Masked(), .. new Frame(Frame.ContinuationOpcode, payload[at..]).Masked()]);
            Assert.That(Received(client), Is.EqualTo($"pong p | {shown}"), $"cut at {at}");
        }
        foreach (byte b in Compressed(Frame.TextOpcode, payload).Masked()) client.Send([b]);
        Assert.That(Received(client), Is.EqualTo(shown));
    }

    [Test]
    public void RSV1_on_a_continuation()
    {
        MemoryClient client = Open(Offer);
        client.Send([.. new Frame(Frame.TextOpcode, s_hello[..3], false, 4).Masked(), .. new Frame(Frame.ContinuationOpcode, s_hello[3..], true, 4).Masked()]);
        IsClosed(client, 1002);
    }

    [TestCase(Frame.PingOpcode)]
    [TestCase(Frame.PongOpcode)]
    [TestCase(Frame.CloseOpcode)]
    public void RSV1_on_a_control_frame(int opcode)
    {
        MemoryClient client = Open(Offer);
        client.Send(Compressed(opcode, []).Masked());
        IsClosed(client, 1002);
    }

    [TestCase(2)]
    [TestCase(1)]
    [TestCase(6)]
    public void Other_reserved_bits(int reserved)
    {
        MemoryClient client = Open(Offer);
        client.Send(new Frame(Frame.TextOpcode, s_hello, true, reserved).Masked());
        IsClosed(client, 1002);
    }

    [TestCase("06", TestName = "block type 3")]
    [TestCase("F2 48 CD C9 C9", TestName = "ends within a block")]
    [TestCase("02 06 00 00", TestName = "a match before the first octet")]
    public void Data_that_cannot_be_decompressed(string octets)
    {
        MemoryClient client = Open(Offer);
        client.Send(Compressed(Frame.BinaryOpcode, Convert.FromHexString(octets.Replace(" ", ""))).Masked());
        IsClosed(client, 1007);
    }

    [Test]
    public void Text_that_is_not_UTF8_once_decompressed()
    {
        MemoryClient client = Open(Offer);
        client.Send(Compressed(Frame.TextOpcode, Stored([0x41, 0xED, 0xA0, 0x80])).Masked());
        IsClosed(client, 1007);
        MemoryClient binary = Open(Offer);
        binary.Send(Compressed(Frame.BinaryOpcode, Stored([0x41, 0xED, 0xA0, 0x80])).Masked());
        Assert.That(Take(binary).Opcode, Is.EqualTo(Frame.BinaryOpcode));
    }

    [Test]
    public void The_limit_counts_what_comes_out()
    {
        Options = Options with { MaxMessageBytes = 1000 };
        MemoryClient client = Open(Offer);
        client.Send(Compressed(Frame.BinaryOpcode, Flushed(new byte[1000])).Masked());
        Assert.That(Inflate(Take(client).Payload), Has.Length.EqualTo(1000));
        client.Send(Compressed(Frame.BinaryOpcode, Flushed(new byte[1001])).Masked());
        IsClosed(client, 1009);
        // Stored, a message at the limit is a little longer on its way.
        MemoryClient stored = Open(Offer);
        stored.Send(Compressed(Frame.BinaryOpcode, Stored(new byte[1000])).Masked());
        Assert.That(Take(stored).Opcode, Is.EqualTo(Frame.BinaryOpcode));
        // Nothing that comes out, for ever, is too much as well.
        MemoryClient endless = Open(Offer);
        byte[] empty = [.. Enumerable.Repeat<byte[]>([0x00, 0x00, 0x00, 0xFF, 0xFF], 1000).SelectMany(static b => b)];
        endless.Send(new Frame(Frame.BinaryOpcode, empty, false, 4).Masked());
        IsClosed(endless, 1009);
    }

    [Test]
    public void A_bomb()
    {
        MemoryClient client = Open(Offer);
        client.Send(Compressed(Frame.BinaryOpcode, Flushed(new byte[100_000_000])).Masked());
        IsClosed(client, 1009);
        MemoryClient fragmented = Open(Offer);
        byte[] bomb = Flushed(new byte[100_000_000]);
        fragmented.Send(new Frame(Frame.BinaryOpcode, bomb[..10_000], false, 4).Masked());
        IsClosed(fragmented, 1009);
    }

    [Test]
    public void Pieces_of_a_compressed_message()
    {
        long total = 0;
        int largest = 0;
        Options = Options with { MaxMessageBytes = long.MaxValue };
        Handler = async socket =>
        {
            while (await socket.ReceiveFragmentAsync() is { } piece)
            {
                total += piece.Payload.Length;
                largest = Math.Max(largest, piece.Payload.Length);
            }
        };
        MemoryClient client = Open(Offer);
        byte[] wire = Compressed(Frame.BinaryOpcode, Flushed(new byte[50_000_000])).Masked();
        for (int at = 0; at < wire.Length; at += 1000) client.Send(wire.AsSpan(at, Math.Min(1000, wire.Length - at)));
        Assert.That(total, Is.EqualTo(50_000_000));
        Assert.That(largest, Is.LessThan(1100 * 1000));
    }

    [Test]
    public void Small_messages_are_not_compressed()
    {
        Options = Options with { Compression = new WebSocketCompression { MinMessageBytes = 10 } };
        MemoryClient client = Open(Offer);
        Assert.That(Exchange(client, Frame.Text("123456789")), Is.EqualTo("text 123456789"));
        client.Send(Frame.Text("1234567890").Masked());
        Assert.That(Take(client).Reserved, Is.EqualTo(4));
    }

    [Test]
    public void Large_messages_of_several_sends()
    {
        MemoryClient client = Open(Offer);
        Random random = new(9);
        DeflateInflater inflater = new(new(false, false, 15, 15, false));
        for (int i = 0; i < 5; i++)
        {
            byte[] noise = new byte[200_000];
            random.NextBytes(noise);
            client.Send(Compressed(Frame.BinaryOpcode, Stored(noise)).Masked());
            Frame answer = Take(client);
            Assert.That(answer.Reserved, Is.EqualTo(4));
            Assert.That(inflater.Append(answer.Payload, true, long.MaxValue), Is.EqualTo(InflateResult.Done));
            Assert.That(inflater.Taken.Span.SequenceEqual(noise));
            inflater.Release();
        }
    }

    private static async ValueTask PlainEchoAsync(WebSocketConnection socket)
    {
        while (await socket.ReceiveAsync() is { } message)
        {
            Assert.That(socket.IsCompressed);
            await socket.SendAsync(message.Kind, message.Payload);
        }
    }

    private static Frame Compressed(int opcode, byte[] payload) => new(opcode, payload, true, 4);

    private static Frame Take(MemoryClient client)
    {
        ReadOnlySpan<byte> wire = client.Take();
        Frame frame = Frame.Take(ref wire)!;
        Assert.That(wire.Length, Is.Zero, "more than a frame");
        return frame;
    }

    // By zlib, in one context with what came before.
    private static string Inflate(byte[] payload, string before = "")
    {
        MemoryStream input = new();
        if (before.Length > 0) input.Write([.. Stored(Encoding.UTF8.GetBytes(before))[..^1]]);
        input.Write(payload);
        input.Write([0, 0, 0xFF, 0xFF, 0x03, 0x00]);
        input.Position = 0;
        MemoryStream output = new();
        using (DeflateStream stream = new(input, CompressionMode.Decompress)) stream.CopyTo(output);
        return Encoding.UTF8.GetString(output.ToArray())[before.Length..];
    }

    private static byte[] Flushed(byte[] content)
    {
        MemoryStream output = new();
        using DeflateStream stream = new(output, CompressionLevel.Optimal, leaveOpen: true);
        stream.Write(content);
        stream.Flush();
        return output.ToArray()[..^4];
    }

    // Stored blocks (RFC 1951 §3.2.4) of at most 65,535 octets.
    private static byte[] Stored(byte[] content)
    {
        List<byte> wire = [];
        for (int at = 0; at < content.Length; at += 65535)
        {
            int size = Math.Min(65535, content.Length - at);
            wire.AddRange([0, (byte)size, (byte)(size >> 8), (byte)~size, (byte)~(size >> 8), .. content[at..(at + size)]]);
        }
        return [.. wire, 0];
    }

    private static byte[] Text(Random random, int size)
    {
        StringBuilder text = new();
        while (text.Length < size) text.Append($"{{\"id\":{random.Next(1000)},\"name\":\"user\",\"partial\":true}},");
        return Encoding.ASCII.GetBytes(text.ToString(0, size));
    }
}

using System.IO.Compression;
using System.Text;
using Turbo.Net.WebSocket;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.WebSocket;

/// <summary>Seeded random frames, sound and damaged: what comes back does not depend on how they were cut.</summary>
internal sealed class RandomFramesTests : WebSocketFixture
{
    private const string Offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

    [Test]
    public void Any_cuts_come_to_the_same([Range(0, 19)] int seed)
    {
        Options = new WebSocketOptions { PingInterval = TimeSpan.Zero, Compression = new WebSocketCompression { ServerNoContextTakeover = true } };
        Random random = new(seed);
        int closed = 0;
        for (int run = 0; run < 60; run++)
        {
            byte[] wire = Wire(random);
            (string Frames, bool HasEnded) whole = Run(wire, [wire.Length]);
            Assert.That(Run(wire, [.. Enumerable.Range(1, wire.Length)]), Is.EqualTo(whole), $"run {run}, octet by octet");
            int[] cuts = [.. Enumerable.Range(0, 5).Select(_ => random.Next(1, wire.Length + 1)).Order(), wire.Length];
            Assert.That(Run(wire, cuts), Is.EqualTo(whole), $"run {run}, cut at {string.Join(' ', cuts)}");
            if (whole.HasEnded) closed++;
            // Whatever ends it, a Close frame does, and nothing comes after that.
            if (whole.HasEnded) Assert.That(whole.Frames.Split(" | ")[^1], Does.StartWith("close"), $"run {run}");
        }
        Assert.That(closed, Is.InRange(5, 59));
    }

    [Test]
    public void Nothing_but_noise()
    {
        Random random = new(99);
        for (int run = 0; run < 500; run++)
        {
            byte[] wire = new byte[random.Next(1, 200)];
            random.NextBytes(wire);
            MemoryClient client = Open();
            client.Send(wire);
            foreach (string frame in Received(client).Split(" | ", StringSplitOptions.RemoveEmptyEntries))
                Assert.That(frame, Does.Match("^(close|text|binary|pong)"), Convert.ToHexString(wire));
            client.Fin();
            Assert.That(client.Serving.IsCompletedSuccessfully, Convert.ToHexString(wire));
        }
    }

    private (string Frames, bool HasEnded) Run(byte[] wire, int[] ends)
    {
        MemoryClient client = Open(Offer);
        int at = 0;
        foreach (int end in ends)
        {
            client.Send(wire.AsSpan(at..end));
            at = end;
        }
        (string, bool) result = (Received(client), client.HasEnded);
        client.Fin();
        Assert.That(client.Serving.IsCompletedSuccessfully, "the connection did not end");
        return result;
    }

    private static byte[] Wire(Random random)
    {
        List<byte> wire = [];
        bool inMessage = false;
        for (int n = random.Next(1, 12); n > 0; n--)
        {
            Frame frame = random.Next(10) switch
            {
                0 => Frame.Ping(new string('p', random.Next(126))),
                1 => Frame.Pong("x"),
                2 when random.Next(4) == 0 => random.Next(3) switch { 0 => Frame.Close(), 1 => Frame.Close(1000, "why"), _ => Frame.Close(random.Next(6000)) },
                _ when inMessage => new Frame(Frame.ContinuationOpcode, Content(random), random.Next(2) == 0),
                3 or 4 => new Frame(Frame.TextOpcode, Compressed(Content(random)), true, 4),
                5 => Frame.Binary(Content(random), random.Next(3) > 0),
                _ => new Frame(Frame.TextOpcode, Content(random), random.Next(3) > 0),
            };
            if (frame.Opcode < Frame.CloseOpcode) inMessage = !frame.IsFinal;
            byte[] key = new byte[4];
            random.NextBytes(key);
            wire.AddRange(frame.Masked(key));
        }
        // Half of them are damaged somewhere.
        if (random.Next(2) == 0) wire[random.Next(wire.Count)] ^= (byte)(1 << random.Next(8));
        return [.. wire];
    }

    private static byte[] Content(Random random)
    {
        StringBuilder text = new();
        int length = random.Next(8) == 0 ? random.Next(5000) : random.Next(130);
        while (text.Length < length) text.Append(random.Next(5) switch { 0 => "é", 1 => "€", 2 => "\U0001F600", _ => "word " });
        byte[] bytes = Encoding.UTF8.GetBytes(text.ToString());
        // Sometimes cut within a character.
        return random.Next(6) == 0 && bytes.Length > 0 ? bytes[..^1] : bytes;
    }

    private static byte[] Compressed(byte[] content)
    {
        if (content.Length == 0) return [0];
        MemoryStream output = new();
        using DeflateStream stream = new(output, CompressionLevel.Optimal, leaveOpen: true);
        stream.Write(content);
        stream.Flush();
        return output.ToArray()[..^4];
    }
}

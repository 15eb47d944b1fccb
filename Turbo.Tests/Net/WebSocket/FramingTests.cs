using Turbo.Net.WebSocket;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.WebSocket;

/// <summary>RFC 6455 §5: framing as an echo shows it, however the octets arrive.</summary>
internal sealed class FramingTests : WebSocketFixture
{
    [TestCase(0)]
    [TestCase(1)]
    [TestCase(125)]
    [TestCase(126)]
    [TestCase(127)]
    [TestCase(128)]
    [TestCase(4082)]
    [TestCase(4096)]
    [TestCase(65535)]
    [TestCase(65536)]
    [TestCase(1024 * 1024)]
    public void Sizes(int size)
    {
        MemoryClient client = Open();
        byte[] text = new byte[size];
        Array.Fill(text, (byte)'*');
        byte[] binary = new byte[size];
        new Random(size).NextBytes(binary);
        foreach (Frame frame in new[] { new Frame(Frame.TextOpcode, text), Frame.Binary(binary) })
        {
            client.Send(frame.Masked());
            Assert.That(client.Take(), Is.EqualTo(frame.Unmasked()));
        }
    }

    [Test]
    public void Any_masking_key()
    {
        MemoryClient client = Open();
        foreach (byte[] key in new byte[][] { [0, 0, 0, 0], [255, 255, 255, 255], [1, 2, 3, 4], [0, 0, 0, 1] })
        {
            client.Send(Frame.Text("masked with that").Masked(key));
            Assert.That(Received(client), Is.EqualTo("text masked with that"));
        }
    }

    [Test]
    public void Octet_by_octet()
    {
        MemoryClient client = Open();
        byte[] wire = [.. Frame.Text("Hello-µ@ßöä").Masked(), .. Frame.Ping("p").Masked(), .. Frame.Text("fra", false).Masked(), .. Frame.Pong().Masked(), .. Frame.More("gment", true).Masked(), .. Frame.Binary(new byte[200]).Masked(), .. Frame.Close(1000, "bye").Masked()];
        foreach (byte b in wire) client.Send([b]);
        IsClosed(client, 1000, "text Hello-µ@ßöä | pong p | text fragment | binary[200]", "bye");
    }

    [Test]
    public void Cut_in_two_at_every_octet()
    {
        byte[] wire = [.. Frame.Text("Hello-µ@ßöä").Masked(), .. Frame.Ping("p").Masked(), .. Frame.Text("fra", false).Masked(), .. Frame.Pong().Masked(), .. Frame.More("gment", true).Masked(), .. Frame.Binary(new byte[126]).Masked()];
        for (int at = 1; at < wire.Length; at++)
        {
            MemoryClient client = Open();
            client.Send(wire.AsSpan(0, at)).Send(wire.AsSpan(at));
            Assert.That(Received(client), Is.EqualTo("text Hello-µ@ßöä | pong p | text fragment | binary[126]"), $"cut at {at}");
        }
    }

    [TestCase("81 05 48 65 6C 6C 6F", TestName = "a whole unmasked text")]
    [TestCase("81 05", TestName = "an unmasked text whose payload is not there")]
    [TestCase("81 00", TestName = "an empty unmasked text")]
    [TestCase("89 00", TestName = "an unmasked ping")]
    [TestCase("88 02 03 E8", TestName = "an unmasked close")]
    [TestCase("91 80 00 00 00 00", TestName = "RSV3")]
    [TestCase("A1 80 00 00 00 00", TestName = "RSV2")]
    [TestCase("C1 80 00 00 00 00", TestName = "RSV1")]
    [TestCase("F1", TestName = "all reserved bits, the first octet alone")]
    [TestCase("C9 80 00 00 00 00", TestName = "RSV1 on a ping")]
    [TestCase("C8 80 00 00 00 00", TestName = "RSV1 on a close")]
    [TestCase("83 80 00 00 00 00", TestName = "opcode 3")]
    [TestCase("87 80 00 00 00 00", TestName = "opcode 7")]
    [TestCase("8B 80 00 00 00 00", TestName = "opcode 11")]
    [TestCase("8F 80 00 00 00 00", TestName = "opcode 15")]
    [TestCase("09 80 00 00 00 00", TestName = "a fragmented ping")]
    [TestCase("89 FE 00 7E 00 00 00 00", TestName = "a ping of 126")]
    [TestCase("80 80 00 00 00 00", TestName = "a continuation of nothing")]
    [TestCase("00 80 00 00 00 00", TestName = "an unfinished continuation of nothing")]
    [TestCase("81 FE 00 7D", TestName = "a length in more octets than it needs")]
    [TestCase("81 FF 00 00 00 00 00 00 FF FF", TestName = "a length in many more octets than it needs")]
    [TestCase("81 FF FF FF FF FF FF FF FF FF", TestName = "a negative length")]
    public void Protocol_errors(string octets)
    {
        byte[] wire = Convert.FromHexString(octets.Replace(" ", ""));
        MemoryClient whole = Open();
        whole.Send(wire);
        IsClosing(whole);
        MemoryClient cut = Open();
        foreach (byte b in wire) cut.Send([b]);
        IsClosing(cut);
        // Messages before it are answered, whatever comes after it is not.
        MemoryClient middle = Open();
        middle.Send([.. Frame.Text("before").Masked(), .. wire, .. Frame.Text("after").Masked()]);
        Assert.That(Received(middle), Is.EqualTo("text before | close 1002"));
    }

    [Test]
    public void Messages_of_one_read_are_answered_with_one_flush()
    {
        MemoryClient client = Open();
        int before = client.Transport.Flushes;
        byte[] sixteen = [.. Enumerable.Range(0, 16).SelectMany(static i => Frame.Text($"m{i}").Masked())];
        client.Send([.. sixteen, .. Frame.Text("the half of another").Masked()[..9]]);
        Assert.That(client.Transport.Flushes - before, Is.EqualTo(1));
        Assert.That(Received(client), Is.EqualTo(string.Join(" | ", Enumerable.Range(0, 16).Select(static i => $"text m{i}"))));
        before = client.Transport.Flushes;
        client.Send(Frame.Text("the half of another").Masked()[9..]);
        Assert.That(client.Transport.Flushes - before, Is.EqualTo(1));
        Assert.That(Received(client), Is.EqualTo("text the half of another"));
    }

    [Test]
    public void Several_sends_for_a_message_leave_together()
    {
        Handler = static async socket =>
        {
            while (await socket.ReceiveAsync() is { } message)
            {
                for (int i = 0; i < 5; i++) await socket.SendAsync(message.Kind, message.Payload);
                socket.TrySend(WebSocketMessageKind.Text, "!"u8.ToArray());
            }
        };
        MemoryClient client = Open();
        int before = client.Transport.Flushes;
        Assert.That(Exchange(client, Frame.Text("a")), Is.EqualTo("text a | text a | text a | text a | text a | text !"));
        Assert.That(client.Transport.Flushes - before, Is.EqualTo(1));
    }

    [Test]
    public void What_was_sent_leaves_when_the_handler_waits_for_something_else()
    {
        TaskCompletionSource work = new();
        Handler = async socket =>
        {
            while (await socket.ReceiveAsync() is { } message)
            {
                await socket.SendAsync(WebSocketMessageKind.Text, "working"u8.ToArray());
                await work.Task;
                await socket.SendAsync(WebSocketMessageKind.Text, "done"u8.ToArray());
            }
        };
        MemoryClient client = Open();
        Assert.That(Exchange(client, Frame.Text("a"), Frame.Text("b")), Is.EqualTo("text working"));
        Inline.Run(() => work.SetResult());
        Assert.That(Received(client), Is.EqualTo("text done | text working | text done"));
    }

    private static void IsClosing(MemoryClient client)
    {
        Assert.That(Received(client), Is.EqualTo("close 1002"));
        Assert.That(client.HasEnded && !client.IsReset, "not ended by FIN");
    }
}

using System.Text;
using Turbo.Net.WebSocket;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.WebSocket;

/// <summary>RFC 6455 §8.1: text is UTF-8, and what is not is refused (1007) before the message ends.</summary>
internal sealed class TextTests : WebSocketFixture
{
    private const string Sample = "κόσμε-\u07ff\uffff\U00010000\U0010FFFF\U0001F600";

    [Test]
    public void Characters_cut_anywhere_in_two_frames()
    {
        MemoryClient client = Open();
        byte[] bytes = Encoding.UTF8.GetBytes(Sample);
        for (int at = 0; at <= bytes.Length; at++)
        {
            client.Send([.. new Frame(Frame.TextOpcode, bytes[..at], false).Masked(), .. new Frame(Frame.ContinuationOpcode, bytes[at..]).Masked()]);
            Assert.That(client.Take(), Is.EqualTo(Frame.Text(Sample).Unmasked()), $"cut at {at}");
        }
    }

    [Test]
    public void A_frame_for_each_octet()
    {
        MemoryClient client = Open();
        byte[] bytes = Encoding.UTF8.GetBytes(Sample);
        client.Send(new Frame(Frame.TextOpcode, [], false).Masked());
        foreach (byte b in bytes) client.Send(new Frame(Frame.ContinuationOpcode, [b], false).Masked());
        client.Send(new Frame(Frame.ContinuationOpcode, []).Masked());
        Assert.That(client.Take(), Is.EqualTo(Frame.Text(Sample).Unmasked()));
    }

    [TestCase("C0 80")]
    [TestCase("ED A0 80")]
    [TestCase("F4 90 80 80")]
    [TestCase("CE BA E1 BD B9 CF 83 CE BC CE B5 ED A0 80 65 64 69 74 65 64")]
    [TestCase("FF")]
    [TestCase("C3", TestName = "a message that ends within a character")]
    [TestCase("41 F0 9F 98", TestName = "a message that ends within four octets")]
    public void Not_UTF8(string octets)
    {
        byte[] bytes = Convert.FromHexString(octets.Replace(" ", ""));
        MemoryClient client = Open();
        client.Send(new Frame(Frame.TextOpcode, bytes).Masked());
        IsClosed(client, 1007);
        MemoryClient fragmented = Open();
        fragmented.Send([.. new Frame(Frame.TextOpcode, bytes[..1], false).Masked(), .. new Frame(Frame.ContinuationOpcode, bytes[1..]).Masked()]);
        IsClosed(fragmented, 1007);
        Assert.That(Closed, Is.EqualTo(new[] { "1007", "1007" }));
    }

    [TestCase("CE BA E1 BD B9 CF 83 CE BC CE B5 F4 90", 12)]
    [TestCase("41 42 C0", 2)]
    [TestCase("41 ED A0", 2)]
    [TestCase("E0 9F", 1)]
    public void Refused_at_the_first_bad_octet_before_the_frame_ends(string octets, int bad)
    {
        byte[] bytes = [.. Convert.FromHexString(octets.Replace(" ", "")), .. new byte[1000]];
        byte[] wire = new Frame(Frame.TextOpcode, bytes).Masked();
        int header = wire.Length - bytes.Length;
        MemoryClient client = Open();
        client.Send(wire.AsSpan(0, header));
        for (int i = 0; i < bad; i++) client.Send([wire[header + i]]);
        Assert.That(Received(client), Is.Empty, "refused too early");
        client.Send([wire[header + bad]]);
        IsClosed(client, 1007);
    }

    [Test]
    public void Refused_in_the_middle_of_a_fragmented_message()
    {
        MemoryClient client = Open();
        client.Send(new Frame(Frame.TextOpcode, [0x41, 0xF4], false).Masked());
        Assert.That(Received(client), Is.Empty);
        client.Send(new Frame(Frame.ContinuationOpcode, [0x90], false).Masked());
        IsClosed(client, 1007);
    }

    [Test]
    public void Binary_is_any_octets()
    {
        MemoryClient client = Open();
        Frame frame = Frame.Binary([0xC0, 0x80, 0xFF, 0xED, 0xA0]);
        client.Send(frame.Masked());
        Assert.That(client.Take(), Is.EqualTo(frame.Unmasked()));
    }

    [Test]
    public void Each_message_is_judged_on_its_own()
    {
        MemoryClient client = Open();
        // A binary message that ends like the start of a character, then text that begins like its end.
        Assert.That(Exchange(client, Frame.Binary([0xC3]), Frame.Text("ok")), Is.EqualTo("binary[1] | text ok"));
        client.Send(new Frame(Frame.TextOpcode, [0xA9]).Masked());
        IsClosed(client, 1007);
    }

    [Test]
    public void Pieces_are_judged_as_they_come()
    {
        List<int> pieces = [];
        Handler = async socket =>
        {
            while (await socket.ReceiveFragmentAsync() is { } piece) pieces.Add(piece.Payload.Length);
        };
        MemoryClient client = Open();
        client.Send([.. new Frame(Frame.TextOpcode, [0x41, 0xE2], false).Masked(), .. new Frame(Frame.ContinuationOpcode, [0x28], false).Masked()]);
        IsClosed(client, 1007);
        Assert.That(pieces, Is.EqualTo(new[] { 2 }));
    }
}

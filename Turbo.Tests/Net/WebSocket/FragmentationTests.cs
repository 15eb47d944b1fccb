using System.Text;
using Turbo.Net.WebSocket;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.WebSocket;

/// <summary>RFC 6455 §5.4.</summary>
internal sealed class FragmentationTests : WebSocketFixture
{
    [Test]
    public void Two_and_many()
    {
        MemoryClient client = Open();
        Assert.That(Exchange(client, Frame.Text("a", false), Frame.More("b", true)), Is.EqualTo("text ab"));
        Assert.That(Exchange(client, [Frame.Text("", false), .. Enumerable.Repeat(Frame.More("x"), 50), Frame.More("", true)]), Is.EqualTo("text " + new string('x', 50)));
        Assert.That(Exchange(client, Frame.Binary([1, 2], false), Frame.More("", false), Frame.More("\u0003", true)), Is.EqualTo("binary[3]"));
        Assert.That(Exchange(client, Frame.Text("", false), Frame.More("", false), Frame.More("", true)), Is.EqualTo("text"));
    }

    [Test]
    public void Control_frames_in_between_are_answered_at_once()
    {
        MemoryClient client = Open();
        Assert.That(Exchange(client, Frame.Text("frag", false)), Is.Empty);
        Assert.That(Exchange(client, Frame.Ping("1")), Is.EqualTo("pong 1"));
        Assert.That(Exchange(client, Frame.More("ment", false), Frame.Ping("2")), Is.EqualTo("pong 2"));
        Assert.That(Exchange(client, Frame.Pong("unasked")), Is.Empty);
        Assert.That(Exchange(client, Frame.Ping(""), Frame.More("ed", true)), Is.EqualTo("pong | text fragmented"));
    }

    [TestCase("text", "text", TestName = "a text within a text")]
    [TestCase("text", "binary", TestName = "a binary within a text")]
    [TestCase("binary", "text", TestName = "a text within a binary")]
    public void A_message_within_a_message(string first, string second)
    {
        MemoryClient client = Open();
        Assert.That(Exchange(client, Of(first, false), Of(second, true)), Is.EqualTo("close 1002"));

        static Frame Of(string kind, bool isFinal) => kind == "text" ? Frame.Text("x", isFinal) : Frame.Binary([1], isFinal);
    }

    [Test]
    public void A_continuation_after_the_last()
    {
        MemoryClient client = Open();
        Assert.That(Exchange(client, Frame.Text("a", false), Frame.More("b", true), Frame.More("c", true)), Is.EqualTo("text ab | close 1002"));
    }

    [Test]
    public void A_close_within_a_message_ends_it()
    {
        MemoryClient client = Open();
        client.Send([.. Frame.Text("half", false).Masked(), .. Frame.Close(1001).Masked()]);
        IsClosed(client, 1001);
        Assert.That(Closed, Is.EqualTo(new[] { "1001" }));
    }

    [Test]
    public void Large_fragments_over_many_reads()
    {
        MemoryClient client = Open();
        byte[] payload = new byte[300_000];
        new Random(3).NextBytes(payload);
        byte[] wire = [.. Frame.Binary(payload[..100_000], false).Masked(), .. new Frame(0, payload[100_000..100_001], false).Masked(), .. new Frame(0, payload[100_001..]).Masked()];
        for (int at = 0; at < wire.Length; at += 4097) client.Send(wire.AsSpan(at, Math.Min(4097, wire.Length - at)));
        Assert.That(client.Take(), Is.EqualTo(Frame.Binary(payload).Unmasked()));
    }

    [Test]
    public void Pieces_in_constant_memory()
    {
        List<string> pieces = [];
        Handler = async socket =>
        {
            while (await socket.ReceiveFragmentAsync() is { } piece)
                pieces.Add($"{piece.Kind} {Encoding.UTF8.GetString(piece.Payload.Span)}{(piece.IsEnd ? "." : "")}");
        };
        MemoryClient client = Open();
        byte[] wire = Frame.Text("Hello").Masked();
        client.Send(wire.AsSpan(0, 8)).Send(wire.AsSpan(8));
        client.Send([.. Frame.Text("a", false).Masked(), .. Frame.More("", false).Masked(), .. Frame.Ping().Masked(), .. Frame.More("", true).Masked(), .. Frame.Binary([]).Masked()]);
        Assert.That(pieces, Is.EqualTo(new[] { "Text He", "Text llo.", "Text a", "Text .", "Binary ." }));
        Assert.That(Received(client), Is.EqualTo("pong"));
    }

    [Test]
    public void Pieces_then_a_whole_message()
    {
        List<string> got = [];
        Handler = async socket =>
        {
            while (await socket.ReceiveFragmentAsync() is { IsEnd: false }) got.Add("piece");
            got.Add((await socket.ReceiveAsync()).GetValueOrDefault().Payload.Length.ToString());
            await socket.ReceiveFragmentAsync();
            // The rest of a message of which a piece was taken is no message.
            Assert.That(async () => await socket.ReceiveAsync(), Throws.InvalidOperationException);
            got.Add("refused");
        };
        MemoryClient client = Open();
        client.Send([.. Frame.Text("a", false).Masked(), .. Frame.More("b", true).Masked(), .. Frame.Text("whole").Masked(), .. Frame.Text("c", false).Masked()]);
        Assert.That(got, Is.EqualTo(new[] { "piece", "5", "refused" }));
    }

    [Test]
    public void A_second_receive_at_once_is_refused()
    {
        Handler = async socket =>
        {
            ValueTask<WebSocketMessage?> first = socket.ReceiveAsync();
            Assert.That(async () => await socket.ReceiveAsync(), Throws.InvalidOperationException);
            Assert.That(async () => await socket.ReceiveFragmentAsync(), Throws.InvalidOperationException);
            WebSocketMessage message = (await first)!.Value;
            await socket.SendAsync(message.Kind, message.Payload);
        };
        MemoryClient client = Open();
        client.Send(Frame.Text("x").Masked());
        Assert.That(Received(client), Is.EqualTo("text x | close 1000"));
    }
}

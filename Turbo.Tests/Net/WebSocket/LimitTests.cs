using Turbo.Net.Transport;
using Turbo.Net.WebSocket;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.WebSocket;

/// <summary>Each bound at its edge and one past.</summary>
internal sealed class LimitTests : WebSocketFixture
{
    [Test]
    public void A_message_at_the_limit_and_one_over()
    {
        Options = new WebSocketOptions { MaxMessageBytes = 512 };
        MemoryClient client = Open();
        client.Send(Frame.Binary(new byte[512]).Masked());
        Assert.That(Received(client), Is.EqualTo("binary[512]"));
        // Its header is enough.
        client.Send(Frame.Binary(new byte[513]).Masked().AsSpan(0, 8));
        IsClosed(client, 1009);
        Assert.That(Closed, Is.EqualTo(new[] { "1009" }));
    }

    [Test]
    public void A_fragmented_message_at_the_limit_and_one_over()
    {
        Options = new WebSocketOptions { MaxMessageBytes = 512 };
        MemoryClient client = Open();
        Assert.That(Exchange(client, Frame.Binary(new byte[500], false), new Frame(0, new byte[12], false), new Frame(0, [])), Is.EqualTo("binary[512]"));
        Assert.That(Exchange(client, Frame.Binary(new byte[500], false), new Frame(0, new byte[12], false)), Is.Empty);
        client.Send(new Frame(0, [1]).Masked());
        IsClosed(client, 1009);
    }

    [Test]
    public void The_longest_length_that_a_header_can_say()
    {
        MemoryClient client = Open();
        client.Send([0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]);
        IsClosed(client, 1009);
        MemoryClient fragmented = Open();
        fragmented.Send([.. Frame.Binary([1], false).Masked(), 0x80, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]);
        IsClosed(fragmented, 1009);
    }

    [Test]
    public void Pieces_of_a_message_without_a_limit()
    {
        long total = 0;
        Options = new WebSocketOptions { MaxMessageBytes = long.MaxValue };
        Handler = async socket =>
        {
            while (await socket.ReceiveFragmentAsync() is { } piece) total += piece.Payload.Length;
        };
        MemoryClient client = Open();
        client.Send([0x82, 0xFF, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0, 0, 0, 0]);
        for (int i = 0; i < 1000; i++) client.Send(new byte[10_000]);
        Assert.That(total, Is.EqualTo(10_000_000));
    }

    [Test]
    public void Pings_are_sent_and_a_peer_without_pongs_is_closed()
    {
        Options = new WebSocketOptions { PingInterval = TimeSpan.FromSeconds(15), PongTimeout = TimeSpan.FromSeconds(60) };
        MemoryClient client = Open();
        Advance(14.5);
        Assert.That(Received(client), Is.Empty);
        Advance(0.5);
        Assert.That(Received(client), Is.EqualTo("ping"));
        Advance(15);
        Assert.That(Received(client), Is.EqualTo("ping"));
        // 30 s have passed; a pong gives 60 s more.
        client.Send(Frame.Pong().Masked());
        Advance(59.75);
        Assert.That(Received(client), Is.EqualTo("ping | ping | ping"));
        Assert.That(client.HasEnded, Is.False);
        Advance(0.25);
        Assert.That(Received(client), Does.EndWith("close 1008 no pong"));
        Assert.That(Closed, Is.EqualTo(new[] { "1008 no pong" }));
        Assert.That(client.Transport.EndReason, Is.EqualTo(EndReason.ReadTimeout));
        // Nobody is there to answer the Close frame.
        Advance(10.25);
        Assert.That(client.HasEnded);
    }

    [Test]
    public void Messages_are_no_pongs()
    {
        Options = new WebSocketOptions { PingInterval = TimeSpan.FromSeconds(15), PongTimeout = TimeSpan.FromSeconds(60) };
        MemoryClient client = Open();
        for (int i = 0; i < 59; i++)
        {
            Advance(1);
            client.Send(Frame.Text("x").Masked());
        }
        Assert.That(client.HasEnded, Is.False);
        client.Take();
        Advance(1);
        Assert.That(Received(client), Does.EndWith("close 1008 no pong"));
    }

    [Test]
    public void Answered_pings_keep_it_open()
    {
        MemoryClient client = Open();
        for (int i = 0; i < 100; i++)
        {
            Advance(15);
            Assert.That(Received(client), Is.EqualTo("ping"));
            client.Send(Frame.Pong().Masked());
        }
        Assert.That(client.HasEnded, Is.False);
    }

    [Test]
    public void The_time_that_a_handler_takes_is_not_the_peers()
    {
        TaskCompletionSource work = new();
        Options = new WebSocketOptions { PingInterval = TimeSpan.FromSeconds(15), PongTimeout = TimeSpan.FromSeconds(60) };
        Handler = async socket =>
        {
            await socket.ReceiveAsync();
            await work.Task;
            await EchoAsync(socket);
        };
        MemoryClient client = Open();
        Advance(30);
        client.Send(Frame.Text("work").Masked());
        Advance(300);
        Assert.That(client.HasEnded, Is.False);
        Inline.Run(() => work.SetResult());
        client.Take();
        Advance(29.75);
        Assert.That(client.HasEnded, Is.False);
        Assert.That(Received(client), Does.Not.Contain("close"));
        Advance(0.25);
        Assert.That(Received(client), Does.EndWith("close 1008 no pong"));
    }

    [Test]
    public void No_pings_and_no_end_of_patience_where_they_are_off()
    {
        Options = new WebSocketOptions { PingInterval = TimeSpan.Zero };
        MemoryClient client = Open();
        Advance(3600);
        Assert.That(Received(client), Is.Empty);
        Assert.That(Exchange(client, Frame.Text("still")), Is.EqualTo("text still"));
    }

    [Test]
    public void Pings_of_the_peer()
    {
        MemoryClient client = Open();
        Assert.That(Exchange(client, Frame.Ping()), Is.EqualTo("pong"));
        Assert.That(Exchange(client, Frame.Ping("\u0000\u00ff\u00fe\u00fd")), Is.EqualTo(@"pong \x00\xff\xfe\xfd"));
        string longest = new('p', 125);
        Assert.That(Exchange(client, Frame.Ping(longest)), Is.EqualTo("pong " + longest));
        Assert.That(Exchange(client, [.. Enumerable.Range(0, 10).Select(static i => Frame.Ping($"{i}"))]),
            Is.EqualTo(string.Join(" | ", Enumerable.Range(0, 10).Select(static i => $"pong {i}"))));
    }

    [Test]
    public void A_flood_of_pings_that_nobody_reads_the_answers_to_takes_no_memory()
    {
        Options = new WebSocketOptions { PingInterval = TimeSpan.Zero };
        MemoryClient client = Open();
        byte[] pings = [.. Enumerable.Repeat(Frame.Ping(new string('p', 125)), 500).SelectMany(static f => f.Masked())];
        // 127 octets each, of which the transport's 1 MiB holds some 8,000.
        for (int i = 0; i < 100; i++) client.Send(pings);
        string[] received = Received(client).Split(" | ");
        Assert.That(received, Has.Length.InRange(8_000, 10_000));
        Assert.That(received, Has.All.StartsWith("pong ppp"));
        // It answers again.
        Assert.That(Exchange(client, Frame.Ping("again")), Does.EndWith("pong again"));
    }
}

using System.Text;
using Turbo.Net.Transport;
using Turbo.Net.WebSocket;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.WebSocket;

/// <summary>RFC 6455 §5.5.1 and §7: the closing handshake from both sides, and ends without one.</summary>
internal sealed class CloseTests : WebSocketFixture
{
    [TestCase(1000)]
    [TestCase(1001)]
    [TestCase(1002)]
    [TestCase(1003)]
    [TestCase(1007)]
    [TestCase(1008)]
    [TestCase(1009)]
    [TestCase(1010)]
    [TestCase(1011)]
    [TestCase(1012)]
    [TestCase(1013)]
    [TestCase(1014)]
    [TestCase(3000)]
    [TestCase(3999)]
    [TestCase(4000)]
    [TestCase(4999)]
    public void A_valid_code_is_sent_back(int code)
    {
        MemoryClient client = Open();
        client.Send(Frame.Close(code, "why").Masked());
        IsClosed(client, code, reason: "why");
        Assert.That(Closed, Is.EqualTo(new[] { $"{code} why" }));
        client.Fin();
        Assert.That(client.Transport.EndReason, Is.EqualTo(EndReason.Upgraded));
    }

    [Test]
    public void Every_other_code_is_a_protocol_error()
    {
        int[] invalid = [.. Enumerable.Range(0, 1000), 1004, 1005, 1006, .. Enumerable.Range(1015, 3000 - 1015), .. Enumerable.Range(5000, 200), 32768, 65535];
        foreach (int code in invalid) Assert.That(WebSocketCloseCode.IsValid(code), Is.False, $"{code}");
        foreach (int code in new[] { 0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535 })
        {
            MemoryClient client = Open();
            client.Send(Frame.Close(code).Masked());
            IsClosed(client, 1002);
        }
    }

    [Test]
    public void Without_a_code()
    {
        MemoryClient client = Open();
        client.Send(Frame.Close().Masked());
        Assert.That(Received(client), Is.EqualTo("close"));
        Assert.That(client.HasEnded && !client.IsReset);
        Assert.That(Closed, Is.EqualTo(new[] { "1005" }));
    }

    [Test]
    public void Half_a_code()
    {
        MemoryClient client = Open();
        client.Send(new Frame(Frame.CloseOpcode, [3]).Masked());
        IsClosed(client, 1002);
    }

    [Test]
    public void The_longest_reason()
    {
        MemoryClient client = Open();
        string reason = new('r', 123);
        client.Send(Frame.Close(1000, reason).Masked());
        IsClosed(client, 1000, reason: reason);
        Assert.That(Closed, Is.EqualTo(new[] { "1000 " + reason }));
        MemoryClient longer = Open();
        longer.Send(Frame.Close(1000, reason + "r").Masked());
        IsClosed(longer, 1002);
    }

    [TestCase("CE BA E1 BD B9 CF 83 CE BC CE B5 ED A0 80")]
    [TestCase("C3")]
    public void A_reason_that_is_not_UTF8(string octets)
    {
        MemoryClient client = Open();
        client.Send(new Frame(Frame.CloseOpcode, [0x03, 0xE8, .. Convert.FromHexString(octets.Replace(" ", ""))]).Masked());
        IsClosed(client, 1007);
    }

    [Test]
    public void Nothing_counts_after_it()
    {
        MemoryClient client = Open();
        client.Send([.. Frame.Text("a").Masked(), .. Frame.Close(1000).Masked(), .. Frame.Text("b").Masked(), .. Frame.Ping().Masked(), 0xFF, 0xFF]);
        IsClosed(client, 1000, "text a");
    }

    [Test]
    public void The_handler_closes_and_the_peer_answers()
    {
        List<bool> sent = [];
        Handler = async socket =>
        {
            await socket.ReceiveAsync();
            sent.Add(socket.Close(4001, "enough"u8));
            sent.Add(socket.Close(4002));
            sent.Add(await socket.SendAsync(WebSocketMessageKind.Text, "late"u8.ToArray()));
            sent.Add(socket.TrySend(WebSocketMessageKind.Text, "late"u8.ToArray()));
            sent.Add(await socket.ReceiveAsync() is not null);
        };
        MemoryClient client = Open();
        Assert.That(Exchange(client, Frame.Text("x")), Is.EqualTo("close 4001 enough"));
        Assert.That(sent, Is.EqualTo(new[] { true, false, false, false, false }));
        // It waits for the peer's Close frame; messages under way are dropped, pings need no answer.
        Assert.That(Exchange(client, Frame.Text("under way"), Frame.Ping()), Is.Empty);
        Assert.That(client.HasEnded, Is.False);
        client.Send(Frame.Close(4001).Masked());
        Assert.That(Received(client), Is.Empty);
        Assert.That(client.HasEnded && !client.IsReset);
        Assert.That(Closed, Is.EqualTo(new[] { "4001 enough" }));
    }

    [Test]
    public void A_handler_that_returns_closes_with_1000()
    {
        Handler = static async socket => await socket.ReceiveAsync();
        MemoryClient client = Open();
        Assert.That(Exchange(client, Frame.Text("x")), Is.EqualTo("close 1000"));
        client.Send(Frame.Close(1000).Masked());
        Assert.That(client.HasEnded && !client.IsReset);
    }

    [Test]
    public void A_handler_that_returns_at_once()
    {
        Handler = static _ => default;
        MemoryClient client = Open("", out string early);
        Assert.That(early, Is.EqualTo("close 1000"));
        client.Send(Frame.Close(1000).Masked());
        Assert.That(client.HasEnded && !client.IsReset);
    }

    [Test]
    public void A_handler_that_throws_closes_with_1011()
    {
        Handler = static async socket =>
        {
            await socket.ReceiveAsync();
            throw new InvalidOperationException("thrown by the handler");
        };
        MemoryClient client = Open();
        Assert.That(Exchange(client, Frame.Text("x")), Is.EqualTo("close 1011"));
        client.Send(Frame.Close(1011).Masked());
        Assert.That(client.HasEnded && !client.IsReset);
        Assert.That(Server.Log.HandlerFaults.Select(static e => e.Message), Is.EqualTo(new[] { "thrown by the handler" }));
    }

    [Test]
    public void A_handler_that_leaves_a_receive_behind()
    {
        Handler = static socket =>
        {
            _ = socket.ReceiveAsync().AsTask();
            return default;
        };
        MemoryClient client = Open("", out string early);
        Assert.That(early, Is.EqualTo("close 1000"));
        client.Send(Frame.Close(1000).Masked());
        Assert.That(client.HasEnded && !client.IsReset);
    }

    [Test]
    public void A_peer_that_does_not_answer_is_left_in_time()
    {
        Options = new WebSocketOptions { CloseTimeout = TimeSpan.FromSeconds(10), PingInterval = TimeSpan.Zero };
        Handler = static async socket => await socket.ReceiveAsync();
        MemoryClient client = Open();
        Assert.That(Exchange(client, Frame.Text("x")), Is.EqualTo("close 1000"));
        Advance(9);
        Assert.That(client.HasEnded, Is.False);
        Advance(2);
        Assert.That(client.HasEnded && !client.IsReset, "FIN, not a reset: the Close frame may still be under way");
        // It lingers for the peer's end, and not for ever.
        Assert.That(client.Serving.IsCompleted, Is.False);
        Advance(3);
        Assert.That(client.Serving.IsCompletedSuccessfully);
    }

    [Test]
    public void A_closed_peer_that_goes_on_sending_is_read_until_it_ends()
    {
        MemoryClient client = Open();
        client.Send(new Frame(Frame.TextOpcode, [0xFF]).Masked());
        IsClosed(client, 1007);
        for (int i = 0; i < 100; i++) client.Send(new byte[10_000]);
        Assert.That(client.Serving.IsCompleted, Is.False);
        client.Fin();
        Assert.That(client.Serving.IsCompletedSuccessfully);
    }

    [Test]
    public void A_peer_that_ends_without_a_close()
    {
        MemoryClient client = Open();
        client.Send(Frame.Text("last").Masked()).Fin();
        Assert.That(Received(client), Is.EqualTo("text last"));
        Assert.That(client.HasEnded && !client.IsReset);
        Assert.That(Closed, Is.EqualTo(new[] { "1006" }));
    }

    [Test]
    public void A_peer_that_ends_anywhere_in_a_message()
    {
        byte[] wire = [.. Frame.Text("frag", false).Masked(), .. Frame.Ping("p").Masked(), .. Frame.More("ment", true).Masked(), .. Frame.Close(1000, "done").Masked()];
        for (int at = 0; at < wire.Length; at++)
        {
            MemoryClient client = Open();
            client.Send(wire.AsSpan(0, at)).Fin();
            Assert.That(client.HasEnded && !client.IsReset, $"cut at {at}");
            Assert.That(client.Serving.IsCompletedSuccessfully);
        }
        Assert.That(Closed, Has.Count.EqualTo(wire.Length).And.All.EqualTo("1006"));
    }

    [Test]
    public void A_peer_that_resets()
    {
        MemoryClient client = Open();
        client.Send(Frame.Text("a").Masked());
        client.Rst();
        Assert.That(Closed, Is.EqualTo(new[] { "1006" }));
        Assert.That(client.Serving.IsCompletedSuccessfully);
        Assert.That(client.Transport.EndReason, Is.EqualTo(EndReason.PeerReset));
        Assert.That(Server.Log.HandlerFaults, Is.Empty);
    }

    [Test]
    public void Abort_resets()
    {
        Handler = static async socket =>
        {
            await socket.ReceiveAsync();
            socket.Abort();
            Assert.That(await socket.ReceiveAsync(), Is.Null);
            Assert.That(await socket.SendAsync(WebSocketMessageKind.Text, "x"u8.ToArray()), Is.False);
        };
        MemoryClient client = Open();
        client.Send(Frame.Text("a").Masked());
        Assert.That(client.HasEnded && client.IsReset);
        Assert.That(client.Transport.EndReason, Is.EqualTo(EndReason.Aborted));
        Assert.That(Server.Log.HandlerFaults, Is.Empty);
    }

    [Test]
    public async Task A_server_that_stops_closes_with_1001()
    {
        MemoryClient first = Open(), second = Open();
        first.Send(Frame.Text("a").Masked());
        Task<int> stop = Inline.Run(() => Server.Server.StopAsync(TimeSpan.FromSeconds(30)));
        await Until.TrueAsync(() => Closed.Count == 2);
        Assert.That(Received(first), Is.EqualTo("text a | close 1001"));
        Assert.That(Received(second), Is.EqualTo("close 1001"));
        Assert.That(Closed, Is.EqualTo(new[] { "1001", "1001" }));
        first.Send(Frame.Close(1001).Masked());
        second.Send(Frame.Close(1001).Masked());
        first.Fin();
        second.Fin();
        Assert.That(await Until.DoneAsync(stop), Is.Zero, "connections reset");
    }

    [TestCase(0)]
    [TestCase(999)]
    [TestCase(1005)]
    [TestCase(1006)]
    [TestCase(1015)]
    [TestCase(5000)]
    public void A_code_that_may_not_be_sent(int code)
    {
        Handler = async socket =>
        {
            Assert.That(() => socket.Close(code), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => socket.Close(1000, new byte[124]), Throws.ArgumentException);
            Assert.That(socket.Close(1000, Encoding.ASCII.GetBytes(new string('r', 123))));
            await socket.ReceiveAsync();
        };
        Open("", out string early);
        Assert.That(early, Is.EqualTo("close 1000 " + new string('r', 123)));
        Assert.That(Server.Log.HandlerFaults, Is.Empty);
    }
}

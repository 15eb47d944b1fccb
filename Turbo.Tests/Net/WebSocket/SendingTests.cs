using System.Collections.Concurrent;
using System.Text;
using Turbo.Net.Transport;
using Turbo.Net.WebSocket;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.WebSocket;

/// <summary>The sending side: order, slow peers, several threads. The transport in memory takes 1 MiB before it pauses.</summary>
internal sealed class SendingTests : WebSocketFixture
{
    private WebSocketConnection? _socket;

    [SetUp]
    public void TakeSocket()
    {
        _socket = null;
        Options = new WebSocketOptions { PingInterval = TimeSpan.Zero };
        Handler = async socket =>
        {
            _socket = socket;
            while (await socket.ReceiveAsync() is not null) { }
        };
    }

    [Test]
    public void In_the_order_of_the_calls_whatever_the_size()
    {
        MemoryClient client = Open();
        List<ValueTask<bool>> sends = [];
        Inline.Run(() =>
        {
            for (int i = 0; i < 20; i++) sends.Add(_socket!.SendAsync(WebSocketMessageKind.Binary, new byte[i % 3 == 0 ? 100_000 : i]));
        });
        List<int> sizes = [];
        // As the peer reads, what waits follows.
        for (int i = 0; i < 100 && sizes.Count < 20; i++) sizes.AddRange(Sizes(client));
        Assert.That(sizes, Is.EqualTo(Enumerable.Range(0, 20).Select(static i => i % 3 == 0 ? 100_000 : i)));
        Assert.That(sends.Select(static s => s.IsCompletedSuccessfully && s.Result), Is.All.True);
    }

    [Test]
    public void A_slow_peer_holds_the_sender_up()
    {
        MemoryClient client = Open();
        List<ValueTask<bool>> sends = [];
        Inline.Run(() =>
        {
            do sends.Add(_socket!.SendAsync(WebSocketMessageKind.Binary, new byte[30_000]));
            while (sends[^1].IsCompleted && sends.Count < 1000);
        });
        Assert.That(sends, Has.Count.InRange(30, 60));
        Assert.That(Sizes(client), Has.Count.EqualTo(sends.Count));
        Assert.That(sends[^1].IsCompletedSuccessfully && sends[^1].Result);
    }

    [Test]
    public void A_peer_that_falls_behind_by_messages_is_closed_with_1013()
    {
        Options = Options with { MaxQueuedMessages = 10 };
        MemoryClient client = Open();
        byte[] message = new byte[30_000];
        int taken = 0;
        Inline.Run(() =>
        {
            while (_socket!.TrySend(WebSocketMessageKind.Binary, message)) taken++;
            Assert.That(_socket.TrySend(WebSocketMessageKind.Binary, message), Is.False, "closed for good");
        });
        string[] received = Received(client).Split(" | ");
        // What the transport had taken, in order and whole, then the Close frame in place of the queue.
        Assert.That(received[^1], Is.EqualTo("close 1013"));
        Assert.That(received[..^1], Has.All.EqualTo("binary[30000]"));
        Assert.That(received[..^1], Has.Length.EqualTo(taken - 10));
        Assert.That(Closed, Is.EqualTo(new[] { "1013" }));
        client.Send(Frame.Close(1013).Masked());
        Assert.That(client.HasEnded && !client.IsReset);
    }

    [Test]
    public void A_peer_that_falls_behind_by_bytes_is_closed_with_1013()
    {
        Options = Options with { MaxQueuedBytes = 100_000 };
        MemoryClient client = Open();
        byte[] message = new byte[30_000];
        int taken = 0;
        Inline.Run(() =>
        {
            while (_socket!.TrySend(WebSocketMessageKind.Binary, message)) taken++;
        });
        string[] received = Received(client).Split(" | ");
        Assert.That(received[^1], Is.EqualTo("close 1013"));
        Assert.That(received, Has.Length.EqualTo(taken - 3 + 1));
    }

    [Test]
    public void A_peer_within_the_bound_gets_every_message()
    {
        Options = Options with { MaxQueuedMessages = 100 };
        MemoryClient client = Open();
        Inline.Run(() =>
        {
            // Fills the transport, then the queue to its edge.
            int taken = 0;
            while (!IsStalled(client)) Assert.That(_socket!.TrySend(WebSocketMessageKind.Binary, new byte[30_000]), $"{taken++}");
            for (int i = 0; i < 100; i++) Assert.That(_socket!.TrySend(WebSocketMessageKind.Text, Encoding.ASCII.GetBytes($"{i}")), $"{i}");
        });
        List<string> texts = [];
        for (int i = 0; i < 100 && texts.Count < 100; i++) texts.AddRange(Received(client).Split(" | ").Where(static f => f.StartsWith("text")));
        Assert.That(texts, Is.EqualTo(Enumerable.Range(0, 100).Select(static i => $"text {i}")));
        Assert.That(client.HasEnded, Is.False);
    }

    [Test]
    public void One_message_may_be_larger_than_the_queue()
    {
        Options = Options with { MaxQueuedBytes = 1000 };
        MemoryClient client = Open();
        Inline.Run(() => Assert.That(_socket!.TrySend(WebSocketMessageKind.Binary, new byte[500_000])));
        Assert.That(Received(client), Is.EqualTo("binary[500000]"));
    }

    [Test]
    public void A_slow_peer_that_takes_nothing_more_is_reset_in_time()
    {
        Options = Options with { MaxQueuedMessages = 10, CloseTimeout = TimeSpan.FromSeconds(10) };
        MemoryClient client = Open();
        Inline.Run(() =>
        {
            while (_socket!.TrySend(WebSocketMessageKind.Binary, new byte[30_000])) { }
        });
        Assert.That(Closed, Is.EqualTo(new[] { "1013" }), "the handler need not wait");
        Advance(9);
        Assert.That(client.Serving.IsCompleted, Is.False);
        Advance(2);
        Assert.That(client.Transport.EndReason, Is.EqualTo(EndReason.WriteTimeout));
        Assert.That(client.Serving.IsCompletedSuccessfully);
    }

    [Test]
    public void A_peer_that_takes_nothing_for_the_write_timeout_is_reset()
    {
        MemoryClient client = Open();
        List<ValueTask<bool>> sends = [];
        Inline.Run(() =>
        {
            do sends.Add(_socket!.SendAsync(WebSocketMessageKind.Binary, new byte[30_000]));
            while (sends[^1].IsCompleted);
        });
        Advance(59);
        Assert.That(sends[^1].IsCompleted, Is.False);
        Advance(2);
        Assert.That(sends[^1].IsCompletedSuccessfully && !sends[^1].Result);
        Assert.That(client.Transport.EndReason, Is.EqualTo(EndReason.WriteTimeout));
        Assert.That(client.Serving.IsCompletedSuccessfully);
    }

    [Test]
    public void Senders_that_wait_are_told_when_the_connection_ends()
    {
        MemoryClient client = Open();
        List<ValueTask<bool>> sends = [];
        Inline.Run(() =>
        {
            for (int i = 0; i < 60; i++) sends.Add(_socket!.SendAsync(WebSocketMessageKind.Binary, new byte[30_000]));
            _socket!.Abort();
        });
        Assert.That(sends.Count(static s => s.IsCompletedSuccessfully), Is.EqualTo(60));
        Assert.That(sends.Count(static s => s.Result), Is.InRange(30, 50));
        Assert.That(Inline.Run(() => _socket!.SendAsync(WebSocketMessageKind.Text, default)).Result, Is.False);
    }

    [Test]
    public void What_is_queued_leaves_before_a_close()
    {
        MemoryClient client = Open();
        Inline.Run(() =>
        {
            for (int i = 0; i < 60; i++) _ = _socket!.SendAsync(WebSocketMessageKind.Binary, new byte[30_000]);
            _socket!.Close(1000);
        });
        List<string> all = [];
        for (int i = 0; i < 100 && all.LastOrDefault() != "close 1000"; i++) all.AddRange(Received(client).Split(" | ", StringSplitOptions.RemoveEmptyEntries));
        Assert.That(all, Has.Count.EqualTo(61));
    }

    [Test]
    public void A_close_waits_for_the_frame_that_is_being_sent()
    {
        Options = Options with { MaxQueuedMessages = 1 };
        MemoryClient client = Open();
        Inline.Run(() =>
        {
            // Half of it is with the transport when the others overflow the queue.
            Assert.That(_socket!.TrySend(WebSocketMessageKind.Binary, new byte[3_000_000]));
            while (_socket.TrySend(WebSocketMessageKind.Text, default)) { }
        });
        List<byte> all = [];
        for (int i = 0; i < 100 && !client.HasEnded; i++)
        {
            all.AddRange(client.Take());
            if (all.Count > 3_000_010) client.Fin();
        }
        Assert.That(Frame.Show(all.ToArray()), Is.EqualTo("binary[3000000] | close 1013"));
    }

    [Test]
    public void A_pong_waits_for_the_frame_that_is_being_sent()
    {
        MemoryClient client = Open();
        Inline.Run(() => Assert.That(_socket!.TrySend(WebSocketMessageKind.Binary, new byte[3_000_000])));
        // The latest ping is the one that is answered (RFC 6455 §5.5.3).
        client.Send([.. Frame.Ping("1").Masked(), .. Frame.Ping("2").Masked(), .. Frame.Ping("3").Masked()]);
        List<byte> all = [];
        for (int i = 0; i < 100 && all.Count < 3_000_013; i++) all.AddRange(client.Take());
        Assert.That(Frame.Show(all.ToArray()), Is.EqualTo("binary[3000000] | pong 3"));
    }

    [Test]
    public async Task Frames_of_several_threads_never_interleave()
    {
        const int Threads = 8, Messages = 2000;
        Options = Options with { MaxQueuedMessages = 100_000, MaxQueuedBytes = 1L << 40 };
        MemoryClient client = Open();
        ConcurrentQueue<string> failures = [];
        Task[] senders = [.. Enumerable.Range(0, Threads).Select(thread => Task.Factory.StartNew(() => Send(thread), TaskCreationOptions.LongRunning).Unwrap())];

        int[] next = new int[Threads];
        List<byte> received = [];
        long deadline = Environment.TickCount64 + 30_000;
        while (next.Sum() < Threads * Messages && Environment.TickCount64 < deadline)
        {
            byte[] more = client.Take();
            if (more.Length == 0) await Task.Delay(1);
            received.AddRange(more);
            ReadOnlySpan<byte> wire = received.ToArray();
            while (Frame.Take(ref wire) is { } frame)
            {
                if (frame.Opcode == Frame.PongOpcode) continue;
                int thread = frame.Payload[0];
                Assert.That(BitConverter.ToInt32(frame.Payload, 1), Is.EqualTo(next[thread]++), $"order of thread {thread}");
                Assert.That(frame.Payload.AsSpan(5).ContainsAnyExcept((byte)thread), Is.False, "the payload of another thread");
            }
            received = [.. wire];
        }
        await Until.DoneAsync(Task.WhenAll(senders));
        Assert.That(failures, Is.Empty);
        Assert.That(next, Has.All.EqualTo(Messages));

        async Task Send(int thread)
        {
            Random random = new(thread);
            for (int i = 0; i < Messages; i++)
            {
                byte[] payload = new byte[5 + random.Next(random.Next(20) == 0 ? 50_000 : 300)];
                payload.AsSpan().Fill((byte)thread);
                BitConverter.TryWriteBytes(payload.AsSpan(1), i);
                bool isSent = random.Next(2) == 0 ? await _socket!.SendAsync(WebSocketMessageKind.Binary, payload) : _socket!.TrySend(WebSocketMessageKind.Binary, payload);
                if (!isSent) failures.Enqueue($"{thread}: {i}");
            }
        }
    }

    private static List<int> Sizes(MemoryClient client)
    {
        ReadOnlySpan<byte> wire = client.Take();
        List<int> sizes = [];
        while (Frame.Take(ref wire) is { } frame) sizes.Add(frame.Payload.Length);
        Assert.That(wire.Length, Is.Zero);
        return sizes;
    }

    // The transport pauses its writer at 1 MiB that the peer has not read.
    private static bool IsStalled(MemoryClient client)
    {
        if (!client.Transport.PeerInput.TryRead(out System.IO.Pipelines.ReadResult result)) return false;
        long held = result.Buffer.Length;
        client.Transport.PeerInput.AdvanceTo(result.Buffer.Start, result.Buffer.Start);
        return held > 1 << 20;
    }
}

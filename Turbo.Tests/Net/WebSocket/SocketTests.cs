using System.Collections.Concurrent;
using System.Text;
using Turbo.Net;
using Turbo.Net.WebSocket;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.WebSocket;

/// <summary>The same on real sockets, where a close can be a reset, a peer slow and a read any piece of what was sent.</summary>
internal sealed class SocketTests
{
    private const string Handshake =
        "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

    private readonly ConcurrentQueue<int> _closed = [];
    private WebSocketOptions _options = new();
    private Func<WebSocketConnection, ValueTask> _handler = EchoAsync;
    private NetServer _server = null!;

    [SetUp]
    public void Start()
    {
        _options = new WebSocketOptions { MaxMessageBytes = 4 * 1024 * 1024 };
        _handler = EchoAsync;
        _closed.Clear();
        _server = new NetServer(async exchange =>
        {
            if (await WebSocketHandshake.AcceptAsync(exchange, _options) is not { } socket) return;
            await _handler(socket);
            _closed.Enqueue(socket.CloseCode);
        });
    }

    [TearDown]
    public async Task Stop() => await Until.DoneAsync(_server.DisposeAsync().AsTask());

    [Test]
    public void Cut_in_two_packets_at_every_octet()
    {
        byte[] wire = [.. Frame.Text("Hello-µ@ßöä").Masked(), .. Frame.Ping("p").Masked(), .. Frame.Text("fra", false).Masked(), .. Frame.Pong().Masked(), .. Frame.More("gment", true).Masked()];
        byte[] answer = [.. Frame.Text("Hello-µ@ßöä").Unmasked(), .. Frame.Pong("p").Unmasked(), .. Frame.Text("fragment").Unmasked()];
        using RawClient client = Open();
        for (int at = 1; at < wire.Length; at++)
        {
            client.SendCut(wire, at);
            Assert.That(client.Take(answer.Length), Is.EqualTo(answer), $"cut at {at}");
        }
    }

    [Test]
    public void Octet_by_octet()
    {
        using RawClient client = Open();
        foreach (byte b in Frame.Text("Hello").Masked()) client.Send([b]);
        Assert.That(Read(client), Is.EqualTo("text Hello"));
        foreach (byte b in Frame.Close(1000, "bye").Masked()) client.Send([b]);
        Assert.That(Read(client), Is.EqualTo("close 1000 bye"));
        client.ExpectFin();
    }

    [TestCase(65535)]
    [TestCase(65536)]
    [TestCase(1024 * 1024)]
    public void Large_messages(int size)
    {
        byte[] payload = new byte[size];
        new Random(size).NextBytes(payload);
        Frame frame = Frame.Binary(payload);
        using RawClient client = Open();
        for (int i = 0; i < 3; i++)
        {
            client.Send(frame.Masked());
            byte[] expected = frame.Unmasked();
            Assert.That(client.Take(expected.Length).AsSpan().SequenceEqual(expected));
        }
    }

    [Test]
    public void A_close_frame_is_not_lost_to_a_reset()
    {
        // After the error much more is under way, which the server never asked for.
        byte[] flood = [0xFF, .. new byte[500_000]];
        for (int i = 0; i < 20; i++)
        {
            using RawClient client = Open();
            client.Send(flood);
            Assert.That(Read(client), Is.EqualTo("close 1002"));
            client.ExpectFin();
        }
    }

    [Test]
    public void A_close_frame_of_a_handler_that_returned_is_not_lost_to_a_reset()
    {
        _handler = static async socket =>
        {
            await socket.ReceiveAsync();
            socket.Close(4000, "enough"u8);
        };
        for (int i = 0; i < 20; i++)
        {
            using RawClient client = Open();
            client.Send([.. Frame.Text("a").Masked(), .. Frame.Binary(new byte[500_000]).Masked()]);
            Assert.That(Read(client), Is.EqualTo("close 4000 enough"));
            client.Send(Frame.Close(4000).Masked());
            client.ExpectFin();
        }
    }

    [Test]
    public async Task A_half_closed_client_gets_its_answers()
    {
        using RawClient client = Open();
        client.Send([.. Frame.Text("one").Masked(), .. Frame.Text("two").Masked()]).HalfClose();
        Assert.That(Read(client), Is.EqualTo("text one"));
        Assert.That(Read(client), Is.EqualTo("text two"));
        client.ExpectFin();
        await Until.TrueAsync(() => _closed.Contains(1006));
    }

    [Test]
    public async Task A_client_that_resets()
    {
        RawClient client = Open();
        client.Send(Frame.Text("one").Masked());
        Assert.That(Read(client), Is.EqualTo("text one"));
        client.Reset();
        await Until.TrueAsync(() => _closed.Contains(1006));
        Assert.That(_server.Log.HandlerFaults, Is.Empty);
    }

    [Test]
    public async Task A_slow_reader_is_closed_with_1013_and_can_read_what_was_sent()
    {
        _options = _options with { MaxQueuedMessages = 1024 };
        TaskCompletionSource<int> overflowed = new();
        _handler = async socket =>
        {
            byte[] message = new byte[8000];
            int taken = 0;
            while (socket.TrySend(WebSocketMessageKind.Binary, message)) taken++;
            overflowed.SetResult(taken);
            await socket.ReceiveAsync();
        };
        using RawClient client = Open(receiveBufferBytes: 8192);
        int total = await Until.DoneAsync(overflowed.Task);
        int got = 0;
        string last;
        while ((last = Read(client)) == "binary[8000]") got++;
        Assert.That(last, Is.EqualTo("close 1013"));
        Assert.That(got, Is.InRange(total - 1024 - 20, total));
        client.Send(Frame.Close(1013).Masked());
        client.ExpectFin();
        Assert.That(_closed, Is.EqualTo(new[] { 1013 }));
    }

    [Test]
    public async Task A_slow_reader_holds_an_echo_up_without_memory_or_loss()
    {
        using RawClient client = Open(receiveBufferBytes: 8192);
        byte[] frame = Frame.Binary(new byte[60_000]).Masked();
        const int Count = 300;
        Task sending = Task.Factory.StartNew(() =>
        {
            for (int i = 0; i < Count; i++) client.Send(frame);
        }, TaskCreationOptions.LongRunning);
        // The sockets' buffers fill first; then the server no longer reads.
        for (int i = 0; i < Count; i++) Assert.That(Read(client), Is.EqualTo("binary[60000]"));
        await Until.DoneAsync(sending);
    }

    [Test]
    public async Task A_server_that_stops_closes_with_1001_and_ends_without_a_reset()
    {
        using RawClient first = Open(), second = Open();
        Task<int> stop = _server.Server.StopAsync(TimeSpan.FromSeconds(10));
        foreach (RawClient client in new[] { first, second })
        {
            Assert.That(Read(client), Is.EqualTo("close 1001"));
            client.Send(Frame.Close(1001).Masked());
            client.ExpectFin();
            client.Dispose();
        }
        Assert.That(await Until.DoneAsync(stop), Is.Zero);
    }

    [Test]
    public async Task A_server_that_is_disposed_resets_what_is_open()
    {
        _handler = static async socket =>
        {
            while (await socket.ReceiveAsync() is not null) { }
        };
        using RawClient client = Open();
        await Until.DoneAsync(_server.Server.DisposeAsync().AsTask());
        client.ExpectReset();
        Assert.That(_server.Log.HandlerFaults, Is.Empty);
        await Until.TrueAsync(() => !_closed.IsEmpty);
    }

    [Test]
    public async Task A_broadcast_from_one_thread_reaches_everyone_in_order()
    {
        ConcurrentQueue<WebSocketConnection> sockets = [];
        _handler = async socket =>
        {
            sockets.Enqueue(socket);
            while (await socket.ReceiveAsync() is not null) { }
        };
        RawClient[] clients = [.. Enumerable.Range(0, 20).Select(_ => Open())];
        await Until.TrueAsync(() => sockets.Count == clients.Length);
        for (int i = 0; i < 200; i++)
        {
            byte[] message = Encoding.ASCII.GetBytes($"message {i}");
            foreach (WebSocketConnection socket in sockets) Assert.That(socket.TrySend(WebSocketMessageKind.Text, message));
        }
        foreach (RawClient client in clients)
        {
            for (int i = 0; i < 200; i++) Assert.That(Read(client), Is.EqualTo($"text message {i}"));
            client.Dispose();
        }
    }

    private RawClient Open(int receiveBufferBytes = 0)
    {
        RawClient client = _server.Connect(receiveBufferBytes);
        client.Send(Handshake);
        Assert.That(client.ReadHead(), Does.StartWith("HTTP/1.1 101 "));
        return client;
    }

    // One frame, as text.
    private static string Read(RawClient client)
    {
        byte[] head = client.Take(2);
        int length = head[1] & 0x7F;
        byte[] extended = length < 126 ? [] : client.Take(length == 126 ? 2 : 8);
        if (extended.Length > 0) length = extended.Aggregate(0, static (sum, b) => checked(sum * 256 + b));
        return Frame.Show([.. head, .. extended, .. client.Take(length)]);
    }

    private static async ValueTask EchoAsync(WebSocketConnection socket)
    {
        while (await socket.ReceiveAsync() is { } message) await socket.SendAsync(message.Kind, message.Payload);
    }
}

using System.Net.WebSockets;
using System.Security.Cryptography;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Mock;

internal sealed class RealtimeEchoTests : MockFixture
{
    private const string Opening =
        "GET /v1/realtime?model=m HTTP/1.1\r\nHost: mock\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

    [Test]
    public async Task Messages_of_any_size_come_back()
    {
        using CancellationTokenSource limit = new(Until.Deadline);
        using ClientWebSocket socket = new();
        socket.Options.AddSubProtocol("realtime");
        socket.Options.AddSubProtocol("openai-beta.realtime-v1");
        await socket.ConnectAsync(new Uri($"ws://{Mock.EndPoints[0]}/v1/realtime?model=gpt-4o"), limit.Token);
        Assert.That(socket.SubProtocol, Is.EqualTo("realtime"));
        foreach (int size in new[] { 0, 1, 125, 126, 65_535, 65_536, 300_000 })
        {
            byte[] sent = RandomNumberGenerator.GetBytes(size);
            Task sending = socket.SendAsync(sent, WebSocketMessageType.Binary, true, limit.Token);
            Assert.That(await ReceiveAsync(socket, WebSocketMessageType.Binary, limit.Token), Is.EqualTo(sent));
            await sending;
        }
        await socket.SendAsync("in two "u8.ToArray(), WebSocketMessageType.Text, false, limit.Token);
        await socket.SendAsync("pieces"u8.ToArray(), WebSocketMessageType.Text, true, limit.Token);
        Assert.That(await ReceiveAsync(socket, WebSocketMessageType.Text, limit.Token), Is.EqualTo("in two pieces"u8.ToArray()));
        Assert.That(Mock.Stats.Active, Is.EqualTo(1));

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "bye", limit.Token);
        Assert.That(socket.CloseStatus, Is.EqualTo(WebSocketCloseStatus.NormalClosure));
        Assert.That(socket.CloseStatusDescription, Is.EqualTo("bye"));
        await Until.TrueAsync(() => Mock.Stats.Active == 0);
    }

    [Test]
    public void The_handshake_and_frames_in_any_cut()
    {
        // A text, a ping, a pong that nobody asked for, then Close 1000; masked with 01 02 03 04.
        byte[] frames = [.. Masked(0x81, "Hello"u8), .. Masked(0x89, "p"u8), .. Masked(0x8A, "q"u8), .. Masked(0x88, [0x03, 0xE8])];
        byte[] echoed = [0x81, 5, .. "Hello"u8, 0x8A, 1, (byte)'p', 0x88, 2, 0x03, 0xE8];
        for (int cut = 0; cut <= frames.Length; cut++)
        {
            using RawClient client = Connect();
            client.Send(Opening + "\r\n");
            RawResponse response = client.Read();
            Assert.That(response.StatusLine, Is.EqualTo("HTTP/1.1 101 Switching Protocols"));
            Assert.That(response.Field("Sec-WebSocket-Accept"), Is.EqualTo("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
            Assert.That(response.Fields("Connection"), Is.EqualTo(new[] { "Upgrade" }));
            client.SendCut(frames, cut);
            Assert.That(client.Take(echoed.Length), Is.EqualTo(echoed));
            client.ExpectFin();
        }
    }

    [Test]
    public void Frames_that_come_with_the_handshake_are_not_lost()
    {
        using RawClient client = Connect();
        client.Send([.. System.Text.Encoding.ASCII.GetBytes(Opening + "\r\n"), .. Masked(0x81, "early"u8)]);
        client.ReadHead();
        Assert.That(client.Take(7), Is.EqualTo((byte[])[0x81, 5, .. "early"u8]));
    }

    private static readonly byte[][] s_failing =
    [
        [0x81, 1, (byte)'x'],
        Masked(0xC1, "x"u8),
        Masked(0x83, "x"u8),
        Masked(0x8B, "x"u8),
        Masked(0x09, "x"u8),
        [0x89, 0xFE, 0, 126, 1, 2, 3, 4],
        [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4],
    ];

    [TestCaseSource(nameof(s_failing))]
    public void Bad_framing_is_closed_with_1002(byte[] frame)
    {
        using RawClient client = Connect();
        client.Send(Opening + "\r\n").ReadHead();
        client.Send(frame);
        Assert.That(client.Take(4), Is.EqualTo((byte[])[0x88, 2, 0x03, 0xEA]));
        client.HalfClose().ExpectFin();
    }

    [Test]
    public async Task A_stopping_server_closes_with_1001()
    {
        using RawClient client = Connect();
        client.Send(Opening + "\r\n").ReadHead();
        Task stopping = Mock.StopAsync(Until.Deadline);
        Assert.That(client.Take(4), Is.EqualTo((byte[])[0x88, 2, 0x03, 0xE9]));
        client.Send(Masked(0x88, [0x03, 0xE9])).HalfClose().ExpectFin();
        await Until.DoneAsync(stopping);
    }

    [Test]
    public async Task A_client_that_vanishes_ends_it([Values] bool byReset)
    {
        RawClient client = Connect();
        client.Send(Opening + "\r\n").ReadHead();
        Assert.That(Mock.Stats.Active, Is.EqualTo(1));
        if (byReset) client.Reset();
        else client.Dispose();
        await Until.TrueAsync(() => Mock.Stats.Active == 0);
    }

    [Test]
    public void A_handshake_that_is_none_is_refused()
    {
        Error(Get("/v1/realtime"), 426);
        using RawClient client = Connect();
        Error(client.Exchange(Opening.Replace("Version: 13", "Version: 12") + "\r\n"), 426);
        using RawClient other = Connect();
        Error(other.Exchange(Opening.Replace("Sec-WebSocket-Key: dGhl", "Sec-WebSocket-Key: ") + "\r\n"), 400);
    }

    [Test]
    public void A_refusal_on_demand()
    {
        using RawClient client = Connect();
        Error(client.Exchange(Opening + "X-Mock-Status: 403\r\n\r\n"), 403);
    }

    private static byte[] Masked(byte first, ReadOnlySpan<byte> payload)
    {
        byte[] frame = [first, (byte)(0x80 | payload.Length), 1, 2, 3, 4, .. payload];
        for (int i = 0; i < payload.Length; i++) frame[6 + i] ^= (byte)(i % 4 + 1);
        return frame;
    }

    private static async Task<byte[]> ReceiveAsync(ClientWebSocket socket, WebSocketMessageType type, CancellationToken cancellation)
    {
        using MemoryStream message = new();
        byte[] buffer = new byte[16 * 1024];
        while (true)
        {
            WebSocketReceiveResult result = await socket.ReceiveAsync(buffer, cancellation);
            Assert.That(result.MessageType, Is.EqualTo(type));
            message.Write(buffer, 0, result.Count);
            if (result.EndOfMessage) return message.ToArray();
        }
    }
}

using System.Net.WebSockets;
using System.Text;
using Turbo.Net.WebSocket;
using Turbo.Tests.Support;
using Options = Turbo.Net.WebSocket.WebSocketOptions;

namespace Turbo.Tests.Net.WebSocket;

/// <summary>.NET's own client against an echo: every combination of compression parameters, sizes, fragments and ends.</summary>
internal sealed class ClientWebSocketTests
{
    private NetServer _server = null!;
    private Options _options = new();

    [SetUp]
    public void Start()
    {
        _options = new Options { AcceptsAnySubprotocol = true, Compression = new WebSocketCompression { MinMessageBytes = 0 } };
        _server = new NetServer(async exchange =>
        {
            if (await WebSocketHandshake.AcceptAsync(exchange, _options) is not { } socket) return;
            while (await socket.ReceiveAsync() is { } message) await socket.SendAsync(message.Kind, message.Payload);
        });
    }

    [TearDown]
    public async Task Stop()
    {
        Assert.That(_server.Log.HandlerFaults, Is.Empty);
        await Until.DoneAsync(_server.DisposeAsync().AsTask());
    }

    [Test, Combinatorial]
    public async Task Compressed([Values] bool serverTakeover, [Values] bool clientTakeover, [Values(9, 12, 15)] int serverBits, [Values(9, 13, 15)] int clientBits)
    {
        WebSocketDeflateOptions deflate = new() { ServerContextTakeover = serverTakeover, ClientContextTakeover = clientTakeover, ServerMaxWindowBits = serverBits, ClientMaxWindowBits = clientBits };
        using ClientWebSocket client = await ConnectAsync(deflate);
        await EchoesAsync(client, deflate: true);
        await CloseAsync(client);
    }

    [Test]
    public async Task The_server_wants_less_memory([Values] bool serverAlone, [Values] bool clientAlone, [Values(9, 11, 15)] int clientBits)
    {
        _options = _options with { Compression = new WebSocketCompression { MinMessageBytes = 0, ServerNoContextTakeover = serverAlone, ClientNoContextTakeover = clientAlone, ClientMaxWindowBits = clientBits } };
        using ClientWebSocket client = await ConnectAsync(new WebSocketDeflateOptions());
        await EchoesAsync(client, deflate: true);
        await CloseAsync(client);
    }

    [Test]
    public async Task Uncompressed()
    {
        using ClientWebSocket client = await ConnectAsync(null);
        await EchoesAsync(client, deflate: false);
        await CloseAsync(client);
    }

    [Test]
    public async Task A_message_over_the_limit()
    {
        _options = _options with { MaxMessageBytes = 1000 };
        foreach (WebSocketDeflateOptions? deflate in new[] { null, new WebSocketDeflateOptions() })
        {
            using ClientWebSocket client = await ConnectAsync(deflate);
            await client.SendAsync(new byte[1001], WebSocketMessageType.Binary, true, CancellationToken.None);
            WebSocketReceiveResult result = await Until.DoneAsync(client.ReceiveAsync(new byte[10], CancellationToken.None));
            Assert.That(result.CloseStatus, Is.EqualTo(WebSocketCloseStatus.MessageTooBig));
            await Until.DoneAsync(client.CloseAsync(WebSocketCloseStatus.NormalClosure, "", CancellationToken.None));
        }
    }

    [Test]
    public async Task A_subprotocol()
    {
        using ClientWebSocket client = new();
        client.Options.AddSubProtocol("first");
        client.Options.AddSubProtocol("second");
        await client.ConnectAsync(new Uri($"ws://{_server.EndPoint}/ws"), CancellationToken.None);
        Assert.That(client.SubProtocol, Is.EqualTo("first"));
        await CloseAsync(client);
    }

    private async Task<ClientWebSocket> ConnectAsync(WebSocketDeflateOptions? deflate)
    {
        ClientWebSocket client = new();
        client.Options.DangerousDeflateOptions = deflate;
        await Until.DoneAsync(client.ConnectAsync(new Uri($"ws://{_server.EndPoint}/ws"), CancellationToken.None));
        return client;
    }

    private static async Task EchoesAsync(ClientWebSocket client, bool deflate)
    {
        Random random = new(4);
        for (int round = 0; round < 2; round++)
        {
            foreach (int size in new[] { 0, 1, 125, 126, 127, 600, 5000, 65535, 65536, 300_000 })
            {
                byte[] noise = new byte[size];
                random.NextBytes(noise);
                await EchoAsync(client, noise, WebSocketMessageType.Binary, 1);
                byte[] text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, size / 20).Select(static i => $"{{\"näme\":{i % 100}}},")));
                await EchoAsync(client, text, WebSocketMessageType.Text, 1);
                await EchoAsync(client, text, WebSocketMessageType.Text, 3);
                if (deflate) await EchoAsync(client, text, WebSocketMessageType.Text, 2, WebSocketMessageFlags.DisableCompression);
            }
        }
    }

    private static async Task EchoAsync(ClientWebSocket client, byte[] message, WebSocketMessageType type, int pieces, WebSocketMessageFlags flags = WebSocketMessageFlags.None)
    {
        Task sending = SendAsync();
        byte[] got = new byte[message.Length + 1];
        int length = 0;
        while (true)
        {
            ValueWebSocketReceiveResult result = await Until.DoneAsync(client.ReceiveAsync(got.AsMemory(length), CancellationToken.None).AsTask());
            length += result.Count;
            Assert.That(result.MessageType, Is.EqualTo(type));
            if (result.EndOfMessage) break;
        }
        await sending;
        Assert.That(got.AsSpan(0, length).SequenceEqual(message), $"{type} of {message.Length} in {pieces}");

        async Task SendAsync()
        {
            for (int i = 0; i < pieces; i++)
            {
                int from = message.Length * i / pieces, to = message.Length * (i + 1) / pieces;
                await client.SendAsync(message.AsMemory(from..to), type, i == pieces - 1 ? flags | WebSocketMessageFlags.EndOfMessage : flags, CancellationToken.None);
            }
        }
    }

    private static async Task CloseAsync(ClientWebSocket client)
    {
        await Until.DoneAsync(client.CloseAsync(WebSocketCloseStatus.NormalClosure, "done", CancellationToken.None));
        Assert.That(client.CloseStatus, Is.EqualTo(WebSocketCloseStatus.NormalClosure));
    }
}

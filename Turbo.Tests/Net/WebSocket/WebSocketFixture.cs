using System.Collections.Concurrent;
using System.Text;
using Turbo.Net;
using Turbo.Net.WebSocket;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.WebSocket;

/// <summary>
/// WebSockets over memory and manual time: the server has always done all it can when a call returns. The handler is an
/// echo unless a test brings its own.
/// </summary>
internal abstract class WebSocketFixture
{
    protected const string Handshake =
        "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

    protected readonly ManualTimeProvider _time = new();
    private readonly List<MemoryClient> _clients = [];
    private NetServer? _server;

    protected NetServer Server => _server!;

    protected WebSocketOptions Options { get; set; } = new();

    protected Func<WebSocketConnection, ValueTask> Handler { get; set; } = EchoAsync;

    /// <summary>Why sockets closed, as their handlers saw it: "1000 bye".</summary>
    protected ConcurrentQueue<string> Closed { get; } = [];

    [SetUp]
    public void Reset()
    {
        Options = new WebSocketOptions();
        Handler = EchoAsync;
        Closed.Clear();
    }

    [TearDown]
    public async Task Stop()
    {
        if (_server is null) return;
        foreach (MemoryClient client in _clients) client.Fin();
        Task stop = _server.DisposeAsync().AsTask();
        // Whoever still waits for a peer gives up.
        Advance(120);
        await Until.DoneAsync(stop);
        Assert.That(_clients.Select(static c => c.Serving.IsCompletedSuccessfully), Is.All.True, "a connection's loop failed or goes on");
        _clients.Clear();
        _server = null;
    }

    protected static async ValueTask EchoAsync(WebSocketConnection socket)
    {
        while (await socket.ReceiveAsync() is { } message) await socket.SendAsync(message.Kind, message.Payload);
    }

    /// <summary>An open WebSocket, whose handler has sent nothing of its own accord.</summary>
    protected MemoryClient Open(string fields = "")
    {
        MemoryClient client = Open(fields, out string early);
        Assert.That(early, Is.Empty);
        return client;
    }

    /// <param name="fields">Further field lines of the handshake.</param>
    /// <param name="early">The frames that came with the server's answer.</param>
    protected MemoryClient Open(string fields, out string early)
    {
        MemoryClient client = Connect();
        ReadOnlySpan<byte> answer = client.Send(Handshake + fields + "\r\n").Take();
        int head = answer.IndexOf("\r\n\r\n"u8) + 4;
        Assert.That(Encoding.Latin1.GetString(answer[..head]), Does.StartWith("HTTP/1.1 101 Switching Protocols\r\n"));
        early = Frame.Show(answer[head..]);
        return client;
    }

    protected MemoryClient Connect(ServerLimits? limits = null)
    {
        _server ??= new NetServer(HandleAsync, limits, _time, listens: false);
        MemoryClient client = _server.ConnectInMemory();
        _clients.Add(client);
        return client;
    }

    protected async ValueTask HandleAsync(Exchange exchange)
    {
        if (await WebSocketHandshake.AcceptAsync(exchange, Options) is not { } socket) return;
        try
        {
            await Handler(socket);
        }
        finally
        {
            Closed.Enqueue($"{socket.CloseCode} {Encoding.UTF8.GetString(socket.CloseReason.Span)}".TrimEnd());
        }
    }

    /// <summary>What the server sent since, as text.</summary>
    protected static string Received(MemoryClient client) => Frame.Show(client.Take());

    /// <summary>Sends frames in one piece and shows what came back.</summary>
    protected static string Exchange(MemoryClient client, params Frame[] frames)
    {
        client.Send([.. frames.SelectMany(static f => f.Masked())]);
        return Received(client);
    }

    /// <summary>The server closed with this code, then ended the connection with FIN, not with a reset.</summary>
    protected static void IsClosed(MemoryClient client, int code, string before = "", string reason = "")
    {
        string received = Received(client);
        string close = $"close {code} {reason}".TrimEnd();
        Assert.That(received, Is.EqualTo(before.Length == 0 ? close : before + " | " + close));
        Assert.That(client.HasEnded && !client.IsReset, "not ended by FIN");
    }

    protected void Advance(double seconds) => Inline.Run(() => _time.Advance(TimeSpan.FromSeconds(seconds)));
}

using Turbo.Net;
using Turbo.Net.WebSocket;
using Turbo.Tests.Browser;
using Turbo.Tests.Net;
using Turbo.Tests.Support;

namespace Turbo.Tests.WsClient;

/// <summary>Where the echo runs that a client is tried against.</summary>
public enum EchoKind
{
    /// <summary>examples/echo as a process of its own, on epoll.</summary>
    Epoll,
    /// <summary>The same on the runtime's sockets.</summary>
    Sockets,
    /// <summary>In this process, in TLS, on the runtime's sockets.</summary>
    Tls,
}

/// <summary>
/// Clients of the WebSocket API against /ws of examples/echo: sizes, fragmentation as the client chooses it, text in every
/// length of code point, compression, close codes and reasons, limits. The checks are whatwg.mjs for both.
/// </summary>
internal abstract class WhatwgClientTests(EchoKind kind)
{
    private OrderedDictionary<string, CheckResult> _results = [];

    protected abstract Task<OrderedDictionary<string, CheckResult>> RunAsync(params (string Name, string Value)[] environment);

    [OneTimeSetUp]
    public async Task Run()
    {
        using TempFolder folder = new();
        if (kind != EchoKind.Tls)
        {
            using EchoProcess echo = await EchoProcess.StartAsync(folder.Path, kind == EchoKind.Epoll ? "epoll" : "sockets");
            _results = await RunAsync(("URL", $"ws://{echo.EndPoint}/ws"), ("LIMIT", $"{EchoProcess.MaxMessageBytes}"));
            return;
        }
        const int Limit = 1024 * 1024;
        await File.WriteAllTextAsync(folder.File("root.pem"), TestCertificates.Shared.RootPem);
        WebSocketOptions options = new() { MaxMessageBytes = Limit, Compression = new WebSocketCompression() };
        Router routes = NetServer.Plain();
        routes.Get("/ws"u8, async exchange =>
        {
            if (await WebSocketHandshake.AcceptAsync(exchange, options) is not { } socket) return;
            while (await socket.ReceiveAsync() is { } message) await socket.SendAsync(message.Kind, message.Payload);
        });
        await using NetServer server = new(routes.HandleAsync, with: static options => options with { Transport = TransportKind.Sockets }, isTls: true);
        _results = await RunAsync(("URL", $"wss://localhost:{server.EndPoint.Port}/ws"), ("LIMIT", $"{Limit}"), ("NODE_EXTRA_CA_CERTS", folder.File("root.pem")));
        Assert.That(server.Log.HandlerFaults, Is.Empty);
    }

    [TestCase("echoes")]
    [TestCase("text")]
    [TestCase("blobs")]
    [TestCase("large")]
    [TestCase("many")]
    [TestCase("crowd")]
    [TestCase("compression")]
    [TestCase("close_codes")]
    [TestCase("close_without_code")]
    [TestCase("too_large")]
    [TestCase("refused")]
    public void Check(string name) => Assert.That(_results[name].Error, Is.Null);

    /// <summary>For a check that not every client is asked.</summary>
    protected CheckResult Result(string name) => _results[name];
}

/// <summary>Node's own WebSocket, which is undici's.</summary>
[TestFixture(EchoKind.Epoll)]
[TestFixture(EchoKind.Sockets)]
internal sealed class NodeWebSocketTests(EchoKind kind) : WhatwgClientTests(kind)
{
    protected override Task<OrderedDictionary<string, CheckResult>> RunAsync(params (string Name, string Value)[] environment) =>
        NodeChecks.RunScriptAsync("WsClient", "undici.mjs", "undici", environment);
}

/// <summary>Chromium's WebSocket, from a page.</summary>
[TestFixture(EchoKind.Epoll)]
[TestFixture(EchoKind.Tls)]
internal sealed class ChromiumWebSocketTests(EchoKind kind) : WhatwgClientTests(kind)
{
    protected override Task<OrderedDictionary<string, CheckResult>> RunAsync(params (string Name, string Value)[] environment) => Chromium.RunAsync("websocket.mjs", environment);

    [Test]
    public void Answers_come_before_the_close() => Assert.That(Result("close_while_sending").Error, Is.Null);
}

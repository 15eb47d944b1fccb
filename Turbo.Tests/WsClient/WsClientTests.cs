using Turbo.Net.WebSocket;
using Turbo.Tests.Net;
using Turbo.Tests.Support;

namespace Turbo.Tests.WsClient;

/// <summary>The unmodified ws package from npm against an echo, in TLS as well: every parameter of permessage-deflate, both ways.</summary>
[TestFixture(false)]
[TestFixture(true)]
internal sealed class WsClientTests(bool isTls)
{
    private static readonly string[] s_checks =
    [
        "plain", "ping", "close_codes", "close_without_code", "too_large", "too_large_once_decompressed", "not_utf8", "subprotocol", "terminated",
        "deflate_default", "deflate_server_alone", "deflate_client_alone", "deflate_both_alone",
        .. Enumerable.Range(8, 8).SelectMany(static bits => new[] { $"deflate_server_window_{bits}", $"deflate_client_window_{bits}", $"deflate_windows_{bits}_alone" }),
    ];

    private OrderedDictionary<string, CheckResult> _results = [];

    [OneTimeSetUp]
    public async Task Run()
    {
        WebSocketOptions options = new() { AcceptsAnySubprotocol = true, Compression = new WebSocketCompression { MinMessageBytes = 0 } };
        await using NetServer server = new(async exchange =>
        {
            if (await WebSocketHandshake.AcceptAsync(exchange, options) is not { } socket) return;
            while (await socket.ReceiveAsync() is { } message) await socket.SendAsync(message.Kind, message.Payload);
        }, isTls: isTls);
        using TempFolder folder = new();
        await File.WriteAllTextAsync(folder.File("root.pem"), TestCertificates.Shared.RootPem);
        _results = await NodeChecks.RunAsync(
            "WsClient", "ws", ("URL", $"{(isTls ? "wss" : "ws")}://localhost:{server.EndPoint.Port}/ws"), ("NODE_EXTRA_CA_CERTS", folder.File("root.pem")));
        Assert.That(server.Log.HandlerFaults, Is.Empty);
    }

    [Test]
    public void Every_check_ran() => Assert.That(_results.Keys, Is.EqualTo(s_checks));

    [TestCaseSource(nameof(s_checks))]
    public void Check(string name) => Assert.That(_results[name].Error, Is.Null);
}

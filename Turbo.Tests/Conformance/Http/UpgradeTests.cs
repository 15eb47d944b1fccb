namespace Turbo.Tests.Conformance.Http;

/// <summary>RFC 9110 §7.8: an Upgrade that nobody takes is no part of the request.</summary>
[TestFixture]
internal sealed class UpgradeTests : HttpTable
{
    [TestCaseSource(nameof(Ignored))]
    public void Is_ignored_where_nobody_takes_it(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Ignored() => Rows(Hello + Hello, [.. s_lines.Select(static lines => $"GET /plaintext HTTP/1.1\r\nHost: h\r\n{lines}\r\n" + Get)]);

    private static readonly string[] s_lines =
    [
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
        "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n", "Connection: Upgrade\r\n", "Upgrade: h2c\r\n", "Connection: Upgrade\r\nUpgrade:\r\n", "Connection: Upgrade\r\nUpgrade: a, b/1, c\r\n", "Upgrade: a\r\nUpgrade: b\r\nConnection: upgrade\r\n",
    ];

    [Test]
    public void Content_before_a_switch_is_content() =>
        Answers("POST /body HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 24\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Get, Seen("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + Hello);

    [Test]
    public void HTTP_1_0_has_no_Upgrade() => Answers("GET /plaintext HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", LastHello);
}

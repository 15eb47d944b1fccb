namespace Turbo.Tests.Conformance.Http;

/// <summary>RFC 9112 §9.3, RFC 9110 §7.6.1: which connections go on after an answer.</summary>
[TestFixture]
internal sealed class PersistenceTests : HttpTable
{
    private const string KeptHello = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\nConnection: keep-alive\r\n\r\nHello, World!";

    private static string Request(string connection, string version = "1.1", string path = "/plaintext") => $"GET {path} HTTP/{version}\r\nHost: h\r\n{connection}\r\n";

    [TestCaseSource(nameof(Kept))]
    public void Goes_on(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Kept() => Rows(
    [
        .. s_persistent.Select(static connection => (Request(connection) + Get, Hello + Hello)),
        .. s_keepAlive.Select(static connection => (Request(connection, "1.0") + Get, KeptHello + Hello)),
        (Request("Connection: keep-alive\r\n", "1.0") + Request("Connection: keep-alive\r\n", "1.0") + Request("", "1.0"), KeptHello + KeptHello + LastHello),
        ("HEAD /plaintext HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + Get, KeptHello[..^13] + Hello),
    ]);

    private static readonly string[] s_persistent =
    [
        "", "Connection: keep-alive\r\n", "Connection: Keep-Alive\r\nKeep-Alive: timeout=5, max=1\r\n", "Connection:\r\n", "Connection: ,\r\n", "Connection: x\r\n", "Connection: closed\r\n", "Connection: x-close, keep-alive\r\n", "Connection: \"close\"\r\n", "Connection: clo se\r\n",
        "Proxy-Connection: close\r\n", "Keep-Alive: timeout=0\r\n", "X-Connection: close\r\n", "Connection: Host, Content-Length\r\n",
    ];

    private static readonly string[] s_keepAlive = ["Connection: keep-alive\r\n", "Connection: KEEP-ALIVE\r\n", "Connection: x, keep-alive\r\n", "Connection: x\r\nConnection:\tkeep-alive ,\r\n"];

    [TestCaseSource(nameof(Ended))]
    public void Ends(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Ended() => Rows(LastHello,
    [
        .. ((string[])["Connection: close\r\n", "Connection: CLOSE\r\n", "connection:close\r\n", "Connection: keep-alive, close\r\n", "Connection: close, keep-alive\r\n", "Connection: x,\tclose ,y\r\n", "Connection: keep-alive\r\nConnection: close\r\n", "Connection:\r\nConnection: close\r\n"]).Select(static connection => Request(connection)),
        .. ((string[])["", "Connection: x\r\n", "Connection: close\r\n", "Connection: close, keep-alive\r\n", "Connection: keep-alive\r\nConnection: close\r\n", "Keep-Alive: timeout=5\r\n", "Proxy-Connection: keep-alive\r\n"]).Select(static connection => Request(connection, "1.0")),
    ]);

    [Test]
    public void An_open_length_ends_an_old_clients_connection() =>
        Answers(Request("Connection: keep-alive\r\n", "1.0", "/chunked"), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nHello, World!");

    [Test]
    public void What_nobody_read_of_a_body_is_not_the_next_request()
    {
        const string ignored = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nignored";
        Answers($"POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: {Get.Length}\r\n\r\n{Get}" + Get, ignored + Hello);
        Answers($"POST /ignore HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{Get.Length:x}\r\n{Get}\r\n0\r\nA: b\r\n\r\n" + Get, ignored + Hello);
        Answers($"GET /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: {Get.Length}\r\n\r\n{Get}" + Get, Error("404 Not Found", "not found") + Hello);
        // More than is read for nobody, and the connection ends instead.
        Answers("POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n" + Get, ignored.Replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n", StringComparison.Ordinal));
    }
}

using Turbo.Server;
using Turbo.Server.Api;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Api;

/// <summary>Which part of the upstream a client of <c>/v1/</c> reaches: what is below it, byte for byte, and nothing else.</summary>
internal sealed class ProxyPathTests
{
    private static readonly string[] s_within =
    [
        "", "models", "models/", "a/../models", "a/b/../../c", "a/%2e%2e/b", "./models", "%2e/models", "..models", "models..", "a...b", "...", "%2e%2e%2e", "gpt-4.1", "a//b", "//a", "a%2Fb", "a%2fb/..", "%zz/../a", "%", "%2", "%2e", "a/..;x", "..%00", "x;/a/..", "models/org%2Fname",
    ];

    private static readonly string[] s_climbing =
    [
        "..", "../", "../admin", "a/../..", "a/../../admin", "./../x", "//../x", "a//../../x", "%2e%2e", "%2E%2e/admin", ".%2e/admin", "%2e./admin", "..%2fadmin", "%2e%2e%2Fadmin", "a%2f..%2f..%2fadmin", "..\\admin", "..%5cadmin", "a\\..\\..\\admin", "..;/admin", "..;a=b/admin", "..%3b/admin", ";x/../admin",
        "%252e%252e/admin", "%252e%252e%252fadmin", "%25252e./admin", "a/%2e/../../x",
    ];

    [TestCaseSource(nameof(s_within))]
    public void Is_within(string path) => Assert.That(ProxyPath.Climbs(Segmented.Bytes(path)), Is.False);

    [TestCaseSource(nameof(s_climbing))]
    public void Climbs(string path) => Assert.That(ProxyPath.Climbs(Segmented.Bytes(path)));

    [Test]
    public async Task Only_what_is_below_v1_reaches_the_upstream()
    {
        await using ProxyApp proxy = await ProxyApp.StartAsync(
            ProxyApp.Answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), static options => options with { ProxyAuth = ProxyAuth.None }, target: "/team");
        using RawClient client = proxy.App.Connect();
        foreach (string path in s_climbing)
        {
            RawResponse refused = client.Exchange($"POST /v1/{path}?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{{}}");
            Assert.That(refused.Status, Is.EqualTo(400), path);
            Assert.That(refused.Text, Does.Contain("\"type\":\"invalid_request_error\"").And.Contain("\"code\":\"invalid_path\""), path);
        }
        foreach (string path in new[] { "/v1", "//v1/x", "/V1/x", "/%761/x", "/v1%2fx", "/./v1/x", "/x/../v1/x", "/v1\\x", "/v1;/x", "/team/v1/x" })
            Assert.That(client.Exchange($"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").Status, Is.EqualTo(404), path);
        Assert.That(proxy.Origin.Connections, Is.Zero);

        // Also with what would climb in the query, where it means nothing.
        foreach (string path in s_within)
        {
            int before = proxy.Origin.Connections > 0 ? proxy.Origin.Peer(0).Received.Length : 0;
            Assert.That(client.Exchange($"GET /v1/{path}?/../.. HTTP/1.1\r\nHost: a\r\n\r\n").Text, Is.EqualTo("ok"), path);
            Assert.That(proxy.Origin.Peer(0).Received.ToString()[before..], Does.StartWith($"GET /team/v1/{path}?/../.. HTTP/1.1\r\n"), path);
        }
    }
}

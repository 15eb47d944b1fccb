using System.Net;
using System.Text;
using Turbo.Tests.Support;
using HttpMethod = System.Net.Http.HttpMethod;

namespace Turbo.Tests.Server.Metrics;

/// <summary>Who may read <c>/metrics</c> (contract sections 1 and 3).</summary>
internal sealed class MetricsAccessTests
{
    private const string Token = "scrape-me";

    //         peer                  fields                                       without METRICS_TOKEN, with
    [TestCase("127.0.0.1", "", 200, 200)]
    [TestCase("127.8.0.1", "", 200, 200)]
    [TestCase("::1", "", 200, 200)]
    [TestCase("::ffff:127.0.0.1", "", 200, 200)]
    [TestCase("::ffff:127.9.9.9", "", 200, 200)]
    [TestCase("127.0.0.1", "Authorization: Bearer wrong", 200, 200)]
    [TestCase("192.0.2.1", "", 403, 401)]
    [TestCase("::ffff:192.0.2.1", "", 403, 401)]
    [TestCase("2001:db8::1", "", 403, 401)]
    [TestCase("", "", 403, 401)]
    [TestCase("192.0.2.1", "Authorization: Bearer scrape-me", 403, 200)]
    [TestCase("192.0.2.1", "authorization: bearer scrape-me", 403, 200)]
    [TestCase("", "Authorization: Bearer scrape-me", 403, 200)]
    [TestCase("192.0.2.1", "Authorization: Bearer scrape-me2", 403, 401)]
    [TestCase("192.0.2.1", "Authorization: Bearer scrape-m", 403, 401)]
    [TestCase("192.0.2.1", "Authorization: Bearer Scrape-me", 403, 401)]
    [TestCase("192.0.2.1", "Authorization: Bearer ", 403, 401)]
    [TestCase("192.0.2.1", "Authorization: scrape-me", 403, 401)]
    [TestCase("192.0.2.1", "Cookie: sess=scrape-me", 403, 401)]
    // A trusted proxy's word is not the socket's peer, and one that forwards is not who asks.
    [TestCase("192.0.2.1", "X-Forwarded-For: 127.0.0.1", 403, 401)]
    [TestCase("127.0.0.1", "X-Forwarded-For: 192.0.2.1", 403, 401)]
    [TestCase("127.0.0.1", "X-Forwarded-For: 127.0.0.1", 403, 401)]
    [TestCase("127.0.0.1", "Forwarded: for=192.0.2.1", 403, 401)]
    [TestCase("127.0.0.1", "Origin: https://page.test", 403, 401)]
    [TestCase("127.0.0.1", "X-Forwarded-For: 192.0.2.1\r\nAuthorization: Bearer scrape-me", 403, 200)]
    public async Task Loopback_or_the_token_opens_them(string peer, string fields, int without, int with)
    {
        IPEndPoint? remote = peer.Length == 0 ? null : new IPEndPoint(IPAddress.Parse(peer), 50000);
        foreach ((TestApp app, int status) in ((TestApp, int)[])[(_open, without), (_guarded, with)])
        {
            MemoryClient client = new(app.App.Server, remote);
            client.Send($"GET /metrics HTTP/1.1\r\nHost: a\r\n{(fields.Length > 0 ? fields + "\r\n" : "")}\r\n");
            string answer = "";
            await Until.TrueAsync(() => RawEnds(answer += client.TakeText()));
            client.Fin();
            RawResponse response = RawResponse.Split(answer, isHead: false).Single();
            Assert.That(response.Status, Is.EqualTo(status), response.Text);
            Assert.That(response.Field("WWW-Authenticate"), Is.EqualTo(status == 401 ? "Bearer" : null));
            Assert.That(response.Field("Content-Type"), Is.EqualTo(status == 200 ? "text/plain; version=0.0.4; charset=utf-8" : "application/json"));
            Assert.That(response.Text, status == 200 ? Does.Contain("\nturbo_build_info{") : Does.Contain(status == 401 ? "\"invalid_token\"" : "\"loopback_only\""));
            Assert.That(answer, Does.Not.Contain(Token));
        }
    }

    [Test]
    public async Task They_take_get_and_head_and_need_no_session()
    {
        Reply page = await _open.GetAsync("/metrics?token=x");
        Assert.That((page.Status, page.Field("Cache-Control")), Is.EqualTo((200, "no-store")));
        PrometheusText.Parse(page.Content);
        Reply head = await _open.SendAsync(HttpMethod.Head, "/metrics", null);
        Assert.That((head.Status, head.Content, head.Field("Content-Type")), Is.EqualTo((200, "", page.Field("Content-Type"))));
        Assert.That(head.Message.Content.Headers.ContentLength, Is.GreaterThan(10_000));
        Reply post = await _open.PostAsync("/metrics");
        post.IsError(405, "invalid_request_error", "method_not_allowed");
        Assert.That(post.Field("Allow"), Does.Contain("GET").And.Contain("HEAD").And.Not.Contain("POST"));
    }

    [Test]
    public async Task Off_is_404()
    {
        await using TestApp app = await TestApp.StartAsync(static o => o with { Metrics = false, MetricsToken = Token });
        (await app.GetAsync("/metrics")).IsError(404, "not_found_error", "not_found");
        (await app.GetAsync("/metrics", Token)).IsError(404, "not_found_error", "not_found");
    }

    /// <summary>Whoever asks while a page is made gets that one; each gets a whole one.</summary>
    [Test]
    public async Task Many_scrapers_at_once_get_whole_pages()
    {
        Reply[] pages = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => _open.GetAsync("/metrics")));
        foreach (Reply page in pages) Assert.That(PrometheusText.Parse(page.Content)["turbo_http_requests_in_flight{route=\"metrics\"}"], Is.GreaterThan(0));
    }

    private TestApp _open = null!, _guarded = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        _open = await TestApp.StartAsync();
        _guarded = await TestApp.StartAsync(static o => o with { MetricsToken = Token, TrustedProxies = [IPNetwork.Parse("127.0.0.0/8"), IPNetwork.Parse("192.0.2.0/24")] });
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        await _open.DisposeAsync();
        await _guarded.DisposeAsync();
        Assert.That(_guarded.Log, Does.Not.Contain(Token));
    }

    private static bool RawEnds(string answer)
    {
        int head = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
        if (head < 4) return false;
        string length = new RawResponse(answer[..head], []).Field("Content-Length")!;
        return answer.Length == head + int.Parse(length, System.Globalization.CultureInfo.InvariantCulture);
    }
}

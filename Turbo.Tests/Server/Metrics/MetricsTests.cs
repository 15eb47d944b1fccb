using Turbo.Tests.Support;
using Turbo.Server.Logging;

namespace Turbo.Tests.Server.Metrics;

/// <summary>What <c>/metrics</c> says after known requests to a started application.</summary>
internal sealed class MetricsTests
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

    private static readonly string[] s_grows =
    [
        "turbo_received_bytes_total", "turbo_sent_bytes_total", "turbo_upstream_received_bytes_total", "turbo_upstream_sent_bytes_total",
        "turbo_events_written_total", "dotnet_gc_allocated_bytes_total", "process_cpu_seconds_total",
    ];

    private ProxyApp _proxy = null!;
    private PrometheusText _before = null!;

    [SetUp]
    public async Task StartAsync()
    {
        _proxy = await ProxyApp.StartAsync(static peer =>
        {
            while (true)
            {
                string request = peer.ReadRequest();
                if (request.Contains("/v1/missing", StringComparison.Ordinal)) peer.Send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
                else if (request.Contains("/v1/odd", StringComparison.Ordinal)) peer.Send("HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n");
                else if (request.Contains("/v1/broken", StringComparison.Ordinal)) peer.Send("HTTP/9 what\r\n\r\n");
                else if (!request.Contains("/v1/realtime", StringComparison.Ordinal)) peer.Send(Ok);
                else
                {
                    peer.Send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n").WaitForEnd();
                    peer.Close();
                    return;
                }
            }
        }, static o => o with { LogLevel = LogLevel.Error, MetricsToken = "scrape-me" });
        // The session is in memory and a scrape's own connection is open: neither counts below.
        Assert.That((await _proxy.App.GetAsync("/user/session", _proxy.Token)).Status, Is.EqualTo(200));
        _before = await ScrapeAsync();
    }

    [TearDown]
    public async Task StopAsync() => await _proxy.DisposeAsync();

    [Test]
    public async Task Requests_count_under_their_route_class_and_status()
    {
        using RawClient client = _proxy.Connect();
        (string Line, int Status, string Route)[] requests =
        [
            ("GET /healthz", 200, "probe"), ("GET /readyz", 200, "probe"), ("GET /nowhere/very-secret", 404, "none"), ("DELETE /user/login", 405, "none"),
            ("GET /user/session", 200, "user"), ("GET /group/index", 200, "group"), ("GET /group/index", 200, "group"), ("GET /group/read", 400, "group"),
            ("GET /chat/index", 200, "chat"), ("GET /chat/read?id=none", 404, "chat"), ("POST /chat/prompt", 400, "prompt"), ("GET /chat/stream", 400, "stream"),
            ("POST /event/publish", 400, "event"), ("GET /v1/models", 200, "proxy"), ("GET /v1/missing", 404, "proxy"), ("GET /v1/odd", 299, "proxy"), ("GET /v1/broken", 502, "proxy"),
        ];
        foreach ((string line, int status, _) in requests)
        {
            string length = line.StartsWith("GET", StringComparison.Ordinal) ? "" : "Content-Length: 0\r\n";
            Assert.That(client.Exchange(_proxy.Request(line, length)).Status, Is.EqualTo(status), line);
        }
        Assert.That(client.Exchange("GET /user/session HTTP/1.1\r\nHost: a\r\n\r\n").Status, Is.EqualTo(401));
        Assert.That(client.Exchange("GET / HTTP/1.1\r\n\r\n").Status, Is.EqualTo(400));
        client.ExpectFin();

        Dictionary<string, double> expected = requests.Append(("", 401, "user")).Append(("", 400, "rejected"))
            .GroupBy(static r => $"turbo_http_requests_total{{route=\"{r.Item3}\",status=\"{(r.Item2 == 299 ? "2xx" : r.Item2)}\"}}").ToDictionary(static g => g.Key, static g => (double)g.Count());
        expected.Add("turbo_http_rejected_total{reason=\"invalid_host\"}", 1);
        expected.Add("turbo_connections_accepted_total", 1);
        expected.Add("turbo_connections_ended_total{reason=\"rejected\"}", 1);
        expected.Add("turbo_proxy_exchanges_total{result=\"complete\"}", 3);
        expected.Add("turbo_proxy_exchanges_total{result=\"malformed_response\"}", 1);
        // Those that got an answer from upstream.
        expected.Add("turbo_proxy_added_seconds_count", 3);
        expected.Add("turbo_proxy_first_byte_seconds_count", 3);
        expected.Add("turbo_upstream_connects_total", 1);
        foreach (IGrouping<string, (string, int, string Route)> route in requests.Append(("", 401, "user")).GroupBy(static r => r.Item3))
            expected.Add($"turbo_http_request_duration_seconds_count{{route=\"{route.Key}\"}}", route.Count());
        await ExpectAsync(expected);
    }

    [Test]
    public async Task Logins_caches_and_sessions_count()
    {
        TestApp app = _proxy.App;
        await app.FormAsync("/user/login", "username=alice&password=wrong");
        await app.FormAsync("/user/login", "username=nobody&password=wrong");
        Reply login = await app.FormAsync("/user/login", "username=alice&password=correct+horse");
        string token = login.Json.GetProperty("Token").GetString()!;
        // Looked up once, then in memory.
        for (int i = 0; i < 3; i++) Assert.That((await app.GetAsync("/user/session", token)).Status, Is.EqualTo(200));
        Reply chat = await app.PostAsync("/chat/create", token);
        string id = chat.Json.GetProperty("id").GetString()!;
        // The answer is no completion: what is asked before it is the context.
        await app.FormAsync("/chat/prompt", $"id={id}&prompt=x", token);
        PrometheusText after = await ExpectAsync(new()
        {
            ["turbo_logins_total{outcome=\"refused\"}"] = 2,
            ["turbo_logins_total{outcome=\"done\"}"] = 1,
            ["turbo_session_lookups_total"] = 1,
            ["turbo_sessions_cached"] = 1,
            ["turbo_cache_requests_total{outcome=\"miss\"}"] = 1,
            ["turbo_http_requests_total{route=\"user\",status=\"401\"}"] = 2,
            ["turbo_http_requests_total{route=\"user\",status=\"200\"}"] = 4,
            ["turbo_http_requests_total{route=\"chat\",status=\"200\"}"] = 1,
            ["turbo_http_requests_total{route=\"prompt\",status=\"502\"}"] = 1,
            ["turbo_upstream_connects_total"] = 1,
        }, others: ["turbo_http_request_duration_seconds", "turbo_connections_accepted_total", "turbo_cache_"]);
        Assert.That(after["turbo_cache_entries"], Is.EqualTo(after["turbo_cache_bytes"] > 0 ? 1 : 0));
    }

    [Test]
    public async Task Open_streams_and_tunnels_show_while_they_are_open()
    {
        TestApp app = _proxy.App;
        using RawClient tunnel = _proxy.Connect();
        await using (await StreamClient.OpenAsync(StreamKind.Sse, app, "/event/subscribe?topic=t", _proxy.Token))
        await using (await StreamClient.OpenAsync(StreamKind.WebSocket, app, "/event/subscribe?topic=t", _proxy.Token))
        await using (await StreamClient.OpenAsync(StreamKind.WebSocket, app, "/event/subscribe?topic=t", _proxy.Token))
        {
            tunnel.Send(_proxy.Request("GET /v1/realtime", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"));
            Assert.That(tunnel.ReadHead(), Does.StartWith("HTTP/1.1 101 "));
            await ExpectAsync(new()
            {
                ["turbo_streams_open{kind=\"sse\"}"] = 1,
                ["turbo_streams_open{kind=\"websocket\"}"] = 2,
                ["turbo_streams_open{kind=\"tunnel\"}"] = 1,
                ["turbo_http_requests_in_flight{route=\"stream\"}"] = 3,
                ["turbo_http_requests_in_flight{route=\"proxy\"}"] = 1,
                ["turbo_connections_open"] = 4,
                ["turbo_connections_accepted_total"] = 4,
                ["turbo_upstream_connects_total"] = 1,
                ["turbo_upstream_connections_open"] = 1,
                ["turbo_proxy_added_seconds_count"] = 1,
                ["turbo_proxy_first_byte_seconds_count"] = 1,
            });
        }
        tunnel.Dispose();
        PrometheusText after = await UntilAsync(static page => page["turbo_connections_open"] <= 1 && page["turbo_streams_open{kind=\"tunnel\"}"] == 0);
        Assert.Multiple(() =>
        {
            foreach ((string sample, double value) in after.Samples.Where(static s => s.Key.StartsWith("turbo_streams_open", StringComparison.Ordinal))) Assert.That(value, Is.Zero, sample);
            Assert.That(after["turbo_proxy_exchanges_total{result=\"tunnelled\"}"], Is.EqualTo(1));
            Assert.That(after["turbo_http_requests_total{route=\"stream\",status=\"200\"}"], Is.EqualTo(1));
            Assert.That(after["turbo_http_requests_total{route=\"stream\",status=\"101\"}"], Is.EqualTo(2));
            Assert.That(after["turbo_http_requests_total{route=\"proxy\",status=\"101\"}"], Is.EqualTo(1));
        });
    }

    [Test]
    public async Task Bytes_are_those_on_the_wire()
    {
        if (_proxy.App.IsTls) Assert.Inconclusive("in TLS the handshake's count too");
        using RawClient client = _proxy.Connect();
        string request = _proxy.Request("POST /v1/files", "Content-Length: 70000\r\n", new string('x', 70_000));
        RawResponse response = client.Exchange(request);
        string relayed = _proxy.Relayed("POST /v1/files", "Content-Length: 70000\r\n", new string('x', 70_000));
        // The scrapes' own bytes are the same each time but for their figures; upstream there are none.
        PrometheusText after = await ExpectAsync(new()
        {
            ["turbo_upstream_received_bytes_total"] = Ok.Length,
            ["turbo_upstream_sent_bytes_total"] = relayed.Length,
            ["turbo_http_requests_total{route=\"proxy\",status=\"200\"}"] = 1,
        }, others: ["turbo_http_request_duration_seconds", "turbo_proxy_", "turbo_upstream_connects_total", "turbo_connections_accepted_total"]);
        Assert.That(after["turbo_received_bytes_total"] - _before["turbo_received_bytes_total"], Is.InRange(request.Length, request.Length + 20_000));
        Assert.That(after["turbo_sent_bytes_total"] - _before["turbo_sent_bytes_total"], Is.GreaterThan(response.ToWire().Length));
    }

    [Test]
    public async Task No_label_and_no_text_tells_who_or_what()
    {
        using RawClient client = _proxy.Connect();
        client.Exchange(_proxy.Request("GET /v1/models?secret-query=1", "X-Secret: secret-field\r\n"));
        client.Exchange(_proxy.Request("GET /secret-path"));
        client.Exchange("SECRETMETHOD /secret-path HTTP/1.1\r\nHost: secret-host\r\n\r\n");
        string page = (await _proxy.App.GetAsync("/metrics")).Content;
        foreach (string secret in (string[])[_proxy.Token, _proxy.UserId, "alice", "correct horse", ProxyApp.Key, "scrape-me", "secret", "SECRET", "127.0.0.1", "/v1", "gpt"])
        {
            // The help texts are constants: what is said of /v1 there is no client's.
            string samples = string.Join('\n', page.Split('\n').Where(static line => !line.StartsWith('#')));
            Assert.That(samples, Does.Not.Contain(secret));
        }
        // Bounded, whatever clients send.
        int lines = page.Split('\n').Length;
        for (int i = 0; i < 50; i++) client.Exchange($"M{i} /p{i} HTTP/1.1\r\nHost: h{i}\r\n\r\n");
        Assert.That((await _proxy.App.GetAsync("/metrics")).Content.Split('\n'), Has.Length.LessThanOrEqualTo(lines + 2));
    }

    [Test]
    public void The_page_tells_of_the_process()
    {
        Assert.Multiple(() =>
        {
            foreach (string sample in (string[])["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds", "dotnet_gc_heap_bytes", "dotnet_thread_pool_threads", "turbo_uptime_seconds"])
                Assert.That(_before[sample], Is.GreaterThan(0), sample);
            Assert.That(_before["process_resident_memory_bytes"], Is.EqualTo(Environment.WorkingSet).Within(512 << 20));
            Assert.That(_before["process_start_time_seconds"], Is.EqualTo((System.Diagnostics.Process.GetCurrentProcess().StartTime.ToUniversalTime() - DateTime.UnixEpoch).TotalSeconds).Within(1));
            Assert.That(_before["process_open_fds"], Is.LessThan(_before["process_max_fds"]));
            Assert.That(_before.Samples.Keys.Single(static k => k.StartsWith("turbo_build_info", StringComparison.Ordinal)), Is.EqualTo($"turbo_build_info{{runtime=\"{Environment.Version}\",version=\"{Turbo.Server.Cli.Usage.Version}\"}}"));
        });
    }

    private async Task<PrometheusText> ScrapeAsync()
    {
        Reply reply = await _proxy.App.GetAsync("/metrics");
        Assert.That(reply.Status, Is.EqualTo(200), reply.Content);
        return PrometheusText.Parse(reply.Content);
    }

    private async Task<PrometheusText> UntilAsync(Func<PrometheusText, bool> condition)
    {
        PrometheusText page = null!;
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        do page = await ScrapeAsync();
        while (!condition(page) && System.Diagnostics.Stopwatch.GetElapsedTime(start) < Until.Deadline);
        return page;
    }

    /// <summary>
    /// Each of these has moved by exactly so much, and no other counter at all, but for the scrapes' own and those named.
    /// What is counted when a client has its answer already is waited for.
    /// </summary>
    private async Task<PrometheusText> ExpectAsync(Dictionary<string, double> moved, params string[] others)
    {
        await _proxy.App.App.Events.FlushAsync();
        PrometheusText after = await UntilAsync(page => moved.All(one => Moved(page, one.Key) == one.Value));
        Assert.Multiple(() =>
        {
            foreach ((string sample, double by) in moved) Assert.That(Moved(after, sample), Is.EqualTo(by), sample);
            foreach (string sample in after.Samples.Keys)
            {
                string family = sample.Split('{')[0];
                if (moved.ContainsKey(sample) || s_grows.Contains(family) || sample.Contains("route=\"metrics\"", StringComparison.Ordinal)) continue;
                if (after.Types.GetValueOrDefault(family) == "gauge" || family.StartsWith("dotnet_", StringComparison.Ordinal) || family.StartsWith("process_", StringComparison.Ordinal)) continue;
                if (family.EndsWith("_bucket", StringComparison.Ordinal) || family.EndsWith("_sum", StringComparison.Ordinal) || others.Any(other => family.StartsWith(other, StringComparison.Ordinal))) continue;
                Assert.That(Moved(after, sample), Is.Zero, sample);
            }
        });
        return after;
    }

    private double Moved(PrometheusText after, string sample) => after[sample] - _before[sample];
}

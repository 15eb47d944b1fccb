using System.Globalization;
using System.Text;
using Turbo.Net.Buffers;
using Turbo.Server;
using Turbo.Server.Model;
using Turbo.Tests.Support;

namespace Turbo.Tests.Acceptance;

/// <summary>
/// Faults of upstream and of clients through the whole application: what each kind of client sees in raw bytes, what its
/// event row says, which connection the next request has, and that every pooled block is given back. One application and
/// one clock for all; each row leaves one idle connection upstream to the next, so that faults meet pooled ones too.
/// </summary>
internal sealed class FaultMatrixTests
{
    private const int UploadBytes = 100_000;

    private readonly ManualTimeProvider _time = new();
    private ProxyApp _proxy = null!;
    private int _blocks;
    private volatile Action<UpstreamPeer> _does = static _ => { };
    private volatile bool _isPlayed;
    private int _cells;

    private static IEnumerable<TestCaseData> Down() =>
        from version in new[] { "1.1", "1.0" }
        from row in FaultCells.Down()
        select new TestCaseData(row.Cell, version).SetArgDisplayNames(row.Reply, row.Cell.Fault, version);

    private static IEnumerable<TestCaseData> Up() =>
        from how in new[] { "chunked 1.1", "length 1.1", "length 1.0" }
        from cell in FaultCells.Up()
        select new TestCaseData(cell, how.Split(' ')[0] == "chunked", how.Split(' ')[1]).SetArgDisplayNames(cell.Fault, how);

    [OneTimeSetUp]
    public async Task Start()
    {
        _blocks = PinnedBlockPool.Shared.Outstanding;
        _proxy = await ProxyApp.StartAsync(Serve, static o => o with { FirstByteTimeout = TimeSpan.FromSeconds(60), IdleTimeout = TimeSpan.FromSeconds(60) }, _time);
    }

    [OneTimeTearDown]
    public async Task Stop()
    {
        await _proxy.DisposeAsync();
        await Until.TrueAsync(() => PinnedBlockPool.Shared.Outstanding <= _blocks, "every pooled block is given back");
    }

    [TestCaseSource(nameof(Down))]
    public async Task While_the_response_comes(FaultCell cell, string version)
    {
        Begin(cell.Does);
        string path = NextPath();
        using RawClient client = _proxy.Connect();
        client.Send($"GET {path} HTTP/{version}\r\nHost: a\r\nAuthorization: Bearer {_proxy.Token}\r\nConnection: close\r\n\r\n");
        await CheckAsync(cell, client, path, version);
    }

    [TestCaseSource(nameof(Up))]
    public async Task While_the_request_goes(FaultCell cell, bool isChunked, string version)
    {
        Begin(cell.Does);
        string path = NextPath();
        string content = new('x', UploadBytes);
        using RawClient client = _proxy.Connect();
        client.Send($"POST {path} HTTP/{version}\r\nHost: a\r\nAuthorization: Bearer {_proxy.Token}\r\nConnection: close\r\n" + (isChunked ? "Transfer-Encoding: chunked\r\n\r\n" : $"Content-Length: {UploadBytes}\r\n\r\n"));
        string body = isChunked ? $"{UploadBytes:x}\r\n{content}\r\n0\r\n\r\n" : content;
        Task sending = Task.Run(() => client.TrySend(cell.IsEarly ? body[..(UploadBytes / 2)] : body));
        if (cell.Stalls) await Until.DoneAsync(sending);
        await CheckAsync(cell, client, path, version);
        await Until.DoneAsync(sending);
    }

    /// <summary>What a client does, how its request begins, and the status and message of its row.</summary>
    [TestCase("resets before its answer", "1.1", 499, "the client left")]
    [TestCase("resets before its answer", "1.0", 499, "the client left")]
    [TestCase("closes before its answer", "1.1", 499, "the client left")]
    [TestCase("closes before its answer", "1.0", 499, "the client left")]
    [TestCase("resets within its answer", "1.1", 200, "the client left")]
    [TestCase("resets within its answer", "1.0", 200, "the client left")]
    [TestCase("closes within its answer", "1.1", 200, "the client left")]
    [TestCase("stops reading", "1.1", 200, "cut off: the client took its response too slowly")]
    [TestCase("stops reading", "1.0", 200, "cut off: the client took its response too slowly")]
    [TestCase("resets within its upload", "1.1", 400, "request body ended early")]
    [TestCase("ends its side within its upload", "1.1", 400, "request body ended early")]
    [TestCase("stalls its upload", "1.1", 408, "request timed out")]
    [TestCase("stalls its upload", "1.0", 408, "request timed out")]
    [TestCase("sends a bad chunk", "1.1", 400, "malformed chunked body")]
    public async Task A_client(string does, string version, int status, string message)
    {
        bool isUpload = does.Contains("upload", StringComparison.Ordinal) || does.Contains("chunk", StringComparison.Ordinal);
        bool hasAnswer = does is "resets within its answer" or "closes within its answer" or "stops reading";
        Begin(peer =>
        {
            if (hasAnswer) peer.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n");
            string chunk = $"10000\r\n{new string('y', 65536)}\r\n";
            while (does == "stops reading") peer.Send(chunk);
            peer.WaitForEnd();
        });
        string path = NextPath();
        using RawClient client = _proxy.Connect();
        string framing = does == "sends a bad chunk" ? "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" : isUpload ? $"Content-Length: {UploadBytes}\r\n\r\nhello" : "\r\n";
        client.Send($"{(isUpload ? "POST" : "GET")} {path} HTTP/{version}\r\nHost: a\r\nAuthorization: Bearer {_proxy.Token}\r\n{framing}");
        if (hasAnswer) client.ReadHead();
        UpstreamPeer peer = await PeerOfAsync(path);
        if (does.StartsWith("resets", StringComparison.Ordinal)) client.Reset();
        else if (does.StartsWith("closes", StringComparison.Ordinal)) client.Dispose();
        else if (does.StartsWith("ends", StringComparison.Ordinal)) client.HalfClose();
        else if (does == "sends a bad chunk") client.Send("zz\r\n");
        if (isUpload && !does.StartsWith("resets", StringComparison.Ordinal))
        {
            Task<RawResponse> reading = Task.Run(() => client.Read());
            await PassTimeAsync(reading);
            Assert.That((await reading).Status, Is.EqualTo(status));
        }
        Task<EventRecord> row = RowAsync(path);
        await PassTimeAsync(row);
        Assert.That(((await row).Status, (await row).Message), Is.EqualTo((status, message)));
        await Until.TrueAsync(() => peer.HasEnded && _proxy.App.App.Gateway.Pool.OpenCount == 0, "upstream is cancelled");
        await ProbeAsync();
    }

    /// <summary>A client that has only finished sending (RFC 9112 §9.6) has its answer, and nothing is spoilt by it.</summary>
    [Test]
    public async Task A_client_that_ends_its_side_after_its_request()
    {
        Begin(static peer =>
        {
            peer.WaitForCue();
            peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        });
        string path = NextPath();
        using RawClient client = _proxy.Connect();
        client.Send($"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {_proxy.Token}\r\n\r\n").HalfClose();
        UpstreamPeer peer = await PeerOfAsync(path);
        peer.GiveCue();
        PeerEnd end = client.ReadToEnd(out byte[] wire);
        Assert.That(Judge(Encoding.Latin1.GetString(wire), end), Is.EqualTo((Sees.Whole, 200, "ok")));
        Assert.That(await ProbeAsync(), Is.EqualTo(peer.Index));
    }

    private void Begin(Action<UpstreamPeer> does)
    {
        _isPlayed = false;
        _does = does;
    }

    private async Task CheckAsync(FaultCell cell, RawClient client, string path, string version)
    {
        UpstreamPeer peer = await PeerOfAsync(path);
        string head = "";
        if (cell.Stalls) await Until.TrueAsync(() => peer.IsWaiting);
        // A clock that ran before the head had come would make it late.
        if (cell.Sees == Sees.Broken && (cell.Stalls || cell.Fault == "reset within the body")) head = client.ReadHead();
        if (!cell.Stalls && cell.Then != Then.FoundSpoilt) peer.GiveCue();
        Task<(PeerEnd End, string Wire)> reading = Task.Run(() =>
        {
            PeerEnd end = client.ReadToEnd(out byte[] rest);
            return (end, head + Encoding.Latin1.GetString(rest));
        });
        if (cell.Stalls) await PassTimeAsync(reading);
        (PeerEnd end, string wire) = await reading;
        string shown = $"{end} after: {Segmented.Show(Encoding.Latin1.GetBytes(wire), 2000)}";
        (Sees sees, int status, string content) = Judge(wire, end);
        Assert.That(sees, Is.EqualTo(cell.Sees), shown);
        // A head that came together with a reset may not have left; what is there is not whole in any case.
        if (sees != Sees.Broken || status != 0) Assert.That(status, Is.EqualTo(cell.Status), shown);
        if (sees == Sees.Whole) Assert.That(content, Is.EqualTo(cell.Content), shown);
        if (version == "1.0") Assert.That(wire, Does.Not.Contain("chunked").And.Not.Contain("HTTP/1.1 1"), "to HTTP/1.0");

        EventRecord row = await Until.DoneAsync(RowAsync(path));
        Assert.That((row.Status, row.Message.Length > 0), Is.EqualTo((cell.Status, cell.Message.Length > 0)), row.Message);
        Assert.That(row.Message, Does.Contain(cell.Message));

        Turbo.Net.Upstream.UpstreamPool pool = _proxy.App.App.Gateway.Pool;
        if (cell.Then == Then.Closed) await Until.TrueAsync(() => pool.OpenCount == 0, "the connection is closed");
        peer.GiveCue();
        if (cell.Then == Then.FoundSpoilt) await Until.TrueAsync(() => _isPlayed);
        int next = await ProbeAsync();
        Assert.That(next == peer.Index, Is.EqualTo(cell.Then == Then.Reused), "whether the next request has the same connection");
        client.Dispose();
        // The one that waits in the pool keeps the block that it received into.
        await Until.TrueAsync(() => PinnedBlockPool.Shared.Outstanding <= _blocks + 1, "every pooled block is given back");
    }

    /// <summary>A request that nothing befalls; the number of the connection that it had.</summary>
    private async Task<int> ProbeAsync()
    {
        string path = NextPath("/v1/probe/");
        Reply reply = await _proxy.App.GetAsync(path, _proxy.Token);
        Assert.That((reply.Status, reply.Content), Is.EqualTo((200, "fine")));
        // It has its answer before the pool has its connection, without which the next test's request would be given another.
        Turbo.Net.Upstream.UpstreamPool pool = _proxy.App.App.Gateway.Pool;
        await Until.TrueAsync(() => pool.IdleCount == pool.OpenCount, "the connection waits for the next request");
        return (await PeerOfAsync(path)).Index;
    }

    private void Serve(UpstreamPeer peer)
    {
        while (!peer.HasEnded && !peer.HasClosed)
        {
            string head = peer.ReadHead();
            if (head.StartsWith("GET /v1/probe/", StringComparison.Ordinal)) peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine");
            else
            {
                _does(peer);
                _isPlayed = true;
            }
        }
    }

    private string NextPath(string prefix = "/v1/cell/") => prefix + (++_cells).ToString(CultureInfo.InvariantCulture);

    /// <summary>The last connection that has received a request for this path: one that was found dead is tried again on another.</summary>
    private async Task<UpstreamPeer> PeerOfAsync(string path)
    {
        UpstreamPeer? found = null;
        await Until.TrueAsync(() =>
        {
            for (int i = _proxy.Origin.Connections - 1; found is null && i >= 0; i--)
            {
                if (_proxy.Origin.Peer(i).LastHead.Contains($" {path} ", StringComparison.Ordinal)) found = _proxy.Origin.Peer(i);
            }
            return found is not null;
        }, $"upstream has {path}");
        return found!;
    }

    private async Task<EventRecord> RowAsync(string path)
    {
        while (true)
        {
            if ((await _proxy.EventsAsync()).SingleOrDefault(row => row.Endpoint == path) is { } row) return row;
            await Task.Delay(1);
        }
    }

    // Steps that a tick of the server and of the pool has time to see.
    private Task PassTimeAsync(Task until) => Until.TrueAsync(() =>
    {
        if (!until.IsCompleted) _time.Advance(TimeSpan.FromMilliseconds(500));
        return until.IsCompleted;
    });

    /// <summary>What a client that knows the framing of responses (RFC 9112 §6.3) makes of these bytes and this end.</summary>
    private static (Sees Sees, int Status, string Content) Judge(string wire, PeerEnd end)
    {
        while (true)
        {
            int length = wire.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
            if (length < 4) return (Sees.Broken, 0, "");
            RawResponse head = new(wire[..length], []);
            string body = wire[length..];
            if (head.Status < 200)
            {
                wire = body;
                continue;
            }
            string? content = head.Field("Transfer-Encoding") is not null ? Dechunk(body)
                : head.Field("Content-Length") is { } field ? (body.Length == int.Parse(field, CultureInfo.InvariantCulture) ? body : null)
                : end == PeerEnd.Fin ? body : null;
            if (content is null) return (Sees.Broken, head.Status, "");
            return (content.Contains("\"upstream_error\"", StringComparison.Ordinal) ? Sees.Error : Sees.Whole, head.Status, content);
        }
    }

    // Null where the last chunk and the empty line after it are not the end of it.
    private static string? Dechunk(string body)
    {
        StringBuilder content = new();
        for (int at = 0; ;)
        {
            int line = body.IndexOf("\r\n", at, StringComparison.Ordinal);
            if (line < 0 || !int.TryParse(body.AsSpan(at, line - at), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int size)) return null;
            at = line + 2;
            if (size == 0) return body[at..] == "\r\n" ? content.ToString() : null;
            if (body.Length < at + size + 2) return null;
            content.Append(body, at, size);
            at += size + 2;
        }
    }
}

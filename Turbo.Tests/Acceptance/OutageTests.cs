using System.Collections.Concurrent;
using System.Text.Json;
using Turbo.Server;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.Acceptance;

/// <summary>
/// Two nodes as processes on one PostgreSQL and one Redis, which die and come back under load: clear answers meanwhile, no
/// acknowledged write lost, no stream with a hole in it, and nobody is restarted.
/// </summary>
[TestFixture]
[Category(TurboProcess.Category)]
internal sealed class OutageTests
{
    private const int Workers = 8;

    /// <summary>Answers that each kind of request must have had, before an outage and after.</summary>
    private const int Enough = 10;

    private PostgresServer _postgres = null!;
    private RedisServer _redis = null!;
    private MockServer _mock = null!;
    private TurboNode[] _nodes = [];
    private string _token = "", _chat = "";

    [SetUp]
    public async Task StartAsync()
    {
        _redis = new RedisServer();
        _postgres = await PostgresServer.StartAsync();
        _mock = new MockServer(new MockOptions { Interval = TimeSpan.Zero });
        _mock.Start();
        (string, string)[] environment =
        [
            ("DB_ADDRESS", TestDatabase.UrlOf(_postgres.Address)), ("DB_TIMEOUT", "2s"), ("REDIS_ADDRESS", _redis.Url),
            ("OPENAI_API_URL", $"http://{_mock.EndPoints[0]}"), ("OPENAI_API_KEY", "sk-test"),
        ];
        _nodes = await Task.WhenAll(TurboNode.StartAsync(environment), TurboNode.StartAsync(environment));
        _token = Done(await _nodes[0].FormAsync("/user/signup", "username=ann&password=correct+horse")).GetProperty("Token").GetString()!;
        _chat = Done(await _nodes[1].FormAsync("/chat/create", "", _token)).GetProperty("id").GetString()!;
    }

    [TearDown]
    public async Task StopAsync()
    {
        foreach (TurboNode node in _nodes) node.Dispose();
        _nodes = [];
        if (_mock is not null) await _mock.DisposeAsync();
        if (_postgres is not null) await _postgres.DisposeAsync();
        _redis?.Dispose();
    }

    [Test]
    public async Task PostgreSQL_dies_and_comes_back_under_load()
    {
        Follower follower = new(_nodes[1], $"/chat/stream?id={_chat}", _token);
        Load load = new(_nodes, _token,
        [
            new Kind("/chat/prompt", i => $"id={_chat}&prompt=p{i}", static reply => reply.GetProperty("message").GetProperty("id").GetString()!),
            new Kind("/chat/create", static i => $"name=c{i}", static reply => reply.GetProperty("id").GetString()!),
            new Kind("/group/create", static i => $"name=g{i}", static reply => reply.GetProperty("id").GetString()!),
            new Kind("/user/signup", static i => $"username=u{i}&password=correct+horse", static reply => reply.GetProperty("User").GetProperty("id").GetString()!),
        ]);
        await Until.TrueAsync(() => load.HaveAll(static done => done.Succeeded >= Enough));
        await _postgres.StopAsync("immediate");
        await Until.TrueAsync(() => load.HaveAll(static done => done.Refused >= Enough));
        foreach (TurboNode node in _nodes)
        {
            (await node.GetAsync("/readyz")).IsError(503, "server_error", "unavailable");
            Assert.That((await node.GetAsync("/healthz")).Status, Is.EqualTo(200));
        }

        await _postgres.StartAgainAsync();
        await Until.DoneAsync(Task.WhenAll(_nodes.Select(static node => node.ReadyAsync())));
        load.Count();
        await Until.TrueAsync(() => load.HaveAll(static done => done.Succeeded >= Enough));
        await load.StopAsync();

        Assert.That(load.Unclear, Is.Empty);
        await Until.TrueAsync(() => load.Acknowledged("/chat/prompt").All(follower.HasWhole), "each prompt's message came to the stream");
        Assert.That(follower.Openings, Is.EqualTo(1), "and no stream ended for it");
        await follower.StopAsync();
        await StoredAsync("messages", load.Acknowledged("/chat/prompt").Concat(follower.Whole));
        await StoredAsync("chats", load.Acknowledged("/chat/create"));
        await StoredAsync("\"groups\"", load.Acknowledged("/group/create"));
        await StoredAsync("users", load.Acknowledged("/user/signup"));
        await StopNodesAsync();
        long rows = await CountAsync("SELECT count(*) FROM events WHERE endpoint IN ('/chat/prompt', '/chat/create', '/group/create', '/user/signup')");
        Assert.That(rows, Is.EqualTo(load.Answered + 2), "one event row a request, also of those that came while it was away; two before the load");
    }

    [Test]
    public async Task Redis_dies_and_comes_back_under_load()
    {
        Follower events = new(_nodes[1], "/event/subscribe?topic=t", _token), chat = new(_nodes[0], $"/chat/stream?id={_chat}", _token);
        Load load = new(_nodes, _token,
        [
            new Kind("/chat/prompt", i => $"id={_chat}&prompt=p{i}", static reply => reply.GetProperty("message").GetProperty("id").GetString()!),
            new Kind("/group/create", static i => $"name=g{i}", static reply => reply.GetProperty("id").GetString()!),
        ]);
        // One after the other, so that their order is known.
        Load published = new(_nodes[..1], _token, [new Kind("/event/publish", static i => $"topic=t&data={i}", static _ => "")], workers: 1);
        await Until.TrueAsync(() => load.HaveAll(static done => done.Succeeded >= Enough) && events.Count >= Enough);
        _redis.Stop();
        await Until.TrueAsync(() => published.HaveAll(static done => done.Refused >= Enough) && events.Refused > 0 && chat.Refused > 0);
        load.Count();
        await Until.TrueAsync(() => load.HaveAll(static done => done.Succeeded >= Enough), "prompts go on without it");

        _redis.Start();
        await Until.DoneAsync(Task.WhenAll(_nodes.Select(static node => node.ReadyAsync())));
        int before = events.Count, wholeBefore = chat.Whole.Count;
        published.Count();
        await Until.TrueAsync(() => published.HaveAll(static done => done.Succeeded >= Enough) && events.Count >= before + Enough && chat.Whole.Count >= wholeBefore + Enough);
        await published.StopAsync();
        await load.StopAsync();
        await events.StopAsync();
        await chat.StopAsync();

        Assert.That(load.Unclear.Concat(published.Unclear), Is.Empty);
        Assert.That(load.RefusedEver, Is.Zero, "what is stored needs no Redis");
        HashSet<int> taken = [.. published.AcknowledgedNumbers];
        foreach (List<int> stream in events.Numbers().Where(static stream => stream.Count > 0))
        {
            Assert.That(stream, Is.Ordered.Ascending.And.Unique);
            Assert.That(taken.Where(number => number > stream[0] && number < stream[^1]), Is.SubsetOf(stream), "a stream has no hole");
        }
        await StoredAsync("messages", load.Acknowledged("/chat/prompt"));
        await StoredAsync("\"groups\"", load.Acknowledged("/group/create"));
        await StopNodesAsync();
    }

    private static JsonElement Done(Reply reply)
    {
        Assert.That(reply.Status, Is.EqualTo(200), reply.Content);
        return reply.Json;
    }

    private async Task StopNodesAsync()
    {
        foreach (TurboNode node in _nodes)
        {
            await node.StopAsync();
            Assert.That(node.Log, Does.Not.Contain("LOST"));
        }
    }

    private async Task StoredAsync(string table, IEnumerable<string> ids)
    {
        string[] distinct = [.. ids.Distinct()];
        Assert.That(distinct, Is.Not.Empty, table);
        Assert.That(await CountAsync($"SELECT count(*) FROM {table} WHERE deleted_at IS NULL AND id IN ('{string.Join("','", distinct)}')"), Is.EqualTo(distinct.Length), table);
    }

    private async Task<long> CountAsync(string sql) => (long)(await PostgresTestDatabase.RunAsync(_postgres.Address, sql))!;

    /// <summary>A request of the load: its form by its number, and what in the answer names what was made.</summary>
    private sealed record Kind(string Target, Func<int, string> Form, Func<JsonElement, string> Id);

    /// <summary>What became of the requests of one kind to one node since they were last counted anew.</summary>
    private sealed class Tally
    {
        public int Succeeded;
        public int Refused;
    }

    /// <summary>Clients that send, each one request after the other, whatever they are answered.</summary>
    private sealed class Load
    {
        private readonly ConcurrentBag<(string Target, int Number, string Id)> _acknowledged = [];
        private readonly ConcurrentQueue<string> _unclear = new();
        private readonly string _token;
        private readonly Tally[] _tallies;
        private readonly Task _running;
        private volatile bool _isStopping;
        private int _number;
        private int _answered;
        private int _refused;

        public Load(TurboNode[] nodes, string token, Kind[] kinds, int workers = Workers)
        {
            _token = token;
            _tallies = [.. Enumerable.Range(0, nodes.Length * kinds.Length).Select(static _ => new Tally())];
            _running = Task.WhenAll(Enumerable.Range(0, workers).Select(worker => Task.Run(async () =>
            {
                for (int turn = worker; !_isStopping; turn++)
                {
                    int node = worker % nodes.Length, kind = turn / nodes.Length % kinds.Length;
                    await SendAsync(nodes[node], kinds[kind], _tallies[node * kinds.Length + kind]);
                }
            })));
        }

        /// <summary>Answers that are neither a success nor a clear refusal, and requests without an answer.</summary>
        public IEnumerable<string> Unclear => _unclear;

        public int Answered => Volatile.Read(ref _answered);

        public int RefusedEver => Volatile.Read(ref _refused);

        public IEnumerable<int> AcknowledgedNumbers => _acknowledged.Select(static one => one.Number);

        public IEnumerable<string> Acknowledged(string target) => _acknowledged.Where(one => one.Target == target).Select(static one => one.Id);

        /// <summary>Whether this holds for every kind of request on every node.</summary>
        public bool HaveAll(Func<Tally, bool> holds) => _tallies.All(holds);

        /// <summary>Counts anew.</summary>
        public void Count()
        {
            foreach (Tally tally in _tallies) (tally.Succeeded, tally.Refused) = (0, 0);
        }

        public Task StopAsync()
        {
            _isStopping = true;
            return Until.DoneAsync(_running);
        }

        private async Task SendAsync(TurboNode node, Kind kind, Tally tally)
        {
            int number = Interlocked.Increment(ref _number);
            try
            {
                Reply reply = await node.FormAsync(kind.Target, kind.Form(number), _token);
                Interlocked.Increment(ref _answered);
                if (reply.Status == 200)
                {
                    _acknowledged.Add((kind.Target, number, kind.Id(reply.Json)));
                    Interlocked.Increment(ref tally.Succeeded);
                    return;
                }
                reply.IsError(503, "server_error", "unavailable");
                Assert.That(reply.Field("Retry-After"), Is.Not.Null);
                Interlocked.Increment(ref tally.Refused);
                Interlocked.Increment(ref _refused);
            }
            catch (Exception e)
            {
                _unclear.Enqueue($"{kind.Target} {number}: {e.Message}");
            }
        }
    }

    /// <summary>A subscriber by server-sent events that comes back whenever its stream ends.</summary>
    private sealed class Follower
    {
        private readonly ConcurrentQueue<List<JsonElement>> _streams = new();
        private readonly ConcurrentDictionary<string, byte> _whole = new();
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _running;
        private int _count;
        private int _refused;

        public Follower(TurboNode node, string target, string token) => _running = Task.Run(() => RunAsync(node, target, token));

        /// <summary>Streams that were opened.</summary>
        public int Openings => _streams.Count;

        /// <summary>Attempts that were refused.</summary>
        public int Refused => Volatile.Read(ref _refused);

        /// <summary>Messages in all.</summary>
        public int Count => Volatile.Read(ref _count);

        /// <summary>The ids of a chat's messages that came whole.</summary>
        public ICollection<string> Whole => _whole.Keys;

        public bool HasWhole(string id) => _whole.ContainsKey(id);

        /// <summary>The numbers that were published, by stream; once stopped.</summary>
        public IEnumerable<List<int>> Numbers() => _streams.Select(static stream => stream.ConvertAll(static message => int.Parse(message.GetProperty("data").GetString()!)));

        public async Task StopAsync()
        {
            await _stop.CancelAsync();
            await Until.DoneAsync(_running);
            _stop.Dispose();
        }

        private async Task RunAsync(TurboNode node, string target, string token)
        {
            while (!_stop.IsCancellationRequested)
            {
                using HttpResponseMessage response = await node.OpenAsync(target, token);
                if ((int)response.StatusCode == 200)
                {
                    await FollowAsync(response);
                    continue;
                }
                Assert.That((int)response.StatusCode, Is.EqualTo(503));
                Interlocked.Increment(ref _refused);
                await Task.Delay(10);
            }
        }

        private async Task FollowAsync(HttpResponseMessage response)
        {
            List<JsonElement> stream = [];
            _streams.Enqueue(stream);
            using StreamReader lines = new(await response.Content.ReadAsStreamAsync());
            try
            {
                while (await lines.ReadLineAsync(_stop.Token) is { } line)
                {
                    if (!line.StartsWith("data: ", StringComparison.Ordinal)) continue;
                    JsonElement message = JsonDocument.Parse(line["data: ".Length..]).RootElement;
                    stream.Add(message);
                    if (message.TryGetProperty("partial", out JsonElement partial) && !partial.GetBoolean() && !message.TryGetProperty("error", out _))
                        _whole.TryAdd(message.GetProperty("message").GetProperty("id").GetString()!, 0);
                    Interlocked.Increment(ref _count);
                }
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                // The test has seen enough.
            }
        }
    }
}

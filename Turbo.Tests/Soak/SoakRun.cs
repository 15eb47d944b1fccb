using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using Microsoft.Data.Sqlite;
using Turbo.Net.Buffers;
using Turbo.Server;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.Soak;

/// <summary>
/// Turbo with all its parts, once plain and once in TLS, an upstream with faults and a crowd of clients with manners and
/// without, for a while. Then everyone goes, and what was taken must have been given back.
/// </summary>
/// <param name="time">How long the crowd stays, the first fifth of it to warm up.</param>
/// <param name="visitors">Clients at once.</param>
/// <param name="seed">Of everything random, as far as timing lets it.</param>
/// <param name="progress">Told a line now and then.</param>
internal sealed class SoakRun(TimeSpan time, int visitors, int seed, Action<string> progress)
{
    // One after the other; the first is to warm up.
    private int Crowds => IsShort ? 2 : 5;

    private bool IsShort => time < TimeSpan.FromMinutes(1);

    private static readonly TimeSpan s_quiet = TimeSpan.FromSeconds(60);

    private readonly SoakTally _tally = new();
    private readonly TestCertificates _certificates = new();
    private readonly List<Node> _nodes = [];
    private readonly string _folder = Directory.CreateTempSubdirectory("turbo-soak-").FullName;
    private readonly int _blocksBefore = PinnedBlockPool.Shared.Outstanding;
    private MockServer _mock = null!;
    private FaultProxy _faults = null!;

    public async Task<BalanceSheet> RunAsync()
    {
        Stopwatch clock = Stopwatch.StartNew();
        _mock = new MockServer();
        _mock.Start();
        _faults = new FaultProxy(new IPEndPoint(IPAddress.Loopback, _mock.Address.Port), seed);
        BalanceSheet sheet = new();
        try
        {
            foreach (bool isTls in (bool[])[false, true])
            {
                SoakLog log = new();
                string database = Path.Combine(_folder, isTls ? "tls.db" : "plain.db");
                _nodes.Add(new Node(await AppHost.StartAsync(Options(database, isTls), log: log), log, database));
            }
            await CrowdAsync(time / Crowds, 0);
            SoakState warm = await QuietAsync();
            SoakState end = warm;
            // A crowd of other users each time: what one holds is not there when the next comes.
            for (int crowd = 1; crowd < Crowds; crowd++)
            {
                await CrowdAsync(time / Crowds, crowd * visitors);
                end = await QuietAsync();
            }
            sheet.Set(warm, end);
        }
        finally
        {
            foreach (Node node in _nodes) await node.App.DisposeAsync();
            await _faults.DisposeAsync();
            await _mock.DisposeAsync();
        }
        Close(sheet, clock.Elapsed);
        Directory.Delete(_folder, recursive: true);
        return sheet;
    }

    private AppOptions Options(string database, bool isTls)
    {
        // Those who send nothing more are waited for this long; beside other work a client with manners may need seconds.
        string patience = IsShort ? "3s" : "10s";
        Dictionary<string, string> environment = new()
        {
            ["ADDRESS"] = "127.0.0.1:0",
            ["OPENAI_API_URL"] = $"http://{_faults.EndPoint}",
            ["OPENAI_API_KEY"] = "sk-soak",
            ["DB_ADDRESS"] = "sqlite:" + database,
            ["LOG_FORMAT"] = "json",
            ["BCRYPT_COST"] = "4",
            ["LOGIN_ATTEMPTS"] = "1000000",
            ["CACHE_BYTES"] = "1M",
            ["CONNECT_TIMEOUT"] = "2s",
            ["FIRST_BYTE_TIMEOUT"] = "3s",
            ["IDLE_TIMEOUT"] = "3s",
            ["UPSTREAM_IDLE_TIMEOUT"] = "2s",
            ["HEADER_TIMEOUT"] = patience,
            ["BODY_TIMEOUT"] = patience,
            ["KEEPALIVE_TIMEOUT"] = patience,
            ["SHUTDOWN_TIMEOUT"] = "10s",
            ["TLS_HANDSHAKE_TIMEOUT"] = patience,
        };
        if (isTls)
        {
            (string certificate, string key) = _certificates.Make();
            File.WriteAllText(environment["TLS_CERT"] = Path.Combine(_folder, "cert.pem"), certificate);
            File.WriteAllText(environment["TLS_KEY"] = Path.Combine(_folder, "key.pem"), key);
        }
        return AppOptions.TryRead(name => environment.GetValueOrDefault(name), out AppOptions? options, out string? error) ? options : throw new InvalidOperationException(error);
    }

    private async Task CrowdAsync(TimeSpan stay, int firstNumber)
    {
        using CancellationTokenSource stop = new(stay);
        SoakVisitor[] crowd = [.. Enumerable.Range(firstNumber, visitors).Select(n => new SoakVisitor(ServerOf(n), _tally, n, seed))];
        Task all = Task.WhenAll(crowd.Select(v => Task.Run(() => v.RunAsync(stop.Token))));
        while (await Task.WhenAny(all, Task.Delay(TimeSpan.FromSeconds(10))) != all)
        {
            progress($"{_tally.Total:N0} actions, {_nodes.Sum(static n => n.Log.Requests):N0} requests, {_nodes.Sum(static n => n.App.Server.ConnectionCount)} connections, {_nodes.Sum(static n => n.App.Streams.Count)} streams, {_faults.Faults:N0} of {_faults.Connections:N0} upstream connections spoilt, {_tally.WrongCount} wrong, {Environment.WorkingSet >> 20} MiB");
        }
        await all;
        foreach (SoakVisitor visitor in crowd) visitor.Dispose();
    }

    // Half of the clients speak TLS, and half of those 1.2.
    private SoakServer ServerOf(int visitor)
    {
        AppHost app = _nodes[visitor % 2].App;
        if (visitor % 2 == 0) return new SoakServer(app.EndPoints[0], Tls: null);
        SslClientAuthenticationOptions tls = _certificates.Client();
        tls.EnabledSslProtocols = visitor % 4 == 1 ? SslProtocols.Tls12 : SslProtocols.Tls13;
        return new SoakServer(app.EndPoints[0], tls);
    }

    // Until all that the crowd held is given back, or time is up.
    private async Task<SoakState> QuietAsync()
    {
        Stopwatch waited = Stopwatch.StartNew();
        SoakState state;
        do
        {
            await Task.Delay(100);
            state = Count();
        }
        while (!state.IsQuiet && waited.Elapsed < s_quiet);
        // Idle connections of a pool, and timers that were due, have had their time.
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        state = Count();
        progress($"quiet after {waited.Elapsed.TotalSeconds:0.0} s: {state}");
        return state;
    }

    private SoakState Count() => new()
    {
        Connections = _nodes.Sum(static n => n.App.Server.ConnectionCount),
        Handshakes = _nodes.Sum(static n => n.App.Server.HandshakeCount),
        Streams = _nodes.Sum(static n => n.App.Streams.Count),
        UpstreamConnections = _nodes.Sum(static n => n.App.Gateway.Pool.OpenCount),
        OriginConnections = _faults.Open,
        QueuedRows = _nodes.Sum(static n => n.App.Events.QueuedRows),
        Blocks = PinnedBlockPool.Shared.Outstanding - _blocksBefore,
        FreeBlocks = PinnedBlockPool.Shared.FreeCount,
        Managed = GC.GetTotalMemory(forceFullCollection: false),
        Resident = Environment.WorkingSet,
        Handles = Directory.Exists("/proc/self/fd") ? Directory.GetFiles("/proc/self/fd").Length : 0,
        Threads = ThreadPool.ThreadCount,
    };

    private void Close(BalanceSheet sheet, TimeSpan elapsed)
    {
        sheet.Elapsed = elapsed;
        sheet.Tally = _tally;
        sheet.Faults = (_faults.Faults, _faults.Connections);
        sheet.Complaints = [.. _nodes.SelectMany(static n => n.Log.Complaints)];
        sheet.Connects = (_nodes.Sum(static n => n.App.Gateway.Pool.Metrics.ConnectFailures), _faults.Refused);
        sheet.Logged = _nodes.Sum(static n => n.Log.Requests);
        sheet.Rowless = _nodes.Sum(static n => n.App.RequestsWithoutRow);
        sheet.Rows = _nodes.Sum(static n => n.CountRows());
        sheet.StoredRows = _nodes.Sum(static n => n.App.Events.StoredRows);
        sheet.LostRows = _nodes.Sum(static n => n.App.Events.LostRows);
    }

    private sealed record Node(AppHost App, SoakLog Log, string Database)
    {
        public long CountRows()
        {
            using SqliteConnection database = new($"Data Source={Database};Mode=ReadOnly;Pooling=False");
            database.Open();
            using SqliteCommand count = database.CreateCommand();
            count.CommandText = "SELECT COUNT(*) FROM events";
            return Convert.ToInt64(count.ExecuteScalar(), CultureInfo.InvariantCulture);
        }
    }
}

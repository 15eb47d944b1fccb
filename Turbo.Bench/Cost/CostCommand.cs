using System.Text.Json;
using System.Text.Json.Serialization;
using Turbo.Bench.Load;

namespace Turbo.Bench.Cost;

/// <summary>
/// Turbo.Bench cost [connections|streams|chat|users|events...]: what one operation costs Turbo as something grows. Each
/// size has the whole application on a SQLite file of its own, warmed up.
/// </summary>
internal static class CostCommand
{
    private static readonly (string Name, Func<CostBench, CostTable> Run)[] s_all =
    [
        ("connections", GrowingConnections.Run),
        ("streams", GrowingStreams.Run),
        ("chat", GrowingChats.Run),
        ("users", GrowingUsers.Run),
        ("events", GrowingEvents.Run),
    ];

    public static int Run(string[] args)
    {
        try
        {
            LoadOptions options = LoadOptions.Parse(args);
            if (options.Names.FirstOrDefault(static name => !s_all.Any(one => one.Name == name)) is { } unknown)
                throw new BenchException($"nothing called {unknown} grows here: {string.Join(", ", s_all.Select(static one => one.Name))}");
            List<CostTable> tables = [];
            using CostBench bench = new(options);
            foreach ((string name, Func<CostBench, CostTable> run) in s_all)
            {
                if (options.Names.Count > 0 && !options.Names.Contains(name)) continue;
                CostTable table = run(bench);
                tables.Add(table);
                bench.Progress.Clear();
                Console.Write(table);
            }
            string path = LoadReport.Path(options.Out, "cost");
            File.WriteAllText(path + ".md", $"# Cost as things grow\n\n{DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC, {Machine.Description}, {bench.Processors.Description}.\n\n{string.Concat(tables)}");
            File.WriteAllText(path + ".json", JsonSerializer.Serialize(tables, new JsonSerializerOptions { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals }));
            Console.WriteLine($"Written to {path}.md and {path}.json.");
            return 0;
        }
        catch (BenchException e)
        {
            Console.Error.WriteLine($"bench cost: {e.Message}");
            return 2;
        }
    }
}

/// <summary>What the tables are made with.</summary>
internal sealed class CostBench : IDisposable
{
    private readonly ServerProcess _upstream;
    private readonly Target _target;

    public CostBench(LoadOptions options)
    {
        Options = options;
        string name = options.Targets.FirstOrDefault() ?? "turbo";
        _target = Target.All().FirstOrDefault(t => t.Name == name && t.IsTurbo) ?? throw new BenchException($"{name} is no Turbo that is built here");
        Processors = Processors.Split();
        _upstream = Target.StartUpstream(Processors);
    }

    public LoadOptions Options { get; }

    public Processors Processors { get; }

    public Progress Progress { get; } = new(0);

    /// <summary>A folder for a database that is filled before the server starts.</summary>
    public static string NewFolder() => Directory.CreateTempSubdirectory("turbo-cost-").FullName;

    /// <summary>Starts Turbo, on the database of the folder where there is one; passwords cost next to nothing.</summary>
    public ServerProcess Start(string? folder = null, bool keepsFolder = false) => _target.Start(Role.Proxy, Processors, _upstream.EndPoint.Port, new Dictionary<string, string> { ["BCRYPT_COST"] = "4", ["MAX_CONNECTIONS"] = "20000", ["LOGIN_ATTEMPTS"] = "1000000" }, folder, keepsFolder);

    /// <summary>Puts on load until what runs is compiled for good.</summary>
    public void WarmUp(ServerProcess server, Func<Visitor> visit, int connections) => Checked(Measuring.WarmUp(server, visit, connections, Options.WarmUp));

    public Measurement Measure(ServerProcess server, Func<Visitor> visit, int connections) => Checked(Measuring.Run(server, visit, connections, Options.Seconds));

    /// <exception cref="BenchException">Something was not answered rightly: a cost of that is none.</exception>
    public static Measurement Checked(Measurement measurement) =>
        measurement.Failures == 0 ? measurement : throw new BenchException($"{measurement.Failures} failures, the first: {measurement.FirstFailure}");

    public void Dispose() => _upstream.Dispose();
}

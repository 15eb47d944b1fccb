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
    // Turbo alone is measured, which is warm by then; a server for each size is to be.
    private const double WarmUpSeconds = 6;

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
        if (LoadOptions.AsksForHelp(args))
        {
            Console.Write(Help);
            return 0;
        }
        return BenchCommand.Run("cost", () => Run(LoadOptions.Parse(args, WarmUpSeconds), args));
    }

    private static int Run(LoadOptions options, string[] args)
    {
        if (options.Names.FirstOrDefault(static name => !s_all.Any(one => one.Name == name)) is { } unknown)
            throw new UsageException($"nothing called {unknown} grows here: {string.Join(", ", s_all.Select(static one => one.Name))}");
        List<CostTable> tables = [];
        using CostBench bench = new(options);
        DateTime began = DateTime.UtcNow;
        foreach ((string name, Func<CostBench, CostTable> run) in s_all)
        {
            if (options.Names.Count > 0 && !options.Names.Contains(name)) continue;
            CostTable table = run(bench);
            tables.Add(table);
            Progress.EndLine();
            Console.Write(table);
        }
        string path = LoadReport.Path(options.Out, "cost"), command = LoadOptions.Typed("cost", args);
        File.WriteAllText(path + ".md", $"# Cost as things grow\n\n`{command}`, {began:yyyy-MM-dd HH:mm} UTC, {Machine.Description}, {bench.Processors.Description}. Turbo {Turbo.Server.Cli.Usage.Version}.\n\n{string.Concat(tables)}");
        File.WriteAllText(path + ".json", JsonSerializer.Serialize(tables, new JsonSerializerOptions { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals }));
        Console.WriteLine($"Written to {path}.md and {path}.json.");
        return 0;
    }

    private static string Help => $"""
        usage: scripts/bench cost [WHAT...] [OPTION...]

        What one operation costs Turbo as something grows: {string.Join(", ", s_all.Select(static one => one.Name))} (all of them unless some are named).

        options (--rounds, --rate and --connections have no meaning here; --targets takes turbo or turbo-aot):
        {LoadOptions.Help(WarmUpSeconds)}
        Exit codes: 0; 1 where an answer was wrong or a server did not start; 2 for a wrong command line; 130 after Ctrl-C.

        """;
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
        _target = Target.All().FirstOrDefault(t => t.Name == name && t.IsTurbo) ?? throw new UsageException($"{name} is no Turbo that is built here");
        Processors = Processors.Split();
        _upstream = Target.StartUpstream(Processors);
    }

    public LoadOptions Options { get; }

    public Processors Processors { get; }

    public Progress Progress { get; } = new(0);

    /// <summary>A folder for a database that is filled before the server starts.</summary>
    public static string NewFolder() => Scratch.NewFolder("turbo-cost-");

    /// <summary>Starts Turbo, on the database of the folder where there is one; passwords cost next to nothing.</summary>
    public ServerProcess Start(string? folder = null, bool keepsFolder = false) => _target.Start(Role.Proxy, Processors, _upstream.EndPoint.Port, new Dictionary<string, string> { ["BCRYPT_COST"] = "4", ["MAX_CONNECTIONS"] = "20000", ["LOGIN_ATTEMPTS"] = "1000000" }, folder, keepsFolder);

    /// <summary>Puts on load of a kind until what runs is compiled for good.</summary>
    public void WarmUp(ServerProcess server, string kind, Func<Visitor> visit, int connections)
    {
        if (Load.WarmUp.Run(server, kind, visit, connections, Options.WarmUp, Progress) is { } last) Checked(last);
    }

    public Measurement Measure(ServerProcess server, Func<Visitor> visit, int connections) => Checked(Measuring.Run(server, visit, connections, Options.Seconds));

    /// <exception cref="BenchException">Something was not answered rightly: a cost of that is none.</exception>
    public static Measurement Checked(Measurement measurement) =>
        measurement.Failures == 0 ? measurement : throw new BenchException($"{measurement.Failures} failures, the first: {measurement.FirstFailure}");

    public void Dispose()
    {
        _upstream.Dispose();
        // Those of sizes that did not come to their end.
        Scratch.DeleteAll();
    }
}

namespace Turbo.Bench.Load;

/// <summary>
/// Turbo.Bench load [SCENARIO...]: servers side by side on loopback. Rounds are interleaved, each with all targets in turn,
/// so that whatever else the machine does meets all of them; medians and ranges are told, and ratios within the run.
/// </summary>
internal sealed class LoadCommand : IDisposable
{
    private static readonly string[] s_usual = ["turbo", "turbo-aot", "kestrel", "yarp", "nginx"];

    private readonly LoadOptions _options;
    private readonly Processors _processors = Processors.Split();
    private readonly ServerProcess _upstream;
    private readonly Dictionary<(Target, Role), ServerProcess> _servers = [];
    private readonly LoadResult _result;

    private LoadCommand(LoadOptions options)
    {
        _options = options;
        _upstream = Target.StartUpstream(_processors);
        _result = new LoadResult { Began = DateTime.UtcNow, Machine = Machine.Description, Pinning = _processors.Description, Rounds = options.Rounds, Seconds = options.Seconds };
    }

    public static int Run(string[] args)
    {
        try
        {
            LoadOptions options = LoadOptions.Parse(args);
            IReadOnlyList<Scenario> scenarios = Scenario.All(options.Rate, options.Connections);
            List<Target> targets = Choose(Target.All().ToList(), options.Targets.Length > 0 ? options.Targets : s_usual, options.Targets.Length > 0, static t => t.Name, "target");
            scenarios = Choose(scenarios.ToList(), options.Names, true, static s => s.Name, "scenario");
            using LoadCommand command = new(options);
            return command.Run(scenarios, targets);
        }
        catch (BenchException e)
        {
            Console.Error.WriteLine($"bench load: {e.Message}");
            return 2;
        }
    }

    public void Dispose()
    {
        foreach (ServerProcess server in _servers.Values) server.Dispose();
        _upstream.Dispose();
    }

    // All where none is named.
    private static List<T> Choose<T>(List<T> all, IReadOnlyCollection<string> names, bool mustExist, Func<T, string> nameOf, string what)
    {
        if (names.Count == 0) return all;
        if (mustExist && names.FirstOrDefault(name => !all.Any(one => nameOf(one) == name)) is { } unknown)
            throw new BenchException($"no {what} {unknown} here; there are {string.Join(", ", all.Select(nameOf))}");
        return [.. all.Where(one => names.Contains(nameOf(one)))];
    }

    private int Run(IReadOnlyList<Scenario> scenarios, List<Target> targets)
    {
        Progress progress = new(scenarios.Sum(s => targets.Count(s.Fits) * (s.IsIdle ? 1 : _options.Rounds)));
        foreach (Scenario scenario in scenarios)
        {
            List<Target> fitting = [.. targets.Where(scenario.Fits)];
            if (fitting.Count == 0) continue;
            ScenarioResult result = new(scenario.Name, scenario.Title, scenario.Unit, scenario.IsIdle, scenario.Rate, [.. fitting.Select(static t => new TargetResult(t.Name, []))]);
            _result.Scenarios.Add(result);
            for (int round = 0; round < (scenario.IsIdle ? 1 : _options.Rounds); round++)
            {
                // Nobody always comes first.
                for (int i = 0; i < fitting.Count; i++)
                {
                    int at = (i + round) % fitting.Count;
                    progress.Step($"{scenario.Name}: {fitting[at].Name}, round {round + 1}");
                    result.Targets[at].Rounds.Add(scenario.IsIdle ? MeasureIdle(scenario, fitting[at]) : Measure(scenario, fitting[at]));
                }
            }
            progress.Clear();
            Console.Write(LoadReport.Table(result));
        }
        string file = LoadReport.Write(_result, _options.Out);
        Console.WriteLine($"Written to {file}.md and {file}.json.");
        return LoadReport.Failures(_result, Console.Out) ? 1 : 0;
    }

    private Measurement Measure(Scenario scenario, Target target)
    {
        if (!_servers.TryGetValue((target, scenario.Role), out ServerProcess? server))
            _servers[(target, scenario.Role)] = server = target.Start(scenario.Role, _processors, _upstream.EndPoint.Port);
        Func<Visitor> visit = scenario.Visit(server);
        if (server.WarmFor.Add(scenario.Name))
        {
            Measurement warm = Measuring.WarmUp(server, visit, scenario.Connections, target.IsCompiledAhead ? Math.Min(0.2, _options.WarmUp) : _options.WarmUp);
            if (warm.Failures > 0) return warm;
        }
        return Measuring.Run(server, visit, scenario.Connections, _options.Seconds, scenario.Rate);
    }

    private Measurement MeasureIdle(Scenario scenario, Target target)
    {
        using ServerProcess server = target.Start(scenario.Role, _processors, _upstream.EndPoint.Port);
        Func<Visitor> visit = scenario.Visit(server);
        // What the first connections bring into being is not theirs.
        Measurement warm = Measuring.WarmUp(server, visit, 64, 0.3);
        if (warm.Failures > 0) return warm;
        return Measuring.Idle(server, visit, scenario.Connections);
    }
}

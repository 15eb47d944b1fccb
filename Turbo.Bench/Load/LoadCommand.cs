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

    private LoadCommand(LoadOptions options, string[] args, List<Target> targets)
    {
        _options = options;
        _upstream = Target.StartUpstream(_processors);
        _result = new LoadResult
        {
            Began = DateTime.UtcNow, Machine = Machine.Description, Pinning = _processors.Description, Rounds = options.Rounds, Seconds = options.Seconds,
            Command = LoadOptions.Typed("load", args), WarmUp = options.WarmUp, Versions = Versions.Of(targets),
        };
    }

    public static int Run(string[] args)
    {
        if (LoadOptions.AsksForHelp(args))
        {
            Console.Write(Help());
            return 0;
        }
        return BenchCommand.Run("load", () =>
        {
            LoadOptions options = LoadOptions.Parse(args, WarmUp.DefaultSeconds);
            List<Scenario> scenarios = Choose([.. Scenario.All(options.Rate, options.Connections)], options.Names, static s => s.Name, "scenario");
            List<Target> all = [.. Target.All()];
            bool hasNginx = all.Any(static t => t.Name == "nginx");
            if (!hasNginx && options.Targets.Contains("nginx")) throw new BenchException("nginx is not installed (on Debian: apt-get install nginx-light)");
            List<Target> targets = Choose(all, options.Targets.Length > 0 ? options.Targets : [.. s_usual.Where(name => all.Any(t => t.Name == name))], static t => t.Name, "target");
            if (!scenarios.Any(scenario => targets.Any(scenario.Fits))) throw new UsageException("none of these targets has any of these scenarios");
            if (!hasNginx) Progress.Note("nginx is not installed: measured without it.");
            using LoadCommand command = new(options, args, targets);
            return command.Run(scenarios, targets);
        });
    }

    private static string Help() => $"""
        usage: scripts/bench load [SCENARIO...] [OPTION...]

        Servers side by side on this machine, on loopback: processor time, throughput, latency, memory.

        scenarios (all of them unless some are named):
        {string.Join('\n', Scenario.All(5000, 64).Select(static s => $"  {s.Name,-18} {s.Title}"))}

        servers:
          {string.Join(", ", Target.All().Select(static t => t.Name))}
          Measured unless --targets names others: {string.Join(", ", s_usual)}, where they are there.

        options:
        {LoadOptions.Help(WarmUp.DefaultSeconds)}
        Exit codes: 0; 1 where an answer was wrong or a server did not start; 2 for a wrong command line; 130 after Ctrl-C.

        """;

    public void Dispose()
    {
        foreach (ServerProcess server in _servers.Values) server.Dispose();
        _upstream.Dispose();
    }

    // All where none is named.
    private static List<T> Choose<T>(List<T> all, IReadOnlyCollection<string> names, Func<T, string> nameOf, string what)
    {
        if (names.Count == 0) return all;
        if (names.FirstOrDefault(name => !all.Any(one => nameOf(one) == name)) is { } unknown)
            throw new UsageException($"no {what} {unknown} here; there are {string.Join(", ", all.Select(nameOf))}");
        return [.. all.Where(one => names.Contains(nameOf(one)))];
    }

    private int Run(IReadOnlyList<Scenario> scenarios, List<Target> targets)
    {
        Progress progress = new(scenarios.Sum(s => targets.Count(s.Fits) * (s.IsIdle ? 1 : _options.Rounds)));
        Progress.Note($"{string.Join(", ", targets.Select(static t => t.Name))}; {_processors.Description}. About {Minutes(scenarios, targets)}.");
        foreach (Scenario scenario in scenarios)
        {
            List<Target> fitting = [.. targets.Where(scenario.Fits)];
            if (fitting.Count == 0) continue;
            ScenarioResult result = new(scenario.Name, scenario.Title, scenario.Unit, scenario.Role, scenario.IsIdle, scenario.Rate, [.. fitting.Select(static t => new TargetResult(t.Name, []))]);
            _result.Scenarios.Add(result);
            for (int round = 0; round < (scenario.IsIdle ? 1 : _options.Rounds); round++)
            {
                // Nobody always comes first.
                for (int i = 0; i < fitting.Count; i++)
                {
                    int at = (i + round) % fitting.Count;
                    progress.Step(scenario.Name, scenario.IsIdle ? fitting[at].Name : $"{fitting[at].Name}, round {round + 1}");
                    result.Targets[at].Rounds.Add(scenario.IsIdle ? MeasureIdle(scenario, fitting[at], progress) : Measure(scenario, fitting[at], progress));
                }
            }
            Progress.EndLine();
            Console.Write(LoadReport.Table(result));
        }
        string file = LoadReport.Write(_result, _options.Out);
        Console.WriteLine($"Written to {file}.md and {file}.json.");
        return LoadReport.Failures(_result, Console.Out) ? 1 : 0;
    }

    private Measurement Measure(Scenario scenario, Target target, Progress progress)
    {
        if (!_servers.TryGetValue((target, scenario.Role), out ServerProcess? server))
            _servers[(target, scenario.Role)] = server = target.Start(scenario.Role, _processors, _upstream.EndPoint.Port);
        Func<Visitor> visit = scenario.Visit(server);
        Measurement? warm = WarmUp.Run(server, scenario.Kind, scenario.WarmVisit?.Invoke(server) ?? visit, scenario.Connections, _options.WarmUp, progress);
        if (warm is { Failures: > 0 }) return warm;
        return Measuring.Run(server, visit, scenario.Connections, _options.Seconds, scenario.Rate);
    }

    // What it takes where nothing else takes the processors' time: warm-ups, measurements, and a bit for each start and table.
    private string Minutes(IReadOnlyList<Scenario> scenarios, List<Target> targets)
    {
        double seconds = 0;
        HashSet<(string, Role)> started = [];
        HashSet<(string, Role, string)> warm = [];
        foreach (Scenario scenario in scenarios)
        {
            foreach (Target target in targets.Where(scenario.Fits))
            {
                seconds += scenario.IsIdle ? 5 : _options.Rounds * (_options.Seconds + 0.1);
                bool isFirst = started.Add((target.Name, scenario.Role));
                if (!scenario.IsIdle && warm.Add((target.Name, scenario.Role, scenario.Kind))) seconds += WarmUp.Needed(_options.WarmUp, target.IsCompiledAhead, isFirst);
            }
        }
        return seconds < 90 ? $"{Math.Max(seconds, 1):0} seconds" : $"{seconds / 60:0.#} minutes";
    }

    private Measurement MeasureIdle(Scenario scenario, Target target, Progress progress)
    {
        using ServerProcess server = target.Start(scenario.Role, _processors, _upstream.EndPoint.Port);
        Func<Visitor> visit = scenario.Visit(server);
        // What the first connections bring into being is not theirs.
        Measurement? warm = WarmUp.Run(server, scenario.Kind, visit, 64, Math.Min(2, _options.WarmUp), progress);
        if (warm is { Failures: > 0 }) return warm;
        progress.Detail("connecting");
        return Measuring.Idle(server, visit, scenario.Connections);
    }
}

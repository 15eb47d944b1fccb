using System.Text.Json;
using Turbo.Bench.Load;

namespace Turbo.Bench.Charts;

/// <summary>Turbo.Bench chart [RESULT.json...] [--out FOLDER]: runs of load as charts, into docs unless another folder is named.</summary>
internal static class ChartCommand
{
    private const string Usage = """
        usage: scripts/bench chart [RESULT.json...] [--out FOLDER]

        Draws results of load (artifacts/bench/load.json unless some are named) as bench-cpu.svg, bench-latency.svg and
        bench-memory.svg in docs or FOLDER. Several results are taken together: of a scenario that two have, the last
        one's is drawn.

        """;

    public static int Run(string[] args)
    {
        if (LoadOptions.AsksForHelp(args))
        {
            Console.Write(Usage);
            return 0;
        }
        try
        {
            string folder = Path.Combine(Target.Root, "docs");
            List<string> files = [];
            for (int i = 0; i < args.Length; i++)
            {
                if (args[i] == "--out") folder = ++i < args.Length ? args[i] : throw new UsageException("--out: a folder is missing");
                else if (args[i].StartsWith('-')) throw new UsageException($"{args[i]} is no option; --help names them");
                else files.Add(args[i]);
            }
            if (files.Count == 0) files.Add(Path.Combine(Target.Root, "artifacts/bench/load.json"));
            Draw([.. files.Select(Read)], folder);
            return 0;
        }
        catch (BenchException e)
        {
            Console.Error.WriteLine($"bench chart: {e.Message}");
            return e is UsageException ? 2 : 1;
        }
    }

    private static LoadResult Read(string file)
    {
        try
        {
            return LoadReport.Read(file);
        }
        catch (JsonException e)
        {
            throw new BenchException($"{file} is no result of load: {e.Message}");
        }
        catch (IOException)
        {
            throw new BenchException($"{file} is not there: run scripts/bench load first");
        }
    }

    private static void Draw(List<LoadResult> results, string folder)
    {
        if (results.Select(static r => (r.Machine, r.Pinning)).Distinct().Count() > 1) throw new BenchException("these are results of different machines, whose figures are not compared");
        List<ScenarioResult> scenarios = [.. results.SelectMany(static r => r.Scenarios).GroupBy(static s => s.Name).Select(static same => same.Last())];
        if (scenarios.SelectMany(static s => s.Targets).FirstOrDefault(static t => t.Rounds.Exists(static m => m.Failures > 0)) is { } failed)
            throw new BenchException($"{failed.Target} gave wrong answers: what that costs is not drawn");
        LoadResult one = results[^1];
        string caption = string.Join('\n', [
            $"{string.Join("; ", results.Select(static r => $"{r.Command}, {r.Began:yyyy-MM-dd}").Distinct())}.",
            $"{one.Machine}; {one.Pinning}. {one.Versions}.",
            $"{LoadReport.Rounds(one)}.",
        ]);
        string proxying = scenarios.Exists(static s => s.Role == Role.Proxy)
            ? "\nProxied requests: Turbo checks the session, stores an event row and writes its log; the others do none of it." : "";
        // A scenario that only Turbo has compares nothing.
        scenarios.RemoveAll(static s => s.Targets.Count(static t => !t.Target.StartsWith("turbo", StringComparison.Ordinal)) == 0);
        Directory.CreateDirectory(folder);
        Write("bench-cpu.svg", "Processor time of the server", "µs", caption + proxying, Bars(static s => !s.IsIdle && s.Rate == 0, static (s, m) => s.Cost(m), static s => $"{s.Title}: for each {s.Unit}"));
        Write("bench-latency.svg", "Latency", "µs", caption + proxying,
        [
            .. Bars(IsOpenLoop, static (_, m) => m.P50Microseconds, static s => $"{s.Title}: median"),
            .. Bars(IsOpenLoop, static (_, m) => m.P99Microseconds, static s => $"{s.Title}: 99th percentile"),
        ]);
        Write("bench-memory.svg", "Memory of a connection", "KB", caption, Bars(static s => s.IsIdle, static (_, m) => m.Bytes / 1024, static s => s.Title));

        // A closed loop asks a slow server less: its latencies are those of a server at its limit.
        static bool IsOpenLoop(ScenarioResult s) => s.Rate > 0 || s.Name == "sse";

        List<BarGroup> Bars(Func<ScenarioResult, bool> which, Func<ScenarioResult, Measurement, double> figure, Func<ScenarioResult, string> title) =>
        [
            .. scenarios.Where(which).Select(scenario => new BarGroup(title(scenario),
            [
                .. scenario.Targets.Where(static t => t.Rounds.Count > 0).Select(target => new Bar(target.Target, target.Median(m => figure(scenario, m)), target.Rounds.Min(m => figure(scenario, m)), target.Rounds.Max(m => figure(scenario, m)))),
            ])),
        ];

        void Write(string name, string title, string unit, string text, List<BarGroup> groups)
        {
            if (groups.Count == 0) return;
            string path = Path.Combine(folder, name);
            File.WriteAllText(path, BarChart.Draw(title, unit, text, groups));
            Console.WriteLine(path);
        }
    }
}

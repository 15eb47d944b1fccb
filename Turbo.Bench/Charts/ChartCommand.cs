using Turbo.Bench.Load;

namespace Turbo.Bench.Charts;

/// <summary>Turbo.Bench chart [RESULT.json [FOLDER]]: a run of load as charts, into docs unless another folder is named.</summary>
internal static class ChartCommand
{
    public static int Run(string[] args)
    {
        string file = args.Length > 0 ? args[0] : Path.Combine(Target.Root, "artifacts/bench/load.json");
        string folder = args.Length > 1 ? args[1] : Path.Combine(Target.Root, "docs");
        if (args.Length > 2 || !File.Exists(file))
        {
            Console.Error.WriteLine(args.Length > 2 ? "usage: bench chart [RESULT.json [FOLDER]]" : $"bench chart: {file} is not there: run scripts/bench load first");
            return 2;
        }
        LoadResult result;
        try
        {
            result = LoadReport.Read(file);
        }
        catch (System.Text.Json.JsonException e)
        {
            Console.Error.WriteLine($"bench chart: {file} is no result of load: {e.Message}");
            return 2;
        }
        string caption = $"{result.Began:yyyy-MM-dd}, {result.Machine}, medians of {result.Rounds}";
        Write("bench-cpu.svg", "Processor time of the server", "µs", caption, Bars(result, static s => !s.IsIdle && s.Rate == 0, static (s, t) => t.Median(s.Cost), static s => $"{s.Title}: µs for each {s.Unit}"));
        Write("bench-latency.svg", "Latency, 99th of 100", "µs", caption, Bars(result, static s => s.Rate > 0 || s.Name == "sse", static (_, t) => t.Median(static m => m.P99Microseconds), static s => $"{s.Title}: µs"));
        Write("bench-memory.svg", "Memory of an idle connection", "KB", caption, Bars(result, static s => s.IsIdle, static (s, t) => t.Median(s.Cost) / 1024, static s => $"{s.Title}: KB"));
        return 0;

        void Write(string name, string title, string unit, string caption, List<BarGroup> groups)
        {
            if (groups.Count == 0) return;
            string path = Path.Combine(folder, name);
            Directory.CreateDirectory(folder);
            File.WriteAllText(path, BarChart.Draw(title, unit, caption, groups));
            Console.WriteLine(path);
        }
    }

    private static List<BarGroup> Bars(LoadResult result, Func<ScenarioResult, bool> which, Func<ScenarioResult, TargetResult, double> figure, Func<ScenarioResult, string> title) =>
        [.. result.Scenarios.Where(which).Select(scenario => new BarGroup(title(scenario), [.. scenario.Targets.Select(target => new Bar(target.Target, figure(scenario, target)))]))];
}

using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Turbo.Bench.Load;

/// <summary>A run as Markdown and as JSON.</summary>
internal static class LoadReport
{
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <summary>Writes both files and gives their path without the ending.</summary>
    public static string Write(LoadResult result, string path)
    {
        path = Path(path, "load");
        StringBuilder text = new();
        text.Append($"# Load\n\n`{result.Command}`, {result.Began:yyyy-MM-dd HH:mm} UTC, {result.Machine}, {result.Pinning}. {result.Versions}.\n");
        text.Append($"{Rounds(result)}, after a warm-up of {Number(result.WarmUp)} s of processor time. Ratios are of Turbo to the server of the row: below 1 Turbo takes less.\n");
        foreach (ScenarioResult scenario in result.Scenarios) text.Append('\n').Append(Table(scenario));
        using (StringWriter failures = new(CultureInfo.InvariantCulture))
        {
            if (Failures(result, failures)) text.Append($"\n{failures}");
        }
        File.WriteAllText(path + ".md", text.ToString());
        File.WriteAllText(path + ".json", JsonSerializer.Serialize(result, s_json));
        return path;
    }

    public static LoadResult Read(string file) => JsonSerializer.Deserialize<LoadResult>(File.ReadAllText(file), s_json) ?? throw new BenchException($"{file} holds no run");

    /// <summary>A path below artifacts/bench, where another is not asked for.</summary>
    public static string Path(string asked, string name)
    {
        string path = asked.Length > 0 ? asked : System.IO.Path.Combine(Target.Root, "artifacts/bench", name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!);
        return path;
    }

    /// <summary>The targets of a scenario: Turbo's first, each figure a median, and Turbo's ratio to each peer.</summary>
    public static string Table(ScenarioResult scenario)
    {
        StringBuilder text = new();
        text.Append($"## {scenario.Name}: {scenario.Title}\n\n");
        text.Append(scenario.IsIdle
            ? "| server | KB a connection | Turbo to it |\n|---|---|---|\n"
            : $"| server | CPU µs {(scenario.Unit == "event" ? "an" : "a")} {scenario.Unit} | range | Turbo to it | {scenario.Unit}s a second | server CPU | p50 µs | p99 µs | p99.9 µs |\n|---|---|---|---|---|---|---|---|---|\n");
        TargetResult? ours = scenario.Targets.FirstOrDefault(static t => t.Target == "turbo") ?? scenario.Targets.FirstOrDefault(static t => t.Target.StartsWith("turbo", StringComparison.Ordinal));
        foreach (TargetResult target in scenario.Targets)
        {
            double cost = target.Median(scenario.Cost);
            string ratio = ours is null || ours == target || cost <= 0 ? "" : Figure(ours.Median(scenario.Cost) / cost);
            text.Append(scenario.IsIdle
                ? $"| {target.Target} | {Figure(cost / 1024)} | {ratio} |\n"
                : $"| {target.Target} | {Figure(cost)} | {Figure(target.Rounds.Min(scenario.Cost))}–{Figure(target.Rounds.Max(scenario.Cost))} | {ratio} | {target.Median(static m => m.PerSecond).ToString("N0", CultureInfo.InvariantCulture)} | {Figure(target.Median(static m => m.CpuShare))} | {Figure(target.Median(static m => m.P50Microseconds))} | {Figure(target.Median(static m => m.P99Microseconds))} | {Figure(target.Median(static m => m.P999Microseconds))} |\n");
        }
        return text.Append('\n').ToString();
    }

    /// <summary>Tells of wrong answers and of rates that were not kept; true when there were wrong answers.</summary>
    public static bool Failures(LoadResult result, TextWriter output)
    {
        bool any = false;
        foreach (ScenarioResult scenario in result.Scenarios)
        {
            foreach (TargetResult target in scenario.Targets)
            {
                long failures = target.Rounds.Sum(static m => m.Failures), unsent = target.Rounds.Sum(static m => m.Unsent);
                if (failures > 0) output.WriteLine($"FAILED: {scenario.Name}, {target.Target}: {failures} failures, the first: {target.Rounds.First(static m => m.Failures > 0).FirstFailure}");
                if (unsent > 0) output.WriteLine($"{scenario.Name}, {target.Target}: {unsent} requests could not be sent when due: the rate is beyond what it can do here.");
                any |= failures > 0;
            }
        }
        return any;
    }

    /// <summary>What the figures are of.</summary>
    public static string Rounds(LoadResult result) =>
        result.Rounds == 1 ? $"One round of {Number(result.Seconds)} s" : $"Medians of {result.Rounds} interleaved rounds of {Number(result.Seconds)} s";

    private static string Number(double value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>Three digits that count.</summary>
    public static string Figure(double value) => value switch
    {
        >= 100 or <= -100 => value.ToString("N0", CultureInfo.InvariantCulture),
        >= 10 or <= -10 => value.ToString("0.0", CultureInfo.InvariantCulture),
        _ => value.ToString("0.00", CultureInfo.InvariantCulture),
    };
}

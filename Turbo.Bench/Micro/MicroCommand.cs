using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Exporters.Json;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Turbo.Bench.Load;

namespace Turbo.Bench.Micro;

/// <summary>
/// Turbo.Bench micro [FILTER...] [--full] [--list]: single operations by BenchmarkDotNet. The short job runs in this process with three
/// iterations, which tells a factor and takes minutes; the full one runs each benchmark in a process of its own until the
/// figure stands.
/// </summary>
internal static class MicroCommand
{
    private const string Usage = """
        usage: scripts/bench micro [FILTER...] [--full] [--list]

        Single operations beside those of other libraries, by BenchmarkDotNet.

          FILTER    part of a benchmark's name; several are any of them
          --full    each in a process of its own until the figure stands: an hour or more for all
          --list    names the benchmarks and runs none

        """;

    public static int Run(string[] args)
    {
        if (LoadOptions.AsksForHelp(args))
        {
            Console.Write(Usage);
            return 0;
        }
        bool isFull = args.Contains("--full");
        string[] filters = [.. args.Where(static arg => !arg.StartsWith('-')).Select(static filter => filter.Contains('*') ? filter : $"*{filter}*")];
        if (args.FirstOrDefault(static arg => arg.StartsWith('-') && arg is not ("--full" or "--list")) is { } unknown)
        {
            Console.Error.WriteLine($"bench micro: {unknown} is no option; --help names them");
            return 2;
        }
        Job job = isFull ? Job.Default : Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance);
        ManualConfig config = ManualConfig.CreateEmpty()
            .AddJob(job)
            .AddLogger(ConsoleLogger.Default)
            .AddColumnProvider(BenchmarkDotNet.Columns.DefaultColumnProviders.Instance)
            .AddAnalyser([.. DefaultConfig.Instance.GetAnalysers()])
            .AddValidator([.. DefaultConfig.Instance.GetValidators()])
            .AddExporter(MarkdownExporter.GitHub, JsonExporter.Full)
            .AddLogicalGroupRules(BenchmarkLogicalGroupRule.ByCategory)
            .HideColumns("Type", "Error", "RatioSD", "Gen0")
            .AddColumn(BenchmarkDotNet.Columns.CategoriesColumn.Default)
            .WithArtifactsPath(LoadReport.Path("", "micro"))
            .WithOptions(ConfigOptions.JoinSummary);
        string[] arguments = ["--filter", .. filters.Length > 0 ? filters : ["*"], .. args.Contains("--list") ? (string[])["--list", "flat"] : []];
        var summaries = BenchmarkSwitcher.FromAssembly(typeof(MicroCommand).Assembly).Run(arguments, config).ToList();
        if (args.Contains("--list")) return 0;
        return summaries.Count > 0 && summaries.All(static s => !s.HasCriticalValidationErrors && s.Reports.All(static r => r.Success)) ? 0 : 1;
    }
}

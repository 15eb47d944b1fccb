using System.Text.RegularExpressions;
using Turbo.Bench.Load;
using Turbo.Tests.Support;

namespace Turbo.Tests.Docs;

/// <summary>The commands of docs/benchmarks.md, with their options as printed: those that measure for minutes are cut short.</summary>
[TestFixture]
internal sealed partial class BenchmarksPageTests
{
    private static IEnumerable<string> Commands =>
        Block().Matches(Repository.Read("docs/benchmarks.md")).SelectMany(static block => block.Groups[1].Value.Split('\n'))
            .Select(static line => line.Split('#')[0].TrimEnd()).Where(static line => line.Length > 0);

    [TestCaseSource(nameof(Commands))]
    public async Task A_command_is_understood(string command)
    {
        using TempFolder folder = new();
        string[] words = command.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(words[0], Is.EqualTo("scripts/bench"));
        // What comes last counts.
        switch (words[1])
        {
            case "load":
                // Of everything, what the page's other commands do not name, on both servers.
                if (words.Length == 2) words = [.. words, "json", "websocket", "prompt"];
                int targets = Array.IndexOf(words, "--targets") + 1;
                string there = targets == 0 ? "turbo" : string.Join(',', words[targets].Split(',').Where(static name => name != "nginx" || Programs.Exists(name)));
                (int code, string printed, string error) = await RunAsync(
                    folder, [.. words[1..], "--seconds", "0.2", "--rounds", "1", "--warmup", "0.1", "--targets", there, "--out", folder.File("load")]);
                Assert.That(printed, Does.Contain("Written to "), error);
                // In a fifth of a second a busy machine may answer nothing, which is told as a failure.
                string[] failures = [.. printed.Split('\n').Where(static line => line.StartsWith("FAILED", StringComparison.Ordinal))];
                Assert.That(failures, Is.All.EndsWith(": nothing was answered"));
                Assert.That(code, Is.EqualTo(failures.Length == 0 ? 0 : 1), error);
                Assert.That(folder.File("load.md"), Does.Exist);
                break;
            case "cost":
                // Its databases of a million rows take their time: it gets as far as the server that it is to measure.
                Assert.That(await RunAsync(folder, [.. words[1..], "--targets", "nobody"]), Is.EqualTo((2, "", "bench cost: nobody is no Turbo that is built here\n")));
                break;
            case "micro":
                (code, printed, error) = await RunAsync(folder, [.. words[1..], "--list"]);
                Assert.That(code, Is.Zero, error);
                Assert.That(printed, Does.Contain("Turbo.Bench.Micro."), "nothing has such a name");
                break;
            default:
                Assert.Fail("no test runs it");
                break;
        }
    }

    /// <summary>What scripts/bench runs once it is built.</summary>
    private static async Task<(int Code, string Out, string Error)> RunAsync(TempFolder folder, string[] args)
    {
        string configuration = Path.GetFileName(Path.GetDirectoryName(AppContext.BaseDirectory.TrimEnd('/')))!;
        string bench = Path.Combine(Repository.Root, "Turbo.Bench/bin", configuration, "net10.0/Turbo.Bench.dll");
        Assert.That(bench, Does.Exist, "it is built with the solution");
        using TurboProcess process = TurboProcess.StartProgram("dotnet", folder.Path, new Dictionary<string, string>(), [bench, .. args]);
        return (await process.ExitAsync(), process.Out, process.Error);
    }

    [GeneratedRegex("^```bash\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();
}

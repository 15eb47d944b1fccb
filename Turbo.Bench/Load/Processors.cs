using System.Diagnostics;
using System.Globalization;

namespace Turbo.Bench.Load;

/// <summary>Which processor measures and which is measured: with two or more, the client never takes the server's time.</summary>
internal sealed class Processors
{
    private Processors(int? server, int? client, string description) => (Server, Client, Description) = (server, client, description);

    /// <summary>Where servers run; null is anywhere.</summary>
    public int? Server { get; }

    /// <summary>Where this process and the mock upstream run; null is anywhere.</summary>
    public int? Client { get; }

    /// <summary>Who runs where, for a report.</summary>
    public string Description { get; }

    /// <summary>Takes the first two that this process may use, and moves it to the second.</summary>
    public static Processors Split()
    {
        List<int> allowed = Allowed();
        if (allowed.Count < 2) return Unsplit("one processor for servers, client and upstream");
        if (!Programs.Exists("taskset")) return Unsplit("not pinned: taskset is not installed");
        Processors split = new(allowed[0], allowed[1], $"server on CPU {allowed[0]}, client and upstream on CPU {allowed[1]}");
        using Process move = Process.Start(new ProcessStartInfo("taskset", ["-apc", $"{split.Client}", $"{Environment.ProcessId}"]) { RedirectStandardOutput = true })!;
        move.StandardOutput.ReadToEnd();
        move.WaitForExit();
        return move.ExitCode == 0 ? split : Unsplit("not pinned: taskset failed");
    }

    private static Processors Unsplit(string why)
    {
        Progress.Note($"{why}. Client and server take each other's time: compare processor time for each request, and no rate or latency.");
        return new Processors(null, null, why);
    }

    /// <summary>The command that runs another on one processor.</summary>
    public static string[] Pinned(int? processor, string[] command) => processor is null ? command : ["taskset", "-c", $"{processor}", .. command];

    private static List<int> Allowed()
    {
        string list = File.ReadLines("/proc/self/status").First(static line => line.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal));
        List<int> allowed = [];
        foreach (string range in list[(list.IndexOf(':') + 1)..].Trim().Split(','))
        {
            int[] ends = [.. range.Split('-').Select(static end => int.Parse(end, CultureInfo.InvariantCulture))];
            allowed.AddRange(Enumerable.Range(ends[0], ends[^1] - ends[0] + 1));
        }
        return allowed;
    }
}

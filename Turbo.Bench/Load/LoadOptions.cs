using System.Globalization;

namespace Turbo.Bench.Load;

/// <summary>What the command line of `load` and `cost` asks for.</summary>
internal sealed record LoadOptions
{
    /// <summary>Seconds of each measurement. Default 1.</summary>
    public double Seconds { get; private set; } = 1;

    /// <summary>Rounds, each with all targets in turn. Default 3.</summary>
    public int Rounds { get; private set; } = 3;

    /// <summary>Seconds of processor time that a server of .NET spends on its first kind of work before that is measured. Default: the command's.</summary>
    public double WarmUp { get; private set; }

    /// <summary>Requests a second of the open loop. Default 5,000.</summary>
    public double Rate { get; private set; } = 5000;

    /// <summary>Connections of the scenarios with keep-alive requests. Default 64.</summary>
    public int Connections { get; private set; } = 64;

    /// <summary>Names of targets; empty is the usual ones.</summary>
    public string[] Targets { get; private set; } = [];

    /// <summary>Where the results go, without the ending. Default artifacts/bench/COMMAND.</summary>
    public string Out { get; private set; } = "";

    /// <summary>What to measure; empty is everything.</summary>
    public List<string> Names { get; } = [];

    /// <summary>What all of it is, for <c>--help</c>.</summary>
    public static string Help(double warmUp) => $"""
          --seconds N        of each measurement (1)
          --rounds N         measurements of each server, in turn (3)
          --warmup N         seconds of processor time that a server of .NET spends on its first kind of work before that
                             is measured, and a third of it on each further kind ({warmUp})
          --rate N           requests a second of the scenarios at a rate (5000)
          --connections N    of the scenarios that do not name theirs (64)
          --targets A,B      servers, by name
          --out PATH         where PATH.md and PATH.json go (artifacts/bench/COMMAND)

        """;

    public static bool AsksForHelp(string[] args) => args.Any(static arg => arg is "--help" or "-h");

    /// <exception cref="UsageException">An option is unknown or has no such value.</exception>
    /// <param name="args">The command line.</param>
    /// <param name="warmUp">The default of <c>--warmup</c>.</param>
    public static LoadOptions Parse(string[] args, double warmUp)
    {
        LoadOptions options = new() { WarmUp = warmUp };
        for (int i = 0; i < args.Length; i++)
        {
            string value = i + 1 < args.Length ? args[i + 1] : "";
            switch (args[i])
            {
                case "--seconds": options.Seconds = Number(args[i], value, 0.05, 600); break;
                case "--rounds": options.Rounds = (int)Number(args[i], value, 1, 100); break;
                case "--warmup": options.WarmUp = Number(args[i], value, 0, 600); break;
                case "--rate": options.Rate = Number(args[i], value, 1, 1e6); break;
                case "--connections": options.Connections = (int)Number(args[i], value, 1, 10_000); break;
                case "--targets": options.Targets = value.Split(',', StringSplitOptions.RemoveEmptyEntries) is { Length: > 0 } names ? names : throw new UsageException("--targets: names are missing"); break;
                case "--out": options.Out = value.Length > 0 && value[0] != '-' ? value : throw new UsageException("--out: a path is missing"); break;
                case ['-', ..]: throw new UsageException($"{args[i]} is no option; --help names them");
                default: options.Names.Add(args[i]); continue;
            }
            i++;
        }
        return options;
    }

    /// <summary>What was typed, less where the results go.</summary>
    public static string Typed(string command, string[] args)
    {
        int at = Array.IndexOf(args, "--out");
        return string.Join(' ', ["scripts/bench", command, .. args.Where((_, i) => at < 0 || (i != at && i != at + 1))]);
    }

    private static double Number(string option, string text, double least, double most) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && number >= least && number <= most
            ? number : throw new UsageException($"{option}: '{text}' is not a number from {least} to {most}");
}

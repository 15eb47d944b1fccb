using System.Globalization;

namespace Turbo.Bench.Load;

/// <summary>What the command line of `load` and `cost` asks for.</summary>
internal sealed record LoadOptions
{
    /// <summary>Seconds of each measurement. Default 1.</summary>
    public double Seconds { get; private set; } = 1;

    /// <summary>Rounds, each with all targets in turn. Default 3.</summary>
    public int Rounds { get; private set; } = 3;

    /// <summary>Seconds of load before the first measurement of what is compiled at run time. Default 2.</summary>
    public double WarmUp { get; private set; } = 2;

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

    /// <exception cref="BenchException">An option is unknown or has no such value.</exception>
    public static LoadOptions Parse(string[] args)
    {
        LoadOptions options = new();
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
                case "--targets": options.Targets = value.Split(',', StringSplitOptions.RemoveEmptyEntries); break;
                case "--out": options.Out = value.Length > 0 ? value : throw new BenchException("--out: a path is missing"); break;
                case ['-', ..]: throw new BenchException($"{args[i]} is no option: --seconds, --rounds, --warmup, --rate, --connections, --targets, --out");
                default: options.Names.Add(args[i]); continue;
            }
            i++;
        }
        return options;
    }

    private static double Number(string option, string text, double least, double most) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && number >= least && number <= most
            ? number : throw new BenchException($"{option}: '{text}' is not a number from {least} to {most}");
}

namespace Turbo.Bench.Load;

/// <summary>One measurement.</summary>
internal sealed record Measurement
{
    /// <summary>Requests, events, messages or connections.</summary>
    public long Count { get; init; }

    public double Seconds { get; init; }

    /// <summary>Processor time of the server's process tree in microseconds, for each of them.</summary>
    public double CpuMicroseconds { get; init; }

    /// <summary>Processors' worth that the server used: near 1 it was the limit, well below 1 the client was.</summary>
    public double CpuShare { get; init; }

    public double PerSecond { get; init; }

    public double P50Microseconds { get; init; }

    public double P99Microseconds { get; init; }

    public double P999Microseconds { get; init; }

    /// <summary>Resident bytes for each; of idle connections alone.</summary>
    public double Bytes { get; init; }

    /// <summary>Answers that were not what was asked for, and connections that ended.</summary>
    public long Failures { get; init; }

    public string? FirstFailure { get; init; }

    /// <summary>Requests of an open loop that were due and never sent.</summary>
    public long Unsent { get; init; }
}

/// <summary>A target's rounds in one scenario.</summary>
internal sealed record TargetResult(string Target, List<Measurement> Rounds)
{
    /// <summary>The middle one of the rounds' figures, or the mean of the two in the middle.</summary>
    public double Median(Func<Measurement, double> figure)
    {
        double[] sorted = [.. Rounds.Select(figure).Order()];
        return sorted.Length == 0 ? 0 : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}

/// <summary>A scenario with all its targets.</summary>
internal sealed record ScenarioResult(string Name, string Title, string Unit, Role Role, bool IsIdle, double Rate, List<TargetResult> Targets)
{
    /// <summary>The figure that servers are compared by.</summary>
    public double Cost(Measurement measurement) => IsIdle ? measurement.Bytes : measurement.CpuMicroseconds;
}

/// <summary>A whole run of `load`.</summary>
internal sealed record LoadResult
{
    public required DateTime Began { get; init; }

    public required string Machine { get; init; }

    public required string Pinning { get; init; }

    public required int Rounds { get; init; }

    public required double Seconds { get; init; }

    /// <summary>What was typed.</summary>
    public string Command { get; init; } = "scripts/bench load";

    /// <summary>Seconds of processor time of a server's first warm-up.</summary>
    public double WarmUp { get; init; }

    /// <summary>What was measured, such as "Turbo 0.1.0, Kestrel and YARP 10.0.0, nginx 1.22.1".</summary>
    public string Versions { get; init; } = "";

    public List<ScenarioResult> Scenarios { get; init; } = [];
}

using Turbo.Bench.Load;
using Turbo.Tests.Allocation.Operations;

namespace Turbo.Bench.Allocation;

/// <summary>Turbo.Bench allocations: what each operation of allocations.json allocates, beside what it may. Exit code 1 when one is over.</summary>
internal static class AllocationCommand
{
    public static int Run(string[] args)
    {
        if (args.Length > 0)
        {
            Console.Error.WriteLine("bench allocations takes no arguments");
            return 2;
        }
        List<AllocationLimit> limits = AllocationLimit.Read(File.ReadAllText(Path.Combine(Target.Root, "Turbo.Bench/allocations.json")));
        List<string> exceeded = [];
        Console.WriteLine("| operation | bytes allocated | at most |\n|---|---|---|");
        foreach (AllocationLimit limit in limits)
        {
            double bytes = limit.Measure();
            Console.WriteLine($"| {limit.Operation} | {LoadReport.Figure(bytes)} | {limit.MaxBytes} |");
            if (limit.Exceeded(bytes) is { } what) exceeded.Add(what);
        }
        foreach (string what in exceeded) Console.WriteLine($"EXCEEDED: {what}");
        return exceeded.Count == 0 ? 0 : 1;
    }
}

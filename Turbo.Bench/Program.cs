using Turbo.Bench.Allocation;
using Turbo.Bench.Caches;
using Turbo.Bench.Charts;
using Turbo.Bench.Cost;
using Turbo.Bench.Fuzz;
using Turbo.Bench.Load;
using Turbo.Bench.Micro;
using Turbo.Bench.Peers;
using Turbo.Bench.Soak;

// What scripts/bench, scripts/fuzz and scripts/soak run; docs/benchmarks.md describes the former's commands.
switch (args)
{
    case ["micro", .. string[] rest]: return MicroCommand.Run(rest);
    case ["load", .. string[] rest]: return LoadCommand.Run(rest);
    case ["cost", .. string[] rest]: return CostCommand.Run(rest);
    case ["chart", .. string[] rest]: return ChartCommand.Run(rest);
    case ["allocations", .. string[] rest]: return AllocationCommand.Run(rest);
    case ["cache", .. string[] rest]: return CacheCommand.Run(rest);
    // The servers that load measures, each started as a process of its own.
    case ["peer", .. string[] rest]: return await PeerCommand.RunAsync(rest);
    case ["soak", .. string[] rest]: return await SoakCommand.RunAsync(rest);
    case ["fuzz", .. string[] rest]: return FuzzCommand.Run(rest);
    default:
        Console.Error.WriteLine("usage: micro | load | cost | chart | allocations | cache | peer | soak | fuzz; run scripts/bench, scripts/fuzz or scripts/soak");
        return 2;
}

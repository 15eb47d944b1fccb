using BenchmarkDotNet.Running;
using Turbo.Bench.Fuzz;

// Turbo.Bench fuzz ...: what scripts/fuzz runs.
// Turbo.Bench [BenchmarkDotNet arguments], for example: --filter '*Parser*' --job short
if (args is ["fuzz", .. string[] fuzz]) return FuzzCommand.Run(fuzz);
BenchmarkSwitcher.FromAssembly(typeof(FuzzCommand).Assembly).Run(args);
return 0;

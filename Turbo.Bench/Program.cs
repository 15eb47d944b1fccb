using BenchmarkDotNet.Running;
using Turbo.Bench.Fuzz;
using Turbo.Bench.Soak;

// Turbo.Bench fuzz ...: what scripts/fuzz runs.
// Turbo.Bench soak ...: what scripts/soak runs.
// Turbo.Bench [BenchmarkDotNet arguments], for example: --filter '*Parser*' --job short
if (args is ["soak", .. string[] soak]) return await SoakCommand.RunAsync(soak);
if (args is ["fuzz", .. string[] fuzz]) return FuzzCommand.Run(fuzz);
BenchmarkSwitcher.FromAssembly(typeof(FuzzCommand).Assembly).Run(args);
return 0;

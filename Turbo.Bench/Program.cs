using BenchmarkDotNet.Running;
using Turbo.Bench.Caches;
using Turbo.Bench.Fuzz;
using Turbo.Bench.Soak;

// Turbo.Bench fuzz ...: what scripts/fuzz runs.
// Turbo.Bench soak ...: what scripts/soak runs.
// Turbo.Bench cache: the tables of docs/performance.md that compare caches.
// Turbo.Bench [BenchmarkDotNet arguments], for example: --filter '*Parser*' --job short
if (args is ["soak", .. string[] soak]) return await SoakCommand.RunAsync(soak);
if (args is ["fuzz", .. string[] fuzz]) return FuzzCommand.Run(fuzz);
if (args is ["cache"]) return CacheCommand.Run();
BenchmarkSwitcher.FromAssembly(typeof(FuzzCommand).Assembly).Run(args);
return 0;

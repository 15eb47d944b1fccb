using BenchmarkDotNet.Running;

// Turbo.Bench [BenchmarkDotNet arguments], for example: --filter '*Parser*' --job short
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);

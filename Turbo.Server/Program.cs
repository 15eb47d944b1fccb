using Turbo.Server.Admin;
using Turbo.Server.Cli;
using Turbo.Server.Mock;

namespace Turbo.Server;

internal static class Program
{
    private static Task<int> Main(string[] args)
    {
        HomeFolder.Ensure();
        return RunAsync(args);
    }

    private static Task<int> RunAsync(string[] args) => args switch
    {
        [] => ServeCommand.RunAsync([]),
        ["serve" or "health", "--help" or "-h"] => Print(Usage.Help()),
        ["serve", .. var rest] => ServeCommand.RunAsync(rest),
        ["admin", .. var rest] => AdminCommand.RunAsync(rest),
        ["mock", .. var rest] => MockCommand.RunAsync(rest),
        ["health", .. var rest] => HealthCommand.RunAsync(rest),
        ["help", "admin", .. var rest] => AdminCommand.RunAsync(["help", .. rest]),
        ["help", "mock"] => MockCommand.RunAsync(["help"]),
        ["help" or "--help" or "-h", ..] => Print(Usage.Help()),
        ["version" or "--version" or "-v"] => Print($"turbo {Usage.Version}\n"),
        [var unknown, ..] => Task.FromResult(Usage.Refuse($"unknown command {unknown}")),
    };

    private static Task<int> Print(string text)
    {
        Console.Out.Write(text);
        return Task.FromResult(ExitCode.Ok);
    }
}

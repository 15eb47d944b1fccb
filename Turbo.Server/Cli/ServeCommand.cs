namespace Turbo.Server.Cli;

/// <summary>`turbo serve`: the server, from a checked environment to an orderly stop.</summary>
internal static class ServeCommand
{
    public static Task<int> RunAsync(string[] args)
    {
        foreach (string arg in args)
        {
            if (arg != "--mock") return Task.FromResult(Usage.Refuse($"serve does not know {arg}"));
        }
        if (!AppOptions.TryRead(Environment.GetEnvironmentVariable, out _, out string? error))
        {
            Console.Error.WriteLine(error);
            return Task.FromResult(ExitCode.Usage);
        }
        Console.Error.WriteLine("turbo: this build has no server yet");
        return Task.FromResult(ExitCode.Failed);
    }
}

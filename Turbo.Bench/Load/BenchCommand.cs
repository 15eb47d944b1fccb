namespace Turbo.Bench.Load;

/// <summary>Something that keeps a benchmark from being right: told in one line, exit code 1.</summary>
internal class BenchException(string message) : Exception(message);

/// <summary>A command line that asks for what there is not: told in one line, exit code 2.</summary>
internal sealed class UsageException(string message) : BenchException(message);

/// <summary>Runs a command that starts servers, and tells what stopped it.</summary>
internal static class BenchCommand
{
    /// <param name="name">What the command line calls it.</param>
    /// <param name="run">The command; gives its exit code.</param>
    public static int Run(string name, Func<int> run)
    {
        Interrupt.Watch();
        try
        {
            if (!OperatingSystem.IsLinux()) throw new BenchException("needs Linux: processor time is read from /proc, and the client is an epoll loop");
            return run();
        }
        catch (OperationCanceledException) when (Interrupt.ExitCode != 0)
        {
            Progress.EndLine();
            Console.Error.WriteLine($"bench {name}: interrupted, nothing was written");
            return Interrupt.ExitCode;
        }
        catch (UsageException e)
        {
            Console.Error.WriteLine($"bench {name}: {e.Message}");
            return 2;
        }
        catch (BenchException e)
        {
            Progress.EndLine();
            Console.Error.WriteLine($"bench {name}: {e.Message}");
            return 1;
        }
    }
}

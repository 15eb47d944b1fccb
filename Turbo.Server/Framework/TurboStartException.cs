namespace Turbo.Server;

/// <summary>An application did not start. The message is one line for whoever runs it, with secrets masked.</summary>
public sealed class TurboStartException : Exception
{
    internal TurboStartException(string line, int exitCode, Exception? inner = null) : base(line, inner) => ExitCode = exitCode;

    /// <summary>What a process ends with because of it: 2 for a malformed configuration, else 1.</summary>
    public int ExitCode { get; }
}

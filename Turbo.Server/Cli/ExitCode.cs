namespace Turbo.Server.Cli;

/// <summary>What the process ends with (contract section 1).</summary>
internal static class ExitCode
{
    public const int Ok = 0;

    /// <summary>It could not do what was asked: a database or an address that is not to be had.</summary>
    public const int Failed = 1;

    /// <summary>A malformed variable, an unknown word.</summary>
    public const int Usage = 2;
}

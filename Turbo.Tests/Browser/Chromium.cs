using Turbo.Tests.Support;

namespace Turbo.Tests.Browser;

/// <summary>
/// Runs a script of this folder, which drives Chromium by the unmodified playwright-core npm package and prints a line of
/// JSON per check. CHROMIUM names the program; by default Debian's.
/// </summary>
internal static class Chromium
{
    /// <summary>Results by check, in the order they ran.</summary>
    /// <param name="script">A file of this folder.</param>
    /// <param name="environment">What the script is told.</param>
    public static Task<OrderedDictionary<string, CheckResult>> RunAsync(string script, params (string Name, string Value)[] environment)
    {
        string program = Environment.GetEnvironmentVariable("CHROMIUM") is { Length: > 0 } named ? named : "/usr/bin/chromium";
        Assert.That(program, Does.Exist, "Chromium is not installed: run scripts/test");
        return NodeChecks.RunScriptAsync("Browser", script, "playwright-core", environment);
    }
}

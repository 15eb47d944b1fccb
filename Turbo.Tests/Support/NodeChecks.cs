using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Turbo.Tests.Support;

/// <summary>What one check of a check.mjs came to; <paramref name="Error"/> is null when it held.</summary>
internal sealed record CheckResult(string? Error);

/// <summary>Runs a folder's script, which tries an unmodified npm package against a server and prints a line of JSON per check.</summary>
internal static class NodeChecks
{
    // Each check has its own, shorter limit.
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    /// <summary>Results by check, in the order they ran.</summary>
    /// <param name="folder">The folder within Turbo.Tests.</param>
    /// <param name="package">The package that it needs.</param>
    /// <param name="environment">What the script is told.</param>
    public static Task<OrderedDictionary<string, CheckResult>> RunAsync(string folder, string package, params (string Name, string Value)[] environment) =>
        RunScriptAsync(folder, "check.mjs", package, environment);

    /// <summary>The same of another script than check.mjs.</summary>
    public static async Task<OrderedDictionary<string, CheckResult>> RunScriptAsync(string folder, string script, string package, params (string Name, string Value)[] environment)
    {
        string path = Path.Combine(Repository.Root, "Turbo.Tests", folder);
        Assert.That(Path.Combine(path, "node_modules", package), Does.Exist, $"the {package} package is not installed: run scripts/test, or npm ci in Turbo.Tests/{folder}");
        using Process node = Start(path, script, environment);
        Task<string> output = node.StandardOutput.ReadToEndAsync();
        Task<string> errors = node.StandardError.ReadToEndAsync();
        try
        {
            await node.WaitForExitAsync().WaitAsync(s_limit);
        }
        catch (TimeoutException)
        {
            node.Kill(entireProcessTree: true);
            Assert.Fail($"{script} did not end within {s_limit}:\n{await output}{await errors}");
        }
        OrderedDictionary<string, CheckResult> results = [];
        foreach (string line in (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            using JsonDocument result = JsonDocument.Parse(line);
            results.Add(result.RootElement.GetProperty("check").GetString()!, new CheckResult(result.RootElement.GetProperty("error").GetString()));
        }
        Assert.That(node.ExitCode, Is.EqualTo(results.Values.All(static r => r.Error is null) ? 0 : 1), $"{script} itself failed:\n{await errors}");
        return results;
    }

    private static Process Start(string path, string script, (string Name, string Value)[] environment)
    {
        ProcessStartInfo start = new("node", script)
        {
            WorkingDirectory = path,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        // Packages and node read some as defaults: the caller's own must not change what is tested.
        foreach (string name in start.Environment.Keys.Where(static n => n.StartsWith("OPENAI_", StringComparison.Ordinal) || n.StartsWith("NODE_", StringComparison.Ordinal) || n.StartsWith("WS_", StringComparison.Ordinal)).ToArray())
            start.Environment.Remove(name);
        foreach ((string name, string value) in environment) start.Environment[name] = value;
        try
        {
            Process node = Process.Start(start)!;
            node.StandardInput.Close();
            return node;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new AssertionException($"node 18 or later is needed: {e.Message}");
        }
    }
}

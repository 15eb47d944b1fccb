using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Turbo.Tests.Support;

namespace Turbo.Tests.OpenAiClient;

/// <summary>What one check of check.mjs came to; <paramref name="Error"/> is null when it held.</summary>
internal sealed record CheckResult(string? Error);

/// <summary>Runs check.mjs, which is the unmodified openai package from npm against a server.</summary>
internal static class OpenAiClientRun
{
    // Each check has its own, shorter limit.
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    /// <summary>The checks in the order they run. A test holds this list to what check.mjs really reports.</summary>
    public static readonly string[] Checks =
    [
        "models_list", "chat", "chat_streamed", "chat_stream_helper", "completion",
        "stream_aborted", "silent_stream_aborted", "waiting_request_aborted",
        "responses", "responses_streamed", "embeddings", "file_upload", "transcription", "audio_bytes",
        "error_401", "error_404", "error_429", "error_500", "broken_stream",
    ];

    /// <summary>Results by check, in the order they ran.</summary>
    /// <param name="baseUrl">The API's base, with /v1.</param>
    /// <param name="token">The key the client is given.</param>
    /// <param name="mock">The mock upstream, whose counters the checks look at.</param>
    public static async Task<OrderedDictionary<string, CheckResult>> RunAsync(Uri baseUrl, string token, Uri mock)
    {
        string folder = Path.Combine(Repository.Root, "Turbo.Tests", "OpenAiClient");
        Assert.That(Path.Combine(folder, "node_modules", "openai"), Does.Exist, "the openai package is not installed: run scripts/test, or npm ci in Turbo.Tests/OpenAiClient");
        using Process node = Start(folder, baseUrl, token, mock);
        Task<string> output = node.StandardOutput.ReadToEndAsync();
        Task<string> errors = node.StandardError.ReadToEndAsync();
        try
        {
            await node.WaitForExitAsync().WaitAsync(s_limit);
        }
        catch (TimeoutException)
        {
            node.Kill(entireProcessTree: true);
            Assert.Fail($"check.mjs did not end within {s_limit}:\n{await output}{await errors}");
        }
        OrderedDictionary<string, CheckResult> results = [];
        foreach (string line in (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            using JsonDocument result = JsonDocument.Parse(line);
            results.Add(result.RootElement.GetProperty("check").GetString()!, new CheckResult(result.RootElement.GetProperty("error").GetString()));
        }
        Assert.That(node.ExitCode, Is.EqualTo(results.Values.All(static r => r.Error is null) ? 0 : 1), $"check.mjs itself failed:\n{await errors}");
        return results;
    }

    private static Process Start(string folder, Uri baseUrl, string token, Uri mock)
    {
        ProcessStartInfo start = new("node", "check.mjs")
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        // The package reads these as defaults, node as options: the caller's own must not change what is tested.
        foreach (string name in start.Environment.Keys.Where(static n => n.StartsWith("OPENAI_", StringComparison.Ordinal) || n.StartsWith("NODE_", StringComparison.Ordinal)).ToArray())
            start.Environment.Remove(name);
        start.Environment["BASE_URL"] = baseUrl.ToString();
        start.Environment["TOKEN"] = token;
        start.Environment["MOCK_URL"] = mock.ToString();
        try
        {
            Process node = Process.Start(start)!;
            node.StandardInput.Close();
            return node;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new AssertionException($"node 18 or later is needed to run the openai package: {e.Message}");
        }
    }
}

using System.Diagnostics;
using Turbo.Server;

namespace Turbo.Tests.Support;

/// <summary>A PostgreSQL server of one test's own, that it may stop, kill and start again at the same port.</summary>
internal sealed class PostgresServer : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly string _folder;

    private PostgresServer(string folder, PostgresAddress address)
    {
        _folder = folder;
        Address = address;
    }

    public PostgresAddress Address { get; }

    public static async Task<PostgresServer> StartAsync()
    {
        string folder = Directory.CreateTempSubdirectory("turbo-test-postgres-").FullName;
        string url = await ScriptAsync("start_postgres", folder);
        return PostgresAddress.TryParse(url.Trim(), out PostgresAddress address)
            ? new PostgresServer(folder, address)
            : throw new InvalidOperationException($"the server's URL is '{url}'");
    }

    /// <summary>Stops it: <c>fast</c> breaks connections off, <c>immediate</c> is a crash.</summary>
    public Task StopAsync(string mode) => ScriptAsync("stop_postgres", _folder, mode);

    public Task StartAgainAsync() => ScriptAsync("run_postgres", _folder);

    /// <summary>From now on users need their passwords, and the server offers TLS with this certificate.</summary>
    public async Task RequirePasswordsAsync(string certificate, string key)
    {
        File.WriteAllText(Path.Combine(_folder, "server.crt"), certificate);
        File.WriteAllText(Path.Combine(_folder, "server.key"), key);
        await ScriptAsync("secure_postgres", _folder);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync("immediate");
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Runs a function of scripts/services.sh; its output.</summary>
    private static async Task<string> ScriptAsync(params string[] call)
    {
        var start = new ProcessStartInfo("bash") { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(". \"$0\"; \"$@\"");
        start.ArgumentList.Add(Path.Combine(Repository.Root, "scripts", "services.sh"));
        foreach (string word in call) start.ArgumentList.Add(word);
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(s_patience);
        return process.ExitCode == 0
            ? await output.WaitAsync(s_patience)
            : throw new InvalidOperationException($"{string.Join(' ', call)}: {await error.WaitAsync(s_patience)}");
    }
}

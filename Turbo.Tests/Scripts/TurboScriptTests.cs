using System.Diagnostics;
using Turbo.Server.Cli;
using Turbo.Tests.Support;

namespace Turbo.Tests.Scripts;

/// <summary>`scripts/turbo` builds when it must, then is the server: its arguments, folder, output and exit code.</summary>
[TestFixture]
internal sealed class TurboScriptTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(5);

    [OneTimeSetUp]
    public async Task BuildAsync() => Assert.That((await RunAsync("scripts/turbo", "version")).Code, Is.Zero);

    [Test]
    public async Task It_works_from_any_folder_and_is_silent_when_nothing_is_to_build() =>
        Assert.That(await RunAsync("scripts/turbo", "version"), Is.EqualTo((0, $"turbo {Usage.Version}\n", "")));

    [Test]
    public async Task Through_a_link_too()
    {
        using var folder = new TempFolder();
        File.CreateSymbolicLink(folder.File("turbo"), Path.Combine(Repository.Root, "scripts/turbo"));
        Assert.That(await RunAsync(folder.File("turbo"), "version"), Is.EqualTo((0, $"turbo {Usage.Version}\n", "")));
    }

    [Test]
    public async Task Arguments_and_exit_codes_are_the_servers() =>
        Assert.That(await RunAsync("scripts/turbo", "no such word"), Is.EqualTo((2, "", $"turbo: unknown command no such word\n{Usage.Commands}\n")));

    private static async Task<(int Code, string Out, string Error)> RunAsync(string script, params string[] args)
    {
        using var folder = new TempFolder();
        var start = new ProcessStartInfo(Path.Combine(Repository.Root, script), args)
        {
            WorkingDirectory = folder.Path, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(s_patience);
        return (process.ExitCode, await output, await error);
    }
}

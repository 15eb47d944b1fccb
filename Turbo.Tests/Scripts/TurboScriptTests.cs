using Turbo.Server.Cli;
using Turbo.Tests.Support;

namespace Turbo.Tests.Scripts;

/// <summary>`scripts/turbo` builds when it must, then is the server: its arguments, folder, output and exit code.</summary>
[TestFixture]
internal sealed class TurboScriptTests
{
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

    [TestCase("", "", "", true)]
    [TestCase("serve", "", "", true)]
    [TestCase("", "OPENAI_API_URL", "http://127.0.0.1:9", false)]
    [TestCase("", "OPENAI_API_KEY", "sk-a", false)]
    [TestCase("", "PROXY_AUTH", "passthrough", false)]     // the clients bring their own keys
    public async Task Without_a_key_it_says_so_and_brings_a_mock(string word, string name, string value, bool withMock)
    {
        using var folder = new TempFolder();
        var environment = new Dictionary<string, string> { ["ADDRESS"] = "127.0.0.1:0" };
        if (name.Length > 0) environment[name] = value;
        string[] args = word.Length > 0 ? [word] : [];
        using TurboProcess turbo = TurboProcess.StartProgram(Path.Combine(Repository.Root, "scripts/turbo"), folder.Path, environment, args);
        string line = await turbo.LineAsync(": database ");
        Assert.That(line, withMock ? Does.Contain("upstream http://127.0.0.1:").And.EndWith("a mock that makes its answers up") : Does.Not.Contain("mock"));
        Assert.That(turbo.Error, Is.EqualTo(withMock
            ? "No OPENAI_API_KEY and no OPENAI_API_URL: answers come from a mock upstream, started beside the server.\n" : ""));
        Assert.That(File.Exists(folder.File("turbo.db")), "it lands in the caller's folder");

        // The script's process is the server's: a signal to it is an orderly stop.
        turbo.Signal("TERM");
        Assert.That(await turbo.ExitAsync(), Is.Zero);
        Assert.That(turbo.Out, Does.Contain(" info stopping"));
    }

    private static async Task<(int Code, string Out, string Error)> RunAsync(string script, params string[] args)
    {
        using var folder = new TempFolder();
        using TurboProcess process = TurboProcess.StartProgram(Path.Combine(Repository.Root, script), folder.Path, new Dictionary<string, string>(), args);
        int code = await process.ExitAsync();
        return (code, process.Out, process.Error);
    }
}

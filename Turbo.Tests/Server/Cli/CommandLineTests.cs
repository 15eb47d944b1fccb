using Turbo.Server;
using Turbo.Server.Cli;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Cli;

/// <summary>Contract section 1, from outside: words, streams and exit codes.</summary>
[TestFixture]
[Category(TurboProcess.Category)]
internal sealed class CommandLineTests
{
    private static readonly Dictionary<string, string> s_none = [];

    private static async Task<(int Code, string Out, string Error)> RunAsync(Dictionary<string, string> environment, params string[] args)
    {
        using var folder = new TempFolder();
        using TurboProcess turbo = TurboProcess.Start(folder.Path, environment, args);
        int code = await turbo.ExitAsync();
        Assert.That(Directory.EnumerateFileSystemEntries(folder.Path), Is.Empty, "nothing is left behind");
        return (code, turbo.Out, turbo.Error);
    }

    [TestCase("help")]
    [TestCase("--help")]
    [TestCase("serve", "-h")]
    [TestCase("health", "--help")]
    public async Task Help_prints_the_commands_and_every_variable(params string[] words)
    {
        (int code, string text, string error) = await RunAsync(s_none, words);
        Assert.That((code, error), Is.EqualTo((0, "")));
        Assert.That(text, Is.EqualTo(Usage.Help()).And.StartWith("usage: turbo ").And.EndWith("\n"));
        foreach (OptionRow row in AppOptions.Table)
            Assert.That(text, Does.Contain($"\n  {row.Name} (default {row.DefaultShown})\n      "));
        Assert.That(text.Split('\n').Max(line => line.Length), Is.LessThanOrEqualTo(112));
    }

    [TestCase("usage: turbo admin COMMAND", "help", "admin")]
    [TestCase("usage: turbo admin user ID [--json]\n", "help", "admin", "user")]
    [TestCase("usage: turbo mock [ADDRESS]\n", "help", "mock")]
    public async Task A_commands_help(string begin, params string[] words)
    {
        (int code, string text, string error) = await RunAsync(s_none, words);
        Assert.That((code, error), Is.EqualTo((0, "")));
        Assert.That(text, Does.StartWith(begin));
    }

    [TestCase("version")]
    [TestCase("--version")]
    public async Task Version(string word)
    {
        (int code, string text, string error) = await RunAsync(s_none, word);
        Assert.That((code, error), Is.EqualTo((0, "")));
        // Another build of the same sources may be of an earlier commit.
        if (TurboProcess.Binary is null) Assert.That(text, Is.EqualTo($"turbo {Usage.Version}\n"));
        else Assert.That(text, Does.Match($@"\Aturbo {Usage.Version.Split(' ')[0]}( \(commit [0-9a-f]{{12}}\))?\n\z"));
    }

    [TestCase("1.2.3", "1.2.3")]
    [TestCase("1.2.3-rc.1", "1.2.3-rc.1")]
    [TestCase("1.2.3+0123456789abcdef0123456789abcdef01234567", "1.2.3 (commit 0123456789ab)")]
    [TestCase("1.2.3+abc", "1.2.3 (commit abc)")]
    public void A_version_names_the_commit_where_the_build_knew_it(string informational, string version) =>
        Assert.That(Usage.VersionOf(informational), Is.EqualTo(version));

    [TestCase("unknown command frob", "frob")]
    [TestCase("unknown command --frob", "--frob", "serve")]
    [TestCase("unknown command a\\u{a}b", "a\nb")]
    [TestCase("serve does not know now", "serve", "now")]
    public async Task An_unknown_word_is_answered_with_the_usage(string reason, params string[] args) =>
        Assert.That(await RunAsync(s_none, args), Is.EqualTo((2, "", $"turbo: {reason}\n{Usage.Commands}\n")));

    [Test]
    public async Task A_mock_and_an_upstream_exclude_each_other()
    {
        const string reason = "serve --mock brings its own upstream: leave OPENAI_API_URL out";
        Assert.That(await RunAsync(new() { ["OPENAI_API_URL"] = "https://api.openai.com" }, "serve", "--mock"),
            Is.EqualTo((2, "", $"turbo: {reason}\n{Usage.Commands}\n")));
    }

    [Test]
    public async Task A_malformed_variable_stops_the_start_with_one_line()
    {
        (int code, string text, string error) = await RunAsync(new() { ["ADDRESS"] = "8080", ["LOG_LEVEL"] = "loud" }, "serve");
        Assert.That((code, text), Is.EqualTo((2, "")));
        Assert.That(error, Is.EqualTo(
            "turbo: ADDRESS=\"8080\": expected :PORT, HOST:PORT or [IPV6]:PORT with a port from 0 to 65535, several separated by commas\n"));
    }
}

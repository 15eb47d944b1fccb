using System.Text.RegularExpressions;
using Turbo.Tests.Support;

namespace Turbo.Tests.Scripts;

/// <summary>What is shipped, as far as it can be told without building it: that takes minutes, and `scripts/aot test` does it.</summary>
[TestFixture]
internal sealed partial class ShippingScriptTests
{
    [TestCase("scripts/aot", "nonsense")]
    [TestCase("scripts/footprint", "many")]
    [TestCase("scripts/footprint", "0")]
    [TestCase("scripts/release", "now")]
    public async Task Misuse_prints_how_it_is_used(string script, string argument)
    {
        using TempFolder folder = new();
        using TurboProcess process = TurboProcess.StartProgram(Path.Combine(Repository.Root, script), folder.Path, new Dictionary<string, string>(), argument);
        Assert.That(await process.ExitAsync(), Is.EqualTo(2));
        Assert.That(process.Out, Is.Empty);
        Assert.That(process.Error, Does.StartWith(script));
    }

    [TestCase("aot")]
    [TestCase("echo")]
    [TestCase("footprint")]
    [TestCase("fuzz")]
    [TestCase("release")]
    [TestCase("soak")]
    [TestCase("test")]
    public async Task Help_is_what_the_script_says_of_itself(string name)
    {
        using TempFolder folder = new();
        string script = Path.Combine(Repository.Root, "scripts", name);
        using TurboProcess process = TurboProcess.StartProgram(script, folder.Path, new Dictionary<string, string>(), "--help");
        string[] comment = [.. (await File.ReadAllLinesAsync(script)).Skip(1).TakeWhile(static line => line.StartsWith('#')).Select(static line => line.TrimStart('#'))];
        Assert.That((await process.ExitAsync(), process.Error), Is.EqualTo((0, "")));
        Assert.That(process.Out.TrimEnd('\n').Split('\n'), Is.EqualTo(comment.Select(static line => line.StartsWith(' ') ? line[1..] : line)));
    }

    /// <summary>What links lead to is packed with the pages.</summary>
    [Test]
    public async Task A_releases_links_lead_to_what_is_in_it()
    {
        using TempFolder folder = new();
        string release = folder.File("release");
        await Docs.ShellPage.PrintedAsync(Repository.Root, new Dictionary<string, string>(), "bash", "-euc", ". scripts/lib.sh; . scripts/shipping.sh; release_pages \"$0\"", release);
        string[] files = [.. Directory.EnumerateFiles(release, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(release, file))];
        Assert.That(files, Is.SupersetOf((string[])["CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md", "docs/operating.md", "third-party.md", "turbo.service"]));
        Assert.That(Docs.PageLinks.Dead(release), Is.Empty);
    }

    /// <summary>An image is built of what the context has: a file that a project needs and .dockerignore leaves out would be missed only there.</summary>
    [Test]
    public void The_image_is_built_from_what_the_context_has()
    {
        string[] copied = [.. Repository.Read("Dockerfile").Split('\n')
            .Where(static line => line.StartsWith("COPY ", StringComparison.Ordinal) && !line.Contains("--from=", StringComparison.Ordinal))
            .SelectMany(static line => line.Split(' ')[1..^1])];
        string[] context = [.. Repository.Read(".dockerignore").Split('\n').Where(static line => line.StartsWith('!')).Select(static line => line[1..])];
        Assert.That(copied, Is.EquivalentTo(context));
        foreach (string path in copied) Assert.That(Path.Exists(Path.Combine(Repository.Root, path)), path);
        // What the two projects take from beside them.
        foreach (string project in (string[])["Turbo.Net", "Turbo.Server"])
        {
            foreach (Match outside in Outside().Matches(Repository.Read($"{project}/{project}.csproj"))) Assert.That(copied, Does.Contain(outside.Groups[1].Value), project);
        }
    }

    [Test]
    public void The_image_runs_the_file_that_is_built_and_commands_that_it_has()
    {
        string dockerfile = Repository.Read("Dockerfile");
        Assert.That(dockerfile, Does.Match(@"(?m)^RUN .*\bscripts/aot\b").And.Contains("COPY --from=build /src/artifacts/aot/turbo /usr/local/bin/turbo\n"));
        Assert.That(Repository.Read("scripts/lib.sh"), Does.Contain("\n  native Turbo.Server turbo artifacts/aot "));
        string[] commands = [.. Regex.Matches(dockerfile, """^(?:HEALTHCHECK .*CMD|ENTRYPOINT) \["turbo"(?:, "(\w+)")?\]$""", RegexOptions.Multiline).Select(static match => match.Groups[1].Value)];
        Assert.That(commands, Is.EqualTo(new[] { "health", "" }));
        Assert.That(Turbo.Server.Cli.Usage.Commands, Does.Contain("turbo health "));
    }

    /// <summary>A page of the guides names the scripts that there are, and the commands that they have.</summary>
    [Test]
    public void Scripts_that_pages_name_exist()
    {
        int named = 0;
        foreach (string page in Directory.GetFiles(Path.Combine(Repository.Root, "docs"), "*.md").Append(Path.Combine(Repository.Root, "README.md")))
        {
            foreach (Match script in Named().Matches(File.ReadAllText(page)))
            {
                named++;
                string path = Path.Combine(Repository.Root, "scripts", script.Groups[1].Value);
                Assert.That(path, Does.Exist, page);
                if (script.Groups[1].Value == "bench" && script.Groups[2].Value is { Length: > 0 } command)
                    Assert.That(File.ReadAllText(path), Does.Match($@"(?m)^#   scripts/bench {command}\b"), page);
            }
        }
        Assert.That(named, Is.GreaterThan(20));
    }

    /// <summary>An option that systemd does not know is only a warning to it.</summary>
    [Test]
    public async Task The_unit_is_one_that_systemd_knows()
    {
        const string analyze = "/usr/bin/systemd-analyze";
        if (!File.Exists(analyze)) Assert.Ignore("needs systemd-analyze");
        using TempFolder folder = new();
        // The program is not where it would be installed.
        string unit = folder.File("turbo.service");
        await File.WriteAllTextAsync(unit, Repository.Read("docs/turbo.service").Replace("/usr/local/bin/turbo", "/bin/true", StringComparison.Ordinal));
        using TurboProcess process = TurboProcess.StartProgram(analyze, folder.Path, new Dictionary<string, string>(), "verify", unit);
        Assert.That((await process.ExitAsync(), process.Out, process.Error), Is.EqualTo((0, "", "")));
    }

    [Test]
    public void The_units_time_to_stop_covers_the_servers()
    {
        string unit = Repository.Read("docs/turbo.service");
        string seconds = Regex.Match(unit, @"^TimeoutStopSec=(\d+)s$", RegexOptions.Multiline).Groups[1].Value;
        Assert.That(TimeSpan.FromSeconds(int.Parse(seconds)), Is.GreaterThan(Turbo.Server.AppOptions.Defaults.ShutdownTimeout));
    }

    [GeneratedRegex(@"Include=""\.\./([^/""]+)")]
    private static partial Regex Outside();

    [GeneratedRegex(@"\bscripts/([a-z]+)(?: ([a-z]+))?")]
    private static partial Regex Named();
}

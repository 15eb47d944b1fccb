using System.Text.RegularExpressions;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.Docs;

/// <summary>The guides in docs/: their commands run, their links lead somewhere, what they name exists.</summary>
[TestFixture]
internal sealed partial class PagesTests
{
    private const string Postgres = "postgres://turbo:secret@db.internal/turbo", Redis = "redis://cache.internal";

    /// <summary>Every other command: what runs it in another way, or why nothing can.</summary>
    private static readonly Dictionary<string, string> s_others = new()
    {
        ["README.md: scripts/turbo"] = "Scripts.TurboScriptTests runs it; scripts/test is what runs this",
        ["README.md: OPENAI_API_KEY=sk-... scripts/turbo"] = "Scripts.TurboScriptTests: with a key there is no mock",
        ["docs/app.md: dotnet pack"] = "Examples.PackageTests packs, and makes the project that this makes, in fewer seconds",
        ["docs/benchmarks.md: scripts/bench load"] = "Docs.BenchmarksPageTests runs it, cut short",
        ["docs/benchmarks.md: scripts/bench cost"] = "Docs.BenchmarksPageTests has it read its command line",
        ["docs/benchmarks.md: scripts/bench micro"] = "Docs.BenchmarksPageTests has it list",
        ["docs/operating.md: install -m 755 turbo /usr/local/bin/turbo"] = "Shipping.SystemdTests, of `scripts/release test`, runs it on a machine with systemd",
        ["docs/operating.md: docker build -t turbo --build-arg COMMIT=\"$(git rev-parse HEAD)\" ."] = "Shipping.ImageTests, of `scripts/release test`, runs it with Podman",
    };

    private static IEnumerable<string> Pages =>
        Directory.GetFiles(Path.Combine(Repository.Root, "docs"), "*.md").Append(Path.Combine(Repository.Root, "README.md")).Select(static file => Path.GetRelativePath(Repository.Root, file)).Order();

    private MockServer _mock = null!;

    [OneTimeSetUp]
    public void StartMock()
    {
        _mock = new MockServer();
        _mock.Start();
    }

    [OneTimeTearDown]
    public async Task StopMockAsync() => await _mock.DisposeAsync();

    private Dictionary<string, string> Environment => new() { ["OPENAI_API_URL"] = $"http://{_mock.EndPoints[0]}", ["BCRYPT_COST"] = "4" };

    [Test]
    [Category(TurboProcess.Category)]
    public async Task Operating_works_as_printed()
    {
        using TempFolder folder = new();
        await using TestDatabase database = await TestDatabase.CreateAsync(DatabaseKind.Postgres);
        await ShellPage.RunAsync("docs/operating.md", folder, Environment, (Postgres, database.Url), (Redis, RedisServer.NextUrl()));
    }

    /// <summary>On what the Go program wrote.</summary>
    [Test]
    [Category(TurboProcess.Category)]
    public async Task Migrating_works_as_printed()
    {
        using TempFolder folder = new();
        Golden.CopyTo(folder);
        await using TestDatabase database = await TestDatabase.CreateAsync(DatabaseKind.Postgres, golden: true);
        await ShellPage.RunAsync("docs/migrating.md", folder, Environment, (Postgres, database.Url));
    }

    [Test]
    public void Every_other_command_is_accounted_for()
    {
        string[] ran = ["README.md", "docs/api.md", "docs/operating.md", "docs/migrating.md"];
        List<string> others = [];
        foreach (string page in Pages)
        {
            foreach (Match block in Block().Matches(Repository.Read(page)))
            {
                string kind = block.Groups[1].Value;
                if (kind == "sh") Assert.That(ran, Does.Contain(page), "its commands are run by no test");
                if (kind is "bash" or "shell" or "console") others.Add($"{page}: {block.Groups[2].Value.Split('#')[0].TrimEnd()}");
            }
        }
        Assert.That(others, Is.EquivalentTo(s_others.Keys));
    }

    [TestCaseSource(nameof(Pages))]
    public void Links_lead_somewhere(string page) => Assert.That(PageLinks.DeadOf(Path.Combine(Repository.Root, page)), Is.Empty);

    /// <summary>What is monitored is there, and what is set can be.</summary>
    [Test]
    public async Task Metrics_and_variables_that_pages_name_exist()
    {
        await using TestApp app = await TestApp.StartAsync();
        string metrics = (await app.GetAsync("/metrics")).Content;
        int named = 0;
        foreach (string page in Pages)
        {
            string text = Repository.Read(page);
            foreach (Match metric in Metric().Matches(text))
            {
                named++;
                Assert.That(metrics, Does.Match($"(?m)^{metric.Value}[ {{]|^# TYPE {metric.Value} "), page);
            }
            foreach (Match label in Label().Matches(text))
            {
                string values = label.Groups[3].Value;
                // Statuses appear as they are answered.
                if (label.Groups[2].Value == "status") continue;
                foreach (string value in values.Split('|')) Assert.That(metrics, Does.Contain($"{label.Groups[1].Value}{{{label.Groups[2].Value}=\"{value}\"}}"), page);
            }
            foreach (Match variable in Variable().Matches(text))
                Assert.That(Turbo.Server.AppOptions.Table.Select(static row => row.Name), Does.Contain(variable.Groups[1].Value), page);
        }
        Assert.That(named, Is.GreaterThan(30));
    }

    [GeneratedRegex(@"^```([a-z]*)\n(.*)$", RegexOptions.Multiline)]
    private static partial Regex Block();

    [GeneratedRegex(@"\b(?:turbo|process|dotnet)_[a-z_]+[a-z]\b(?!_)")]
    private static partial Regex Metric();

    [GeneratedRegex(@"(turbo_[a-z_]+)\{([a-z]+)=~?""([a-z_|]+)""\}")]
    private static partial Regex Label();

    [GeneratedRegex(@"`((?:TLS|DB|REDIS|EVENT|CHAT|UPSTREAM|MAX|LOG|METRICS|CORS|TRUSTED|BCRYPT|SHUTDOWN|OPENAI|PROXY|LOGIN|STORAGE|CACHE)_[A-Z_]+)[=`]")]
    private static partial Regex Variable();
}

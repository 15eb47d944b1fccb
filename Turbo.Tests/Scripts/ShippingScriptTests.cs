using Turbo.Tests.Support;

namespace Turbo.Tests.Scripts;

/// <summary>What is shipped, as far as it can be told without building it: that takes minutes, and `scripts/aot test` does it.</summary>
[TestFixture]
internal sealed class ShippingScriptTests
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
    }

    [Test]
    public void The_units_time_to_stop_covers_the_servers()
    {
        string unit = Repository.Read("docs/turbo.service");
        string seconds = System.Text.RegularExpressions.Regex.Match(unit, @"^TimeoutStopSec=(\d+)s$", System.Text.RegularExpressions.RegexOptions.Multiline).Groups[1].Value;
        Assert.That(TimeSpan.FromSeconds(int.Parse(seconds)), Is.GreaterThan(Turbo.Server.AppOptions.Defaults.ShutdownTimeout));
    }
}

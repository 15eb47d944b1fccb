using System.Text.RegularExpressions;
using Turbo.Server;
using Turbo.Tests.Support;

namespace Turbo.Tests.Docs;

/// <summary>SECURITY.md says what is so: its limits are the program's, its tests exist, its links lead somewhere.</summary>
internal sealed partial class SecurityPageTests
{
    // Numbers that bound nothing a client does.
    private static readonly string[] s_noLimits = ["BCRYPT_COST", "UPSTREAM_DNS_REFRESH"];

    private static readonly string s_page = Repository.Read("SECURITY.md");

    private static readonly string s_limits = s_page[s_page.IndexOf("\n## Limits\n", StringComparison.Ordinal)..];

    [Test]
    public void Every_limit_is_there_with_its_default()
    {
        // Sizes, times and counts; what else the table configures is no limit.
        IEnumerable<string> limits = AppOptions.Table.Where(static row => char.IsAsciiDigit(row.Default.FirstOrDefault()) && !s_noLimits.Contains(row.Name)).Select(static row => $"{row.Name}={row.Default}");
        Assert.That(Row().Matches(s_limits).Select(static row => $"{row.Groups[1].Value}={row.Groups[2].Value}"), Is.EquivalentTo(limits));
    }

    [Test]
    public void Every_variable_that_it_names_exists()
    {
        IEnumerable<string> known = AppOptions.Table.Select(static row => row.Name);
        Assert.That(Variable().Matches(s_page).Select(static name => name.Groups[1].Value).Distinct(), Is.Not.Empty.And.SubsetOf(known));
    }

    [Test]
    public void Every_test_that_it_names_is_run()
    {
        string[] named = [.. Fixture().Matches(s_page).Select(static name => name.Groups[1].Value).Distinct()];
        Assert.That(named, Has.Length.GreaterThan(40));
        foreach (string name in named)
        {
            Type? type = typeof(SecurityPageTests).Assembly.GetType("Turbo.Tests." + name);
            Assert.That(type, Is.Not.Null, name);
            Assert.That(type!.GetMethods().Any(static method => method.GetCustomAttributes(inherit: true).Any(static a => a is NUnit.Framework.Interfaces.ITestBuilder or NUnit.Framework.Interfaces.ISimpleTestBuilder)), name);
        }
    }

    [Test]
    public void Links_lead_somewhere()
    {
        foreach (Match link in Link().Matches(s_page)) Assert.That(Path.Combine(Repository.Root, link.Groups[1].Value), Does.Exist);
        Assert.That(Repository.Read("README.md"), Does.Contain("(SECURITY.md)"));
    }

    // | `NAME` | `default` | answer |
    [GeneratedRegex(@"^\| `([A-Z_]+)` \| `([^`]*)` \| \S.* \|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("`([A-Z]+_[A-Z_]+)[=`]")]
    private static partial Regex Variable();

    [GeneratedRegex(@"`([A-Za-z.]+Tests)`")]
    private static partial Regex Fixture();

    [GeneratedRegex(@"\]\(([^)#:]+)(?:#[a-z-]+)?\)")]
    private static partial Regex Link();
}

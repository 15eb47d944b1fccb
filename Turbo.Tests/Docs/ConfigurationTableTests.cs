using Turbo.Server;
using Turbo.Tests.Support;

namespace Turbo.Tests.Docs;

/// <summary>The README's configuration table and the one the program reads are the same rows.</summary>
[TestFixture]
internal sealed class ConfigurationTableTests
{
    private const string Head = "| variable | default | meaning |\n|---|---|---|\n";

    [Test]
    public void The_readme_has_the_programs_rows()
    {
        string expected = Head + string.Concat(AppOptions.Table.Select(Row));
        string readme = Repository.Read("README.md");
        int start = readme.IndexOf(Head, StringComparison.Ordinal);
        Assert.That(start, Is.Positive, "the README has no configuration table; it is:\n" + expected);
        int end = readme.IndexOf("\n\n", start, StringComparison.Ordinal) + 1;
        Assert.That(readme[start..end], Is.EqualTo(expected));
        Assert.That(readme.IndexOf(Head, end, StringComparison.Ordinal), Is.Negative, "there is one table");
    }

    [Test]
    public void No_cell_breaks_the_table() =>
        Assert.That(AppOptions.Table.Select(Row), Has.All.Matches<string>(row => row.Count(c => c == '|') == 4 && row.Count(c => c == '\n') == 1));

    private static string Row(OptionRow row) =>
        $"| `{row.Name}` | {(row.Default.Length > 0 ? $"`{row.Default}`" : row.DefaultShown)} | {row.Meaning} |\n";
}

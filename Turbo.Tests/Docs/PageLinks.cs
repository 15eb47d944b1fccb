using System.Text.RegularExpressions;

namespace Turbo.Tests.Docs;

/// <summary>The links and pictures of pages, as forges follow them.</summary>
internal static partial class PageLinks
{
    /// <summary>Each link to another place of the tree that is not there, or whose heading is not, of every page in the folder.</summary>
    public static IEnumerable<string> Dead(string root) => Directory.EnumerateFiles(root, "*.md", SearchOption.AllDirectories).SelectMany(static page => DeadOf(page));

    /// <summary>The same of one page.</summary>
    public static IEnumerable<string> DeadOf(string page)
    {
        foreach (Match link in Link().Matches(File.ReadAllText(page)))
        {
            string target = link.Groups["target"].Value, file = target.Length == 0 ? page : Path.Combine(Path.GetDirectoryName(page)!, target);
            bool isDead = !Path.Exists(file) || (link.Groups["anchor"].Value is { Length: > 0 } anchor && !AnchorsOf(file).Contains(anchor[1..]));
            if (isDead) yield return $"{page}: {link.Value}";
        }
    }

    private static IEnumerable<string> AnchorsOf(string page) =>
        Heading().Matches(File.ReadAllText(page)).Select(static heading => NoAnchor().Replace(heading.Groups[1].Value.ToLowerInvariant(), "").Replace(' ', '-'));

    [GeneratedRegex(@"(\]\(|\b(src|href)="")(?<target>(?![a-z]+:)[^)#""\s]*)(?<anchor>#[^)""]*)?[)""]")]
    private static partial Regex Link();

    [GeneratedRegex("^#+ (.*)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NoAnchor();
}

using System.Text.RegularExpressions;
using Turbo.Tests.Support;

namespace Turbo.Tests.Shipping;

/// <summary>The ```bash blocks of docs/operating.md, as printed.</summary>
internal static partial class PrintedBlock
{
    /// <summary>The one whose first line begins so.</summary>
    public static string Of(string start) =>
        Blocks().Matches(Repository.Read("docs/operating.md")).Select(static block => block.Groups[1].Value).Single(code => code.StartsWith(start, StringComparison.Ordinal));

    /// <summary>The line of a block that begins so.</summary>
    public static string Line(string block, string start) => block.Split('\n').Single(line => line.StartsWith(start, StringComparison.Ordinal));

    [GeneratedRegex(@"^```bash\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Blocks();
}

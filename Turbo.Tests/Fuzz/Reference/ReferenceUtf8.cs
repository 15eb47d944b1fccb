using System.Text.RegularExpressions;

namespace Turbo.Tests.Fuzz.Reference;

/// <summary>RFC 3629 §4's grammar of UTF-8, over octets as characters.</summary>
internal static partial class ReferenceUtf8
{
    private const string Characters =
        @"\A(?>[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})*";

    public static bool IsText(string octets) => Text().IsMatch(octets);

    /// <summary>Whether the octets are text, or could become it.</summary>
    public static bool IsBeginning(string octets) => Beginning().IsMatch(octets);

    [GeneratedRegex(Characters + @"\z")]
    private static partial Regex Text();

    [GeneratedRegex(Characters + @"(?:[\xc2-\xf4]|\xe0[\xa0-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]|\xed[\x80-\x9f]|\xf0[\x90-\xbf][\x80-\xbf]?|[\xf1-\xf3][\x80-\xbf]{1,2}|\xf4[\x80-\x8f][\x80-\xbf]?)?\z")]
    private static partial Regex Beginning();
}

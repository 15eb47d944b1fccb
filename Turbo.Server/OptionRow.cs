using System.Globalization;
using System.Text;

namespace Turbo.Server;

/// <summary>One variable of the configuration: a row of <see cref="AppOptions.Table"/>.</summary>
internal abstract class OptionRow
{
    public required string Name { get; init; }

    /// <summary>What an unset or empty variable is read as; itself a value the parser takes.</summary>
    public required string Default { get; init; }

    /// <summary>The default in words where it is empty.</summary>
    public required string DefaultShown { get; init; }

    /// <summary>One sentence, code in back-quotes.</summary>
    public required string Meaning { get; init; }

    public required bool IsSecret { get; init; }

    public abstract string Accepts { get; }

    /// <summary>Puts the value into the options; answers the error line for a malformed one, else null.</summary>
    public abstract string? Read(string? text, ref AppOptions options);

    /// <summary>One line, whatever the value holds.</summary>
    public static string ErrorLine(string name, string shownValue, string reason) => $"turbo: {name}=\"{shownValue}\": {reason}";

    protected string Shown(string text) => IsSecret && text.Length > 0 ? "***" : OptionMask.Printable(OptionMask.Url(text));
}

internal sealed class OptionRow<T>(OptionParser<T> parser, Func<AppOptions, T, AppOptions> apply) : OptionRow
{
    public override string Accepts => parser.Accepts;

    public override string? Read(string? text, ref AppOptions options)
    {
        string given = string.IsNullOrEmpty(text) ? Default : text;
        if (!parser.TryParse(given, out T value)) return ErrorLine(Name, Shown(given), "expected " + parser.Accepts);
        options = apply(options, value);
        return null;
    }
}

/// <summary>What of a value may be shown in an error line.</summary>
internal static class OptionMask
{
    private const int MaxShown = 200;
    private static readonly string[] s_secretNames = ["pass", "pwd", "secret", "token", "key"];

    /// <summary>
    /// Hides a URL's password, and whatever else in a malformed one could be it: userinfo reaches to the last `@`,
    /// since a password with a raw `/`, `?` or `@` in it is a likely reason for the error; a lone user name may be a
    /// key; and so may the value of any `…password=`, `…key=` or the like.
    /// </summary>
    public static string Url(string text)
    {
        int start = text.IndexOf("://", StringComparison.Ordinal) is >= 0 and int scheme ? scheme + 3 : 0;
        int at = text.LastIndexOf('@');
        if (at > start)
        {
            int colon = text.IndexOf(':', start, at - start);
            text = string.Concat(text.AsSpan(0, colon < 0 ? start : colon + 1), "***", text.AsSpan(at));
        }
        var masked = new StringBuilder(text.Length);
        int copied = 0;
        for (int equals = text.IndexOf('=', StringComparison.Ordinal); equals >= 0; equals = equals + 1 < text.Length ? text.IndexOf('=', equals + 1) : -1)
        {
            if (equals < copied || !NamesSecret(text, equals)) continue;
            masked.Append(text, copied, equals + 1 - copied).Append("***");
            int end = text.AsSpan(equals).IndexOfAny('&', ' ', ';');
            copied = end < 0 ? text.Length : equals + end;
        }
        return masked.Append(text, copied, text.Length - copied).ToString();
    }

    /// <summary>Control and format characters escaped, so that a value cannot start another line; cut when long.</summary>
    public static string Printable(string text)
    {
        var shown = new StringBuilder(Math.Min(text.Length, MaxShown) + 2);
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (shown.Length >= MaxShown) return shown.Append('…').ToString();
            bool isPlain = Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.OtherNotAssigned);
            if (isPlain) shown.Append(rune);
            else shown.Append(CultureInfo.InvariantCulture, $"\\u{{{rune.Value:x}}}");
        }
        return shown.ToString();
    }

    private static bool NamesSecret(string text, int equals)
    {
        int nameStart = text.AsSpan(0, equals).LastIndexOfAny('?', '&', ' ') + 1;
        ReadOnlySpan<char> name = text.AsSpan(nameStart, equals - nameStart);
        foreach (string secret in s_secretNames)
        {
            if (name.Contains(secret, StringComparison.OrdinalIgnoreCase)) return true;
        }
        return false;
    }
}

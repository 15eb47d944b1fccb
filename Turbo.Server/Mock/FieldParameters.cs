using System.Text;

namespace Turbo.Server.Mock;

/// <summary>The parameters that follow a field value's first word: ; name=token or ; name="quoted" (RFC 9110 §5.6.6).</summary>
internal static class FieldParameters
{
    /// <summary>The value of a parameter, unquoted; null when there is none.</summary>
    public static string? Find(ReadOnlySpan<char> value, string name)
    {
        while (NextSemicolon(value) is var at && at >= 0)
        {
            value = value[(at + 1)..].TrimStart(" \t");
            int equals = value.IndexOfAny('=', ';');
            if (equals < 0 || value[equals] == ';') continue;
            bool isAsked = value[..equals].Equals(name, StringComparison.OrdinalIgnoreCase);
            value = value[(equals + 1)..];
            if (isAsked) return Unquote(value);
        }
        return null;
    }

    // Not within a quoted string.
    private static int NextSemicolon(ReadOnlySpan<char> value)
    {
        bool isQuoted = false;
        for (int i = 0; i < value.Length; i++)
        {
            if (value[i] == '"') isQuoted = !isQuoted;
            else if (value[i] == '\\' && isQuoted) i++;
            else if (value[i] == ';' && !isQuoted) return i;
        }
        return -1;
    }

    private static string Unquote(ReadOnlySpan<char> value)
    {
        if (value is not ['"', .. var quoted])
        {
            int end = value.IndexOf(';');
            return (end < 0 ? value : value[..end]).Trim(" \t").ToString();
        }
        StringBuilder text = new();
        for (int i = 0; i < quoted.Length && quoted[i] != '"'; i++)
        {
            if (quoted[i] == '\\' && i + 1 < quoted.Length) i++;
            text.Append(quoted[i]);
        }
        return text.ToString();
    }
}

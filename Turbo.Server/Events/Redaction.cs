using System.Globalization;
using System.Text;
using Turbo.Server.Model;

namespace Turbo.Server.Events;

/// <summary>
/// Copies a form, a query or JSON with the values of secret fields replaced. What it reads may be cut off anywhere or
/// be malformed: it then redacts to the end rather than too little. Names compare without case, after their
/// escapes are undone.
/// </summary>
internal static class Redaction
{
    /// <summary>What stands in a secret's place.</summary>
    public static ReadOnlySpan<byte> Mask => "***"u8;

    /// <summary>Longest secret name, in bytes once its escapes are undone.</summary>
    private const int LongestName = 24;

    private static readonly HashSet<string> s_secrets = new(StringComparer.OrdinalIgnoreCase)
    {
        "password", "old_password", "new_password", "passwd", "secret", "client_secret",
        "token", "access_token", "refresh_token", "id_token", "sess", "session_token",
        "authorization", "proxy-authorization", "cookie", "set-cookie",
        "api_key", "api-key", "apikey", "x-api-key",
        // A path of this host, but its query is the caller's and may hold a token.
        "redirect_url",
    };

    private static readonly HashSet<string>.AlternateLookup<ReadOnlySpan<char>> s_lookup =
        s_secrets.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>A query or a form body: <c>name=value&amp;…</c>.</summary>
    public static void CopyForm(ReadOnlySpan<byte> form, TextBuffer to)
    {
        Span<byte> name = stackalloc byte[LongestName];
        while (!form.IsEmpty)
        {
            int end = form.IndexOf((byte)'&');
            ReadOnlySpan<byte> field = end < 0 ? form : form[..end];
            int equals = field.IndexOf((byte)'=');
            if (equals >= 0 && UnescapeForm(field[..equals], name) is var length && length >= 0 && IsSecret(name[..length]))
            {
                to.Append(field[..(equals + 1)]);
                to.Append(Mask);
            }
            else
            {
                to.Append(field);
            }
            if (end < 0)
                return;
            to.Append("&"u8);
            form = form[(end + 1)..];
        }
    }

    /// <summary>
    /// JSON, or lines that hold JSON such as an event stream. No string of JSON spans lines, so each line starts
    /// afresh and a stray quote spoils no more than its own.
    /// </summary>
    public static void CopyJson(ReadOnlySpan<byte> json, TextBuffer to)
    {
        Span<byte> name = stackalloc byte[LongestName];
        while (true)
        {
            int quote = json.IndexOf((byte)'"');
            if (quote < 0)
            {
                to.Append(json);
                return;
            }
            int length = StringLength(json[(quote + 1)..], oneLine: true, out bool closed);
            int after = quote + 1 + length + (closed ? 1 : 0);
            ReadOnlySpan<byte> text = json.Slice(quote + 1, length);
            to.Append(json[..after]);
            json = json[after..];
            if (!closed || UnescapeJson(text, name) is var decoded && (decoded < 0 || !IsSecret(name[..decoded])))
                continue;

            int blank = json.IndexOfAnyExcept(" \t\r\n"u8);
            if (blank < 0 || json[blank] != ':')
                continue;
            int value = json[(blank + 1)..].IndexOfAnyExcept(" \t\r\n"u8);
            value = value < 0 ? json.Length : blank + 1 + value;
            to.Append(json[..value]);
            json = json[value..];
            if (json.IsEmpty)
                return;
            to.Append("\""u8);
            to.Append(Mask);
            to.Append("\""u8);
            json = json[ValueLength(json)..];
        }
    }

    private static bool IsSecret(ReadOnlySpan<byte> name)
    {
        Span<char> text = stackalloc char[LongestName];
        return Encoding.UTF8.TryGetChars(name, text, out int length) && s_lookup.Contains(text[..length]);
    }

    /// <summary>
    /// Bytes up to the closing quote, the end of all or, where <paramref name="oneLine"/>, a line's end. A secret that
    /// is broken over lines is still a secret.
    /// </summary>
    private static int StringLength(ReadOnlySpan<byte> text, bool oneLine, out bool closed)
    {
        closed = false;
        for (int at = 0; at < text.Length; at++)
        {
            int next = text[at..].IndexOfAny((byte)'"', (byte)'\\', (byte)'\n');
            if (next < 0)
                return text.Length;
            at += next;
            switch (text[at])
            {
                case (byte)'"':
                    closed = true;
                    return at;
                case (byte)'\n' when oneLine:
                    return at;
                case (byte)'\\' when at + 1 < text.Length && text[at + 1] != '\n':
                    at++;
                    break;
            }
        }
        return text.Length;
    }

    /// <summary>The extent of the value that begins here: a string, an object or array to its end, or a bare word.</summary>
    private static int ValueLength(ReadOnlySpan<byte> json)
    {
        if (json[0] == '"')
        {
            int length = 1 + StringLength(json[1..], oneLine: false, out bool closed);
            return closed ? length + 1 : length;
        }
        if (json[0] is not ((byte)'{' or (byte)'['))
        {
            int end = json.IndexOfAny(",}] \t\r\n"u8);
            return end < 0 ? json.Length : end;
        }
        int depth = 0, at = 0;
        while (at < json.Length)
        {
            switch (json[at])
            {
                case (byte)'"':
                    at += 1 + StringLength(json[(at + 1)..], oneLine: false, out bool closed);
                    if (!closed)
                        return json.Length;
                    break;
                case (byte)'{' or (byte)'[':
                    depth++;
                    break;
                case (byte)'}' or (byte)']' when --depth == 0:
                    return at + 1;
            }
            at++;
        }
        return json.Length;
    }

    /// <summary>-1: too long to be a secret's name.</summary>
    private static int UnescapeForm(ReadOnlySpan<byte> escaped, Span<byte> name)
    {
        int length = 0;
        for (int i = 0; i < escaped.Length; i++)
        {
            byte value = escaped[i];
            if (value == '%' && TryHex(escaped[(i + 1)..], 2, out int code))
            {
                value = (byte)code;
                i += 2;
            }
            else if (value == '+')
            {
                value = (byte)' ';
            }
            if (length == name.Length)
                return -1;
            name[length++] = value;
        }
        return Trim(name, length);
    }

    private static int UnescapeJson(ReadOnlySpan<byte> escaped, Span<byte> name)
    {
        int length = 0;
        for (int i = 0; i < escaped.Length; i++)
        {
            byte value = escaped[i];
            if (value == '\\')
            {
                // Secret names have ASCII letters only, of which \u alone is an escape.
                if (++i >= escaped.Length || escaped[i] != 'u' || !TryHex(escaped[(i + 1)..], 4, out int code) || code > 0x7f)
                    return -1;
                value = (byte)code;
                i += 4;
            }
            if (length == name.Length)
                return -1;
            name[length++] = value;
        }
        return Trim(name, length);
    }

    /// <summary>A name counts without blanks around it; they are moved out of the way.</summary>
    private static int Trim(Span<byte> name, int length)
    {
        ReadOnlySpan<byte> trimmed = name[..length].Trim((byte)' ');
        trimmed.CopyTo(name);
        return trimmed.Length;
    }

    private static bool TryHex(ReadOnlySpan<byte> text, int digits, out int code)
    {
        code = 0;
        return text.Length >= digits && int.TryParse(text[..digits], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out code);
    }
}

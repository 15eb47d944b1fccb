using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using Turbo.Server.Json;
using Turbo.Server.Model;

namespace Turbo.Server.Events;

/// <summary>
/// Copies a form, a query or JSON with the values of secret fields replaced, where it has any. What it reads may be cut off anywhere or
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

    // By length, bit n: a secret name has a first, or a last, letter whose low five bits are n (either case has the same).
    private static readonly uint[] s_firsts = Letters(static name => name[0]);
    private static readonly uint[] s_lasts = Letters(static name => name[^1]);

    /// <summary>A query or a form body: <c>name=value&amp;…</c>. False: no secret in it, nothing was copied.</summary>
    public static bool TryCopyForm(ReadOnlySpan<byte> form, TextBuffer to)
    {
        Span<byte> name = stackalloc byte[LongestName];
        int copied = 0;
        for (int start = 0; start < form.Length;)
        {
            int length = form[start..].IndexOf((byte)'&');
            int end = length < 0 ? form.Length : start + length;
            int equals = form[start..end].IndexOf((byte)'=');
            if (equals >= 0 && UnescapeForm(form.Slice(start, equals), name) is var decoded && decoded >= 0 && IsSecret(name[..decoded]))
            {
                to.Append(form[copied..(start + equals + 1)]);
                to.Append(Mask);
                copied = end;
            }
            start = end + 1;
        }
        return copied > 0 && CopyRest(form, copied, to);
    }

    /// <summary>
    /// JSON, or lines that hold JSON such as an event stream. No string of JSON spans lines, so each line starts
    /// afresh and a stray quote spoils no more than its own. False: no secret in it, nothing was copied.
    /// </summary>
    public static bool TryCopyJson(ReadOnlySpan<byte> json, TextBuffer to)
    {
        if (!MayNameSecret(json))
            return false;
        Span<byte> name = stackalloc byte[LongestName];
        int copied = 0, at = 0;
        while (json[at..].IndexOf((byte)'"') is var quote && quote >= 0)
        {
            int start = at + quote + 1;
            int length = StringLength(json[start..], oneLine: true, out bool closed);
            at = start + length + (closed ? 1 : 0);
            // Most strings are no names, which is quickest to see; of names few are as long as a secret's.
            if (!closed || NextAfterBlanks(json, at) is var colon && (colon == json.Length || json[colon] != ':') ||
                !IsSecretName(json.Slice(start, length), name))
                continue;
            int value = NextAfterBlanks(json, colon + 1);
            if (value == json.Length)
                break;
            to.Append(json[copied..value]);
            to.Append("\""u8);
            to.Append(Mask);
            to.Append("\""u8);
            copied = at = value + ValueLength(json[value..]);
        }
        return copied > 0 && CopyRest(json, copied, to);
    }

    private static bool CopyRest(ReadOnlySpan<byte> text, int copied, TextBuffer to)
    {
        to.Append(text[copied..]);
        return true;
    }

    private static int NextAfterBlanks(ReadOnlySpan<byte> text, int at)
    {
        while (at < text.Length && text[at] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
            at++;
        return at;
    }

    /// <summary>
    /// Whether a secret's name stands between two quotation marks before a colon. Most texts have none, which is seen in
    /// one pass of 64 bytes at a time. What the first mark is, a string's beginning or an escaped one, need not be known:
    /// a secret's name holds no mark.
    /// </summary>
    private static bool MayNameSecret(ReadOnlySpan<byte> json)
    {
        Span<byte> padded = stackalloc byte[ByteBlock.Bytes + 1];
        Span<byte> name = stackalloc byte[LongestName];
        int lastMark = -1;
        for (int at = 0; at < json.Length; at += ByteBlock.Bytes)
        {
            scoped ReadOnlySpan<byte> bytes = json[at..];
            // With the byte after it.
            if (bytes.Length <= ByteBlock.Bytes)
            {
                bytes.CopyTo(padded);
                padded[bytes.Length..].Fill((byte)',');
                bytes = padded;
            }
            ulong marks = ByteBlock.Equal(in MemoryMarshal.GetReference(bytes), (byte)'"');
            if (marks == 0)
                continue;
            ref readonly byte following = ref bytes[1];
            ulong ends = marks & (ByteBlock.Equal(in following, (byte)':') | ByteBlock.AtMost(in following, (byte)' '));
            for (; ends != 0; ends &= ends - 1)
            {
                ulong before = marks & ((ends & (0 - ends)) - 1);
                int end = at + BitOperations.TrailingZeroCount(ends);
                int start = before != 0 ? at + BitOperations.Log2(before) : lastMark;
                if (IsSecretName(json[(start + 1)..end], name))
                    return true;
            }
            lastMark = at + BitOperations.Log2(marks);
        }
        return false;
    }

    private static bool IsSecretName(ReadOnlySpan<byte> text, Span<byte> scratch)
    {
        // Most names end here: neither a secret's length and letters, nor a blank or an escape to undo.
        if (text.IsEmpty || !IsLikeSecret(text) && text[0] != ' ' && text[^1] != ' ' && !text.Contains((byte)'\\'))
            return false;
        if (!text.Contains((byte)'\\'))
            return text.Length <= LongestName && IsSecret(text.Trim((byte)' '));
        int decoded = UnescapeJson(text, scratch);
        return decoded >= 0 && IsSecret(scratch[..decoded]);
    }

    private static bool IsSecret(ReadOnlySpan<byte> name)
    {
        if (name.IsEmpty || !IsLikeSecret(name))
            return false;
        Span<char> text = stackalloc char[LongestName];
        return Encoding.UTF8.TryGetChars(name, text, out int length) && s_lookup.Contains(text[..length]);
    }

    /// <summary>One look at length, first and last letter spares most names the lookup.</summary>
    private static bool IsLikeSecret(ReadOnlySpan<byte> name) =>
        name.Length < s_firsts.Length && (s_firsts[name.Length] & 1u << (name[0] & 31)) != 0 && (s_lasts[name.Length] & 1u << (name[^1] & 31)) != 0;

    private static uint[] Letters(Func<string, char> letter)
    {
        uint[] bits = new uint[LongestName + 1];
        foreach (string name in s_secrets)
            bits[name.Length] |= 1u << (letter(name) & 31);
        return bits;
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

using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Turbo.Server;

/// <summary>
/// The parts of an absolute URL as configuration writes it: <c>scheme://[user[:password]@]host[:port][/path][?query]</c>
/// (RFC 3986 §3). Stricter than <see cref="Uri"/> and without its rewriting: what is not plainly valid is refused, so
/// that a typing error stops the start instead of becoming another host or path.
/// </summary>
internal readonly record struct UrlParts
{
    /// <summary>Lower-cased.</summary>
    public required string Scheme { get; init; }

    /// <summary>Percent-decoded; null when the URL has no userinfo.</summary>
    public required string? User { get; init; }

    /// <summary>Percent-decoded; null when the userinfo has no colon.</summary>
    public required string? Password { get; init; }

    /// <summary>Lower-cased name or address; an IPv6 address without its brackets. Empty when the URL has none.</summary>
    public required string Host { get; init; }

    /// <summary>Null when the URL has none.</summary>
    public required int? Port { get; init; }

    /// <summary>As written, with its leading slash; or empty.</summary>
    public required string Path { get; init; }

    /// <summary>As written, without the question mark; null when the URL has none.</summary>
    public required string? Query { get; init; }

    public static bool TryParse(string text, out UrlParts parts)
    {
        parts = default;
        foreach (char c in text)
        {
            // Not a URL character anywhere (RFC 3986 §2): white space, controls, non-ASCII and these delimiters.
            if (c is <= ' ' or >= '\x7f' or '"' or '<' or '>' or '\\' or '^' or '`' or '{' or '|' or '}') return false;
        }
        int colon = text.IndexOf("://", StringComparison.Ordinal);
        if (colon <= 0 || text.Contains('#', StringComparison.Ordinal) || !PercentEncodingIsValid(text)) return false;
        ReadOnlySpan<char> scheme = text.AsSpan(0, colon);
        foreach (char c in scheme)
        {
            if (!char.IsAsciiLetter(c)) return false;
        }

        ReadOnlySpan<char> rest = text.AsSpan(colon + 3);
        int authorityEnd = rest.IndexOfAny('/', '?');
        ReadOnlySpan<char> authority = authorityEnd < 0 ? rest : rest[..authorityEnd];
        ReadOnlySpan<char> tail = authorityEnd < 0 ? default : rest[authorityEnd..];

        string? user = null, password = null;
        int at = authority.LastIndexOf('@');
        if (at >= 0)
        {
            ReadOnlySpan<char> userInfo = authority[..at];
            if (userInfo.Contains('@')) return false;
            int split = userInfo.IndexOf(':');
            user = Uri.UnescapeDataString(split < 0 ? userInfo : userInfo[..split]);
            password = split < 0 ? null : Uri.UnescapeDataString(userInfo[(split + 1)..]);
            authority = authority[(at + 1)..];
        }
        // The zone of an IPv6 address means something on one machine alone (RFC 6874): not in a URL of ours.
        if (!TrySplitHostPort(authority, out ReadOnlySpan<char> host, out int? port) || host.Contains('%')) return false;

        int question = tail.IndexOf('?');
        parts = new UrlParts
        {
            Scheme = scheme.ToString().ToLowerInvariant(),
            User = user,
            Password = password,
            Host = host.ToString().ToLowerInvariant(),
            Port = port,
            Path = (question < 0 ? tail : tail[..question]).ToString(),
            Query = question < 0 ? null : tail[(question + 1)..].ToString(),
        };
        return true;
    }

    /// <summary>
    /// <c>host</c>, <c>host:port</c>, <c>[ipv6]</c> or <c>[ipv6]:port</c>; the host may be empty. The port is 0 to
    /// 65535 in digits alone.
    /// </summary>
    public static bool TrySplitHostPort(ReadOnlySpan<char> authority, out ReadOnlySpan<char> host, out int? port)
    {
        host = authority;
        port = null;
        ReadOnlySpan<char> portText = default;
        bool hasPort = false;
        if (authority.StartsWith("["))
        {
            int close = authority.IndexOf(']');
            if (close < 0) return false;
            host = authority[1..close];
            ReadOnlySpan<char> after = authority[(close + 1)..];
            if (!IPAddress.TryParse(host, out IPAddress? v6) || v6.AddressFamily != AddressFamily.InterNetworkV6) return false;
            if (after.Length > 0)
            {
                if (after[0] != ':') return false;
                hasPort = true;
                portText = after[1..];
            }
        }
        else
        {
            int colon = authority.IndexOf(':');
            if (colon >= 0)
            {
                host = authority[..colon];
                hasPort = true;
                portText = authority[(colon + 1)..];
            }
            if (host.Length > 0 && !IsHostName(host)) return false;
        }
        if (!hasPort) return true;
        if (portText.Length is 0 or > 5
            || !ushort.TryParse(portText, NumberStyles.None, CultureInfo.InvariantCulture, out ushort number)) return false;
        port = number;
        return true;
    }

    /// <summary>
    /// A DNS name (letters, digits, hyphen, underscore) or a dotted-quad address. A name whose last label is all
    /// digits can only be an address, so it must be a whole one: <c>1</c> or <c>300.1.1.1</c> is neither.
    /// </summary>
    private static bool IsHostName(ReadOnlySpan<char> host)
    {
        if (host.Length > 253) return false;
        bool lastIsNumeric = false;
        foreach (Range range in host.Split('.'))
        {
            ReadOnlySpan<char> label = host[range];
            if (label.Length is 0 or > 63 || label[0] == '-' || label[^1] == '-') return false;
            lastIsNumeric = true;
            foreach (char c in label)
            {
                if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_')) return false;
                lastIsNumeric &= char.IsAsciiDigit(c);
            }
        }
        return !lastIsNumeric || (IPAddress.TryParse(host, out IPAddress? v4) && host.SequenceEqual(v4.ToString()));
    }

    private static bool PercentEncodingIsValid(string text)
    {
        for (int i = text.IndexOf('%', StringComparison.Ordinal); i >= 0; i = text.IndexOf('%', i + 1))
        {
            if (i + 2 >= text.Length || !char.IsAsciiHexDigit(text[i + 1]) || !char.IsAsciiHexDigit(text[i + 2])) return false;
        }
        return true;
    }
}

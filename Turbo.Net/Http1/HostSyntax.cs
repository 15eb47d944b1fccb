using System.Buffers;
using System.Net;

namespace Turbo.Net.Http1;

/// <summary>uri-host [ ":" port ] (RFC 9110 §7.2, RFC 3986 §3.2.2), without userinfo, never empty, its port at most 65535.</summary>
internal static class HostSyntax
{
    // The usual host: nothing encoded in it.
    private static readonly SearchValues<byte> s_plainName =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;="u8);

    private static readonly SearchValues<byte> s_registeredName =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=%"u8);

    private static readonly SearchValues<byte> s_literal = SearchValues.Create("0123456789abcdefABCDEF:."u8);

    public static bool IsValid(ReadOnlySpan<byte> host)
    {
        if (host.IsEmpty) return false;
        int end = host.IndexOfAnyExcept(s_plainName);
        if (end < 0) return true;
        if (end > 0 && host[end] == ':') return IsPort(host[(end + 1)..]);
        if (host[0] == '[')
        {
            end = host.IndexOf((byte)']') + 1;
            if (end < 4 || !IsLiteral(host[1..(end - 1)])) return false;
        }
        else
        {
            end = host.IndexOfAnyExcept(s_registeredName);
            if (end == 0) return false;
            if (end < 0) end = host.Length;
            if (!IsEncoded(host[..end])) return false;
        }
        return end == host.Length || (host[end] == ':' && IsPort(host[(end + 1)..]));
    }

    // port = *DIGIT
    private static bool IsPort(ReadOnlySpan<byte> port)
    {
        int number = 0;
        foreach (byte b in port)
        {
            if (!char.IsAsciiDigit((char)b) || (number = number * 10 + (b - '0')) > ushort.MaxValue) return false;
        }
        return true;
    }

    // IPv6address (RFC 3986 §3.2.2), which has no zone.
    private static bool IsLiteral(ReadOnlySpan<byte> address) =>
        !address.ContainsAnyExcept(s_literal) && address.Contains((byte)':') && IPAddress.IsValidUtf8(address);

    // pct-encoded = "%" HEXDIG HEXDIG
    private static bool IsEncoded(ReadOnlySpan<byte> name)
    {
        while (name.IndexOf((byte)'%') is var at && at >= 0)
        {
            if (name.Length - at < 3 || !char.IsAsciiHexDigit((char)name[at + 1]) || !char.IsAsciiHexDigit((char)name[at + 2])) return false;
            name = name[(at + 3)..];
        }
        return true;
    }
}

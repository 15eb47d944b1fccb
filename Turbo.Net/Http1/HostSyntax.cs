using System.Buffers;

namespace Turbo.Net.Http1;

/// <summary>uri-host [ ":" port ] (RFC 9110 §7.2, RFC 3986 §3.2.2), without userinfo and never empty.</summary>
internal static class HostSyntax
{
    private static readonly SearchValues<byte> s_registeredName =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=%"u8);

    private static readonly SearchValues<byte> s_literal = SearchValues.Create("0123456789abcdefABCDEF:."u8);

    public static bool IsValid(ReadOnlySpan<byte> host)
    {
        if (host.IsEmpty) return false;
        int end;
        if (host[0] == '[')
        {
            end = host.IndexOf((byte)']') + 1;
            if (end < 4 || host[1..(end - 1)].ContainsAnyExcept(s_literal)) return false;
        }
        else
        {
            end = host.IndexOfAnyExcept(s_registeredName);
            if (end < 0) return true;
            if (end == 0) return false;
        }
        if (end == host.Length) return true;
        return host[end] == ':' && !host[(end + 1)..].ContainsAnyExceptInRange((byte)'0', (byte)'9');
    }
}

using System.Runtime.InteropServices;
using System.Text;

namespace Turbo.Net;

/// <summary>Field names the server or relay acts on, recognised once while parsing.</summary>
public enum KnownField : byte
{
    /// <summary>Any other name.</summary>
    Other,
    /// <summary>Host</summary>
    Host,
    /// <summary>Content-Length</summary>
    ContentLength,
    /// <summary>Transfer-Encoding</summary>
    TransferEncoding,
    /// <summary>Connection</summary>
    Connection,
    /// <summary>Keep-Alive</summary>
    KeepAlive,
    /// <summary>Proxy-Connection</summary>
    ProxyConnection,
    /// <summary>TE</summary>
    TE,
    /// <summary>Trailer</summary>
    Trailer,
    /// <summary>Upgrade</summary>
    Upgrade,
    /// <summary>Expect</summary>
    Expect,
    /// <summary>Authorization</summary>
    Authorization,
    /// <summary>Cookie</summary>
    Cookie,
    /// <summary>Origin</summary>
    Origin,
    /// <summary>Content-Type</summary>
    ContentType,
    /// <summary>Content-Encoding</summary>
    ContentEncoding,
    /// <summary>Date</summary>
    Date,
    /// <summary>If-None-Match</summary>
    IfNoneMatch,
    /// <summary>Accept-Encoding</summary>
    AcceptEncoding,
    /// <summary>X-Forwarded-For</summary>
    XForwardedFor,
    /// <summary>Vary</summary>
    Vary,
    /// <summary>Access-Control-Allow-Origin, and the other names that begin with Access-Control-Allow-</summary>
    AccessControlAllow,
    /// <summary>Access-Control-Request-Method</summary>
    AccessControlRequestMethod,
    /// <summary>Sec-WebSocket-Key</summary>
    SecWebSocketKey,
    /// <summary>Sec-WebSocket-Version</summary>
    SecWebSocketVersion,
    /// <summary>Sec-WebSocket-Protocol</summary>
    SecWebSocketProtocol,
    /// <summary>Sec-WebSocket-Extensions</summary>
    SecWebSocketExtensions,
}

internal static class KnownFields
{
    /// <summary>Names are case-insensitive (RFC 9110 §5.1): length first, so most names cost one switch.</summary>
    /// <param name="name">A field name, which is of tchars alone.</param>
    public static KnownField Classify(ReadOnlySpan<byte> name)
    {
        switch (name.Length)
        {
            case 2: return Is(name, "te"u8, KnownField.TE);
            case 4:
                return (name[0] | 0x20) switch
                {
                    'h' => Is(name, "host"u8, KnownField.Host),
                    'd' => Is(name, "date"u8, KnownField.Date),
                    'v' => Is(name, "vary"u8, KnownField.Vary),
                    _ => KnownField.Other,
                };
            case 6:
                return (name[0] | 0x20) switch
                {
                    'c' => Is(name, "cookie"u8, KnownField.Cookie),
                    'o' => Is(name, "origin"u8, KnownField.Origin),
                    'e' => Is(name, "expect"u8, KnownField.Expect),
                    _ => KnownField.Other,
                };
            case 7: return (name[0] | 0x20) == 'u' ? Is(name, "upgrade"u8, KnownField.Upgrade) : Is(name, "trailer"u8, KnownField.Trailer);
            case 10: return (name[0] | 0x20) == 'c' ? Is(name, "connection"u8, KnownField.Connection) : Is(name, "keep-alive"u8, KnownField.KeepAlive);
            case 12: return Is(name, "content-type"u8, KnownField.ContentType);
            case 13: return (name[0] | 0x20) == 'a' ? Is(name, "authorization"u8, KnownField.Authorization) : Is(name, "if-none-match"u8, KnownField.IfNoneMatch);
            case 14: return Is(name, "content-length"u8, KnownField.ContentLength);
            case 15: return (name[0] | 0x20) == 'a' ? Is(name, "accept-encoding"u8, KnownField.AcceptEncoding) : Is(name, "x-forwarded-for"u8, KnownField.XForwardedFor);
            case 16: return (name[0] | 0x20) == 'c' ? Is(name, "content-encoding"u8, KnownField.ContentEncoding) : Is(name, "proxy-connection"u8, KnownField.ProxyConnection);
            case 17: return (name[0] | 0x20) == 't' ? Is(name, "transfer-encoding"u8, KnownField.TransferEncoding) : Is(name, "sec-websocket-key"u8, KnownField.SecWebSocketKey);
            case 21: return Is(name, "sec-websocket-version"u8, KnownField.SecWebSocketVersion);
            case 22 when (name[0] | 0x20) == 's': return Is(name, "sec-websocket-protocol"u8, KnownField.SecWebSocketProtocol);
            case 24: return Is(name, "sec-websocket-extensions"u8, KnownField.SecWebSocketExtensions);
            case 29: return Is(name, "access-control-request-method"u8, KnownField.AccessControlRequestMethod);
        }
        return name.Length > 21 && Ascii.EqualsIgnoreCase(name[..21], "access-control-allow-"u8) ? KnownField.AccessControlAllow : KnownField.Other;
    }

    /// <summary>
    /// Fields that must not stand in a trailer section (RFC 9110 §6.5.1), since a recipient that merges it into the header
    /// section would frame, route, admit or read a message anew that others have judged.
    /// </summary>
    public static bool IsForbiddenInTrailers(KnownField known) => known
        is KnownField.Host or KnownField.ContentLength or KnownField.TransferEncoding or KnownField.Trailer or KnownField.TE
        or KnownField.Connection or KnownField.KeepAlive or KnownField.ProxyConnection or KnownField.Upgrade or KnownField.Expect
        or KnownField.Authorization or KnownField.Cookie or KnownField.ContentType or KnownField.ContentEncoding;

    private static KnownField Is(ReadOnlySpan<byte> name, ReadOnlySpan<byte> lower, KnownField known) => EqualsLower(name, lower) ? known : KnownField.Other;

    // With bit 5 set nothing but a letter becomes a letter, and nothing but a CR, which no name has, a '-': so a usual name is
    // compared in two words.
    private static bool EqualsLower(ReadOnlySpan<byte> name, ReadOnlySpan<byte> lower)
    {
        const ulong LowerCase = 0x2020_2020_2020_2020;
        const uint LowerHalf = 0x2020_2020;
        int length = name.Length;
        if (length != lower.Length) return false;
        if (length is >= 8 and <= 16)
        {
            return (MemoryMarshal.Read<ulong>(name) | LowerCase) == MemoryMarshal.Read<ulong>(lower)
                && (MemoryMarshal.Read<ulong>(name[(length - 8)..]) | LowerCase) == MemoryMarshal.Read<ulong>(lower[(length - 8)..]);
        }
        if (length is >= 4 and < 8)
        {
            return (MemoryMarshal.Read<uint>(name) | LowerHalf) == MemoryMarshal.Read<uint>(lower)
                && (MemoryMarshal.Read<uint>(name[(length - 4)..]) | LowerHalf) == MemoryMarshal.Read<uint>(lower[(length - 4)..]);
        }
        return Ascii.EqualsIgnoreCase(name, lower);
    }
}

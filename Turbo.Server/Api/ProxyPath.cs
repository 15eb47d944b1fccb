namespace Turbo.Server.Api;

/// <summary>
/// A path goes upstream byte for byte, so what its dot segments come to is for the upstream to say. One that by any
/// common reading climbs out of <c>/v1/</c> is refused: whoever may use the API has not been let into the rest of that
/// server, least of all with the server's key.
/// </summary>
internal static class ProxyPath
{
    private const byte Encoded = (byte)'%';

    /// <summary>
    /// Whether <c>..</c> segments lead above where <paramref name="path"/> begins. Read as the most lenient do: dots and
    /// slashes may be percent-encoded, twice too, a backslash is a slash, slashes that follow each other are one, and a
    /// segment's parameters (from <c>;</c> on) are no part of its name.
    /// </summary>
    /// <param name="path">What follows <c>/v1/</c>.</param>
    public static bool Climbs(ReadOnlySpan<byte> path)
    {
        // Nearly all have neither.
        if (path.IndexOf(".."u8) < 0 && path.IndexOf(Encoded) < 0) return false;
        int depth = 0;
        while (true)
        {
            Segment segment = Take(ref path, out bool isLast);
            if (segment == Segment.Up && --depth < 0) return true;
            if (segment == Segment.Down) depth++;
            if (isLast) return false;
        }
    }

    private enum Segment : byte { Here, Up, Down }

    // Reads up to and with the next slash.
    private static Segment Take(ref ReadOnlySpan<byte> path, out bool isLast)
    {
        int length = 0;
        int dots = 0;
        bool isParameter = false;
        while (!path.IsEmpty)
        {
            byte b = Next(ref path);
            if (b is (byte)'/' or (byte)'\\')
            {
                isLast = false;
                return Of(length, dots);
            }
            isParameter |= b == ';';
            if (isParameter) continue;
            length++;
            if (b == '.') dots++;
        }
        isLast = true;
        return Of(length, dots);
    }

    private static Segment Of(int length, int dots) => length == 0 || (length == 1 && dots == 1) ? Segment.Here : length == 2 && dots == 2 ? Segment.Up : Segment.Down;

    // The next byte, decoded: %2e, and %252e as well.
    private static byte Next(ref ReadOnlySpan<byte> path)
    {
        byte b = path[0];
        path = path[1..];
        while (b == Encoded && path.Length >= 2 && char.IsAsciiHexDigit((char)path[0]) && char.IsAsciiHexDigit((char)path[1]))
        {
            b = (byte)(HexValue(path[0]) << 4 | HexValue(path[1]));
            path = path[2..];
        }
        return b;
    }

    private static int HexValue(byte digit) => char.IsAsciiDigit((char)digit) ? digit - '0' : (digit | 0x20) - 'a' + 10;
}

using System.Buffers.Text;

namespace Turbo.Server.Model;

/// <summary>
/// Times as the Go program's tables hold them and as its JSON shows them. A time in memory is a
/// UTC <see cref="DateTime"/>: 100 ns, so the last two of Go's nine fraction digits are dropped
/// when a row is read and are never rewritten unless that row changes.
/// </summary>
internal static class GoTime
{
    /// <summary>The longest form either formatter writes, in bytes.</summary>
    public const int MaxLength = 33;

    /// <summary>SQLite text: <c>2006-01-02 15:04:05.9999999+00:00</c>, trailing fraction zeros trimmed.</summary>
    public static int FormatSql(DateTime utc, Span<byte> destination) =>
        Format(utc, (byte)' ', "+00:00"u8, destination);

    /// <summary>JSON (RFC 3339, as Go marshals it): <c>2006-01-02T15:04:05.9999999Z</c>.</summary>
    public static int FormatJson(DateTime utc, Span<byte> destination) =>
        Format(utc, (byte)'T', "Z"u8, destination);

    private static int Format(DateTime utc, byte separator, ReadOnlySpan<byte> zone, Span<byte> to)
    {
        Digits(utc.Year, to[..4]);
        to[4] = (byte)'-';
        Digits(utc.Month, to.Slice(5, 2));
        to[7] = (byte)'-';
        Digits(utc.Day, to.Slice(8, 2));
        to[10] = separator;
        Digits(utc.Hour, to.Slice(11, 2));
        to[13] = (byte)':';
        Digits(utc.Minute, to.Slice(14, 2));
        to[16] = (byte)':';
        Digits(utc.Second, to.Slice(17, 2));
        int length = 19;
        int fraction = (int)(utc.Ticks % TimeSpan.TicksPerSecond);
        if (fraction != 0)
        {
            to[19] = (byte)'.';
            Digits(fraction, to.Slice(20, 7));
            length = 27;
            while (to[length - 1] == (byte)'0')
                length--;
        }
        zone.CopyTo(to[length..]);
        return length + zone.Length;
    }

    private static void Digits(int value, Span<byte> to)
    {
        for (int i = to.Length - 1; i >= 0; i--, value /= 10)
            to[i] = (byte)('0' + value % 10);
    }

    /// <summary>
    /// Reads any form Go's SQLite drivers and <c>time.Time</c> write: date alone, minutes, seconds, any
    /// number of fraction digits, ' ' or 'T', no zone (UTC), Z, ±hh:mm, ±hhmm, ±hh, and the long
    /// <c>2006-01-02 15:04:05.9 -0700 MST m=+0.1</c>.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out DateTime utc)
    {
        utc = default;
        text = text.Trim((byte)' ');
        if (text.Length < 10 || text[4] != '-' || text[7] != '-' ||
            !Number(text[..4], out int year) || !Number(text.Slice(5, 2), out int month) ||
            !Number(text.Slice(8, 2), out int day))
            return false;

        text = text[10..];
        int hour = 0, minute = 0, second = 0, fraction = 0;
        if (text.Length > 0 && text[0] is (byte)' ' or (byte)'T' or (byte)'t')
        {
            if (text.Length < 6 || text[3] != ':' ||
                !Number(text.Slice(1, 2), out hour) || !Number(text.Slice(4, 2), out minute))
                return false;
            text = text[6..];
            if (text.Length > 0 && text[0] == ':')
            {
                if (text.Length < 3 || !Number(text.Slice(1, 2), out second))
                    return false;
                text = text[3..];
                if (text.Length > 0 && text[0] is (byte)'.' or (byte)',' && !Fraction(ref text, out fraction))
                    return false;
            }
        }
        if (!Offset(text, out int offsetMinutes) || year < 1 || month is < 1 or > 12 || day < 1 ||
            day > DateTime.DaysInMonth(year, month) || hour > 23 || minute > 59 || second > 59)
            return false;

        long ticks = new DateTime(year, month, day, hour, minute, second).Ticks + fraction
            - offsetMinutes * TimeSpan.TicksPerMinute;
        if (ticks < DateTime.MinValue.Ticks || ticks > DateTime.MaxValue.Ticks)
            return false;
        utc = new DateTime(ticks, DateTimeKind.Utc);
        return true;
    }

    /// <summary>A time stored as a number, as SQLite drivers read it: seconds since 1970, or milliseconds when that large.</summary>
    public static bool TryFromUnix(long value, out DateTime utc)
    {
        utc = default;
        const long LargestSeconds = 1_000_000_000_000;
        long milliseconds = value is > LargestSeconds or < -LargestSeconds ? value : value * 1000;
        if (milliseconds is < -62_135_596_800_000 or > 253_402_300_799_999)
            return false;
        utc = DateTime.UnixEpoch.AddMilliseconds(milliseconds);
        return true;
    }

    private static bool Fraction(ref ReadOnlySpan<byte> text, out int ticks)
    {
        int end = 1;
        ticks = 0;
        for (; end < text.Length && char.IsAsciiDigit((char)text[end]); end++)
            if (end <= 7)
                ticks = ticks * 10 + (text[end] - '0');
        int digits = end - 1;
        if (digits == 0)
            return false;
        for (; digits < 7; digits++)
            ticks *= 10;
        text = text[end..];
        return true;
    }

    private static bool Offset(ReadOnlySpan<byte> text, out int minutes)
    {
        minutes = 0;
        text = text.TrimStart((byte)' ');
        if (text.IsEmpty || text is [(byte)'Z' or (byte)'z'])
            return true;
        if (text[0] is not ((byte)'+' or (byte)'-') || text.Length < 3 || !Number(text.Slice(1, 2), out int hours))
            return false;
        int sign = text[0] == '-' ? -1 : 1;
        text = text[3..];
        int rest = 0;
        if (text.Length >= 3 && text[0] == ':' && Number(text.Slice(1, 2), out rest))
            text = text[3..];
        else if (text.Length >= 2 && text[0] != ' ' && Number(text[..2], out rest))
            text = text[2..];
        minutes = sign * (hours * 60 + rest);
        // What may follow the offset is the zone's name and a monotonic reading; neither moves the instant.
        return hours <= 23 && rest <= 59 && (text.IsEmpty || text[0] == ' ');
    }

    private static bool Number(ReadOnlySpan<byte> digits, out int value) =>
        Utf8Parser.TryParse(digits, out value, out int used, 'D') && used == digits.Length &&
        digits[0] is >= (byte)'0' and <= (byte)'9';
}

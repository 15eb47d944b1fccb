using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace Turbo.Server.Logging;

/// <summary>
/// Writes one line, text or JSON, into a caller's buffer. What does not fit is cut and ends in an ellipsis, and the
/// line stays well-formed: room for its end is kept back.
/// </summary>
internal ref struct LogLine
{
    /// <summary>A buffer of this size takes any line.</summary>
    public const int MaxBytes = 4096;

    private const int EndBytes = 16;

    // Bytes that stand for themselves in either form; the rest takes the slow road through runes. A space is plain in
    // a message, but would part one field of a text line from the next.
    private static readonly SearchValues<byte> s_plain = SearchValues.Create(
        "!#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~"u8);

    [ThreadStatic] private static long t_second;
    [ThreadStatic] private static byte[]? t_secondText;

    private readonly Span<byte> _buffer;
    private readonly bool _isJson;
    private int _length;

    public LogLine(Span<byte> buffer, LogFormat format, DateTimeOffset now, LogLevel level)
    {
        _buffer = buffer;
        _isJson = format == LogFormat.Json;
        if (_isJson)
        {
            Raw("{\"time\":\""u8);
            Time(now);
            Raw("\",\"level\":\""u8);
            Raw(Name(level));
            Raw("\""u8);
        }
        else
        {
            Time(now);
            Raw(" "u8);
            Raw(Name(level));
        }
    }

    public void Message(string message)
    {
        Raw(_isJson ? ",\"message\":\""u8 : " "u8);
        Escaped(message, MaxBytes, keepSpaces: true);
        if (_isJson) Raw("\""u8);
    }

    /// <summary>A field of text: ` value` in a text line, or ` name=value` where <paramref name="named"/>.</summary>
    public void Text(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, int maxBytes, bool named)
    {
        Label(name, named);
        if (_isJson) Raw("\""u8);
        Escaped(value, maxBytes);
        if (_isJson) Raw("\""u8);
    }

    public void Text(ReadOnlySpan<byte> name, string value, int maxBytes, bool named)
    {
        Label(name, named);
        if (_isJson) Raw("\""u8);
        Escaped(value, maxBytes);
        if (_isJson) Raw("\""u8);
    }

    public void Number(ReadOnlySpan<byte> name, long value, bool named)
    {
        Label(name, named);
        if (value.TryFormat(_buffer[_length..], out int written, default, CultureInfo.InvariantCulture)) _length += written;
    }

    /// <summary>Milliseconds to the microsecond.</summary>
    public void Duration(ReadOnlySpan<byte> name, TimeSpan value)
    {
        Label(name, named: false);
        long micros = Math.Max(0, value.Ticks / TimeSpan.TicksPerMicrosecond);
        if ((micros / 1000).TryFormat(_buffer[_length..], out int written, default, CultureInfo.InvariantCulture)) _length += written;
        int fraction = (int)(micros % 1000);
        Raw([(byte)'.', Digit(fraction / 100), Digit(fraction / 10), Digit(fraction)]);
        if (!_isJson) Raw("ms"u8);
    }

    /// <summary>The whole line with its newline.</summary>
    public ReadOnlySpan<byte> End()
    {
        Raw(_isJson ? "}\n"u8 : "\n"u8, keepBack: 0);
        return _buffer[.._length];
    }

    private void Label(ReadOnlySpan<byte> name, bool named)
    {
        if (_isJson)
        {
            Raw(",\""u8);
            Raw(name);
            Raw("\":"u8);
            return;
        }
        Raw(" "u8);
        if (!named) return;
        Raw(name);
        Raw("="u8);
    }

    /// <summary>RFC 3339 with milliseconds, UTC. All but the milliseconds is kept for the second it is true in.</summary>
    private void Time(DateTimeOffset now)
    {
        long second = now.UtcTicks / TimeSpan.TicksPerSecond;
        byte[] text = t_secondText ??= new byte[19];
        if (second != t_second)
        {
            now.UtcDateTime.TryFormat(text, out _, "yyyy-MM-ddTHH:mm:ss", CultureInfo.InvariantCulture);
            t_second = second;
        }
        Raw(text);
        int millis = (int)(now.UtcTicks % TimeSpan.TicksPerSecond / TimeSpan.TicksPerMillisecond);
        Raw([(byte)'.', Digit(millis / 100), Digit(millis / 10), Digit(millis), (byte)'Z']);
    }

    private static byte Digit(int number) => (byte)('0' + number % 10);

    private static ReadOnlySpan<byte> Name(LogLevel level) => level switch
    {
        LogLevel.Debug => "debug"u8,
        LogLevel.Info => "info"u8,
        LogLevel.Warn => "warn"u8,
        _ => "error"u8,
    };

    private void Raw(scoped ReadOnlySpan<byte> bytes, int keepBack = EndBytes)
    {
        if (bytes.Length > _buffer.Length - _length - keepBack) return;
        bytes.CopyTo(_buffer[_length..]);
        _length += bytes.Length;
    }

    private void Escaped(ReadOnlySpan<byte> value, int maxBytes)
    {
        int limit = Limit(maxBytes);
        int plain = value.IndexOfAnyExcept(s_plain);
        if (plain < 0 && value.Length <= limit - _length)
        {
            value.CopyTo(_buffer[_length..]);
            _length += value.Length;
            return;
        }
        while (!value.IsEmpty)
        {
            bool valid = Rune.DecodeFromUtf8(value, out Rune rune, out int consumed) == OperationStatus.Done;
            if (!(valid ? Append(rune, limit) : AppendInvalid(value[0], limit))) return;
            value = value[(valid ? consumed : 1)..];
        }
    }

    private void Escaped(string value, int maxBytes, bool keepSpaces = false)
    {
        int limit = Limit(maxBytes);
        if (value.Length <= limit - _length && Ascii.FromUtf16(value, _buffer[_length..], out int plain) == OperationStatus.Done &&
            _buffer.Slice(_length, plain).IndexOfAnyExcept(s_plain) < 0)
        {
            _length += plain;
            return;
        }
        foreach (Rune rune in value.EnumerateRunes())
        {
            if (!Append(rune, limit, keepSpaces)) return;
        }
    }

    /// <summary>Three bytes below what may be filled, so that the ellipsis has its place; and room for a closing quotation mark.</summary>
    private readonly int Limit(int maxBytes) => Math.Min(_buffer.Length - 2 * EndBytes, _length + Math.Min(maxBytes, _buffer.Length)) - 3;

    private bool Append(Rune rune, int limit, bool keepSpaces = false)
    {
        Span<byte> encoded = stackalloc byte[16];
        int length;
        if (rune.IsAscii && (s_plain.Contains((byte)rune.Value) || (rune.Value == ' ' && (keepSpaces || _isJson))))
        {
            encoded[0] = (byte)rune.Value;
            length = 1;
        }
        else if (rune.Value is '"' or '\\')
        {
            // A quotation mark is plain in text; a backslash opens an escape in both.
            bool escape = _isJson || rune.Value == '\\';
            encoded[0] = (byte)'\\';
            encoded[escape ? 1 : 0] = (byte)rune.Value;
            length = escape ? 2 : 1;
        }
        else if (rune.Value == ' ' || IsInvisible(rune))
        {
            if (_isJson)
            {
                Span<char> units = stackalloc char[2];
                int count = rune.EncodeToUtf16(units);
                length = 0;
                foreach (char unit in units[..count])
                {
                    Utf8.TryWrite(encoded[length..], CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}", out int written);
                    length += written;
                }
            }
            else
            {
                Utf8.TryWrite(encoded, CultureInfo.InvariantCulture, $"\\u{{{rune.Value:x}}}", out length);
            }
        }
        else
        {
            length = rune.EncodeToUtf8(encoded);
        }
        return AppendOrCut(encoded[..length], limit);
    }

    private bool AppendInvalid(byte value, int limit)
    {
        if (_isJson) return AppendOrCut("\\ufffd"u8, limit);
        Span<byte> encoded = stackalloc byte[4];
        Utf8.TryWrite(encoded, CultureInfo.InvariantCulture, $"\\x{value:x2}", out int length);
        return AppendOrCut(encoded[..length], limit);
    }

    private bool AppendOrCut(scoped ReadOnlySpan<byte> bytes, int limit)
    {
        bool fits = bytes.Length <= limit - _length;
        ReadOnlySpan<byte> added = fits ? bytes : "…"u8;
        added.CopyTo(_buffer[_length..]);
        _length += added.Length;
        return fits;
    }

    private static bool IsInvisible(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.OtherNotAssigned;
}

namespace Turbo.Net.Content;

/// <summary>One pair of a form as sent: percent signs and plus signs are not decoded yet.</summary>
public readonly ref struct FormField
{
    internal FormField(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        Name = name;
        Value = value;
    }

    /// <summary>The name as sent; decode it with <see cref="FormReader.TryDecode"/>.</summary>
    public ReadOnlySpan<byte> Name { get; }

    /// <summary>The value as sent; empty where there was no equals sign.</summary>
    public ReadOnlySpan<byte> Value { get; }
}

/// <summary>
/// Reads application/x-www-form-urlencoded content, and query strings, pair by pair over the received bytes (WHATWG URL
/// §5.1). Unlike a browser it refuses a percent sign without two hex digits: what such a pair was to say is a guess.
/// </summary>
public ref struct FormReader
{
    /// <summary>Pairs that a reader takes unless told otherwise.</summary>
    public const int DefaultMaxFields = 256;

    private ReadOnlySpan<byte> _rest;
    private int _left;

    /// <param name="form">The content, or the query without its question mark.</param>
    /// <param name="maxFields">Most pairs taken; one more is <see cref="ContentError.TooManyFields"/>. Default 256.</param>
    public FormReader(ReadOnlySpan<byte> form, int maxFields = DefaultMaxFields)
    {
        _rest = form;
        _left = maxFields;
    }

    /// <summary>Why <see cref="Read"/> answered false; None at the end of the form.</summary>
    public ContentError Error { get; private set; }

    /// <summary>The next pair; false at the end, or when the form is refused. Empty pairs (<c>a&amp;&amp;b</c>) are passed over.</summary>
    public bool Read(out FormField field)
    {
        field = default;
        if (Error != ContentError.None) return false;
        while (!_rest.IsEmpty)
        {
            int end = _rest.IndexOf((byte)'&');
            ReadOnlySpan<byte> pair = end < 0 ? _rest : _rest[..end];
            _rest = end < 0 ? default : _rest[(end + 1)..];
            if (pair.IsEmpty) continue;
            if (_left-- == 0)
            {
                Error = ContentError.TooManyFields;
                return false;
            }
            int equals = pair.IndexOf((byte)'=');
            field = equals < 0 ? new FormField(pair, default) : new FormField(pair[..equals], pair[(equals + 1)..]);
            return true;
        }
        return false;
    }

    /// <summary>Whether decoding would change anything: most names and values are used as they lie.</summary>
    public static bool NeedsDecoding(ReadOnlySpan<byte> text) => text.IndexOfAny((byte)'%', (byte)'+') >= 0;

    /// <summary>
    /// Decodes a name or value into <paramref name="destination"/>, which needs at most as many bytes as
    /// <paramref name="text"/> has. False for a percent sign without two hex digits. The bytes may be no UTF-8.
    /// </summary>
    public static bool TryDecode(ReadOnlySpan<byte> text, Span<byte> destination, out int written)
    {
        written = 0;
        while (true)
        {
            int at = text.IndexOfAny((byte)'%', (byte)'+');
            ReadOnlySpan<byte> plain = at < 0 ? text : text[..at];
            plain.CopyTo(destination[written..]);
            written += plain.Length;
            if (at < 0) return true;
            if (text[at] == '+')
            {
                destination[written++] = (byte)' ';
                text = text[(at + 1)..];
                continue;
            }
            if (text.Length - at < 3 || HexValue(text[at + 1]) is not (>= 0 and int high) || HexValue(text[at + 2]) is not (>= 0 and int low)) return false;
            destination[written++] = (byte)(high << 4 | low);
            text = text[(at + 3)..];
        }
    }

    private static int HexValue(byte digit) => digit switch
    {
        >= (byte)'0' and <= (byte)'9' => digit - '0',
        >= (byte)'a' and <= (byte)'f' => digit - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => digit - 'A' + 10,
        _ => -1,
    };
}

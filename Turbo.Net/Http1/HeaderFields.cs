using System.Text;

namespace Turbo.Net;

/// <summary>One field line: name and value as received, the value without the white space around it (RFC 9112 §5).</summary>
public readonly ref struct HeaderField
{
    internal HeaderField(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, ReadOnlySpan<byte> line, KnownField known)
    {
        Name = name;
        Value = value;
        Line = line;
        Known = known;
    }

    /// <summary>The field name in the sender's case.</summary>
    public ReadOnlySpan<byte> Name { get; }

    /// <summary>The field value, trimmed.</summary>
    public ReadOnlySpan<byte> Value { get; }

    /// <summary>The whole line as received, its CRLF included.</summary>
    public ReadOnlySpan<byte> Line { get; }

    /// <summary>Which of the names the server knows this is.</summary>
    public KnownField Known { get; }
}

/// <summary>
/// A header or trailer section as slices over the received bytes, in the order received.
/// Valid until the exchange ends; copy what must live longer.
/// </summary>
public sealed class HeaderFields
{
    private byte[] _bytes = [];
    private Slot[] _slots = new Slot[16];
    private int _count;
    private uint _present;
    private uint _repeated;

    /// <summary>The number of field lines.</summary>
    public int Count => _count;

    /// <summary>The field line at <paramref name="index"/>, in the order received.</summary>
    public HeaderField this[int index]
    {
        get
        {
            ref readonly Slot s = ref _slots.AsSpan(0, _count)[index];
            return new HeaderField(
                _bytes.AsSpan(s.LineStart, s.NameLength), _bytes.AsSpan(s.ValueStart, s.ValueLength),
                _bytes.AsSpan(s.LineStart, s.LineEnd - s.LineStart), s.Known);
        }
    }

    /// <summary>Whether a field line of that name was received.</summary>
    public bool Has(KnownField known) => (_present & Bit(known)) != 0;

    /// <summary>Whether a field line of one of those names was received: <see cref="Bit"/> of each.</summary>
    internal bool HasAny(uint bits) => (_present & bits) != 0;

    /// <summary>Whether more than one field line of that name was received.</summary>
    internal bool IsRepeated(KnownField known) => (_repeated & Bit(known)) != 0;

    internal static uint Bit(KnownField known) => 1u << (int)known;

    /// <summary>The first value of a known field; false when there is none.</summary>
    public bool TryGet(KnownField known, out ReadOnlySpan<byte> value)
    {
        if (Has(known))
        {
            for (int i = 0; i < _count; i++)
            {
                if (_slots[i].Known == known)
                {
                    value = _bytes.AsSpan(_slots[i].ValueStart, _slots[i].ValueLength);
                    return true;
                }
            }
        }
        value = default;
        return false;
    }

    /// <summary>The first value of the field called <paramref name="name"/>, compared without case; false when there is none.</summary>
    public bool TryGet(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        for (int i = 0; i < _count; i++)
        {
            ref readonly Slot s = ref _slots[i];
            if (s.NameLength == name.Length && Ascii.EqualsIgnoreCase(_bytes.AsSpan(s.LineStart, s.NameLength), name))
            {
                value = _bytes.AsSpan(s.ValueStart, s.ValueLength);
                return true;
            }
        }
        value = default;
        return false;
    }

    /// <summary>How many field lines have that name.</summary>
    public int CountOf(KnownField known)
    {
        int n = 0;
        for (int i = 0; i < _count; i++)
        {
            if (_slots[i].Known == known) n++;
        }
        return n;
    }

    /// <summary>
    /// Whether a comma-separated list field (RFC 9110 §5.6.1) has <paramref name="token"/>, in any of its lines,
    /// compared without case.
    /// </summary>
    public bool HasToken(KnownField known, ReadOnlySpan<byte> token)
    {
        if (!Has(known)) return false;
        for (int i = 0; i < _count; i++)
        {
            if (_slots[i].Known == known && ListHas(_bytes.AsSpan(_slots[i].ValueStart, _slots[i].ValueLength), token)) return true;
        }
        return false;
    }

    internal static bool ListHas(ReadOnlySpan<byte> list, ReadOnlySpan<byte> token)
    {
        while (true)
        {
            int comma = list.IndexOf((byte)',');
            ReadOnlySpan<byte> item = (comma < 0 ? list : list[..comma]).Trim(" \t"u8);
            if (Ascii.EqualsIgnoreCase(item, token)) return true;
            if (comma < 0) return false;
            list = list[(comma + 1)..];
        }
    }

    /// <summary>Members of the Connection field's lists so far, empty ones included.</summary>
    internal int ConnectionOptions { get; set; }

    internal void Clear()
    {
        ConnectionOptions = 0;
        _count = 0;
        _present = _repeated = 0;
    }

    /// <summary>The offsets that follow are into <paramref name="bytes"/>.</summary>
    internal void SetBytes(byte[] bytes) => _bytes = bytes;

    internal void Add(int lineStart, int nameLength, int valueStart, int valueLength, int lineEnd, KnownField known)
    {
        if (_count == _slots.Length) Array.Resize(ref _slots, _count * 2);
        ref Slot slot = ref _slots[_count++];
        slot.LineStart = lineStart;
        slot.NameLength = nameLength;
        slot.ValueStart = valueStart;
        slot.ValueLength = valueLength;
        slot.LineEnd = lineEnd;
        slot.Known = known;
        uint bit = Bit(known);
        _repeated |= _present & bit;
        _present |= bit;
    }

    private struct Slot
    {
        public int LineStart;
        public int NameLength;
        public int ValueStart;
        public int ValueLength;
        public int LineEnd;
        public KnownField Known;
    }
}

namespace Turbo.Tests.Fuzz.Reference;

internal enum InflateVerdict
{
    /// <summary>The bits so far are the beginning of DEFLATE data.</summary>
    Fine,
    Invalid,
    TooLarge,
}

/// <summary>
/// RFC 1951, bit by bit over the whole message, and what RFC 7692 makes of it: a message ends where the sender cut
/// 00 00 FF FF off, or after a final block.
/// </summary>
internal sealed class ReferenceInflate(byte[] data, List<byte> window, int windowSize, long maxBytes)
{
    private sealed class OutOfBitsException : Exception;

    private sealed class InvalidException : Exception;

    private sealed class TooLargeException : Exception;

    private static readonly OutOfBitsException s_outOfBits = new();
    private static readonly InvalidException s_invalid = new();
    private static readonly TooLargeException s_tooLarge = new();

    private static readonly int[] s_order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    private static readonly int[] s_lengthBase = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
    private static readonly int[] s_lengthBits = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
    private static readonly int[] s_distanceBase = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
    private static readonly int[] s_distanceBits = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];

    private readonly List<byte> _message = [];
    private int _bit;
    private bool _isFinal;

    public IReadOnlyList<byte> Message => _message;

    /// <summary>Whether the data so far may end a message.</summary>
    public bool MayEnd { get; private set; }

    public InflateVerdict Run()
    {
        try
        {
            while (true) Block();
        }
        catch (OutOfBitsException)
        {
            return InflateVerdict.Fine;
        }
        catch (InvalidException)
        {
            return InflateVerdict.Invalid;
        }
        catch (TooLargeException)
        {
            return InflateVerdict.TooLarge;
        }
    }

    private void Block()
    {
        if (_isFinal) ToOctet();
        MayEnd = data.Length == 0 || (_isFinal && _bit == data.Length * 8);
        int start = _bit;
        if (data.Length * 8 - start < 3) throw s_outOfBits;
        MayEnd = false;
        _isFinal = Bits(1) == 1;
        switch (Bits(2))
        {
            case 0:
                ToOctet();
                MayEnd = _bit == data.Length * 8;
                int length = Bits(16);
                MayEnd = false;
                if (Bits(16) != (length ^ 0xFFFF)) throw s_invalid;
                for (; length > 0; length--) Put((byte)Bits(8));
                return;
            case 1:
                Codes(Tree([.. Enumerable.Repeat(8, 144), .. Enumerable.Repeat(9, 112), .. Enumerable.Repeat(7, 24), .. Enumerable.Repeat(8, 8)], isSparse: false), Tree([.. Enumerable.Repeat(5, 32)], isSparse: false));
                return;
            case 2:
                Dynamic();
                return;
            default:
                throw s_invalid;
        }
    }

    private void Dynamic()
    {
        int literals = 257 + Bits(5), distances = 1 + Bits(5), count = 4 + Bits(4);
        if (literals > 286 || distances > 30) throw s_invalid;
        int[] lengths = new int[19];
        for (int i = 0; i < count; i++) lengths[s_order[i]] = Bits(3);
        Dictionary<(int, int), int> codeLengths = Tree(lengths, isSparse: false);
        lengths = new int[literals + distances];
        for (int i = 0; i < lengths.Length;)
        {
            int symbol = Symbol(codeLengths);
            if (symbol < 16)
            {
                lengths[i++] = symbol;
                continue;
            }
            int value = symbol == 16 ? (i == 0 ? throw s_invalid : lengths[i - 1]) : 0;
            int times = symbol switch { 16 => 3 + Bits(2), 17 => 3 + Bits(3), _ => 11 + Bits(7) };
            if (i + times > lengths.Length) throw s_invalid;
            while (times-- > 0) lengths[i++] = value;
        }
        if (lengths[256] == 0) throw s_invalid;
        Codes(Tree(lengths[..literals], isSparse: true), Tree(lengths[literals..], isSparse: true));
    }

    private void Codes(Dictionary<(int, int), int> literals, Dictionary<(int, int), int> distances)
    {
        while (true)
        {
            int symbol = Symbol(literals);
            if (symbol == 256) return;
            if (symbol < 256)
            {
                Put((byte)symbol);
                continue;
            }
            symbol -= 257;
            if (symbol >= s_lengthBase.Length) throw s_invalid;
            int length = s_lengthBase[symbol] + Bits(s_lengthBits[symbol]);
            symbol = Symbol(distances);
            if (symbol >= s_distanceBase.Length) throw s_invalid;
            int distance = s_distanceBase[symbol] + Bits(s_distanceBits[symbol]);
            if (distance > Math.Min(window.Count, windowSize)) throw s_invalid;
            int from = window.Count - distance;
            for (int i = 0; i < length; i++) Put(window[from + i], isChecked: i == length - 1);
        }
    }

    // RFC 1951 §3.2.2. Over-subscribed lengths are no code; incomplete ones only where one symbol, or none, is used.
    private static Dictionary<(int Length, int Code), int> Tree(int[] lengths, bool isSparse)
    {
        double space = lengths.Where(static l => l > 0).Sum(static l => Math.Pow(2, -l));
        int used = lengths.Count(static l => l > 0);
        if (space > 1 || (space < 1 && !(isSparse && (used == 0 || (used == 1 && lengths.Max() == 1))))) throw s_invalid;
        Dictionary<(int, int), int> tree = [];
        int code = 0;
        for (int length = 1; length <= 15; length++, code <<= 1)
        {
            for (int symbol = 0; symbol < lengths.Length; symbol++)
            {
                if (lengths[symbol] == length) tree[(length, code++)] = symbol;
            }
        }
        return tree;
    }

    private int Symbol(Dictionary<(int, int), int> tree)
    {
        int code = 0;
        for (int length = 1; length <= 15; length++)
        {
            code = code << 1 | Bits(1);
            if (tree.TryGetValue((length, code), out int symbol)) return symbol;
        }
        throw s_invalid;
    }

    // A match is counted when it is whole, as the limit is the message's and not the copy's.
    private void Put(byte value, bool isChecked = true)
    {
        window.Add(value);
        _message.Add(value);
        if (isChecked && _message.Count > maxBytes) throw s_tooLarge;
    }

    private void ToOctet() => _bit = (_bit + 7) & ~7;

    private int Bits(int count)
    {
        int value = 0;
        for (int i = 0; i < count; i++, _bit++)
        {
            if (_bit >= data.Length * 8) throw s_outOfBits;
            value |= (data[_bit >> 3] >> (_bit & 7) & 1) << i;
        }
        return value;
    }
}

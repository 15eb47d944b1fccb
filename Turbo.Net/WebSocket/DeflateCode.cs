namespace Turbo.Net.WebSocket;

/// <summary>
/// A Huffman code of DEFLATE (RFC 1951 §3.2.2): codes of up to <see cref="FastBits"/> bits by one look-up, longer ones
/// bit by bit.
/// </summary>
internal sealed class DeflateCode
{
    /// <summary>Not enough bits are there to tell.</summary>
    public const int NeedMore = -1;

    /// <summary>The bits are no code word.</summary>
    public const int Invalid = -2;

    private const int FastBits = 9;
    private const int MaxBits = 15;

    // symbol << 4 | length; 0 where the code word is longer, or none
    private readonly ushort[] _fast = new ushort[1 << FastBits];
    private readonly ushort[] _counts = new ushort[MaxBits + 1];
    private readonly ushort[] _symbols;

    public DeflateCode(int maxSymbols) => _symbols = new ushort[maxSymbols];

    /// <summary>Literals and lengths of a block with fixed codes (RFC 1951 §3.2.6).</summary>
    public static DeflateCode FixedLiterals { get; } = MakeFixedLiterals();

    /// <summary>Distances of a block with fixed codes.</summary>
    public static DeflateCode FixedDistances { get; } = MakeFixedDistances();

    /// <summary>
    /// Takes the code word length of each symbol, 0 where it has none. False when these are no code: more code words than
    /// the lengths allow; or fewer, unless it is one code word of one bit (or none, where <paramref name="mayBeSparse"/>).
    /// </summary>
    public bool TrySet(ReadOnlySpan<byte> lengths, bool mayBeSparse)
    {
        Array.Clear(_counts);
        foreach (byte length in lengths) _counts[length]++;
        int used = lengths.Length - _counts[0];
        _counts[0] = 0;
        int left = 1;
        Span<ushort> offsets = stackalloc ushort[MaxBits + 2];
        offsets[1] = 0;
        for (int length = 1; length <= MaxBits; length++)
        {
            left = (left << 1) - _counts[length];
            if (left < 0) return false;
            offsets[length + 1] = (ushort)(offsets[length] + _counts[length]);
        }
        if (left > 0 && !(mayBeSparse && (used == 0 || (used == 1 && _counts[1] == 1)))) return false;
        for (int symbol = 0; symbol < lengths.Length; symbol++)
        {
            if (lengths[symbol] != 0) _symbols[offsets[lengths[symbol]]++] = (ushort)symbol;
        }
        FillFast();
        return true;
    }

    /// <summary>Reads a symbol from the lowest bits; also <see cref="NeedMore"/> or <see cref="Invalid"/>.</summary>
    /// <param name="bits">The bits, 0 beyond <paramref name="available"/>.</param>
    /// <param name="available">How many bits there are.</param>
    /// <param name="length">The code word's length.</param>
    public int Read(ulong bits, int available, out int length)
    {
        ushort entry = _fast[(int)bits & ((1 << FastBits) - 1)];
        if (entry == 0) return ReadLong(bits, available, out length);
        length = entry & 15;
        return length <= available ? entry >> 4 : NeedMore;
    }

    // Code words of one length are consecutive numbers, and lie after all shorter ones (RFC 1951 §3.2.2).
    private int ReadLong(ulong bits, int available, out int length)
    {
        int code = 0, first = 0, index = 0;
        for (length = 1; length <= MaxBits; length++)
        {
            if (length > available) return NeedMore;
            code |= (int)(bits & 1);
            bits >>= 1;
            int count = _counts[length];
            if (code - first < count) return _symbols[index + code - first];
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        return Invalid;
    }

    private void FillFast()
    {
        Array.Clear(_fast);
        int code = 0, index = 0;
        for (int length = 1; length <= FastBits; length++)
        {
            for (int i = 0; i < _counts[length]; i++, code++)
            {
                ushort entry = (ushort)((_symbols[index++] << 4) | length);
                // Code words come with their highest bit first, the bits of a number with the lowest.
                for (int at = Reverse(code, length); at < _fast.Length; at += 1 << length) _fast[at] = entry;
            }
            code <<= 1;
        }
    }

    private static int Reverse(int code, int length)
    {
        int reversed = 0;
        for (int i = 0; i < length; i++, code >>= 1) reversed = (reversed << 1) | (code & 1);
        return reversed;
    }

    private static DeflateCode MakeFixedLiterals()
    {
        Span<byte> lengths = stackalloc byte[288];
        lengths[..144].Fill(8);
        lengths[144..256].Fill(9);
        lengths[256..280].Fill(7);
        lengths[280..].Fill(8);
        DeflateCode code = new(lengths.Length);
        code.TrySet(lengths, false);
        return code;
    }

    private static DeflateCode MakeFixedDistances()
    {
        Span<byte> lengths = stackalloc byte[32];
        lengths.Fill(5);
        DeflateCode code = new(lengths.Length);
        code.TrySet(lengths, false);
        return code;
    }
}

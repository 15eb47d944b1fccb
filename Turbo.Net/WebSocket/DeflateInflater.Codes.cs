namespace Turbo.Net.WebSocket;

/// <summary>Blocks with Huffman codes (RFC 1951 §3.2.3 to §3.2.7).</summary>
internal sealed partial class DeflateInflater
{
    private const int EndOfBlock = 256;
    private const int MaxLiterals = 286;
    private const int MaxDistances = 30;

    // The order in which the lengths of the code length code come (RFC 1951 §3.2.7).
    private static ReadOnlySpan<byte> CodeLengthOrder => [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

    // Symbols 257 to 285: the shortest match of each, and how many bits say how much longer it is (RFC 1951 §3.2.5).
    private static ReadOnlySpan<ushort> LengthBase =>
        [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];

    private static ReadOnlySpan<byte> LengthBits => [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];

    private static ReadOnlySpan<ushort> DistanceBase =>
        [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];

    private static ReadOnlySpan<byte> DistanceBits =>
        [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];

    private DeflateCode _literals = DeflateCode.FixedLiterals;
    private DeflateCode _distances = DeflateCode.FixedDistances;

    // Made for the first block with codes of its own.
    private Tables? _tables;
    private int _literalCount;
    private int _distanceCount;
    private int _codeLengthCount;
    private int _lengthsRead;

    private Step ReadCodeCounts(ref ReadOnlySpan<byte> input)
    {
        if (!TryHave(14, ref input)) return Step.NeedMore;
        _literalCount = 257 + TakeBits(5);
        _distanceCount = 1 + TakeBits(5);
        _codeLengthCount = 4 + TakeBits(4);
        if (_literalCount > MaxLiterals || _distanceCount > MaxDistances) return Step.Invalid;
        _tables ??= new Tables();
        Array.Clear(_tables.Lengths);
        _lengthsRead = 0;
        _state = State.CodeLengths;
        return Step.Continue;
    }

    private Step ReadCodeLengths(ref ReadOnlySpan<byte> input)
    {
        byte[] lengths = _tables!.Lengths;
        for (; _lengthsRead < _codeLengthCount; _lengthsRead++)
        {
            if (!TryHave(3, ref input)) return Step.NeedMore;
            lengths[CodeLengthOrder[_lengthsRead]] = (byte)TakeBits(3);
        }
        if (!_tables.CodeLengths.TrySet(lengths.AsSpan(0, CodeLengthOrder.Length), mayBeSparse: false)) return Step.Invalid;
        Array.Clear(lengths);
        _lengthsRead = 0;
        _state = State.SymbolLengths;
        return Step.Continue;
    }

    private Step ReadSymbolLengths(ref ReadOnlySpan<byte> input)
    {
        Span<byte> lengths = _tables!.Lengths.AsSpan(0, _literalCount + _distanceCount);
        while (_lengthsRead < lengths.Length)
        {
            if (_bitCount < 14) Refill(ref input);
            int symbol = _tables.CodeLengths.Read(_bits, _bitCount, out int used);
            if (symbol < 0) return symbol == DeflateCode.NeedMore ? Step.NeedMore : Step.Invalid;
            if (symbol < 16)
            {
                DropBits(used);
                lengths[_lengthsRead++] = (byte)symbol;
                continue;
            }
            // 16 repeats the last length 3–6 times, 17 zero 3–10 times, 18 zero 11–138 times.
            (int extra, int least) = symbol switch { 16 => (2, 3), 17 => (3, 3), _ => (7, 11) };
            if (used + extra > _bitCount) return Step.NeedMore;
            DropBits(used);
            int times = least + TakeBits(extra);
            if (times > lengths.Length - _lengthsRead || (symbol == 16 && _lengthsRead == 0)) return Step.Invalid;
            byte repeated = symbol == 16 ? lengths[_lengthsRead - 1] : (byte)0;
            lengths.Slice(_lengthsRead, times).Fill(repeated);
            _lengthsRead += times;
        }
        // A block that could not end is refused before its data.
        if (lengths[EndOfBlock] == 0
            || !_tables.Literals.TrySet(lengths[.._literalCount], mayBeSparse: true)
            || !_tables.Distances.TrySet(lengths[_literalCount..], mayBeSparse: true)) return Step.Invalid;
        _literals = _tables.Literals;
        _distances = _tables.Distances;
        _state = State.Data;
        return Step.Continue;
    }

    private Step ReadData(ref ReadOnlySpan<byte> input)
    {
        while (true)
        {
            if (_bitCount < 48) Refill(ref input);
            if (!_window.HasRoom && !_window.TryMakeRoom()) return Step.TooLarge;
            int symbol = _literals.Read(_bits, _bitCount, out int used);
            if (symbol < EndOfBlock)
            {
                if (symbol < 0) return symbol == DeflateCode.NeedMore ? Step.NeedMore : Step.Invalid;
                DropBits(used);
                _window.Add((byte)symbol);
            }
            else if (symbol == EndOfBlock)
            {
                DropBits(used);
                _state = State.Header;
                return Step.Continue;
            }
            else
            {
                Step step = ReadMatch(symbol - EndOfBlock - 1, used);
                if (step != Step.Continue) return step;
            }
            if (_window.Length > _mostTaken) return Step.TooLarge;
        }
    }

    // Length and distance are taken together, or nothing of them.
    private Step ReadMatch(int symbol, int used)
    {
        if (symbol >= LengthBase.Length) return Step.Invalid;
        int lengthBits = LengthBits[symbol];
        if (used + lengthBits > _bitCount) return Step.NeedMore;
        int length = LengthBase[symbol] + Low(_bits >> used, lengthBits);
        used += lengthBits;

        symbol = _distances.Read(_bits >> used, _bitCount - used, out int distanceUsed);
        if (symbol < 0) return symbol == DeflateCode.NeedMore ? Step.NeedMore : Step.Invalid;
        if (symbol >= MaxDistances) return Step.Invalid;
        used += distanceUsed;
        int distanceBits = DistanceBits[symbol];
        if (used + distanceBits > _bitCount) return Step.NeedMore;
        int distance = DistanceBase[symbol] + Low(_bits >> used, distanceBits);
        DropBits(used + distanceBits);
        return _window.TryCopy(distance, length) ? Step.Continue : Step.Invalid;
    }

    private static int Low(ulong bits, int count) => (int)(bits & ((1UL << count) - 1));

    private sealed class Tables
    {
        public readonly byte[] Lengths = new byte[MaxLiterals + MaxDistances];
        public readonly DeflateCode CodeLengths = new(19);
        public readonly DeflateCode Literals = new(MaxLiterals);
        public readonly DeflateCode Distances = new(MaxDistances);
    }
}

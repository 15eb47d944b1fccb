using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Turbo.Net.Http1;

/// <summary>
/// Where a head's delimiters are: 64 bytes are judged at once, and a bit is kept for each that is no tchar, and one for each
/// that may not stand in a field value. A usual head is two or three such blocks, so that finding a name's or a line's end is
/// a shift and a count of zeros.
/// </summary>
/// <remarks>Reads only bytes of the span it was made of: each block lies within it.</remarks>
internal ref struct HeadScan
{
    /// <summary>The fewest bytes that can be scanned: one block.</summary>
    public const int BlockBytes = 64;

    private readonly ref byte _first;
    private readonly int _length;
    private int _block;
    private ulong _notToken;
    private ulong _notValue;

    /// <param name="input">At least <see cref="BlockBytes"/>.</param>
    public HeadScan(ReadOnlySpan<byte> input)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(input.Length, BlockBytes, nameof(input));
        _first = ref MemoryMarshal.GetReference(input);
        _length = input.Length;
        Load(0);
    }

    public static bool IsSupported => Avx2.IsSupported;

    /// <summary>The first byte at or after <paramref name="at"/> that is no tchar (RFC 9110 §5.6.2); -1 where there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int NotToken(int at)
    {
        Seek(at);
        ulong found = _notToken & (ulong.MaxValue << at);
        return found != 0 ? _block * BlockBytes + BitOperations.TrailingZeroCount(found) : NotTokenAfter();
    }

    /// <summary>The first byte at or after <paramref name="at"/> that is a CTL other than HTAB (RFC 9110 §5.5); -1 where there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int NotValue(int at)
    {
        Seek(at);
        ulong found = _notValue & (ulong.MaxValue << at);
        return found != 0 ? _block * BlockBytes + BitOperations.TrailingZeroCount(found) : NotValueAfter();
    }

    private int NotTokenAfter()
    {
        while (Load(_block + 1))
        {
            if (_notToken != 0) return _block * BlockBytes + BitOperations.TrailingZeroCount(_notToken);
        }
        return -1;
    }

    private int NotValueAfter()
    {
        while (Load(_block + 1))
        {
            if (_notValue != 0) return _block * BlockBytes + BitOperations.TrailingZeroCount(_notValue);
        }
        return -1;
    }

    // A position at the very end is in no block: then the last one stays, and has nothing at or after it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Seek(int at)
    {
        if (at / BlockBytes != _block && !Load(at / BlockBytes)) _notToken = _notValue = 0;
    }

    /// <summary>Judges a block; false where it would begin after the end.</summary>
    private bool Load(int block)
    {
        int left = _length - block * BlockBytes;
        if (left <= 0) return false;
        _block = block;
        // The last block ends with the input; what was judged before is shifted out.
        int missing = Math.Max(BlockBytes - left, 0);
        ref byte start = ref Unsafe.Add(ref _first, block * BlockBytes - missing);
        if (Avx512BW.IsSupported) Judge512(ref start);
        else Judge256(ref start);
        _notToken >>= missing;
        _notValue >>= missing;
        return true;
    }

    private void Judge512(ref byte start)
    {
        Vector512<byte> bytes = Vector512.LoadUnsafe(ref start);
        Vector512<byte> rows = Avx512BW.Shuffle(Vector512.Create(Rows), bytes & Vector512.Create((byte)0x0F));
        Vector512<byte> row = Avx512BW.Shuffle(Vector512.Create(RowBits), (bytes >>> 4) & Vector512.Create((byte)0x0F));
        _notToken = Vector512.Equals(rows & row, Vector512<byte>.Zero).ExtractMostSignificantBits();
        Vector512<byte> isControl = Vector512.LessThan(bytes, Vector512.Create((byte)0x20)) & ~Vector512.Equals(bytes, Vector512.Create((byte)'\t'));
        _notValue = (isControl | Vector512.Equals(bytes, Vector512.Create((byte)0x7F))).ExtractMostSignificantBits();
    }

    private void Judge256(ref byte start)
    {
        Judge256(ref start, out uint notToken, out uint notValue);
        Judge256(ref Unsafe.Add(ref start, Vector256<byte>.Count), out uint notTokenAbove, out uint notValueAbove);
        _notToken = notToken | (ulong)notTokenAbove << 32;
        _notValue = notValue | (ulong)notValueAbove << 32;
    }

    private static void Judge256(ref byte start, out uint notToken, out uint notValue)
    {
        Vector256<byte> bytes = Vector256.LoadUnsafe(ref start);
        Vector256<byte> rows = Avx2.Shuffle(Vector256.Create(Rows), bytes & Vector256.Create((byte)0x0F));
        Vector256<byte> row = Avx2.Shuffle(Vector256.Create(RowBits), (bytes >>> 4) & Vector256.Create((byte)0x0F));
        notToken = Vector256.Equals(rows & row, Vector256<byte>.Zero).ExtractMostSignificantBits();
        Vector256<byte> isControl = Vector256.LessThan(bytes, Vector256.Create((byte)0x20)) & ~Vector256.Equals(bytes, Vector256.Create((byte)'\t'));
        notValue = (isControl | Vector256.Equals(bytes, Vector256.Create((byte)0x7F))).ExtractMostSignificantBits();
    }

    // For each low half of a byte, the high halves with which it is a tchar: bit 2 is 0x2_, bit 7 is 0x7_.
    private static Vector128<byte> Rows => Vector128.Create((byte)0xE8, 0xFC, 0xF8, 0xFC, 0xFC, 0xFC, 0xFC, 0xFC, 0xF8, 0xF8, 0xF4, 0x54, 0xD0, 0x54, 0xF4, 0x70);

    // The bit of a high half; none from 0x80 on.
    private static Vector128<byte> RowBits => Vector128.Create((byte)1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0);
}

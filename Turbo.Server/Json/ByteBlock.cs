using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Turbo.Server.Json;

/// <summary>
/// 64 bytes looked at together, as the first stage of a vectorised JSON scan does: bit n of a mask tells of byte n. The
/// reference is to the first of 64 readable bytes.
/// </summary>
internal static class ByteBlock
{
    public const int Bytes = 64;

    /// <summary>Which bytes are <paramref name="value"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Equal(ref readonly byte block, byte value)
    {
        if (Vector512.IsHardwareAccelerated)
            return Vector512.Equals(Vector512.LoadUnsafe(in block), Vector512.Create(value)).ExtractMostSignificantBits();
        if (Vector256.IsHardwareAccelerated)
        {
            Vector256<byte> wanted = Vector256.Create(value);
            return Vector256.Equals(Vector256.LoadUnsafe(in block), wanted).ExtractMostSignificantBits()
                | (ulong)Vector256.Equals(Vector256.LoadUnsafe(in block, 32), wanted).ExtractMostSignificantBits() << 32;
        }
        Vector128<byte> each = Vector128.Create(value);
        return Vector128.Equals(Vector128.LoadUnsafe(in block), each).ExtractMostSignificantBits()
            | (ulong)Vector128.Equals(Vector128.LoadUnsafe(in block, 16), each).ExtractMostSignificantBits() << 16
            | (ulong)Vector128.Equals(Vector128.LoadUnsafe(in block, 32), each).ExtractMostSignificantBits() << 32
            | (ulong)Vector128.Equals(Vector128.LoadUnsafe(in block, 48), each).ExtractMostSignificantBits() << 48;
    }

    /// <summary>Which bytes are <paramref name="value"/>, which has bit 5 set, or the same without that bit: <c>{</c> and <c>[</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong EqualPair(ref readonly byte block, byte value)
    {
        const byte bit = 0x20;
        if (Vector512.IsHardwareAccelerated)
            return Vector512.Equals(Vector512.LoadUnsafe(in block) | Vector512.Create(bit), Vector512.Create(value)).ExtractMostSignificantBits();
        return Equal(in block, value) | Equal(in block, (byte)(value & ~bit));
    }

    /// <summary>Which bytes are no greater than <paramref name="most"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong AtMost(ref readonly byte block, byte most)
    {
        if (Vector512.IsHardwareAccelerated)
            return Vector512.LessThanOrEqual(Vector512.LoadUnsafe(in block), Vector512.Create(most)).ExtractMostSignificantBits();
        if (Vector256.IsHardwareAccelerated)
        {
            Vector256<byte> bound = Vector256.Create(most);
            return Vector256.LessThanOrEqual(Vector256.LoadUnsafe(in block), bound).ExtractMostSignificantBits()
                | (ulong)Vector256.LessThanOrEqual(Vector256.LoadUnsafe(in block, 32), bound).ExtractMostSignificantBits() << 32;
        }
        Vector128<byte> each = Vector128.Create(most);
        return Vector128.LessThanOrEqual(Vector128.LoadUnsafe(in block), each).ExtractMostSignificantBits()
            | (ulong)Vector128.LessThanOrEqual(Vector128.LoadUnsafe(in block, 16), each).ExtractMostSignificantBits() << 16
            | (ulong)Vector128.LessThanOrEqual(Vector128.LoadUnsafe(in block, 32), each).ExtractMostSignificantBits() << 32
            | (ulong)Vector128.LessThanOrEqual(Vector128.LoadUnsafe(in block, 48), each).ExtractMostSignificantBits() << 48;
    }

    /// <summary>Each bit is whether an odd number of bits is set up to and with its place: from marks to the spans between them.</summary>
    public static ulong PrefixXor(ulong bits)
    {
        for (int shift = 1; shift < Bytes; shift <<= 1) bits ^= bits << shift;
        return bits;
    }

    /// <summary>
    /// Which bytes a backslash before them escapes, where a run of backslashes escapes in pairs. After Lemire and Keiser,
    /// <i>Parsing Gigabytes of JSON per Second</i>, section 3.1.1.
    /// </summary>
    /// <param name="backslashes">Which bytes are backslashes.</param>
    /// <param name="isFirstEscaped">Whether the byte before the block escapes the first of it.</param>
    /// <param name="escapes">Which of the backslashes escape the byte after them.</param>
    public static ulong Escaped(ulong backslashes, bool isFirstEscaped, out ulong escapes)
    {
        const ulong oddBits = 0xAAAA_AAAA_AAAA_AAAA;
        ulong first = isFirstEscaped ? 1UL : 0;
        ulong candidates = backslashes & ~first;
        // A run that begins at an even place carries out of its odd places, and the other way round.
        ulong pairs = (((candidates << 1) | oddBits) - candidates) ^ oddBits;
        escapes = pairs & backslashes;
        return pairs ^ (backslashes | first);
    }
}

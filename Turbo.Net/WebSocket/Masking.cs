using System.Numerics;
using System.Runtime.InteropServices;

namespace Turbo.Net.WebSocket;

/// <summary>Masking and unmasking, which are the same (RFC 6455 §5.3): octet i is XORed with the key's octet i modulo 4.</summary>
internal static class Masking
{
    /// <summary>Masks in place.</summary>
    /// <param name="payload">A frame's payload or a piece of it.</param>
    /// <param name="key">The key's four octets in memory order.</param>
    /// <param name="offset">Where in the payload the piece begins.</param>
    public static void Apply(Span<byte> payload, uint key, long offset)
    {
        if (key == 0) return;
        int turn = (int)(offset & 3) * 8;
        // So that the octet due first lies first in memory.
        if (turn > 0) key = BitConverter.IsLittleEndian ? BitOperations.RotateRight(key, turn) : BitOperations.RotateLeft(key, turn);

        if (payload.Length >= Vector<byte>.Count)
        {
            Vector<byte> keys = Vector.AsVectorByte(new Vector<uint>(key));
            do
            {
                (new Vector<byte>(payload) ^ keys).CopyTo(payload);
                payload = payload[Vector<byte>.Count..];
            }
            while (payload.Length >= Vector<byte>.Count);
        }
        // A vector's width is a multiple of 4: the key needs no turning here.
        Span<uint> words = MemoryMarshal.Cast<byte, uint>(payload);
        for (int i = 0; i < words.Length; i++) words[i] ^= key;
        payload = payload[(words.Length * 4)..];
        ReadOnlySpan<byte> octets = MemoryMarshal.AsBytes(new ReadOnlySpan<uint>(in key));
        for (int i = 0; i < payload.Length; i++) payload[i] ^= octets[i];
    }
}

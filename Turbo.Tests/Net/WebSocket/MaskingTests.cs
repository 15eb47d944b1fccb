using System.Runtime.InteropServices;
using Turbo.Net.WebSocket;

namespace Turbo.Tests.Net.WebSocket;

/// <summary>RFC 6455 §5.3.</summary>
internal sealed class MaskingTests
{
    private static readonly byte[] s_key = [0x37, 0xFA, 0x21, 0x3D];

    [Test]
    public void The_example_of_the_RFC()
    {
        byte[] payload = [0x7F, 0x9F, 0x4D, 0x51, 0x58];
        Masking.Apply(payload, MemoryMarshal.Read<uint>(s_key), 0);
        Assert.That(payload, Is.EqualTo("Hello"u8.ToArray()));
    }

    [Test]
    public void Every_length_start_and_offset()
    {
        byte[] source = new byte[300];
        new Random(1).NextBytes(source);
        uint key = MemoryMarshal.Read<uint>(s_key);
        for (int start = 0; start < 9; start++)
        {
            for (int length = 0; length < source.Length - start; length++)
            {
                for (int offset = 0; offset < 5; offset++)
                {
                    byte[] masked = [.. source];
                    Masking.Apply(masked.AsSpan(start, length), key, offset);
                    for (int i = 0; i < source.Length; i++)
                    {
                        bool isWithin = i >= start && i < start + length;
                        byte expected = isWithin ? (byte)(source[i] ^ s_key[(offset + i - start) % 4]) : source[i];
                        if (masked[i] != expected) Assert.Fail($"start {start}, length {length}, offset {offset}: octet {i}");
                    }
                }
            }
        }
    }

    [Test]
    public void An_offset_beyond_32_bits()
    {
        byte[] payload = [0, 0, 0, 0, 0];
        Masking.Apply(payload, MemoryMarshal.Read<uint>(s_key), (1L << 40) + 3);
        Assert.That(payload, Is.EqualTo(new byte[] { s_key[3], s_key[0], s_key[1], s_key[2], s_key[3] }));
    }

    [Test]
    public void A_key_of_zeros_changes_nothing()
    {
        byte[] payload = [1, 2, 3];
        Masking.Apply(payload, 0, 1);
        Assert.That(payload, Is.EqualTo(new byte[] { 1, 2, 3 }));
    }
}

using System.Buffers.Binary;
using System.Text;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.WebSocket;

/// <summary>A frame as a test writes it, and as it reads what came. Written here by hand, not with the code under test.</summary>
internal sealed record Frame(int Opcode, byte[] Payload, bool IsFinal = true, int Reserved = 0)
{
    public const int ContinuationOpcode = 0, TextOpcode = 1, BinaryOpcode = 2, CloseOpcode = 8, PingOpcode = 9, PongOpcode = 10;

    private static readonly byte[] s_key = [0x37, 0xFA, 0x21, 0x3D];

    public static Frame Text(string text, bool isFinal = true) => new(TextOpcode, Encoding.UTF8.GetBytes(text), isFinal);

    public static Frame Binary(byte[] payload, bool isFinal = true) => new(BinaryOpcode, payload, isFinal);

    public static Frame More(string text, bool isFinal = false) => new(ContinuationOpcode, Segmented.Bytes(text), isFinal);

    public static Frame Ping(string payload = "") => new(PingOpcode, Segmented.Bytes(payload));

    public static Frame Pong(string payload = "") => new(PongOpcode, Segmented.Bytes(payload));

    public static Frame Close() => new(CloseOpcode, []);

    public static Frame Close(int code, string reason = "") => new(CloseOpcode, [(byte)(code >> 8), (byte)code, .. Encoding.UTF8.GetBytes(reason)]);

    /// <summary>As a client sends it.</summary>
    public byte[] Masked(byte[]? key = null)
    {
        key ??= s_key;
        byte[] masked = [.. Payload];
        for (int i = 0; i < masked.Length; i++) masked[i] ^= key[i % 4];
        return [.. Header(0x80), .. key, .. masked];
    }

    public byte[] Unmasked() => [.. Header(0), .. Payload];

    public byte[] Header(byte mask)
    {
        byte first = (byte)(Opcode | (IsFinal ? 0x80 : 0) | (Reserved << 4));
        if (Payload.Length < 126) return [first, (byte)(mask | Payload.Length)];
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(length, Payload.Length);
        return Payload.Length < 65536 ? [first, (byte)(mask | 126), .. length[6..]] : [first, (byte)(mask | 127), .. length];
    }

    /// <summary>Takes a server's frame off the front of <paramref name="wire"/>; null when it is not all there.</summary>
    public static Frame? Take(ref ReadOnlySpan<byte> wire)
    {
        if (wire.Length < 2) return null;
        Assert.That(wire[1] & 0x80, Is.Zero, "a server's frame is masked");
        int length = wire[1], header = 2;
        if (length == 126)
        {
            if (wire.Length < 4) return null;
            length = BinaryPrimitives.ReadUInt16BigEndian(wire[2..]);
            header = 4;
            Assert.That(length, Is.GreaterThanOrEqualTo(126), "a length in more octets than it needs");
        }
        else if (length == 127)
        {
            if (wire.Length < 10) return null;
            length = checked((int)BinaryPrimitives.ReadInt64BigEndian(wire[2..]));
            header = 10;
            Assert.That(length, Is.GreaterThanOrEqualTo(65536), "a length in more octets than it needs");
        }
        if (wire.Length < header + length) return null;
        Frame frame = new(wire[0] & 0x0F, wire.Slice(header, length).ToArray(), (wire[0] & 0x80) != 0, (wire[0] >> 4) & 7);
        wire = wire[(header + length)..];
        return frame;
    }

    /// <summary>All frames of <paramref name="wire"/>, as text; bytes that are no whole frame fail the test.</summary>
    public static string Show(ReadOnlySpan<byte> wire)
    {
        List<Frame> frames = [];
        while (Take(ref wire) is { } frame) frames.Add(frame);
        Assert.That(wire.Length, Is.Zero, "octets that are no whole frame");
        return string.Join(" | ", frames);
    }

    /// <summary>Such as "text Hello", "close 1000 bye", "binary[5]", with "…" for a frame that is not final.</summary>
    public override string ToString()
    {
        string reserved = Reserved == 0 ? "" : $"rsv{Reserved} ";
        string name = Opcode switch
        {
            ContinuationOpcode => Named("more", Segmented.Show(Payload, 64)),
            TextOpcode => Payload.Length > 64 ? $"text[{Payload.Length}]" : Named("text", Encoding.UTF8.GetString(Payload)),
            BinaryOpcode => $"binary[{Payload.Length}]",
            CloseOpcode when Payload.Length < 2 => Payload.Length == 0 ? "close" : "close with half a code",
            CloseOpcode => $"close {Named($"{BinaryPrimitives.ReadUInt16BigEndian(Payload)}", Encoding.UTF8.GetString(Payload[2..]))}",
            PingOpcode => Named("ping", Segmented.Show(Payload)),
            PongOpcode => Named("pong", Segmented.Show(Payload)),
            _ => $"opcode{Opcode}",
        };
        return reserved + name + (IsFinal ? "" : "…");
    }

    private static string Named(string name, string detail) => detail.Length == 0 ? name : name + " " + detail;
}

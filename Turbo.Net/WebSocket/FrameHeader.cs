using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Turbo.Net.Http1;

namespace Turbo.Net.WebSocket;

/// <summary>What a frame is (RFC 6455 §5.2); 3–7 and 11–15 are reserved.</summary>
internal enum Opcode : byte
{
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// <summary>What the receiver of a frame holds it to.</summary>
[Flags]
internal enum FrameRules : byte
{
    None = 0,
    /// <summary>From a client: every frame is masked. Without it, none may be (RFC 6455 §5.1).</summary>
    Masked = 1,
    /// <summary>permessage-deflate was negotiated: RSV1 may mark the first frame of a message (RFC 7692 §6).</summary>
    Rsv1 = 2,
    /// <summary>A fragmented message is unfinished: its continuation must come before another message (RFC 6455 §5.4).</summary>
    InMessage = 4,
}

/// <summary>
/// A frame's header (RFC 6455 §5.2). Each octet is judged as soon as it is there: what is not acceptable is refused
/// without waiting for the rest of the header or for the payload. Every refusal is a protocol error (1002).
/// <code>
///   FIN RSV1-3 opcode(4) | MASK length(7) | extended length (0, 2 or 8 octets) | masking-key (0 or 4 octets)
/// </code>
/// </summary>
internal readonly struct FrameHeader
{
    /// <summary>The longest header: 2 octets, 8 of length, 4 of masking-key.</summary>
    public const int MaxBytes = 14;

    /// <summary>The most payload of a control frame (RFC 6455 §5.5).</summary>
    public const int MaxControlBytes = 125;

    private const byte FinBit = 0x80;
    private const byte Rsv1Bit = 0x40;
    private const byte Rsv23Bits = 0x30;
    private const byte MaskBit = 0x80;

    public FrameHeader(Opcode opcode, long payloadLength, bool isFinal = true, bool isCompressed = false)
    {
        Opcode = opcode;
        PayloadLength = payloadLength;
        IsFinal = isFinal;
        IsCompressed = isCompressed;
    }

    public Opcode Opcode { get; private init; }

    public bool IsFinal { get; private init; }

    /// <summary>RSV1.</summary>
    public bool IsCompressed { get; private init; }

    public bool IsMasked { get; private init; }

    /// <summary>The masking-key's four octets in memory order, for <see cref="Masking"/>.</summary>
    public uint MaskingKey { get; private init; }

    public long PayloadLength { get; private init; }

    public bool IsControl => IsControlOpcode(Opcode);

    /// <summary>The same header with a masking-key.</summary>
    public FrameHeader Masked(uint key) => this with { IsMasked = true, MaskingKey = key };

    /// <summary>Reads a header from the first octet of <paramref name="input"/>; <paramref name="consumed"/> is its length when complete.</summary>
    public static ParseStatus Read(ReadOnlySpan<byte> input, FrameRules rules, out FrameHeader header, out int consumed)
    {
        header = default;
        consumed = 0;
        if (input.IsEmpty) return ParseStatus.NeedMore;
        byte first = input[0];
        Opcode opcode = (Opcode)(first & 0x0F);
        bool isFinal = (first & FinBit) != 0;
        if (!IsFirstOctetAllowed(first, opcode, isFinal, rules)) return ParseStatus.Rejected;

        if (input.Length < 2) return ParseStatus.NeedMore;
        byte second = input[1];
        bool isMasked = (second & MaskBit) != 0;
        if (isMasked != ((rules & FrameRules.Masked) != 0)) return ParseStatus.Rejected;
        long length = second & 0x7F;
        if (IsControlOpcode(opcode) && length > MaxControlBytes) return ParseStatus.Rejected;

        int at = 2;
        if (length >= 126)
        {
            int octets = length == 126 ? 2 : 8;
            ReadOnlySpan<byte> extended = input[2..];
            // The most significant bit must be 0 and the minimal number of octets used.
            if (octets == 8 && extended.Length > 0 && extended[0] > 0x7F) return ParseStatus.Rejected;
            if (extended.Length < octets) return ParseStatus.NeedMore;
            length = octets == 2 ? BinaryPrimitives.ReadUInt16BigEndian(extended) : BinaryPrimitives.ReadInt64BigEndian(extended);
            if (length <= (octets == 2 ? 125 : ushort.MaxValue)) return ParseStatus.Rejected;
            at += octets;
        }

        uint key = 0;
        if (isMasked)
        {
            if (input.Length < at + 4) return ParseStatus.NeedMore;
            key = MemoryMarshal.Read<uint>(input[at..]);
            at += 4;
        }
        header = new FrameHeader(opcode, length, isFinal, (first & Rsv1Bit) != 0) with { IsMasked = isMasked, MaskingKey = key };
        consumed = at;
        return ParseStatus.Complete;
    }

    /// <summary>Writes the header and gives its length, at most <see cref="MaxBytes"/>.</summary>
    public int Write(Span<byte> to)
    {
        to[0] = (byte)((byte)Opcode | (IsFinal ? FinBit : 0) | (IsCompressed ? Rsv1Bit : 0));
        byte mask = IsMasked ? MaskBit : (byte)0;
        int at;
        if (PayloadLength < 126)
        {
            to[1] = (byte)(mask | (byte)PayloadLength);
            at = 2;
        }
        else if (PayloadLength <= ushort.MaxValue)
        {
            to[1] = (byte)(mask | 126);
            BinaryPrimitives.WriteUInt16BigEndian(to[2..], (ushort)PayloadLength);
            at = 4;
        }
        else
        {
            to[1] = (byte)(mask | 127);
            BinaryPrimitives.WriteInt64BigEndian(to[2..], PayloadLength);
            at = 10;
        }
        if (!IsMasked) return at;
        MemoryMarshal.Write(to[at..], MaskingKey);
        return at + 4;
    }

    private static bool IsFirstOctetAllowed(byte first, Opcode opcode, bool isFinal, FrameRules rules)
    {
        if ((first & Rsv23Bits) != 0) return false;
        bool isStart = opcode is Opcode.Text or Opcode.Binary;
        if ((first & Rsv1Bit) != 0 && !(isStart && (rules & FrameRules.Rsv1) != 0)) return false;
        bool inMessage = (rules & FrameRules.InMessage) != 0;
        return opcode switch
        {
            Opcode.Text or Opcode.Binary => !inMessage,
            Opcode.Continuation => inMessage,
            // Control frames are not fragmented (RFC 6455 §5.5).
            Opcode.Close or Opcode.Ping or Opcode.Pong => isFinal,
            _ => false,
        };
    }

    private static bool IsControlOpcode(Opcode opcode) => opcode >= Opcode.Close;
}

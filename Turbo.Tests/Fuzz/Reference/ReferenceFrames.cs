using System.Buffers.Binary;

namespace Turbo.Tests.Fuzz.Reference;

/// <summary>
/// What an echo server on RFC 6455 and 7692 sends for a client's frames, from the octets as a whole: a line for each of
/// its frames. It is told at once what is wrong; a compressed message that cannot be, though, may be found out any time
/// until it ends, since a decompressor takes some octets at a time.
/// </summary>
internal sealed class ReferenceFrames(byte[] wire, bool isCompressed, bool isTakenOver, int windowSize, int maxMessageBytes)
{
    private List<byte> _window = [];
    private readonly List<string> _lines = [];
    private List<byte>? _message;
    private bool _isText, _isMessageCompressed;
    private long _messageBytes;
    private int _at;

    // Set when the message under way cannot be decompressed: what then comes, from this line on, may not come.
    private int _doomedFrom = -1;
    private string _doom = "";
    private bool _isDoomDue;

    /// <summary>Whether these lines are what such a server sends.</summary>
    public bool Matches(IReadOnlyList<string> sent)
    {
        while (TryFrame()) { }
        if (_doomedFrom < 0) return sent.SequenceEqual(_lines);
        if (sent.SequenceEqual(_lines) && !_isDoomDue) return true;
        return sent.Count > _doomedFrom && sent.Count <= _lines.Count + 1 && sent[^1] == _doom
            && sent.SkipLast(1).SequenceEqual(_lines.Take(sent.Count - 1));
    }

    public override string ToString() => string.Join('\n', _lines) + (_doomedFrom < 0 ? "" : $"\nor after {_doomedFrom} lines {_doom}");

    private bool TryFrame()
    {
        ReadOnlySpan<byte> rest = wire.AsSpan(_at);
        if (rest.IsEmpty) return false;
        // §5.2, octet by octet: each is judged with what is before it.
        int opcode = rest[0] & 15;
        bool isFinal = rest[0] >= 128, isControl = opcode >= 8, isFirst = opcode is 1 or 2;
        bool hasRsv1 = (rest[0] & 0x40) != 0;
        bool isKnown = opcode is 0 or 1 or 2 or 8 or 9 or 10;
        if ((rest[0] & 0x30) != 0 || !isKnown || (hasRsv1 && !(isCompressed && isFirst)) || (isControl && !isFinal)
            || (isFirst && _message is not null) || (opcode == 0 && _message is null)) return Fail(1002);
        if (rest.Length < 2) return false;
        int length7 = rest[1] & 127;
        if (rest[1] < 128 || (isControl && length7 > 125)) return Fail(1002);
        int octets = length7 switch { 126 => 2, 127 => 8, _ => 0 };
        if (octets == 8 && rest.Length > 2 && rest[2] >= 128) return Fail(1002);
        if (rest.Length < 2 + octets) return false;
        ulong length = octets switch { 2 => BinaryPrimitives.ReadUInt16BigEndian(rest[2..]), 8 => BinaryPrimitives.ReadUInt64BigEndian(rest[2..]), _ => (ulong)length7 };
        if (octets > 0 && length < (octets == 2 ? 126UL : 65536UL)) return Fail(1002);
        int header = 2 + octets + 4;
        if (rest.Length < header) return false;
        byte[] key = rest.Slice(2 + octets, 4).ToArray();
        byte[] payload = rest.Slice(header, (int)Math.Min(length, (ulong)(rest.Length - header))).ToArray();
        for (int i = 0; i < payload.Length; i++) payload[i] ^= key[i & 3];
        bool isWhole = (ulong)payload.Length == length;
        if (isControl)
        {
            if (!isWhole) return false;
            _at += header + payload.Length;
            return Control(opcode, payload);
        }

        if (isFirst)
        {
            _message = [];
            _isText = opcode == 1;
            _isMessageCompressed = hasRsv1;
            _messageBytes = 0;
        }
        long max = _isMessageCompressed ? maxMessageBytes + (maxMessageBytes >> 6) + 1024 : maxMessageBytes;
        if (length > (ulong)(max - _messageBytes)) return Fail(1009);
        _messageBytes += (long)length;
        _message!.AddRange(payload);
        _at += header + payload.Length;
        return Data(isWhole && isFinal) && isWhole;
    }

    private bool Control(int opcode, byte[] payload)
    {
        if (opcode == 9) _lines.Add(Line("pong", payload));
        if (opcode != 8) return true;
        if (payload.Length == 0) _lines.Add("close");
        else
        {
            int code = payload.Length == 1 ? 0 : BinaryPrimitives.ReadUInt16BigEndian(payload);
            // §7.4.1, the registry, §7.4.2
            if (code is not ((>= 1000 and <= 1003) or (>= 1007 and <= 1014) or (>= 3000 and <= 4999))) return Fail(1002);
            if (!ReferenceUtf8.IsText(ReferenceHead.Text(payload.AsSpan(2)))) return Fail(1007);
            _lines.Add(Line("close " + code, payload[2..]));
        }
        return false;
    }

    private bool Data(bool isEnd)
    {
        if (_doomedFrom >= 0)
        {
            _isDoomDue |= isEnd;
            return !isEnd;
        }
        byte[] content = [.. _message!];
        if (_isMessageCompressed && !Inflate(isEnd, ref content)) return !_isDoomDue;
        string octets = ReferenceHead.Text(content);
        if (_isText && !(isEnd ? ReferenceUtf8.IsText(octets) : ReferenceUtf8.IsBeginning(octets))) return _isMessageCompressed ? Doom(1007, isEnd) : Fail(1007);
        if (!isEnd) return true;
        _lines.Add(Line(_isText ? "text" : "binary", content));
        _message = null;
        return true;
    }

    // False where the message cannot be.
    private bool Inflate(bool isEnd, ref byte[] content)
    {
        List<byte> window = isTakenOver ? [.. _window] : [];
        ReferenceInflate inflate = new(content, window, windowSize, maxMessageBytes);
        InflateVerdict verdict = inflate.Run();
        content = [.. inflate.Message.Take(maxMessageBytes)];
        if (verdict == InflateVerdict.Fine && (!isEnd || inflate.MayEnd))
        {
            if (isEnd) _window = window;
            return true;
        }
        // What is no text is found out before it is too much.
        bool isText = !_isText || ReferenceUtf8.IsBeginning(ReferenceHead.Text(content));
        Doom(verdict == InflateVerdict.TooLarge && isText ? 1009 : 1007, isEnd);
        return false;
    }

    private bool Doom(int code, bool isDue)
    {
        _doomedFrom = _lines.Count;
        _doom = "close " + code + " 0 ";
        _isDoomDue = isDue;
        return !isDue;
    }

    private bool Fail(int code)
    {
        _lines.Add("close " + code + " 0 ");
        return false;
    }

    public static string Line(string name, ReadOnlySpan<byte> payload) => $"{name} {payload.Length} {ReferenceHead.Text(payload)}";
}

using System.Text.Unicode;

namespace Turbo.Net.WebSocket;

/// <summary>
/// Whether octets that arrive in pieces are UTF-8 (RFC 3629), told at the first octet that cannot be: no overlong form,
/// no surrogate, nothing above U+10FFFF (RFC 6455 §8.1).
/// </summary>
internal struct Utf8Check
{
    // Of a sequence that the pieces so far left unfinished: octets missing, and what the next one may be.
    private byte _missing;
    private byte _lowest;
    private byte _highest;

    /// <summary>Whether no sequence is unfinished: the text may end here.</summary>
    public readonly bool IsComplete => _missing == 0;

    /// <summary>Takes the next piece; false when the text is not, and cannot become, UTF-8.</summary>
    public bool Append(ReadOnlySpan<byte> piece)
    {
        if (_missing > 0 && !Continue(ref piece)) return false;
        if (piece.IsEmpty) return true;
        int whole = piece.Length - UnfinishedAtEnd(piece);
        if (!Utf8.IsValid(piece[..whole])) return false;
        piece = piece[whole..];
        if (piece.IsEmpty) return true;
        if (!Begin(piece[0])) return false;
        piece = piece[1..];
        return Continue(ref piece);
    }

    /// <summary>Forgets the text so far.</summary>
    public void Reset() => _missing = 0;

    private bool Continue(ref ReadOnlySpan<byte> piece)
    {
        while (_missing > 0 && !piece.IsEmpty)
        {
            byte b = piece[0];
            if (b < _lowest || b > _highest) return false;
            piece = piece[1..];
            _missing--;
            _lowest = 0x80;
            _highest = 0xBF;
        }
        return true;
    }

    // The second octet's range keeps out overlong forms, surrogates and what is above U+10FFFF.
    private bool Begin(byte lead)
    {
        (_missing, _lowest, _highest) = lead switch
        {
            >= 0xC2 and <= 0xDF => ((byte)1, (byte)0x80, (byte)0xBF),
            0xE0 => ((byte)2, (byte)0xA0, (byte)0xBF),
            0xED => ((byte)2, (byte)0x80, (byte)0x9F),
            >= 0xE1 and <= 0xEF => ((byte)2, (byte)0x80, (byte)0xBF),
            0xF0 => ((byte)3, (byte)0x90, (byte)0xBF),
            >= 0xF1 and <= 0xF3 => ((byte)3, (byte)0x80, (byte)0xBF),
            0xF4 => ((byte)3, (byte)0x80, (byte)0x8F),
            _ => default,
        };
        return _missing > 0;
    }

    // How many octets at the end begin a sequence that is longer than they are.
    private static int UnfinishedAtEnd(ReadOnlySpan<byte> piece)
    {
        for (int back = 1; back <= Math.Min(3, piece.Length); back++)
        {
            byte b = piece[^back];
            if (b < 0x80) return 0;
            if (b < 0xC0) continue;
            int length = b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : 2;
            return length > back ? back : 0;
        }
        return 0;
    }
}

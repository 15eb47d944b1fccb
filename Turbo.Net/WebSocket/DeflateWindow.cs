using System.Buffers;

namespace Turbo.Net.WebSocket;

/// <summary>
/// What was decompressed: the message so far, contiguous, behind as much of what came before as matches may refer to.
/// Rented memory that grows with what really comes out.
/// <code>
///   | forgotten | history, up to the window | handed out or gathered since Begin | room |
///               oldest                      start                                end
/// </code>
/// </summary>
internal struct DeflateWindow(int windowBits)
{
    /// <summary>The longest match (RFC 1951 §3.2.5).</summary>
    public const int MaxMatch = 258;

    private const int FirstBytes = 4096;

    private readonly int _size = 1 << windowBits;
    private byte[] _bytes = [];
    private int _oldest;
    private int _start;
    private int _end;

    /// <summary>What came out since <see cref="Begin"/>.</summary>
    public readonly ReadOnlyMemory<byte> Taken => _bytes.AsMemory(_start, _end - _start);

    /// <summary>How many bytes came out since <see cref="Begin"/>.</summary>
    public readonly int Length => _end - _start;

    /// <summary>The room after the end, at least <see cref="MaxMatch"/> after <see cref="TryMakeRoom"/>.</summary>
    public readonly Span<byte> Room => _bytes.AsSpan(_end);

    public readonly bool HasRoom => _bytes.Length - _end >= MaxMatch;

    /// <summary>Forgets what was taken, but for the history.</summary>
    public void Begin() => _start = _end;

    /// <summary>Gives the memory back, and with it the history.</summary>
    public void Release()
    {
        if (_bytes.Length > 0) ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
        _oldest = _start = _end = 0;
    }

    public void Add(byte literal) => _bytes[_end++] = literal;

    public void Add(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Room);
        _end += bytes.Length;
    }

    /// <summary>Repeats what lies <paramref name="distance"/> back; false when that is before the history.</summary>
    public bool TryCopy(int distance, int length)
    {
        if (distance > Math.Min(_end - _oldest, _size)) return false;
        Span<byte> from = _bytes.AsSpan(_end - distance);
        if (distance >= length)
        {
            from[..length].CopyTo(from[distance..]);
        }
        else if (distance == 1)
        {
            from.Slice(1, length).Fill(from[0]);
        }
        else
        {
            // The match reaches into what it makes.
            for (int i = 0; i < length; i++) from[distance + i] = from[i];
        }
        _end += length;
        return true;
    }

    /// <summary>Makes room for a match; false when an array could not hold it.</summary>
    public bool TryMakeRoom()
    {
        int live = Math.Max(_oldest, Math.Min(_start, _end - _size));
        int kept = _end - live;
        // Moved to the front where that frees half of it, else to twice the memory.
        if (kept <= _bytes.Length / 2 && _bytes.Length - kept >= MaxMatch)
        {
            _bytes.AsSpan(live, kept).CopyTo(_bytes);
        }
        else
        {
            if (kept > Array.MaxLength - MaxMatch) return false;
            int wanted = (int)Math.Min(Math.Max(2L * kept, FirstBytes), Array.MaxLength);
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(wanted, kept + MaxMatch));
            _bytes.AsSpan(live, kept).CopyTo(larger);
            if (_bytes.Length > 0) ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = larger;
        }
        _start -= live;
        _end -= live;
        _oldest = 0;
        return true;
    }
}

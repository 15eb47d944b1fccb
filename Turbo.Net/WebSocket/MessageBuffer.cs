using System.Buffers;

namespace Turbo.Net.WebSocket;

/// <summary>A message that comes in pieces, gathered in rented memory that grows with what really arrived.</summary>
internal struct MessageBuffer
{
    private const int FirstBytes = 4096;

    private byte[]? _bytes;
    private int _length;

    public readonly bool IsEmpty => _length == 0;

    public readonly ReadOnlyMemory<byte> Memory => _bytes.AsMemory(0, _length);

    /// <summary>Adds a piece; false when no array could hold it all.</summary>
    public bool TryAppend(ReadOnlySpan<byte> piece)
    {
        if (piece.Length > Array.MaxLength - _length) return false;
        if (piece.IsEmpty) return true;
        int needed = _length + piece.Length;
        if (_bytes is null || _bytes.Length < needed) Grow(needed);
        piece.CopyTo(_bytes.AsSpan(_length));
        _length = needed;
        return true;
    }

    /// <summary>Forgets the message and gives its memory back.</summary>
    public void Release()
    {
        if (_bytes is not null) ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = null;
        _length = 0;
    }

    private void Grow(int needed)
    {
        int doubled = (int)Math.Min(2L * (_bytes?.Length ?? 0), Array.MaxLength);
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(Math.Max(needed, FirstBytes), doubled));
        if (_bytes is not null)
        {
            _bytes.AsSpan(0, _length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_bytes);
        }
        _bytes = larger;
    }
}

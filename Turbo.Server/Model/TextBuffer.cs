using System.Buffers;
using System.Text;

namespace Turbo.Server.Model;

/// <summary>
/// UTF-8 text that grows in pooled arrays, so that a reused row is filled without allocating. One owner at a
/// time; not thread-safe.
/// </summary>
internal sealed class TextBuffer
{
    /// <summary>An array up to this size stays with the buffer when it is reset; a larger one goes back to the pool.</summary>
    private const int KeptBytes = 1024;

    private byte[] _bytes = [];

    public int Length { get; private set; }

    /// <summary>Bytes of memory held, used or not.</summary>
    public int HeldBytes => _bytes.Length;

    public ReadOnlySpan<byte> Span => _bytes.AsSpan(0, Length);

    /// <summary>The bytes in place, for whoever rewrites them (redaction, UTF-8 repair).</summary>
    public Span<byte> Writable => _bytes.AsSpan(0, Length);

    public void Append(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty)
            return;
        utf8.CopyTo(Room(utf8.Length));
        Length += utf8.Length;
    }

    /// <summary>Appends as much as fits in <paramref name="limit"/> bytes in all; the rest is left out.</summary>
    public void AppendUpTo(ReadOnlySpan<byte> utf8, int limit)
    {
        int left = limit - Length;
        if (left > 0)
            Append(utf8.Length <= left ? utf8 : utf8[..left]);
    }

    public void Append(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty)
            return;
        int most = text.Length <= KeptBytes / 3 ? Encoding.UTF8.GetMaxByteCount(text.Length) : Encoding.UTF8.GetByteCount(text);
        Length += Encoding.UTF8.GetBytes(text, Room(most));
    }

    public void Set(ReadOnlySpan<byte> utf8)
    {
        Length = 0;
        Append(utf8);
    }

    public void Set(ReadOnlySpan<char> text)
    {
        Length = 0;
        Append(text);
    }

    public void Truncate(int length) => Length = Math.Min(Length, length);

    public void Reset()
    {
        Length = 0;
        if (_bytes.Length <= KeptBytes)
            return;
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
    }

    public override string ToString() => Encoding.UTF8.GetString(Span);

    private Span<byte> Room(int more)
    {
        if (_bytes.Length - Length < more)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(Length + more, Math.Max(64, _bytes.Length * 2)));
            Span.CopyTo(larger);
            if (_bytes.Length > 0)
                ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = larger;
        }
        return _bytes.AsSpan(Length);
    }
}

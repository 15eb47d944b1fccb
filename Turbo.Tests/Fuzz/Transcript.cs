using System.Buffers.Text;

namespace Turbo.Tests.Fuzz;

/// <summary>
/// What a reader made of an input, in words, to be compared with what it made of the same bytes otherwise cut and with
/// what a reference makes of them. Reused from run to run.
/// </summary>
internal sealed class Transcript
{
    private byte[] _bytes = new byte[1024];
    private int _length;

    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _length);

    public Transcript Clear()
    {
        _length = 0;
        return this;
    }

    public Transcript Add(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Room(bytes.Length));
        _length += bytes.Length;
        return this;
    }

    /// <summary>Characters as octets (Latin-1).</summary>
    public Transcript Add(string text)
    {
        Span<byte> room = Room(text.Length);
        for (int i = 0; i < text.Length; i++) room[i] = (byte)text[i];
        _length += text.Length;
        return this;
    }

    public Transcript Add(long number)
    {
        Utf8Formatter.TryFormat(number, Room(20), out int written);
        _length += written;
        return this;
    }

    /// <summary>A line with a name and bytes, whose length tells where they end.</summary>
    public Transcript Line(string name, ReadOnlySpan<byte> value) => Add(name).Add(" ").Add(value.Length).Add(" ").Add(value).Add("\n");

    public Transcript Line(string name, string value) => Add(name).Add(" ").Add(value.Length).Add(" ").Add(value).Add("\n");

    public Transcript Line(string name, long value) => Add(name).Add(" ").Add(value).Add("\n");

    public Transcript Line(string words) => Add(words).Add("\n");

    public bool StartsWith(ReadOnlySpan<byte> words) => Bytes.StartsWith(words);

    /// <summary>Keeps the first <paramref name="length"/> bytes.</summary>
    public void Cut(int length) => _length = length;

    public override string ToString() => Escaped.Write(Bytes).Replace("\\n", "\n", StringComparison.Ordinal);

    private Span<byte> Room(int bytes)
    {
        if (_bytes.Length - _length < bytes) Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + bytes));
        return _bytes.AsSpan(_length);
    }
}

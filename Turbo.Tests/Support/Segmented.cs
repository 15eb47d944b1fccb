using System.Buffers;
using System.Text;

namespace Turbo.Tests.Support;

/// <summary>The same bytes in every way that a network may deliver them.</summary>
internal static class Segmented
{
    /// <summary>Latin-1, so that a test's literal can hold any byte.</summary>
    public static byte[] Bytes(string wire)
    {
        // C#'s \x takes up to four digits: one that swallowed the next letter is no byte.
        if (wire.AsSpan().IndexOfAnyExceptInRange('\0', '\xff') is var at && at >= 0) throw new ArgumentException($"no byte: U+{(int)wire[at]:X4} at {at}");
        return Encoding.Latin1.GetBytes(wire);
    }

    /// <summary>Whole, byte by byte, cut in two at each offset, and byte by byte with empty segments between.</summary>
    public static IEnumerable<ReadOnlySequence<byte>> Every(string wire) => Every(Bytes(wire));

    public static IEnumerable<ReadOnlySequence<byte>> Every(byte[] wire)
    {
        yield return new ReadOnlySequence<byte>(wire);
        yield return Of([.. wire.Select(static b => new[] { b })]);
        for (int at = 1; at < wire.Length; at++) yield return Of(wire[..at], wire[at..]);
        yield return Of([[], .. wire.SelectMany(static b => new byte[][] { [b], [] })]);
    }

    public static ReadOnlySequence<byte> Of(params byte[][] pieces)
    {
        if (pieces.Length == 0) return ReadOnlySequence<byte>.Empty;
        Segment first = new(pieces[0], null);
        Segment last = first;
        foreach (byte[] piece in pieces.Skip(1)) last = new Segment(piece, last);
        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    /// <summary>
    /// The lengths received so far, as the bytes arrive: at once, byte by byte, and in two pieces cut at each offset.
    /// </summary>
    public static IEnumerable<int[]> Arrivals(int length)
    {
        yield return [length];
        yield return [.. Enumerable.Range(1, length)];
        for (int at = 1; at < length; at++) yield return [at, length];
    }

    /// <summary>Bytes as a test's literal writes them, for messages.</summary>
    public static string Show(ReadOnlySpan<byte> bytes, int max = 2000)
    {
        StringBuilder text = new();
        foreach (byte b in bytes.Length > max ? bytes[..max] : bytes)
        {
            text.Append(b switch
            {
                (byte)'\r' => "\\r",
                (byte)'\n' => "\\n",
                (byte)'\t' => "\\t",
                < 0x20 or > 0x7E => $"\\x{b:x2}",
                _ => ((char)b).ToString(),
            });
        }
        if (bytes.Length > max) text.Append($"… ({bytes.Length} bytes)");
        return text.ToString();
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(byte[] bytes, Segment? previous)
        {
            Memory = bytes;
            if (previous is null) return;
            RunningIndex = previous.RunningIndex + previous.Memory.Length;
            previous.Next = this;
        }
    }
}

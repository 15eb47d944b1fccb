using System.Buffers;

namespace Turbo.Tests.Fuzz;

/// <summary>Pieces of an input as the segments of a sequence, as a pipe would hold them.</summary>
internal sealed class Segments : ReadOnlySequenceSegment<byte>
{
    private Segments(ReadOnlyMemory<byte> memory, Segments? previous)
    {
        Memory = memory;
        if (previous is null) return;
        RunningIndex = previous.RunningIndex + previous.Memory.Length;
        previous.Next = this;
    }

    /// <summary>The bytes from <paramref name="start"/> to the last of <paramref name="ends"/>, in segments that end there.</summary>
    public static ReadOnlySequence<byte> Of(byte[] input, int start, ReadOnlySpan<int> ends)
    {
        Segments? first = null, last = null;
        foreach (int end in ends)
        {
            if (end <= start) continue;
            last = new Segments(input.AsMemory(start, end - start), last);
            first ??= last;
            start = end;
        }
        return first is null ? ReadOnlySequence<byte>.Empty : new ReadOnlySequence<byte>(first, 0, last!, last!.Memory.Length);
    }
}

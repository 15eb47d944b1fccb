using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Turbo.Server.Logging;

/// <summary>
/// A bounded queue of lines from many threads to one reader, without a lock and without allocation.
/// </summary>
/// <remarks>
/// <para>
/// A record is a four-byte header and its line, starting at a multiple of eight: header 0 is not yet published,
/// -1 skips to the end of the buffer, anything else is the line's length. A producer claims its place by moving
/// <c>Tail</c>, copies, then publishes by storing the header.
/// </para>
/// <para>
/// Invariant: outside [head, tail) the buffer is zero. So the reader clears what it has read before it moves
/// <c>Head</c>, and a claimed place reads as unpublished wherever the last lap's records began.
/// </para>
/// </remarks>
internal sealed class LogRing
{
    private const int HeaderBytes = sizeof(int);
    private const int Alignment = 8;
    private const int Skip = -1;

    private readonly byte[] _buffer;
    private readonly int _mask;
    private Positions _at;

    /// <summary>Each on a cache line of its own: one is written by producers, the other by the reader.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Positions
    {
        [FieldOffset(64)] public long Tail;
        [FieldOffset(192)] public long Head;
    }

    /// <param name="capacityBytes">A power of two.</param>
    public LogRing(int capacityBytes)
    {
        if (!BitOperations.IsPow2(capacityBytes) || capacityBytes < 64) throw new ArgumentOutOfRangeException(nameof(capacityBytes));
        _buffer = new byte[capacityBytes];
        _mask = capacityBytes - 1;
    }

    public int CapacityBytes => _buffer.Length;

    /// <summary>Bytes claimed and not yet read, headers included.</summary>
    public long UsedBytes => Volatile.Read(ref _at.Tail) - Volatile.Read(ref _at.Head);

    /// <summary>Copies the line in. False when it does not fit now; nothing is kept of it then.</summary>
    public bool TryWrite(ReadOnlySpan<byte> line)
    {
        if (line.IsEmpty || line.Length > _buffer.Length / 4) return false;
        int record = RecordBytes(line.Length);
        long tail;
        int skipped;
        do
        {
            tail = Volatile.Read(ref _at.Tail);
            int room = _buffer.Length - (int)(tail & _mask);
            skipped = record <= room ? 0 : room;
            if (tail + skipped + record - Volatile.Read(ref _at.Head) > _buffer.Length) return false;
        }
        while (Interlocked.CompareExchange(ref _at.Tail, tail + skipped + record, tail) != tail);

        if (skipped > 0) Volatile.Write(ref Header(tail), Skip);
        long start = tail + skipped;
        line.CopyTo(_buffer.AsSpan((int)(start & _mask) + HeaderBytes));
        Volatile.Write(ref Header(start), line.Length);
        return true;
    }

    /// <summary>
    /// Moves whole lines, oldest first, to the destination until it or the ring has no more; answers the bytes
    /// written. One thread at a time. A destination that takes a quarter of the capacity takes any line.
    /// </summary>
    public int Read(Span<byte> destination, out int lines)
    {
        int written = 0;
        lines = 0;
        long head = _at.Head;
        while (true)
        {
            int header = Volatile.Read(ref Header(head));
            if (header == 0) return written;
            int offset = (int)(head & _mask);
            int record = header == Skip ? _buffer.Length - offset : RecordBytes(header);
            if (header > 0)
            {
                if (header > destination.Length - written) return written;
                _buffer.AsSpan(offset + HeaderBytes, header).CopyTo(destination[written..]);
                written += header;
                lines++;
            }
            _buffer.AsSpan(offset, record).Clear();
            head += record;
            Volatile.Write(ref _at.Head, head);
        }
    }

    private static int RecordBytes(int lineBytes) => (HeaderBytes + lineBytes + Alignment - 1) & -Alignment;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref int Header(long position) => ref MemoryMarshal.Cast<byte, int>(_buffer.AsSpan((int)(position & _mask), HeaderBytes))[0];
}

using System.Collections.Concurrent;
using Turbo.Server.Model;

namespace Turbo.Server.Events;

/// <summary>
/// Rows that wait, and spare ones. Adding is one exchange on a linked list through the rows themselves; the one
/// reader takes the whole list.
/// </summary>
internal sealed class EventQueue
{
    /// <summary>Spare rows kept, at most; each keeps some small buffers.</summary>
    private const int SpareRows = 2048;

    private readonly ConcurrentQueue<EventRow> _spare = new();
    private EventRow? _last;
    private int _rows;
    private long _bytes;

    /// <summary>Rows added and not yet returned.</summary>
    public int Rows => Volatile.Read(ref _rows);

    /// <summary>Memory of these rows, as it was when they were added.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    public bool IsEmpty => Volatile.Read(ref _last) is null;

    public EventRow Rent() => _spare.TryDequeue(out EventRow? row) ? row : new EventRow();

    /// <summary>Adds a row; how many rows and bytes are now counted.</summary>
    public (int Rows, long Bytes) Add(EventRow row)
    {
        row.ChargedBytes = row.HeldBytes;
        long bytes = Interlocked.Add(ref _bytes, row.ChargedBytes);
        int rows = Interlocked.Increment(ref _rows);
        EventRow? last = Volatile.Read(ref _last);
        while (true)
        {
            row.Next = last;
            EventRow? seen = Interlocked.CompareExchange(ref _last, row, last);
            if (seen == last)
                return (rows, bytes);
            last = seen;
        }
    }

    /// <summary>Takes all waiting rows, oldest first; gives their bytes. They stay counted until returned.</summary>
    public long TakeAll(List<EventRow> into)
    {
        int start = into.Count;
        long bytes = 0;
        for (EventRow? row = Interlocked.Exchange(ref _last, null); row is not null; row = row.Next)
        {
            into.Add(row);
            bytes += row.ChargedBytes;
        }
        into.Reverse(start, into.Count - start);
        return bytes;
    }

    /// <summary>The row is done with: no longer counted, and spare.</summary>
    public void Return(EventRow row)
    {
        Interlocked.Add(ref _bytes, -row.ChargedBytes);
        Interlocked.Decrement(ref _rows);
        Discard(row);
    }

    /// <summary>A rented row that was never added.</summary>
    public void Discard(EventRow row)
    {
        row.Reset();
        if (_spare.Count < SpareRows)
            _spare.Enqueue(row);
    }
}

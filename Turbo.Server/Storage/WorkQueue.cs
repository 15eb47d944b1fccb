namespace Turbo.Server.Storage;

internal enum QueueOutcome { Added, Full, Closed }

/// <summary>
/// A bounded queue in front of dedicated threads: adding never waits, taking does. What was queued when the
/// queue closes is still handed out.
/// </summary>
internal sealed class WorkQueue<T>(int capacity) where T : class
{
    private readonly object _gate = new();
    private readonly Queue<T> _items = new();
    private bool _closed;

    /// <summary>Items that wait.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _items.Count;
        }
    }

    public QueueOutcome TryAdd(T item)
    {
        lock (_gate)
        {
            if (_closed)
                return QueueOutcome.Closed;
            if (_items.Count >= capacity)
                return QueueOutcome.Full;
            _items.Enqueue(item);
            Monitor.Pulse(_gate);
            return QueueOutcome.Added;
        }
    }

    /// <summary>Waits for work and takes up to <paramref name="most"/> items; false when closed and empty.</summary>
    public bool Take(List<T> into, int most)
    {
        lock (_gate)
        {
            while (_items.Count == 0)
            {
                if (_closed)
                    return false;
                Monitor.Wait(_gate);
            }
            while (into.Count < most && _items.TryDequeue(out T? item))
                into.Add(item);
            return true;
        }
    }

    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
            Monitor.PulseAll(_gate);
        }
    }
}

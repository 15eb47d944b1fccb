namespace Turbo.Net;

/// <summary>What a <see cref="ConnectionTable{T}"/> holds.</summary>
internal interface ITableEntry
{
    /// <summary>Where it stands in the table; the table's.</summary>
    int TableIndex { get; set; }
}

/// <summary>The open connections, or the handshakes. Locked when one opens or closes and on the server's tick, never for a request.</summary>
internal sealed class ConnectionTable<T> where T : class, ITableEntry
{
    private readonly Lock _lock = new();
    private readonly List<T> _open = [];
    private TaskCompletionSource? _empty;
    private int _count;

    public int Count => Volatile.Read(ref _count);

    public void Add(T connection)
    {
        lock (_lock)
        {
            connection.TableIndex = _open.Count;
            _open.Add(connection);
            Volatile.Write(ref _count, _open.Count);
        }
    }

    public void Remove(T connection)
    {
        TaskCompletionSource? empty = null;
        lock (_lock)
        {
            T last = _open[^1];
            _open[connection.TableIndex] = last;
            last.TableIndex = connection.TableIndex;
            _open.RemoveAt(_open.Count - 1);
            Volatile.Write(ref _count, _open.Count);
            if (_open.Count == 0) empty = _empty;
        }
        empty?.TrySetResult();
    }

    /// <summary>Calls <paramref name="action"/> for each open connection; it may end connections, also at once.</summary>
    public void ForEach(Action<T, long> action, long argument)
    {
        T[] open;
        int count;
        lock (_lock)
        {
            count = _open.Count;
            if (count == 0) return;
            open = System.Buffers.ArrayPool<T>.Shared.Rent(count);
            _open.CopyTo(open);
        }
        for (int i = 0; i < count; i++) action(open[i], argument);
        System.Buffers.ArrayPool<T>.Shared.Return(open, clearArray: true);
    }

    /// <summary>Completes when no connection is open.</summary>
    public Task WhenEmpty()
    {
        lock (_lock)
        {
            if (_open.Count == 0) return Task.CompletedTask;
            _empty ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _empty.Task;
        }
    }
}

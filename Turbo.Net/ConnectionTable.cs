using Turbo.Net.Http1;

namespace Turbo.Net;

/// <summary>The open connections. Locked when one opens or closes and on the server's tick, never for a request.</summary>
internal sealed class ConnectionTable
{
    private readonly Lock _lock = new();
    private readonly List<Http1Connection> _open = [];
    private TaskCompletionSource? _empty;
    private int _count;

    public int Count => Volatile.Read(ref _count);

    public void Add(Http1Connection connection)
    {
        lock (_lock)
        {
            connection.TableIndex = _open.Count;
            _open.Add(connection);
            Volatile.Write(ref _count, _open.Count);
        }
    }

    public void Remove(Http1Connection connection)
    {
        TaskCompletionSource? empty = null;
        lock (_lock)
        {
            Http1Connection last = _open[^1];
            _open[connection.TableIndex] = last;
            last.TableIndex = connection.TableIndex;
            _open.RemoveAt(_open.Count - 1);
            Volatile.Write(ref _count, _open.Count);
            if (_open.Count == 0) empty = _empty;
        }
        empty?.TrySetResult();
    }

    /// <summary>Calls <paramref name="action"/> for each open connection; it may end connections, also at once.</summary>
    public void ForEach(Action<Http1Connection, long> action, long argument)
    {
        Http1Connection[] open;
        int count;
        lock (_lock)
        {
            count = _open.Count;
            if (count == 0) return;
            open = System.Buffers.ArrayPool<Http1Connection>.Shared.Rent(count);
            _open.CopyTo(open);
        }
        for (int i = 0; i < count; i++) action(open[i], argument);
        System.Buffers.ArrayPool<Http1Connection>.Shared.Return(open, clearArray: true);
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

using System.Buffers;
using System.Collections.Concurrent;
using Turbo.Server.Json;
using Turbo.Server.Model;

namespace Turbo.Server.Events;

/// <summary>Stores a batch, all of it or nothing.</summary>
/// <param name="rows">The batch.</param>
/// <param name="isAtLeisure">Whether so little waits that whoever else wants the processor may go first, time and again.</param>
internal delegate Task EventSink(IReadOnlyList<EventRow> rows, bool isAtLeisure);

/// <summary>
/// Event rows from requests to the database and the topic <c>events</c>. A request fills a rented row and hands it in
/// without waiting; one task in the background cleans, publishes and stores what has gathered. While the database is
/// slow rows queue up to a bound, and then new requests wait (<see cref="WaitForRoomAsync"/>), for so long and no longer: a
/// request that finds no room is not done, so no row of one that was done is dropped.
/// </summary>
internal sealed class EventWriter : IAsyncDisposable
{
    /// <summary>The topic on which every event is published.</summary>
    public const string Topic = "events";

    // Rows cleaned and published before whoever else waits for the processor goes first.
    private const int RowsAtOnce = 8;

    private static readonly TimeSpan s_reportFullEvery = TimeSpan.FromSeconds(10);

    private readonly EventSink _sink;
    private readonly Func<Exception, bool> _isRowsFault;
    private readonly IEventBus _bus;
    private readonly EventWriterOptions _options;
    private readonly TimeProvider _time;
    private readonly Action<string, Exception?> _report;
    private readonly EventQueue _queue = new();
    private readonly EventIds _ids = new();
    private readonly EventText _text = new();
    private readonly ArrayBufferWriter<byte> _json = new();
    private readonly ConcurrentQueue<TaskCompletionSource> _flushes = new();
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly CancellationTokenSource _giveUp;
    private readonly Lock _gate = new();
    private readonly ITimer _timer;
    private readonly Task _running;
    private TaskCompletionSource? _room;
    private long? _reportedFull;
    private int _awake;
    private int _stopping;
    private int _held;
    private long _stored;
    private long _lost;

    /// <param name="sink">The store's insert.</param>
    /// <param name="isRowsFault">
    /// Whether a failure is due to a row, so that the others can be saved by trying halves; otherwise the whole
    /// batch is tried again until it succeeds.
    /// </param>
    /// <param name="bus">Where events are published.</param>
    /// <param name="options">Bounds.</param>
    /// <param name="time">The clock.</param>
    /// <param name="report">Told in words what an operator has to know.</param>
    public EventWriter(
        EventSink sink, Func<Exception, bool> isRowsFault, IEventBus bus, EventWriterOptions options,
        TimeProvider time, Action<string, Exception?> report)
    {
        _sink = sink;
        _isRowsFault = isRowsFault;
        _bus = bus;
        _options = options;
        _time = time;
        _report = report;
        _giveUp = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _timer = time.CreateTimer(static state => ((EventWriter)state!).WakeIfWaiting(), this, options.Interval, options.Interval);
        _running = Task.Run(RunAsync);
    }

    /// <summary>EVENT_BODIES: what <see cref="TextBuffer.AppendUpTo"/> is to be given for Request and Response.</summary>
    public int BodyBytes => _options.BodyBytes;

    /// <summary>Rows handed in and not yet stored.</summary>
    public int QueuedRows => _queue.Rows;

    /// <summary>Memory of these rows.</summary>
    public long QueuedBytes => _queue.Bytes;

    /// <summary>Rows stored so far.</summary>
    public long StoredRows => Volatile.Read(ref _stored);

    /// <summary>Rows that could not be stored: refused by the database one by one, or left when stopping timed out.</summary>
    public long LostRows => Volatile.Read(ref _lost);

    public bool HasRoom => _queue.Bytes < _options.QueueBytes && _queue.Rows < _options.QueueRows;

    /// <summary>An empty row; hand it in with <see cref="Submit"/> or back with <see cref="Discard"/>.</summary>
    public EventRow Rent() => _queue.Rent();

    /// <summary>Hands a completed row in; it is the writer's from here on. Never waits. Where it has no time of its making, that is now.</summary>
    public void Submit(EventRow row)
    {
        if (row.CreatedAt == default)
            row.CreatedAt = _time.GetUtcNow().UtcDateTime;
        (int rows, long bytes) = _queue.Add(row);
        // While it stops there is no timer any more.
        if (rows >= _options.BatchRows || bytes >= _options.BatchBytes || Volatile.Read(ref _stopping) != 0)
            Wake();
    }

    /// <summary>A row will be handed in later: stopping waits for it, as long as it goes on trying to store.</summary>
    public void BeginHold() => Interlocked.Increment(ref _held);

    /// <summary>It was handed in.</summary>
    public void EndHold()
    {
        Interlocked.Decrement(ref _held);
        if (Volatile.Read(ref _stopping) != 0)
            Wake();
    }

    /// <summary>Takes back a row that is not to be stored.</summary>
    public void Discard(EventRow row) => _queue.Discard(row);

    /// <summary>
    /// Completes at once, unless the queue is full: then when the database has caught up a little. False where it has not
    /// within <see cref="EventWriterOptions.RoomTimeout"/>: then the request is not to be done.
    /// </summary>
    public ValueTask<bool> WaitForRoomAsync(CancellationToken cancellation) =>
        HasRoom ? new ValueTask<bool>(true) : new ValueTask<bool>(WaitUntilRoomAsync(cancellation));

    /// <summary>Completes when every row handed in so far is stored (or lost).</summary>
    public Task FlushAsync()
    {
        var flush = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _flushes.Enqueue(flush);
        Wake();
        return Task.WhenAny(flush.Task, _running);
    }

    /// <summary>Stores what is queued and what is held, trying for <see cref="EventWriterOptions.StopTimeout"/> at most.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _stopping, 1) == 0)
        {
            _giveUp.Token.UnsafeRegister(static state => ((EventWriter)state!).Wake(), this);
            _giveUp.CancelAfter(_options.StopTimeout);
            await _timer.DisposeAsync();
            Wake();
        }
        await _running;
    }

    private void WakeIfWaiting()
    {
        if (!_queue.IsEmpty)
            Wake();
    }

    private void Wake()
    {
        // What was just handed in is to be seen by whoever puts _awake down, or _awake down seen here.
        Interlocked.MemoryBarrier();
        // Looked at first: while rows are being stored every request comes by here.
        if (Volatile.Read(ref _awake) == 0 && Interlocked.Exchange(ref _awake, 1) == 0)
            _wake.Release();
    }

    private async Task<bool> WaitUntilRoomAsync(CancellationToken cancellation)
    {
        long started = _time.GetTimestamp();
        while (true)
        {
            Task room;
            lock (_gate)
            {
                if (HasRoom)
                    return true;
                if (_room is null)
                {
                    _room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                    ReportFull();
                }
                room = _room.Task;
            }
            TimeSpan left = _options.RoomTimeout - _time.GetElapsedTime(started);
            if (left <= TimeSpan.Zero)
                return false;
            await room.WaitAsync(left, _time, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellation.ThrowIfCancellationRequested();
        }
    }

    /// <summary>The queue may fill again as soon as it has room: said once in a while, not each time.</summary>
    private void ReportFull()
    {
        long now = _time.GetTimestamp();
        if (_reportedFull is { } last && _time.GetElapsedTime(last, now) < s_reportFullEvery)
            return;
        _reportedFull = now;
        _report($"event rows fill their queue ({_queue.Rows} rows, {_queue.Bytes} bytes): requests wait for the database", null);
    }

    private async Task RunAsync()
    {
        var rows = new List<EventRow>();
        var flushes = new List<TaskCompletionSource>();
        while (true)
        {
            await _wake.WaitAsync();
            Interlocked.Exchange(ref _awake, 0);
            // Read before the rows are taken: what was handed in before then is among them.
            bool isLast = Volatile.Read(ref _stopping) != 0;
            while (_flushes.TryDequeue(out TaskCompletionSource? flush))
                flushes.Add(flush);
            // Where a batch and more waits, standing back would let it grow.
            bool isAtLeisure = _queue.TakeAll(rows) < _options.BatchBytes && rows.Count < _options.BatchRows;
            for (int i = 0; i < rows.Count; i++)
            {
                rows[i].Id = _ids.Next(rows[i].CreatedAt);
                Publish(rows[i]);
                if (isAtLeisure && i % RowsAtOnce == RowsAtOnce - 1)
                    BackgroundThread.StandBack();
            }
            await StoreAllAsync(rows, isAtLeisure);
            rows.Clear();
            foreach (TaskCompletionSource flush in flushes)
                flush.SetResult();
            flushes.Clear();
            if (!isLast)
                continue;
            // Looked at before the queue: what was held until then is in it.
            int held = Volatile.Read(ref _held);
            if (!_queue.IsEmpty)
            {
                Wake();
                continue;
            }
            if (held > 0 && _giveUp.IsCancellationRequested)
                Lose(held, "nobody completed before the server stopped", null);
            else if (held > 0)
                continue;
            return;
        }
    }

    private void Publish(EventRow row)
    {
        try
        {
            _text.Clean(row);
            if (!_bus.HasSubscribers(Topic))
                return;
            _json.ResetWrittenCount();
            EventJson.Write(_json, row);
            _bus.Publish(Topic, _json.WrittenSpan.ToArray());
        }
        // A bug of ours in one row's text must not end the task that stores all others. Whatever of the text was
        // not cleaned may hold a secret.
        catch (Exception e)
        {
            row.Params.Reset();
            row.Request.Reset();
            row.Response.Reset();
            _report("cleaning or publishing an event row failed", e);
        }
    }

    private async Task StoreAllAsync(List<EventRow> rows, bool isAtLeisure)
    {
        for (int start = 0; start < rows.Count;)
        {
            int count = 0;
            long bytes = 0;
            while (count < _options.BatchRows && start + count < rows.Count && (count == 0 || bytes < _options.BatchBytes))
                bytes += rows[start + count++].HeldBytes;
            await StoreAsync(rows.GetRange(start, count), isAtLeisure);
            for (int i = start; i < start + count; i++)
                _queue.Return(rows[i]);
            GiveRoom();
            start += count;
        }
    }

    private void GiveRoom()
    {
        lock (_gate)
        {
            if (_room is null || !HasRoom)
                return;
            _room.SetResult();
            _room = null;
        }
    }

    /// <summary>Stores the rows, however often that has to be tried; gives up only on a row that is refused alone, or when stopping times out.</summary>
    private async Task StoreAsync(List<EventRow> rows, bool isAtLeisure)
    {
        TimeSpan pause = _options.FirstPause;
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                await _sink(rows, isAtLeisure);
                Interlocked.Add(ref _stored, rows.Count);
                if (attempt > 1)
                    _report($"event rows are stored again, after {attempt} attempts", null);
                return;
            }
            catch (Exception e) when (_isRowsFault(e))
            {
                await StoreHalvesAsync(rows, isAtLeisure, e);
                return;
            }
            catch (Exception e)
            {
                if (_giveUp.IsCancellationRequested)
                {
                    Lose(rows.Count, "could not be stored before the server stopped", e);
                    return;
                }
                if (attempt == 1 || pause >= _options.LongestPause)
                    _report($"storing {rows.Count} event rows failed and will be tried again", e);
            }
            await PauseAsync(pause);
            pause = pause * 2 < _options.LongestPause ? pause * 2 : _options.LongestPause;
        }
    }

    private async Task StoreHalvesAsync(List<EventRow> rows, bool isAtLeisure, Exception e)
    {
        if (rows.Count == 1)
        {
            Lose(1, $"({rows[0].Id}) was refused by the database", e);
            return;
        }
        int half = rows.Count / 2;
        await StoreAsync(rows.GetRange(0, half), isAtLeisure);
        await StoreAsync(rows.GetRange(half, rows.Count - half), isAtLeisure);
    }

    private void Lose(int rows, string why, Exception? e)
    {
        Interlocked.Add(ref _lost, rows);
        _report($"LOST {rows} event row{(rows == 1 ? "" : "s")}, which {why}", e);
    }

    /// <summary>A pause that ends early when stopping times out.</summary>
    private Task PauseAsync(TimeSpan pause) =>
        Task.Delay(pause, _time, _giveUp.Token).ContinueWith(
            static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
}

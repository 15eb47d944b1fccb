namespace Turbo.Server.Logging;

/// <summary>
/// Takes finished lines from any thread and writes them to a stream from one of its own. Nobody waits for the stream:
/// lines that find the queue full are counted, and the count is written once the stream moves again.
/// </summary>
/// <remarks>
/// The thread is Parked when the queue was empty for a while: the next line wakes it. After a write it is Dozing for
/// some milliseconds and is woken only by a queue half full, so that under load a write carries many lines and a
/// producer never makes a system call.
/// </remarks>
internal sealed class LogWriter : IDisposable
{
    /// <summary>Default bound of the queue, and so of what a blocked stdout can hold back.</summary>
    public const int DefaultCapacityBytes = 1 << 20;

    private static readonly TimeSpan s_doze = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_retry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_stopWait = TimeSpan.FromSeconds(2);

    private const int Running = 0, Dozing = 1, Parked = 2;

    private readonly Stream _output;
    private readonly LogFormat _format;
    private readonly TimeProvider _time;
    private readonly LogRing _ring;
    private readonly byte[] _batch;
    private readonly AutoResetEvent _wake = new(false);
    private readonly Thread _thread;
    private long _lost;
    private long _lostEver;
    private int _state;
    private volatile bool _stopping;
    private bool _failed;

    public LogWriter(Stream output, LogFormat format, TimeProvider time, int capacityBytes = DefaultCapacityBytes)
    {
        _output = output;
        _format = format;
        _time = time;
        _ring = new LogRing(capacityBytes);
        _batch = new byte[Math.Max(capacityBytes / 4, LogLine.MaxBytes)];
        _thread = BackgroundThread.Start("log", Run);
    }

    public LogFormat Format => _format;

    public TimeProvider Time => _time;

    /// <summary>Lines that were not written and not yet reported.</summary>
    public long Lost => Volatile.Read(ref _lost);

    /// <summary>Lines that were not written, reported or not.</summary>
    public long LostEver => Volatile.Read(ref _lostEver);

    /// <summary>Queues one line, its newline included. Never waits.</summary>
    public void Write(ReadOnlySpan<byte> line)
    {
        if (_stopping || !_ring.TryWrite(line)) Lose(1);

        // TryWrite's exchange of the tail is a full fence before this load, and Run stores Parked before it looks at
        // the tail: so either this sees Parked or Run sees the line.
        int state = Volatile.Read(ref _state);
        if (state == Running || (state == Dozing && _ring.UsedBytes < _ring.CapacityBytes / 2)) return;
        if (Interlocked.CompareExchange(ref _state, Running, state) == state) _wake.Set();
    }

    /// <summary>Writes what is queued, for a bounded time: a stream that takes nothing does not hold up the exit.</summary>
    public void Dispose()
    {
        if (_stopping) return;
        _stopping = true;
        _wake.Set();
        if (_thread.Join(s_stopWait)) _wake.Dispose();
    }

    private void Run()
    {
        while (true)
        {
            bool last = _stopping;
            while (WriteBatch()) { }
            if (last)
            {
                // A line may be claimed and still being copied in: its thread waits for nothing, so it is there soon.
                if (_ring.UsedBytes == 0) return;
                Thread.Yield();
                continue;
            }

            Sleep(Dozing, _failed ? s_retry : s_doze);
            if (_ring.UsedBytes == 0 && Volatile.Read(ref _lost) == 0) Sleep(Parked, Timeout.InfiniteTimeSpan);
        }
    }

    private void Sleep(int state, TimeSpan atMost)
    {
        Interlocked.Exchange(ref _state, state);
        bool nothingCame = state == Dozing ? _ring.UsedBytes < _ring.CapacityBytes / 2 : _ring.UsedBytes == 0 && Volatile.Read(ref _lost) == 0;
        if (nothingCame && !_stopping) _wake.WaitOne(atMost);
        Interlocked.Exchange(ref _state, Running);
    }

    private bool WriteBatch()
    {
        int bytes = _ring.Read(_batch, out int lines);
        if (bytes > 0)
        {
            TryOutput(_batch.AsSpan(0, bytes), lines);
            return true;
        }
        if (Interlocked.Exchange(ref _lost, 0) is > 0 and long lost)
        {
            Span<byte> buffer = stackalloc byte[LogLine.MaxBytes];
            var line = new LogLine(buffer, _format, _time.GetUtcNow(), LogLevel.Warn);
            line.Message($"{lost} log lines were lost: the output did not take them in time");
            // When this one fails too, the count of the lost stands, plus none for the report itself.
            if (!TryOutput(line.End(), lines: 0)) Interlocked.Add(ref _lost, lost);
        }
        return false;
    }

    private bool TryOutput(ReadOnlySpan<byte> bytes, int lines)
    {
        try
        {
            _output.Write(bytes);
            _output.Flush();
            _failed = false;
            return true;
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or UnauthorizedAccessException)
        {
            // A full disk or a closed descriptor: there is nowhere to say so but here, in the count.
            Lose(lines);
            _failed = true;
            return false;
        }
    }

    private void Lose(int lines)
    {
        Interlocked.Add(ref _lost, lines);
        Interlocked.Add(ref _lostEver, lines);
    }
}

namespace Turbo.Server.Events;

/// <summary>
/// Deletes event rows older than EVENT_RETENTION: at the start and then every ten minutes, a few hundred at a time, so
/// that other writes get their turn between.
/// </summary>
internal sealed class EventRetention : IAsyncDisposable
{
    private const int ChunkRows = 500;
    private static readonly TimeSpan s_period = TimeSpan.FromMinutes(10);

    private readonly Func<DateTime, int, Task<int>> _deleteOlderThan;
    private readonly TimeSpan _age;
    private readonly TimeProvider _time;
    private readonly Action<string, Exception?> _report;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    /// <param name="deleteOlderThan">The store's delete: cutoff and most rows, to how many went.</param>
    /// <param name="age">EVENT_RETENTION.</param>
    /// <param name="time">The clock.</param>
    /// <param name="report">Told what failed; the next period tries again.</param>
    public EventRetention(
        Func<DateTime, int, Task<int>> deleteOlderThan, TimeSpan age, TimeProvider time, Action<string, Exception?> report)
    {
        _deleteOlderThan = deleteOlderThan;
        _age = age;
        _time = time;
        _report = report;
        _running = Task.Run(RunAsync);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        using var timer = new PeriodicTimer(s_period, _time);
        try
        {
            do
                await DeleteAsync();
            while (await timer.WaitForNextTickAsync(_stop.Token));
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Stopped while it waited: that is how it ends.
        }
    }

    private async Task DeleteAsync()
    {
        try
        {
            DateTime now = _time.GetUtcNow().UtcDateTime;
            if (now - DateTime.MinValue <= _age)
                return;
            while (!_stop.IsCancellationRequested && await _deleteOlderThan(now - _age, ChunkRows) == ChunkRows)
                await Task.Yield();
        }
        catch (Exception e)
        {
            _report("deleting old event rows failed", e);
        }
    }
}

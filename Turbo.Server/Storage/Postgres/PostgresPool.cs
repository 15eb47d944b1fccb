using Npgsql;

namespace Turbo.Server.Storage.Postgres;

/// <summary>
/// Runs work on pooled connections, on the thread pool. Work that met a lost connection is done again on a fresh one
/// where it is certain that nothing was stored, or where storing it twice is storing it once; never otherwise: an outcome
/// that nobody knows is told as a failure.
/// </summary>
internal sealed class PostgresPool : IAsyncDisposable
{
    /// <summary>The driver clears its pool when one connection turns out dead: what follows is a fresh one.</summary>
    private const int LostAttempts = 3;

    private const int RolledBackAttempts = 6;

    private readonly NpgsqlDataSource _source;
    private readonly int _limit;
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _running;
    private bool _closed;

    public PostgresPool(NpgsqlDataSource source, DbOptions options)
    {
        _source = source;
        _limit = options.Queue;
    }

    /// <summary>Work that waits for a connection or has one.</summary>
    public int Running => Volatile.Read(ref _running);

    /// <summary>Reads, on a connection in autocommit mode. May be done again.</summary>
    public Task<TResult> ReadAsync<TState, TResult>(TState state, Func<NpgsqlConnection, TState, Task<TResult>> read) =>
        Start(new Job<TState, TResult>(state, read, InTransaction: false, IsRepeatable: true));

    /// <summary>
    /// Writes, all or nothing. Where <paramref name="isRepeatable"/>, doing it twice stores and answers what once would,
    /// so it is done again even when the commit's answer was lost.
    /// </summary>
    public Task<TResult> WriteAsync<TState, TResult>(
        TState state, Func<NpgsqlConnection, TState, Task<TResult>> write, bool isRepeatable = false) =>
        Start(new Job<TState, TResult>(state, write, InTransaction: true, isRepeatable));

    /// <summary>Writes with one repeatable statement, which is a transaction by itself: one round trip.</summary>
    public Task<TResult> WriteOnceAsync<TState, TResult>(TState state, Func<NpgsqlConnection, TState, Task<TResult>> write) =>
        Start(new Job<TState, TResult>(state, write, InTransaction: false, IsRepeatable: true));

    /// <summary>Refuses new work, waits for what runs, and closes the connections.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            _closed = true;
            if (_running == 0)
                _idle.TrySetResult();
        }
        await _idle.Task;
        await _source.DisposeAsync();
    }

    private Task<TResult> Start<TState, TResult>(Job<TState, TResult> job)
    {
        lock (_gate)
        {
            if (_closed)
                return Task.FromException<TResult>(new StorageException(StorageFailure.Closed, "the database is closed"));
            if (_running >= _limit)
                return Task.FromException<TResult>(new StorageBusyException("too many database operations are waiting"));
            _running++;
        }
        // Neither the caller's thread, which may be a socket's, does the work, nor the database's socket what follows.
        var answer = new TaskCompletionSource<TResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        ThreadPool.UnsafeQueueUserWorkItem(static work => _ = work.Pool.RunAsync(work.Job, work.Answer),
            (Pool: this, Job: job, Answer: answer), preferLocal: false);
        return answer.Task;
    }

    /// <summary>Never throws: what fails is the answer.</summary>
    private async Task RunAsync<TState, TResult>(Job<TState, TResult> job, TaskCompletionSource<TResult> answer)
    {
        try
        {
            TResult result = await RepeatAsync(job);
            Finish();
            answer.SetResult(result);
        }
        catch (Exception e)
        {
            Finish();
            answer.SetException(e);
        }
    }

    private void Finish()
    {
        lock (_gate)
        {
            if (--_running == 0 && _closed)
                _idle.TrySetResult();
        }
    }

    private async Task<TResult> RepeatAsync<TState, TResult>(Job<TState, TResult> job)
    {
        for (int attempt = 1; ; attempt++)
        {
            var step = new Step();
            try
            {
                return await TryAsync(job, step);
            }
            catch (Exception e) when (PostgresErrors.From(e) is { } failure)
            {
                bool isCertain = !step.IsCommitting || job.IsRepeatable;
                bool again = PostgresErrors.IsRolledBack(e) ? attempt < RolledBackAttempts
                    : isCertain && PostgresErrors.IsLost(e, failure) && attempt < LostAttempts;
                if (!again)
                    throw failure;
            }
            // Those that met in a deadlock are to meet no more.
            if (attempt > 1)
                await Task.Delay(Random.Shared.Next(1, 5 << attempt));
        }
    }

    private async Task<TResult> TryAsync<TState, TResult>(Job<TState, TResult> job, Step step)
    {
        await using NpgsqlConnection connection = await _source.OpenConnectionAsync();
        if (!job.InTransaction)
            return await job.Work(connection, job.State);
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
        TResult result = await job.Work(connection, job.State);
        step.IsCommitting = true;
        await transaction.CommitAsync();
        return result;
    }

    private sealed record Job<TState, TResult>(
        TState State, Func<NpgsqlConnection, TState, Task<TResult>> Work, bool InTransaction, bool IsRepeatable);

    /// <summary>How far an attempt came.</summary>
    private sealed class Step
    {
        public bool IsCommitting { get; set; }
    }
}

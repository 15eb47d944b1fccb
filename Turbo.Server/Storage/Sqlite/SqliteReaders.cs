namespace Turbo.Server.Storage.Sqlite;

/// <summary>A few threads that read, each with its own connection, from one bounded queue.</summary>
internal sealed class SqliteReaders
{
    private readonly WorkQueue<SqliteJob> _queue;
    private readonly Task[] _stopped;

    public SqliteReaders(IReadOnlyList<SqliteSession> sessions, DbOptions options)
    {
        _queue = new WorkQueue<SqliteJob>(options.Queue);
        _stopped = new Task[sessions.Count];
        for (int i = 0; i < sessions.Count; i++)
        {
            SqliteSession session = sessions[i];
            var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _stopped[i] = stopped.Task;
            new Thread(() => Loop(session, stopped)) { IsBackground = true, Name = "sqlite reader" }.Start();
        }
    }

    public int Queued => _queue.Count;

    public Task<TResult> ReadAsync<TState, TResult>(TState state, Func<SqliteSession, TState, TResult> work) =>
        Queue(_queue, state, work, "reads");

    /// <summary>Refuses new reads, finishes the queued ones and closes the connections.</summary>
    public Task StopAsync()
    {
        _queue.Close();
        return Task.WhenAll(_stopped);
    }

    internal static Task<TResult> Queue<TState, TResult>(
        WorkQueue<SqliteJob> queue, TState state, Func<SqliteSession, TState, TResult> work, string what, bool isRelaxed = false)
    {
        var job = new SqliteJob<TState, TResult>(state, work) { IsRelaxed = isRelaxed };
        return queue.TryAdd(job) switch
        {
            QueueOutcome.Added => job.Answer,
            QueueOutcome.Full => Task.FromException<TResult>(new StorageBusyException($"too many {what} are waiting")),
            _ => Task.FromException<TResult>(new StorageException(StorageFailure.Closed, "the database is closed")),
        };
    }

    private void Loop(SqliteSession session, TaskCompletionSource stopped)
    {
        var jobs = new List<SqliteJob>(1);
        while (_queue.Take(jobs, 1))
        {
            SqliteJob job = jobs[0];
            jobs.Clear();
            try
            {
                job.Run(session);
            }
            catch (Exception e)
            {
                job.Fail(e);
                continue;
            }
            job.Succeed();
        }
        session.Dispose();
        stopped.SetResult();
    }
}

namespace Turbo.Server.Storage.Sqlite;

/// <summary>
/// The one thread that writes. Writes queued together share a transaction, each in a savepoint of its own, and
/// are answered once it is committed, so many callers share the cost of one sync. A transaction of relaxed writes alone
/// is not synced: it becomes durable with the next one that is, or when the log is folded into the file.
/// </summary>
internal sealed class SqliteWriter
{
    private readonly SqliteSession _session;
    private readonly WorkQueue<SqliteJob> _queue;
    private readonly int _grouped;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public SqliteWriter(SqliteSession session, DbOptions options)
    {
        _session = session;
        _queue = new WorkQueue<SqliteJob>(options.Queue);
        _grouped = options.GroupedWrites;
        BackgroundThread.Start("sqlite writer", Loop);
    }

    public int Queued => _queue.Count;

    /// <summary>Transactions committed so far; one may hold many writes.</summary>
    public long Commits { get; private set; }

    public Task<TResult> WriteAsync<TState, TResult>(TState state, Func<SqliteSession, TState, TResult> work) =>
        SqliteReaders.Queue(_queue, state, work, "writes");

    /// <summary>A write that is answered before it is synced (<see cref="SqliteJob.IsRelaxed"/>).</summary>
    public Task<TResult> WriteRelaxedAsync<TState, TResult>(TState state, Func<SqliteSession, TState, TResult> work) =>
        SqliteReaders.Queue(_queue, state, work, "writes", isRelaxed: true);

    /// <summary>Refuses new writes, finishes the queued ones and closes the connection.</summary>
    public Task StopAsync()
    {
        _queue.Close();
        return _stopped.Task;
    }

    private void Loop()
    {
        var jobs = new List<SqliteJob>(_grouped);
        while (_queue.Take(jobs, _grouped))
        {
            if (jobs.Count == 1 || !RunTogether(jobs))
                foreach (SqliteJob job in jobs)
                    RunAlone(job);
            jobs.Clear();
        }
        _session.Dispose();
        _stopped.SetResult();
    }

    /// <summary>False: nothing was stored and nobody answered, because the transaction as a whole failed.</summary>
    private bool RunTogether(List<SqliteJob> jobs)
    {
        Exception?[] failures = new Exception?[jobs.Count];
        try
        {
            _session.SyncsCommits = !jobs.TrueForAll(static job => job.IsRelaxed);
            _session.Execute("BEGIN IMMEDIATE");
            for (int i = 0; i < jobs.Count; i++)
            {
                _session.Execute("SAVEPOINT job");
                try
                {
                    jobs[i].Run(_session);
                }
                // Whatever a job throws is that job's answer; its neighbours go on.
                catch (Exception e) when (_session.InTransaction)
                {
                    failures[i] = e;
                    _session.Execute("ROLLBACK TO job");
                }
                _session.Execute("RELEASE job");
            }
            _session.Execute("COMMIT");
        }
        // The disk is full, the lock is held elsewhere, or SQLite gave the transaction up because of one job:
        // each job alone then meets its own fate.
        catch (Exception)
        {
            RollBack();
            return false;
        }
        Commits++;
        for (int i = 0; i < jobs.Count; i++)
        {
            if (failures[i] is { } failure)
                jobs[i].Fail(failure);
            else
                jobs[i].Succeed();
        }
        return true;
    }

    private void RunAlone(SqliteJob job)
    {
        try
        {
            _session.SyncsCommits = !job.IsRelaxed;
            _session.Execute("BEGIN IMMEDIATE");
            job.Run(_session);
            _session.Execute("COMMIT");
        }
        catch (Exception e)
        {
            RollBack();
            job.Fail(e);
            return;
        }
        Commits++;
        job.Succeed();
    }

    private void RollBack()
    {
        if (!_session.InTransaction)
            return;
        try
        {
            _session.Execute("ROLLBACK");
        }
        catch (StorageException)
        {
            // The disk again, most likely. The caller is answered with the failure that led here; the next write
            // finds the transaction still open, fails, and comes back here first.
        }
    }
}

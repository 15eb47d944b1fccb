namespace Turbo.Server.Storage.Sqlite;

/// <summary>Work for a storage thread. A write may run more than once before it is answered, never after.</summary>
internal abstract class SqliteJob
{
    /// <summary>
    /// Whether its answer may come before it is sure to survive the loss of power. It survives the end of the process in
    /// any case, and the file stays whole.
    /// </summary>
    public bool IsRelaxed { get; init; }

    /// <summary>Does the work; what it throws is its answer.</summary>
    public abstract void Run(SqliteSession session);

    public abstract void Succeed();

    public abstract void Fail(Exception e);
}

internal sealed class SqliteJob<TState, TResult>(TState state, Func<SqliteSession, TState, TResult> work) : SqliteJob
{
    // The awaiting caller continues on the thread pool: the storage thread goes on to its next job.
    private readonly TaskCompletionSource<TResult> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TResult _result = default!;

    public Task<TResult> Answer => _answer.Task;

    public override void Run(SqliteSession session) => _result = work(session, state);

    public override void Succeed() => _answer.TrySetResult(_result);

    public override void Fail(Exception e) => _answer.TrySetException(e);
}

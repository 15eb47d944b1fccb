using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace Turbo.Net.Transport;

/// <summary>
/// Turns on the thread pool, so many at a time at most. A handshake takes one for each of its steps: the signature in it
/// takes a thousand times as long as a small request, and would hold up all connections of the socket thread it ran on,
/// as many at once would hold up the pool.
/// </summary>
internal sealed class HandshakeWork(int limit) : IThreadPoolWorkItem
{
    private readonly ConcurrentQueue<Action> _waiting = new();
    private int _running;

    /// <summary>Half of the processors: the rest of the server goes on beside a flood of handshakes.</summary>
    public static HandshakeWork Shared { get; } = new(Math.Max(1, Environment.ProcessorCount / 2));

    /// <summary>What follows <c>await</c> runs when it is its turn, and holds the turn until its next wait.</summary>
    public Turn TakeTurn() => new(this);

    void IThreadPoolWorkItem.Execute()
    {
        if (_waiting.TryDequeue(out Action? step)) step();
        if (!_waiting.IsEmpty)
        {
            // Behind what else the pool has to do.
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
            return;
        }
        Interlocked.Decrement(ref _running);
        // One that came before the decrement found no turn free.
        if (!_waiting.IsEmpty) Start();
    }

    private void Add(Action step)
    {
        _waiting.Enqueue(step);
        Start();
    }

    private void Start()
    {
        int running = Volatile.Read(ref _running);
        while (running < limit)
        {
            int before = Interlocked.CompareExchange(ref _running, running + 1, running);
            if (before == running)
            {
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
                return;
            }
            running = before;
        }
    }

    public readonly struct Turn(HandshakeWork work) : ICriticalNotifyCompletion
    {
        public bool IsCompleted => false;

        public Turn GetAwaiter() => this;

        public void GetResult() { }

        public void OnCompleted(Action continuation) => work.Add(continuation);

        public void UnsafeOnCompleted(Action continuation) => work.Add(continuation);
    }
}

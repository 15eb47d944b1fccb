using System.Collections.Concurrent;
using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;

namespace Turbo.Net;

/// <summary>
/// Builds an <c>async ValueTask</c> method whose suspended calls are kept and used again, as many as were suspended at once,
/// up to a bound (128 a thread and 1,024 for all threads, of each method): on a server's path, where each connection has a few. The runtime's own
/// <see cref="PoolingAsyncValueTaskMethodBuilder"/> keeps one a thread and one a processor, so that under more than two
/// connections at once nearly every call that suspends is an allocation.
/// <code>
/// [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder))]
/// private static async ValueTask HandleAsync(Exchange exchange) { … }
/// </code>
/// The value task must be awaited exactly once, as any. It knows nothing of <see cref="AsyncLocal{T}"/>: what it
/// sets there stays set for its caller, and after an await it sees what whoever completed that had set. Methods that it calls
/// keep theirs, and a handler begins with its connection's.
/// </summary>
[StructLayout(LayoutKind.Auto)]
public struct PooledValueTaskMethodBuilder
{
    private PooledValueTaskMethodBuilder<ValueTuple> _builder;

    /// <summary>The method's result, once it has begun.</summary>
    public readonly ValueTask Task => _builder.UntypedTask;

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public static PooledValueTaskMethodBuilder Create() => default;

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Start<TStateMachine>(ref TStateMachine stateMachine) where TStateMachine : IAsyncStateMachine => stateMachine.MoveNext();

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public readonly void SetStateMachine(IAsyncStateMachine stateMachine) => _builder.SetStateMachine(stateMachine);

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void SetResult() => _builder.SetResult(default);

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void SetException(Exception exception) => _builder.SetException(exception);

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void AwaitOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion where TStateMachine : IAsyncStateMachine =>
        _builder.AwaitOnCompleted(ref awaiter, ref stateMachine);

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion where TStateMachine : IAsyncStateMachine =>
        _builder.AwaitUnsafeOnCompleted(ref awaiter, ref stateMachine);
}

/// <inheritdoc cref="PooledValueTaskMethodBuilder"/>
[StructLayout(LayoutKind.Auto)]
public struct PooledValueTaskMethodBuilder<TResult>
{
    // Null until the method suspends or fails.
    private Call? _call;
    private TResult _result;

    /// <inheritdoc cref="PooledValueTaskMethodBuilder.Task"/>
    public readonly ValueTask<TResult> Task => _call is null ? new ValueTask<TResult>(_result) : new ValueTask<TResult>(_call, _call.Version);

    internal readonly ValueTask UntypedTask => _call is null ? default : new ValueTask(_call, _call.Version);

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public static PooledValueTaskMethodBuilder<TResult> Create() => default;

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Start<TStateMachine>(ref TStateMachine stateMachine) where TStateMachine : IAsyncStateMachine => stateMachine.MoveNext();

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public readonly void SetStateMachine(IAsyncStateMachine stateMachine) => ArgumentNullException.ThrowIfNull(stateMachine);

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void SetResult(TResult result)
    {
        if (_call is null) _result = result;
        else _call.SetResult(result);
    }

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void SetException(Exception exception)
    {
        (_call ??= new FailedCall()).SetException(exception);
    }

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void AwaitOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion where TStateMachine : IAsyncStateMachine =>
        awaiter.OnCompleted(CallOf(ref stateMachine).MoveNext);

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion where TStateMachine : IAsyncStateMachine =>
        awaiter.UnsafeOnCompleted(CallOf(ref stateMachine).MoveNext);

    private Call CallOf<TStateMachine>(ref TStateMachine stateMachine) where TStateMachine : IAsyncStateMachine
    {
        // From the second await on this builder is the one within the call.
        if (_call is not null) return _call;
        Call<TStateMachine> call = Call<TStateMachine>.Rent();
        // Before the state machine is copied, this builder with it.
        _call = call;
        call.StateMachine = stateMachine;
        return call;
    }

    /// <summary>A call that is suspended.</summary>
    private abstract class Call : IValueTaskSource<TResult>, IValueTaskSource
    {
        // Goes on where the caller goes on: inline, as the event loops do.
        private ManualResetValueTaskSourceCore<TResult> _core;

        public Action MoveNext { get; protected init; } = null!;

        public short Version => _core.Version;

        public void SetResult(TResult result) => _core.SetResult(result);

        public void SetException(Exception exception) => _core.SetException(exception);

        public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

        public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            _core.OnCompleted(continuation, state, token, flags);

        public TResult GetResult(short token)
        {
            try
            {
                return _core.GetResult(token);
            }
            finally
            {
                // A wrong token has thrown, and its call is somebody else's.
                if (token == _core.Version)
                {
                    _core.Reset();
                    Return();
                }
            }
        }

        void IValueTaskSource.GetResult(short token) => GetResult(token);

        protected abstract void Return();
    }

    /// <summary>A call that failed before it was suspended: exceptional, and not kept.</summary>
    private sealed class FailedCall : Call
    {
        protected override void Return()
        {
        }
    }

    private sealed class Call<TStateMachine> : Call where TStateMachine : IAsyncStateMachine
    {
        // Calls of one method that a thread keeps, and that all threads do of those which end on another than they began on.
        private const int MaxKept = 128;
        private const int MaxShared = 1024;

        [ThreadStatic] private static Call<TStateMachine>? t_kept;

        private static readonly ConcurrentQueue<Call<TStateMachine>> s_shared = new();
        private static int s_sharedCount;

        public TStateMachine StateMachine = default!;
        private Call<TStateMachine>? _next;
        private int _below;

        private Call() => MoveNext = () => StateMachine.MoveNext();

        public static Call<TStateMachine> Rent()
        {
            Call<TStateMachine>? kept = t_kept;
            if (kept is null) return RentShared();
            t_kept = kept._next;
            kept._next = null;
            return kept;
        }

        protected override void Return()
        {
            // What the method held is not held on to.
            StateMachine = default!;
            Call<TStateMachine>? top = t_kept;
            if (top is not null && top._below == MaxKept - 1)
            {
                ReturnShared();
                return;
            }
            _below = top is null ? 0 : top._below + 1;
            _next = top;
            t_kept = this;
        }

        private static Call<TStateMachine> RentShared()
        {
            if (!s_shared.TryDequeue(out Call<TStateMachine>? shared)) return new Call<TStateMachine>();
            Interlocked.Decrement(ref s_sharedCount);
            return shared;
        }

        private void ReturnShared()
        {
            if (Interlocked.Increment(ref s_sharedCount) <= MaxShared) s_shared.Enqueue(this);
            else Interlocked.Decrement(ref s_sharedCount);
        }
    }
}

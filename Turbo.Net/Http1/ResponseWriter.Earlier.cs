using System.Runtime.CompilerServices;

namespace Turbo.Net;

/// <summary>
/// Answers to pipelined requests wait to leave together with the next one, but not for a handler that takes its time.
/// That it does is known only when it has returned without being done, and by then it may be writing on another
/// thread. So the output changes hands:
/// <code>
///   Free --earlier answers are unflushed--> Held --handler writes, flushes or ends--> Free
///                                            \--handler returned, not done--> Leaving --flush begun--> Free
/// </code>
/// Whoever finds Leaving waits for as long as it takes to begin a flush.
/// </summary>
public sealed partial class ResponseWriter
{
    private const int Free = 0, Held = 1, Leaving = 2;

    private int _earlier;
    private bool _hasEarlierFlush;
    private ValueTask<bool> _earlierFlush;

    /// <summary>Before the handler is called: whether answers before its own wait to leave.</summary>
    internal void HoldEarlier() => _earlier = Unflushed > 0 ? Held : Free;

    /// <summary>After the handler returned without being done: the answers before its own leave now, if it took no part of the output yet.</summary>
    internal void FlushEarlier()
    {
        if (_earlier == Free || Interlocked.CompareExchange(ref _earlier, Leaving, Held) != Held) return;
        ValueTask<bool> flush = FlushNowAsync();
        if (!flush.IsCompletedSuccessfully)
        {
            // Whoever flushes next awaits it first: a pipe takes one flush at a time.
            _earlierFlush = flush;
            _hasEarlierFlush = true;
        }
        Volatile.Write(ref _earlier, Free);
    }

    /// <summary>After the handler: nothing that was begun here is left behind.</summary>
    internal ValueTask<bool> EndEarlierAsync() => _hasEarlierFlush ? AwaitEarlierAsync() : new ValueTask<bool>(true);

    /// <summary>The handler is about to use the output.</summary>
    internal void TakeOutput()
    {
        if (Volatile.Read(ref _earlier) == Free || Interlocked.CompareExchange(ref _earlier, Free, Held) == Held) return;
        SpinWait spin = default;
        while (Volatile.Read(ref _earlier) != Free) spin.SpinOnce();
    }

    private ValueTask<bool> AwaitEarlierAsync()
    {
        _hasEarlierFlush = false;
        ValueTask<bool> flush = _earlierFlush;
        _earlierFlush = default;
        return flush;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<bool> FlushAfterEarlierAsync() =>
        await AwaitEarlierAsync().ConfigureAwait(false) && await FlushNowAsync().ConfigureAwait(false);
}

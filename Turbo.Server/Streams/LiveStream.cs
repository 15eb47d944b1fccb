using Turbo.Net;
using Turbo.Server.Events;
using Turbo.Server.Storage;

namespace Turbo.Server.Streams;

/// <summary>Why a stream ends; the first cause wins.</summary>
internal enum StreamEnd
{
    /// <summary>It goes on.</summary>
    None,
    ClientLeft,
    /// <summary>1,024 messages, or as many bytes as may wait, were behind what was published.</summary>
    FellBehind,
    SessionEnded,
    AccessLost,
    /// <summary>The server stops: what was published before is still sent.</summary>
    Draining,
    /// <summary>The topic's messages no longer come without a gap: the client is to come back.</summary>
    TopicEnded,
}

/// <summary>What a subscriber of a topic may see of it: whose record it is, where it is one's.</summary>
internal readonly record struct StreamAccess(AccessScope Scope, Membership Membership);

/// <summary>
/// A client's stream of one topic's messages: how it is sent, as events or over a WebSocket, is the derived type's. One
/// flow takes messages and sends them; anything may end or wake it.
/// </summary>
internal abstract class LiveStream : IAccessHolder
{
    private readonly ISubscription _subscription;
    private readonly StreamAccess _access;
    private readonly SemaphoreSlim _signal = new(0);
    private readonly Action _wake;
    private Task<ReadOnlyMemory<byte>?>? _pending;
    private int _isSignalled;
    private int _ending;

    protected LiveStream(ISubscription subscription, StreamAccess access)
    {
        _subscription = subscription;
        _access = access;
        _wake = Wake;
    }

    public StreamEnd Ending => (StreamEnd)Volatile.Read(ref _ending);

    AccessScope IAccessHolder.Scope => _access.Scope;

    Membership IAccessHolder.Membership => _access.Membership;

    /// <summary>Whether nothing more is to be sent.</summary>
    protected bool IsOver { get; private set; }

    /// <summary>Serves the stream until it ends; the exchange has no answer yet.</summary>
    public abstract Task RunAsync(Exchange exchange);

    /// <summary>Called by the one coarse timer of all streams.</summary>
    /// <param name="now">A timestamp of the application's clock, in milliseconds.</param>
    public virtual void Tick(long now)
    {
        // The flow may be stuck in a send and not come to see it.
        if (_subscription.FellBehind) End(StreamEnd.FellBehind);
    }

    /// <summary>Ends the stream; from any thread.</summary>
    public void End(StreamEnd cause)
    {
        if (Interlocked.CompareExchange(ref _ending, (int)cause, (int)StreamEnd.None) != (int)StreamEnd.None) return;
        // Nothing new comes in; what has come can still be taken.
        if (cause == StreamEnd.Draining) _subscription.Dispose();
        Ended(cause);
        Wake();
    }

    public void LoseAccess() => End(StreamEnd.AccessLost);

    /// <summary>Called once, by whoever ends the stream; it must not wait.</summary>
    protected virtual void Ended(StreamEnd cause) { }

    protected void Wake()
    {
        if (Interlocked.Exchange(ref _isSignalled, 1) == 0) _signal.Release();
    }

    /// <summary>A message that is there. False: there is none yet, and the flow is woken when one comes, or <see cref="IsOver"/>.</summary>
    protected bool TryTake(out ReadOnlyMemory<byte> message)
    {
        message = default;
        if (Ending is not (StreamEnd.None or StreamEnd.Draining)) IsOver = true;
        if (IsOver) return false;
        ReadOnlyMemory<byte>? next;
        if (_pending is null)
        {
            ValueTask<ReadOnlyMemory<byte>?> taking = _subscription.NextAsync(CancellationToken.None);
            if (!taking.IsCompletedSuccessfully)
            {
                _pending = taking.AsTask();
                _pending.GetAwaiter().UnsafeOnCompleted(_wake);
                return false;
            }
            next = taking.Result;
        }
        else
        {
            if (!_pending.IsCompleted) return false;
            next = _pending.GetAwaiter().GetResult();
            _pending = null;
        }
        if (next is { } taken)
        {
            message = taken;
            return true;
        }
        End(_subscription.FellBehind ? StreamEnd.FellBehind : StreamEnd.TopicEnded);
        IsOver = true;
        return false;
    }

    /// <summary>Completes when there is something to look at: a message, an end, whatever <see cref="Wake"/> was called for.</summary>
    protected async ValueTask WaitAsync()
    {
        await _signal.WaitAsync();
        // What was told before this is seen by what is looked at after it.
        Interlocked.Exchange(ref _isSignalled, 0);
    }
}

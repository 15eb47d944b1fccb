using Turbo.Net;
using Turbo.Net.Sse;
using Turbo.Server.Events;

namespace Turbo.Server.Streams;

/// <summary>A stream of server-sent events: each message a data line, a comment line every 15 s.</summary>
internal sealed class SseStream(ISubscription subscription, StreamAccess access, long now) : LiveStream(subscription, access)
{
    private const long CommentInterval = 15_000;

    // Messages that wait already leave together; a flush for each would hold up those who fell behind.
    private const int MaxBatch = 64;

    private readonly Lock _gate = new();
    private Exchange? _blocked;
    private long _nextComment = now + CommentInterval;
    private bool _isCommentDue;

    public override void Tick(long now)
    {
        base.Tick(now);
        if (now < _nextComment) return;
        _nextComment = now + CommentInterval;
        Volatile.Write(ref _isCommentDue, true);
        Wake();
    }

    public override async Task RunAsync(Exchange exchange)
    {
        EventStreamWriter events = new(exchange);
        if (exchange.Method == Net.HttpMethod.Head) return;
        exchange.OnClientClosed(static (state, _) => ((LiveStream)state!).End(StreamEnd.ClientLeft), this);
        bool isTaken = await FlushAsync(exchange);
        while (isTaken)
        {
            int written = 0;
            while (written < MaxBatch && TryTake(out ReadOnlyMemory<byte> message))
            {
                events.Write(message.Span);
                written++;
            }
            if (Volatile.Read(ref _isCommentDue) && !IsOver)
            {
                Volatile.Write(ref _isCommentDue, false);
                events.WriteComment();
                written++;
            }
            if (written > 0) isTaken = await FlushAsync(exchange);
            else if (IsOver) break;
            else await WaitAsync();
        }
        if (!isTaken) End(StreamEnd.ClientLeft);
        // An orderly end would say that nothing is missing.
        if (Ending == StreamEnd.FellBehind) exchange.Abort();
    }

    // A client that takes nothing would hold up its own end.
    protected override void Ended(StreamEnd cause)
    {
        lock (_gate)
        {
            if (CutsOff(cause)) _blocked?.Abort();
        }
    }

    private static bool CutsOff(StreamEnd cause) => cause is StreamEnd.FellBehind or StreamEnd.SessionEnded or StreamEnd.AccessLost;

    private ValueTask<bool> FlushAsync(Exchange exchange)
    {
        ValueTask<bool> flush = exchange.Response.FlushAsync();
        return flush.IsCompletedSuccessfully ? flush : AwaitFlushAsync(exchange, flush);
    }

    private async ValueTask<bool> AwaitFlushAsync(Exchange exchange, ValueTask<bool> flush)
    {
        lock (_gate)
        {
            // Set only while this flow waits: the exchange is somebody else's when it has gone.
            _blocked = exchange;
            if (CutsOff(Ending)) exchange.Abort();
        }
        try
        {
            return await flush;
        }
        finally
        {
            lock (_gate) _blocked = null;
        }
    }
}

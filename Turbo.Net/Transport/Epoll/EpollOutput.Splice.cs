using System.Diagnostics;
using System.IO.Pipelines;

namespace Turbo.Net.Transport.Epoll;

internal sealed partial class EpollOutput
{
    /// <inheritdoc cref="ISplicing.SpliceFrom"/>
    public SpliceStatus SpliceFrom(KernelPipe pipe)
    {
        Debug.Assert(IsEmpty, "what was written comes first");
        if (_isGone || transport.IsAborted)
        {
            Gone();
            return SpliceStatus.Ended;
        }
        // It counts as a write does: the next wait of a reader for whom there is always more sees whose turn it is.
        _ = transport.Loop.MayGoOn();
        int held = pipe.Held;
        SpliceStatus status = pipe.Drain(transport.Fd);
        if (pipe.Held < held) traffic.Sent(held - pipe.Held);
        if (status != SpliceStatus.Ended) return status;
        transport.PeerReset();
        Gone();
        return status;
    }

    /// <inheritdoc cref="ISplicing.WaitForOutputAsync"/>
    public ValueTask<FlushResult> WaitAsync()
    {
        if (Volatile.Read(ref _isCanceled) != 0) return new ValueTask<FlushResult>(TakeCanceled());
        if (_isGone || transport.IsAborted) return new ValueTask<FlushResult>(Gone());
        _wait.Reset();
        short version = _wait.Version;
        if (Interlocked.CompareExchange(ref _state, Waiting, None) != None)
        {
            // The socket has told of room since it was last tried.
            Interlocked.Exchange(ref _state, None);
            return new ValueTask<FlushResult>(new FlushResult(isCanceled: false, isCompleted: false));
        }
        if (Volatile.Read(ref _isCanceled) != 0 && Interlocked.CompareExchange(ref _state, None, Waiting) == Waiting) return new ValueTask<FlushResult>(TakeCanceled());
        return new ValueTask<FlushResult>(this, version);
    }
}

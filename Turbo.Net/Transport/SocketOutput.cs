using System.IO.Pipelines;
using Turbo.Net.Buffers;

namespace Turbo.Net.Transport;

/// <summary>
/// A socket's output as its owner sees it. The send loop ends the pipe, writing side included, when the peer is gone, at
/// any moment and on its own thread; what is written after that goes nowhere, and the next flush tells.
/// </summary>
internal sealed class SocketOutput(PipeWriter pipe, OutputBlocks blocks) : PipeWriter
{
    private bool _hasEnded;
    private byte[] _nowhere = [];

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (_hasEnded) return Nowhere(sizeHint);
        try
        {
            return pipe.GetMemory(sizeHint);
        }
        catch (InvalidOperationException)
        {
            _hasEnded = true;
            return Nowhere(sizeHint);
        }
    }

    public override Span<byte> GetSpan(int sizeHint = 0)
    {
        if (_hasEnded) return Nowhere(sizeHint);
        try
        {
            return pipe.GetSpan(sizeHint);
        }
        catch (InvalidOperationException)
        {
            _hasEnded = true;
            return Nowhere(sizeHint);
        }
    }

    public override void Advance(int bytes)
    {
        if (_hasEnded) return;
        try
        {
            pipe.Advance(bytes);
        }
        catch (Exception e) when (e is ArgumentOutOfRangeException or InvalidOperationException && blocks.HasFailed)
        {
            // Ended between the two calls: the memory handed out is no longer the pipe's.
            _hasEnded = true;
        }
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) =>
        _hasEnded ? new ValueTask<FlushResult>(new FlushResult(false, true)) : pipe.FlushAsync(cancellationToken);

    public override void CancelPendingFlush() => pipe.CancelPendingFlush();

    public override void Complete(Exception? exception = null)
    {
        blocks.OwnerDone();
        pipe.Complete(exception);
    }

    private byte[] Nowhere(int sizeHint)
    {
        if (_nowhere.Length < Math.Max(sizeHint, 1)) _nowhere = new byte[Math.Max(sizeHint, PinnedBlockPool.BlockBytes)];
        return _nowhere;
    }
}

using System.IO.Pipelines;
using System.Net;
using Turbo.Net.Buffers;

namespace Turbo.Net.Transport;

/// <summary>The contract of <see cref="Connection"/> without a kernel, for benchmarks and fuzzing: two pipes, this side and the peer's.</summary>
internal sealed class MemoryTransport : Connection
{
    // Not the sockets' pool, whose blocks are counted; and not the shared arrays, which the collector trims between two counts.
    private static readonly PinnedBlockPool s_blocks = new();

    private readonly Pipe _toServer = new(new PipeOptions(s_blocks, PipeScheduler.Inline, PipeScheduler.Inline, useSynchronizationContext: false));
    private readonly Pipe _toPeer = new(new PipeOptions(s_blocks, PipeScheduler.Inline, PipeScheduler.Inline, 1 << 20, 1 << 19, useSynchronizationContext: false));
    private readonly MemoryOutput _output;

    /// <param name="remote">What the peer's address is said to be.</param>
    public MemoryTransport(IPEndPoint? remote = null)
    {
        _output = new MemoryOutput(this);
        RemoteEndPoint = remote;
    }

    /// <summary>Blocks that all such transports hold now.</summary>
    public static int BlocksOutstanding => s_blocks.Outstanding;

    public override PipeReader Input => _toServer.Reader;

    public override PipeWriter Output => _output;

    /// <summary>What the peer writes to.</summary>
    public PipeWriter PeerOutput => _toServer.Writer;

    /// <summary>What the peer reads from; fails when the connection was aborted, after what was flushed before.</summary>
    public PipeReader PeerInput => _toPeer.Reader;

    /// <summary>Flushes of <see cref="Output"/>.</summary>
    public int Flushes { get; private set; }

    public override IPEndPoint? RemoteEndPoint { get; }

    public override IPEndPoint? LocalEndPoint => null;

    public override Task OutputEnded => Task.CompletedTask;

    public override void Abort(EndReason reason)
    {
        if (!BeginAbort(reason)) return;
        _toServer.Writer.Complete(Reset());
        // The writing side is its owner's to end.
        _toPeer.Writer.CancelPendingFlush();
    }

    public override void Close()
    {
        _output.Complete();
        _toServer.Reader.Complete();
    }

    private static IOException Reset() => new("aborted");

    private sealed class MemoryOutput(MemoryTransport transport) : PipeWriter
    {
        private readonly PipeWriter _pipe = transport._toPeer.Writer;

        public override Memory<byte> GetMemory(int sizeHint = 0) => _pipe.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => _pipe.GetSpan(sizeHint);

        public override void Advance(int bytes) => _pipe.Advance(bytes);

        public override void CancelPendingFlush() => _pipe.CancelPendingFlush();

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
        {
            transport.Flushes++;
            return transport.IsAborted ? new ValueTask<FlushResult>(new FlushResult(false, true)) : _pipe.FlushAsync(cancellationToken);
        }

        public override void Complete(Exception? exception = null) => _pipe.Complete(transport.IsAborted ? Reset() : exception);
    }
}

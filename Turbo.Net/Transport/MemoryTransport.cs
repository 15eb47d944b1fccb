using System.IO.Pipelines;
using System.Net;

namespace Turbo.Net.Transport;

/// <summary>The contract of <see cref="Connection"/> without a kernel, for benchmarks and fuzzing: two pipes, this side and the peer's.</summary>
internal sealed class MemoryTransport : Connection
{
    private readonly Pipe _toServer = new(new PipeOptions(readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, useSynchronizationContext: false));
    private readonly Pipe _toPeer = new(new PipeOptions(readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, pauseWriterThreshold: 1 << 20, resumeWriterThreshold: 1 << 19, useSynchronizationContext: false));

    public override PipeReader Input => _toServer.Reader;

    public override PipeWriter Output => _toPeer.Writer;

    /// <summary>What the peer writes to.</summary>
    public PipeWriter PeerOutput => _toServer.Writer;

    /// <summary>What the peer reads from.</summary>
    public PipeReader PeerInput => _toPeer.Reader;

    public override IPEndPoint? RemoteEndPoint => null;

    public override IPEndPoint? LocalEndPoint => null;

    public override Task OutputEnded => Task.CompletedTask;

    public override void Abort(EndReason reason)
    {
        SetEndReason(reason);
        IOException reset = new("aborted");
        _toServer.Writer.Complete(reset);
        _toPeer.Writer.Complete(reset);
    }

    public override void Close()
    {
        _toServer.Reader.Complete();
        _toPeer.Writer.Complete();
    }
}

using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Pipelines.Sockets.Unofficial;
using Turbo.Net.Buffers;
using Turbo.Net.Diagnostics;

namespace Turbo.Net.Transport;

/// <summary>
/// The portable transport: sockets as pipes by Pipelines.Sockets.Unofficial, continuations inline on the socket's thread.
/// The pipes end when their loops do. <see cref="Abort"/> touches the socket alone, since a pipe that another thread
/// ends would give its blocks away while the owner still reads them.
/// </summary>
internal sealed class SocketTransport : Connection
{
    // How much may wait between the socket and the handler before the socket is no longer read (or the handler waits).
    private const int PauseBytes = 64 * 1024;
    private const int ResumeBytes = 32 * 1024;

    private readonly SocketConnection _pipes;
    private readonly SocketOutput _output;
    private readonly TaskCompletionSource _outputEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private readonly Traffic _traffic;
    private readonly Lock _trafficLock = new();
    private long _receivedSettled, _sentSettled;

    public SocketTransport(Socket socket, PinnedBlockPool pool, Traffic traffic)
    {
        _traffic = traffic;
        // Read before the socket can close under us.
        RemoteEndPoint = socket.RemoteEndPoint as IPEndPoint;
        LocalEndPoint = socket.LocalEndPoint as IPEndPoint;
        socket.NoDelay = true;
        OutputBlocks outputBlocks = new(pool, HasEnded);
        PipeOptions send = new(outputBlocks, PipeScheduler.Inline, PipeScheduler.Inline, PauseBytes, ResumeBytes, PinnedBlockPool.BlockBytes, useSynchronizationContext: false);
        PipeOptions receive = new(pool, PipeScheduler.Inline, PipeScheduler.Inline, PauseBytes, ResumeBytes, PinnedBlockPool.BlockBytes, useSynchronizationContext: false);
        _pipes = SocketConnection.Create(socket, send, receive, SocketConnectionOptions.InlineReads | SocketConnectionOptions.InlineWrites);
        _output = new SocketOutput(_pipes.Output, outputBlocks);
#pragma warning disable CS0618 // the only word a Pipe gives when its reader, here the send loop, has ended
        _pipes.Output.OnReaderCompleted(static (_, state) => ((TaskCompletionSource)state!).TrySetResult(), _outputEnded);
#pragma warning restore CS0618
    }

    public override PipeReader Input => _pipes.Input;

    public override PipeWriter Output => _output;

    public override IPEndPoint? RemoteEndPoint { get; }

    public override IPEndPoint? LocalEndPoint { get; }

    public override Task OutputEnded => _outputEnded.Task;

    public override bool HasPeerReset
    {
        get
        {
            try
            {
                return _pipes.Socket.Poll(0, SelectMode.SelectError)
                    || (int)_pipes.Socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)! != 0;
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return true;
            }
        }
    }

    public override bool HasArrived => TcpProgress.HasArrived(_pipes.Socket);

    public override long BytesTaken
    {
        get
        {
            // The peer's acknowledgements, where the kernel tells them; else what left, a send once all of it did.
            long acknowledged = TcpProgress.BytesAcknowledged(_pipes.Socket);
            return acknowledged >= 0 ? acknowledged : _pipes.BytesSent;
        }
    }

    /// <summary>The pipes count by themselves: what they have beyond the last time is added.</summary>
    internal override void SettleTraffic()
    {
        lock (_trafficLock)
        {
            long received = _pipes.BytesRead, sent = _pipes.BytesSent;
            _traffic.Received(received - _receivedSettled);
            _traffic.Sent(sent - _sentSettled);
            (_receivedSettled, _sentSettled) = (received, sent);
        }
    }

    public override void Abort(EndReason reason)
    {
        if (!BeginAbort(reason)) return;
        try
        {
            // Close with a zero linger sends RST. No shutdown before it: a FIN would make a truncated body look complete.
            _pipes.Socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Already closed: nothing left to reset.
        }
        _pipes.Socket.Dispose();
        _outputEnded.TrySetResult();
    }

    public override void Close()
    {
        _output.Complete();
        _pipes.Input.Complete();
        // Not the pipes' own Dispose: it ends the pending receive before the kernel is done with its block.
        _pipes.Socket.Dispose();
        _outputEnded.TrySetResult();
        SettleTraffic();
    }

    // Not yet made while its loops start within Create.
    private bool HasEnded() => _pipes is { ShutdownKind: not PipeShutdownKind.None };
}

using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Pipelines.Sockets.Unofficial;
using Turbo.Net.Buffers;

namespace Turbo.Net.Transport;

/// <summary>The portable transport: sockets as pipes by Pipelines.Sockets.Unofficial, continuations inline on the socket's thread.</summary>
internal sealed class SocketTransport : Connection
{
    // How much may wait between the socket and the handler before the socket is no longer read (or the handler waits).
    private const int PauseBytes = 64 * 1024;
    private const int ResumeBytes = 32 * 1024;

    private readonly SocketConnection _pipes;
    private readonly TaskCompletionSource _outputEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public SocketTransport(Socket socket, MemoryPool<byte> pool)
    {
        // Read before the socket can close under us.
        RemoteEndPoint = socket.RemoteEndPoint as IPEndPoint;
        LocalEndPoint = socket.LocalEndPoint as IPEndPoint;
        socket.NoDelay = true;
        PipeOptions options = new(pool, PipeScheduler.Inline, PipeScheduler.Inline, PauseBytes, ResumeBytes, PinnedBlockPool.BlockBytes, useSynchronizationContext: false);
        _pipes = SocketConnection.Create(socket, options, options, SocketConnectionOptions.InlineReads | SocketConnectionOptions.InlineWrites);
#pragma warning disable CS0618 // the only word a Pipe gives when its reader, here the send loop, has ended
        _pipes.Output.OnReaderCompleted(static (_, state) => ((TaskCompletionSource)state!).TrySetResult(), _outputEnded);
#pragma warning restore CS0618
    }

    public override PipeReader Input => _pipes.Input;

    public override PipeWriter Output => _pipes.Output;

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

    public override void Abort(EndReason reason)
    {
        SetEndReason(reason);
        try
        {
            // Close with a zero linger sends RST.
            _pipes.Socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Already closed: nothing left to reset.
        }
        // Close without shutdown first: a FIN before the RST would make a truncated body look complete.
        _pipes.Socket.Close();
        Close();
    }

    public override void Close()
    {
        _pipes.Dispose();
        _outputEnded.TrySetResult();
    }
}

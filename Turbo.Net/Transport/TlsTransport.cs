using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Turbo.Net.Buffers;

namespace Turbo.Net.Transport;

/// <summary>
/// A connection in TLS: two pumps between pipes and an <see cref="SslStream"/>. The receiving pump always reads, as a
/// socket transport does, so that a close is seen while nobody waits for data.
/// </summary>
internal sealed class TlsTransport : Connection
{
    private readonly Socket _socket;
    private readonly SslStream _stream;
    private readonly Pipe _received;
    private readonly Pipe _toSend;
    private int _pumps = 2;
    private readonly TaskCompletionSource _outputEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public TlsTransport(Socket socket, SslStream stream, MemoryPool<byte> pool)
    {
        _socket = socket;
        _stream = stream;
        RemoteEndPoint = socket.RemoteEndPoint as IPEndPoint;
        LocalEndPoint = socket.LocalEndPoint as IPEndPoint;
        PipeOptions options = new(pool, PipeScheduler.Inline, PipeScheduler.Inline, 64 * 1024, 32 * 1024, PinnedBlockPool.BlockBytes, useSynchronizationContext: false);
        _received = new Pipe(options);
        _toSend = new Pipe(options);
        _ = ReceiveAsync();
        _ = SendAsync();
    }

    public override PipeReader Input => _received.Reader;

    public override PipeWriter Output => _toSend.Writer;

    public override IPEndPoint? RemoteEndPoint { get; }

    public override IPEndPoint? LocalEndPoint { get; }

    public override bool IsTls => true;

    public override Task OutputEnded => _outputEnded.Task;

    public override bool HasArrived => TcpProgress.HasArrived(_socket);

    public override long BytesTaken => TcpProgress.BytesAcknowledged(_socket);

    public override void Abort(EndReason reason)
    {
        if (!BeginAbort(reason)) return;
        try
        {
            _socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Already closed: nothing left to reset.
        }
        _socket.Dispose();
        _outputEnded.TrySetResult();
    }

    public override void Close()
    {
        _toSend.Writer.Complete();
        _received.Reader.Complete();
        _socket.Dispose();
        _outputEnded.TrySetResult();
    }

    private async Task ReceiveAsync()
    {
        Exception? fault = null;
        try
        {
            while (true)
            {
                Memory<byte> memory = _received.Writer.GetMemory(1);
                int read = await _stream.ReadAsync(memory).ConfigureAwait(false);
                if (read == 0) break;
                _received.Writer.Advance(read);
                if ((await _received.Writer.FlushAsync().ConfigureAwait(false)).IsCompleted) break;
            }
        }
        catch (Exception e) when (IsFault(e))
        {
            fault = e as IOException ?? new IOException("the TLS connection failed", e);
        }
        await _received.Writer.CompleteAsync(fault).ConfigureAwait(false);
        PumpEnded();
    }

    private async Task SendAsync()
    {
        Exception? fault = null;
        try
        {
            while (true)
            {
                ReadResult result = await _toSend.Reader.ReadAsync().ConfigureAwait(false);
                ReadOnlySequence<byte> buffer = result.Buffer;
                foreach (ReadOnlyMemory<byte> piece in buffer) await _stream.WriteAsync(piece).ConfigureAwait(false);
                _toSend.Reader.AdvanceTo(buffer.End);
                if (!result.IsCompleted) continue;
                // close_notify, then FIN.
                await _stream.ShutdownAsync().ConfigureAwait(false);
                _socket.Shutdown(SocketShutdown.Send);
                break;
            }
        }
        catch (Exception e) when (IsFault(e))
        {
            fault = e;
        }
        await _toSend.Reader.CompleteAsync(fault).ConfigureAwait(false);
        _outputEnded.TrySetResult();
        PumpEnded();
    }

    // The last one releases what the stream holds in native memory.
    private void PumpEnded()
    {
        if (Interlocked.Decrement(ref _pumps) == 0) _stream.Dispose();
    }

    private static bool IsFault(Exception e) =>
        e is IOException or SocketException or ObjectDisposedException or OperationCanceledException or InvalidOperationException;
}

using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Security;
using System.Runtime.CompilerServices;
using Turbo.Net.Buffers;

namespace Turbo.Net.Transport;

/// <summary>
/// A connection in TLS above another one, of a server or a client: two pumps between pipes and an <see cref="SslStream"/>.
/// The receiving pump always reads, so that a close is seen while nobody waits for data. The peer's close_notify is its
/// FIN; the other direction goes on (RFC 8446 §6.1).
/// </summary>
internal sealed class TlsTransport : Connection
{
    // How much may wait between the connection below and the handler before it is no longer read (or the handler waits).
    private const int PauseBytes = 64 * 1024;
    private const int ResumeBytes = 32 * 1024;

    // The most that fits one TLS record (RFC 8446 §5.1).
    private const int RecordBytes = 16 * 1024;

    private readonly Connection _below;
    private readonly TlsInnerStream _inner;
    private readonly SslStream _stream;
    private readonly Pipe _received;
    private readonly Pipe _toSend;
    private readonly TlsInput _input;
    private readonly TaskCompletionSource _outputEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // The two pumps and the owner: who is the last to end closes the connection below.
    private int _users = 3;
    private volatile bool _isClosing;

    /// <param name="below">Becomes this connection's.</param>
    /// <param name="inner">What <paramref name="stream"/> reads from and writes to: <paramref name="below"/>.</param>
    /// <param name="stream">After its handshake.</param>
    public TlsTransport(Connection below, TlsInnerStream inner, SslStream stream)
    {
        _below = below;
        _inner = inner;
        _stream = stream;
        PipeOptions options = new(
            PinnedBlockPool.Shared, PipeScheduler.Inline, PipeScheduler.Inline, PauseBytes, ResumeBytes, PinnedBlockPool.BlockBytes, useSynchronizationContext: false);
        _received = new Pipe(options);
        _toSend = new Pipe(options);
        _input = new TlsInput(_received.Reader);
        inner.Established();
        inner.HoldsWrites = true;
        _ = ReceiveAsync();
        _ = SendAsync();
    }

    public override PipeReader Input => _input;

    public override PipeWriter Output => _toSend.Writer;

    public override IPEndPoint? RemoteEndPoint => _below.RemoteEndPoint;

    public override IPEndPoint? LocalEndPoint => _below.LocalEndPoint;

    public override bool IsTls => true;

    public override Task OutputEnded => _outputEnded.Task;

    public override bool HasArrived => _below.HasArrived;

    // What the connection below has received is read at once, so it is this connection's, or will be.
    internal override bool MayHaveInput => _input.MayHaveInput;

    internal override bool IsHere => _below.IsHere;

    internal override void SettleTraffic() => _below.SettleTraffic();

    public override bool HasPeerReset => _input.IsTruncated || _below.HasPeerReset;

    public override long BytesTaken => _below.BytesTaken;

    public override void Abort(EndReason reason)
    {
        if (!BeginAbort(reason)) return;
        _below.Abort(reason);
        _outputEnded.TrySetResult();
    }

    public override void Close()
    {
        _isClosing = true;
        _toSend.Writer.Complete();
        _received.Reader.Complete();
        // Where a pump waits, it waits no longer; the connection below is closed when neither uses it.
        _below.Input.CancelPendingRead();
        _below.Output.CancelPendingFlush();
        _outputEnded.TrySetResult();
        End();
    }

    private async Task ReceiveAsync()
    {
        Exception? fault = null;
        byte[]? record = null;
        try
        {
            while (true)
            {
                // Without a buffer: an idle connection holds none for what may come, here or in the stream.
                await _stream.ReadAsync(Memory<byte>.Empty).ConfigureAwait(false);
                // All of a record at once, so that what came together goes on together.
                record = ArrayPool<byte>.Shared.Rent(RecordBytes);
                int read = await _stream.ReadAsync(record).ConfigureAwait(false);
                _input.Receives(read);
                _received.Writer.Write(record.AsSpan(0, read));
                ArrayPool<byte>.Shared.Return(record);
                record = null;
                if (read == 0) break;
                if ((await _received.Writer.FlushAsync().ConfigureAwait(false)).IsCompleted) break;
            }
            _input.IsTruncated = _inner.HasEnded;
        }
        catch (Exception e)
        {
            fault = FaultOf(e);
            // After bytes that are no TLS nothing is said in it any more, least of all that all is well (RFC 8446 §6.2).
            if (!_isClosing) Abort(EndReason.PeerReset);
        }
        if (record is not null) ArrayPool<byte>.Shared.Return(record);
        _input.Ends();
        await _received.Writer.CompleteAsync(fault).ConfigureAwait(false);
        End();
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
                if (buffer.IsSingleSegment)
                {
                    if (!buffer.IsEmpty) await _stream.WriteAsync(buffer.First).ConfigureAwait(false);
                }
                else
                {
                    await SealAsync(buffer).ConfigureAwait(false);
                }
                // close_notify, then FIN.
                if (result.IsCompleted) await _stream.ShutdownAsync().ConfigureAwait(false);
                await _inner.FlushHeldAsync().ConfigureAwait(false);
                _toSend.Reader.AdvanceTo(buffer.End);
                if (!result.IsCompleted) continue;
                await _below.Output.CompleteAsync().ConfigureAwait(false);
                await _below.OutputEnded.ConfigureAwait(false);
                break;
            }
        }
        catch (Exception e)
        {
            fault = FaultOf(e);
        }
        await _toSend.Reader.CompleteAsync(fault).ConfigureAwait(false);
        _outputEnded.TrySetResult();
        End();
    }

    // A record for as much as one holds rather than for each block.
    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder))]
    private async ValueTask SealAsync(ReadOnlySequence<byte> buffer)
    {
        byte[] record = ArrayPool<byte>.Shared.Rent(RecordBytes);
        try
        {
            while (!buffer.IsEmpty)
            {
                int length = (int)Math.Min(buffer.Length, RecordBytes);
                buffer.Slice(0, length).CopyTo(record);
                await _stream.WriteAsync(record.AsMemory(0, length)).ConfigureAwait(false);
                buffer = buffer.Slice(length);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(record);
        }
    }

    private void End()
    {
        if (Interlocked.Decrement(ref _users) != 0) return;
        // What the stream holds in native memory.
        _stream.Dispose();
        _below.Close();
    }

    // Whatever the TLS library throws at bytes that are none of its peer's ends the connection and nothing else.
    private static IOException FaultOf(Exception e) => e as IOException ?? new IOException("the TLS connection failed", e);
}

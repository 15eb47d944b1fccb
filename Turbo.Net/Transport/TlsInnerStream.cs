using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace Turbo.Net.Transport;

/// <summary>
/// A connection as the stream below TLS. Until <see cref="Established"/> it gives bytes on in turns of the handshake's
/// work, never on the connection's own thread; and it knows what the TLS stream does not tell: that the peer ended the
/// connection without a word of TLS, and that it speaks no TLS at all.
/// </summary>
/// <param name="connection">Whose bytes they are; its owner closes it.</param>
/// <param name="work">Where a server's handshake runs; null is the thread pool.</param>
internal sealed class TlsInnerStream(Connection connection, HandshakeWork? work) : Stream
{
    private bool _hasReceived;
    private volatile bool _isEstablished;
    private volatile bool _hasEnded;

    /// <summary>Whether the peer's first byte was a letter: the start of an HTTP method, which no record of TLS begins with.</summary>
    public bool IsPlainText { get; private set; }

    /// <summary>Whether the peer's FIN was read, other than as part of a TLS record.</summary>
    public bool HasEnded => _hasEnded;

    /// <summary>Whether what is written waits for the owner's flush, records of one batch together.</summary>
    public bool HoldsWrites { get; set; }

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>The handshake is over: from now on what is received goes on at once, where it comes in.</summary>
    public void Established() => _isEstablished = true;

    /// <summary>Without room it waits until there is something to read. An abort of the connection ends it, a token does not.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        PipeReader input = connection.Input;
        ReadResult result = await input.ReadAsync(CancellationToken.None).ConfigureAwait(false);
        int read = Take(input, result, buffer.Span);
        if (_isEstablished) return read;
        if (!_hasReceived && read > 0)
        {
            _hasReceived = true;
            IsPlainText = char.IsAsciiLetter((char)buffer.Span[0]);
            if (IsPlainText) throw new IOException("not TLS but plain text");
        }
        await LeaveThread();
        return read;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder))]
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        connection.Output.Write(buffer.Span);
        if (HoldsWrites) return;
        ValueTask flush = FlushHeldAsync();
        bool waits = !flush.IsCompleted;
        await flush.ConfigureAwait(false);
        if (waits && !_isEstablished) await LeaveThread();
    }

    /// <summary>Sends what was written.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder))]
    public async ValueTask FlushHeldAsync()
    {
        FlushResult result = await connection.Output.FlushAsync().ConfigureAwait(false);
        if (result.IsCompleted || result.IsCanceled) throw new IOException("the peer takes no more");
    }

    public override void Flush() { }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private int Take(PipeReader input, in ReadResult result, Span<byte> buffer)
    {
        ReadOnlySequence<byte> received = result.Buffer;
        int length = (int)Math.Min(received.Length, buffer.Length);
        received.Slice(0, length).CopyTo(buffer);
        // What is left, or is merely waited for, is not examined: the next read has it at once.
        input.AdvanceTo(received.GetPosition(length));
        if (result.IsCanceled) throw new IOException("closed by its owner");
        if (received.IsEmpty && result.IsCompleted && buffer.Length > 0) _hasEnded = true;
        return length;
    }

    private async ValueTask LeaveThread()
    {
        if (work is null) await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        else await work.TakeTurn();
    }
}

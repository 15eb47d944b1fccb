using System.Buffers;
using Turbo.Net;

namespace Turbo.Server;

/// <summary>A request's content as a stream to read.</summary>
internal sealed class ContentReadStream(AppRequest request) : Stream
{
    private ReadOnlySequence<byte> _piece;
    private bool _isEnd;

    public override bool CanRead => true;

    public override bool CanWrite => false;

    public override bool CanSeek => false;

    public override long Length => request.Exchange.Body.Length ?? throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (_piece.IsEmpty && !_isEnd && buffer.Length > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            BodyRead read = await request.ReadContentAsync();
            _piece = read.Data;
            _isEnd = read.IsEnd;
        }
        int taken = (int)Math.Min(buffer.Length, _piece.Length);
        _piece.Slice(0, taken).CopyTo(buffer.Span);
        _piece = _piece.Slice(taken);
        return taken;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    // Handlers that block run on the thread pool.
    public override int Read(byte[] buffer, int offset, int count) => ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}

/// <summary>A response's content as a stream to write.</summary>
internal sealed class ContentWriteStream(AppRequest request) : Stream
{
    // What is written without waiting leaves when there is this much of it: a client that is slow is waited for then.
    private const int MaxUnsentBytes = 64 * 1024;

    private int _unsent;

    public override bool CanRead => false;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        request.Exchange.Response.Write(buffer.Span);
        _unsent = 0;
        return request.FlushAsync();
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            ReadOnlySpan<byte> piece = buffer[..Math.Min(buffer.Length, MaxUnsentBytes)];
            request.Exchange.Response.Write(piece);
            buffer = buffer[piece.Length..];
            _unsent += piece.Length;
            if (_unsent >= MaxUnsentBytes) Flush();
        }
    }

    public override void Flush() => FlushAsync(CancellationToken.None).GetAwaiter().GetResult();

    public override Task FlushAsync(CancellationToken cancellationToken)
    {
        _unsent = 0;
        return request.FlushAsync().AsTask();
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}

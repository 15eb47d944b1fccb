using System.Buffers;
using System.IO.Compression;

namespace Turbo.Net.WebSocket;

/// <summary>
/// Compresses messages (RFC 7692 §7.2.1) by .NET's DeflateStream, which knows no window but 32 KiB. A smaller one is
/// honoured by compressing pieces as large as the window, each on its own: no match can reach further back than its
/// piece begins.
/// </summary>
internal sealed class DeflateCompressor(DeflateParameters parameters, WebSocketCompression options) : IDisposable
{
    private readonly Sink _sink = new();
    private readonly int _pieceBytes = parameters.ServerMaxWindowBits < DeflateParameters.MaxWindowBits ? 1 << parameters.ServerMaxWindowBits : int.MaxValue;

    // Between messages only where the context is kept.
    private DeflateStream? _stream;

    /// <summary>The payload of a frame with RSV1; valid until <see cref="Release"/>.</summary>
    public ReadOnlyMemory<byte> Compress(ReadOnlySpan<byte> message)
    {
        // An empty message is the header of an empty stored block (RFC 7692 §7.2.3.6).
        if (message.IsEmpty) return new byte[1];
        while (!message.IsEmpty)
        {
            ReadOnlySpan<byte> piece = message[..Math.Min(message.Length, _pieceBytes)];
            message = message[piece.Length..];
            _stream ??= new DeflateStream(_sink, options.Level, leaveOpen: true);
            _stream.Write(piece);
            // Ends with an empty stored block: the piece's octets are all there.
            _stream.Flush();
            if (parameters.ServerNoContextTakeover || _pieceBytes < int.MaxValue) EndStream();
        }
        ReadOnlyMemory<byte> written = _sink.Written;
        if (!written.Span.EndsWith((ReadOnlySpan<byte>)[0x00, 0x00, 0xFF, 0xFF])) throw new InvalidOperationException("DeflateStream did not flush");
        return written[..^4];
    }

    /// <summary>What was compressed is no longer used.</summary>
    public void Release() => _sink.Release();

    public void Dispose()
    {
        EndStream();
        _sink.Release();
    }

    private void EndStream()
    {
        // Its end would be a final block, which belongs to no message.
        _sink.IsClosed = true;
        _stream?.Dispose();
        _stream = null;
        _sink.IsClosed = false;
    }

    /// <summary>Takes what the stream writes into rented memory.</summary>
    private sealed class Sink : Stream
    {
        private MessageBuffer _buffer;

        public bool IsClosed { get; set; }

        public ReadOnlyMemory<byte> Written => _buffer.Memory;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public void Release() => _buffer.Release();

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (!IsClosed && !_buffer.TryAppend(buffer)) throw new IOException("a compressed message larger than an array");
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
            // All of it is in the buffer.
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}

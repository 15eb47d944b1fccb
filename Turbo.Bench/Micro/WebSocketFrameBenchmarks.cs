using System.Net.WebSockets;
using BenchmarkDotNet.Attributes;
using Turbo.Net.Http1;
using Turbo.Net.WebSocket;

namespace Turbo.Bench.Micro;

/// <summary>
/// A masked frame read and unmasked. What .NET's own WebSocket does for the same bytes is more, since it reads them from a
/// stream; its masking alone is not to be had.
/// </summary>
[MemoryDiagnoser]
public class WebSocketFrameBenchmarks
{
    private readonly byte[] _received = new byte[128 * 1024];
    private readonly Turning _turning = new();
    private byte[] _frame = [];
    private WebSocket _socket = null!;

    [Params(64, 16 * 1024)]
    public int PayloadBytes { get; set; }

    [GlobalSetup]
    public void Make()
    {
        byte[] header = new byte[FrameHeader.MaxBytes];
        int length = new FrameHeader(Opcode.Binary, PayloadBytes).Masked(0x04030201).Write(header);
        _frame = [.. header[..length], .. new byte[PayloadBytes]];
        _turning.Bytes = _frame;
        _socket = WebSocket.CreateFromStream(_turning, new WebSocketCreationOptions { IsServer = true, KeepAliveInterval = Timeout.InfiniteTimeSpan });
    }

    [BenchmarkCategory("WebSocket frame"), Benchmark]
    public int Turbo()
    {
        if (FrameHeader.Read(_frame, FrameRules.Masked, out FrameHeader header, out int length) != ParseStatus.Complete) throw new InvalidOperationException();
        Masking.Apply(_frame.AsSpan(length), header.MaskingKey, 0);
        return length;
    }

    [BenchmarkCategory("WebSocket frame"), Benchmark]
    public void TurboMaskingAlone() => Masking.Apply(_frame.AsSpan(_frame.Length - PayloadBytes), 0x04030201, 0);

    [BenchmarkCategory("WebSocket frame"), Benchmark(Baseline = true)]
    public int SystemNetWebSockets()
    {
        ValueTask<ValueWebSocketReceiveResult> receiving = _socket.ReceiveAsync(_received.AsMemory(), CancellationToken.None);
        return receiving.IsCompletedSuccessfully && receiving.Result.EndOfMessage ? receiving.Result.Count : throw new InvalidOperationException("not at once");
    }

    /// <summary>The same bytes over and over.</summary>
    private sealed class Turning : Stream
    {
        private int _at;

        public byte[] Bytes { get; set; } = [];

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

        public override int Read(Span<byte> buffer)
        {
            int take = Math.Min(buffer.Length, Bytes.Length - _at);
            Bytes.AsSpan(_at, take).CopyTo(buffer);
            _at = (_at + take) % Bytes.Length;
            return take;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => default;

        public override void Write(byte[] buffer, int offset, int count)
        {
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}

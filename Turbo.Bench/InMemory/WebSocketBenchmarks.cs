using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using BenchmarkDotNet.Attributes;
using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Net.WebSocket;

namespace Turbo.Bench.InMemory;

/// <summary>Messages through an echo, without a kernel: received, unmasked, checked, sent.</summary>
[MemoryDiagnoser]
public class WebSocketBenchmarks
{
    private MemoryTransport _transport = null!;
    private TurboServer _server = null!;

    [GlobalSetup]
    public void Start()
    {
        _server = new TurboServer(new TurboServerOptions { EndPoints = [new IPEndPoint(IPAddress.Loopback, 0)] }, static async exchange =>
        {
            if (await WebSocketHandshake.AcceptAsync(exchange, WebSocketOptions.Default) is not { } socket) return;
            while (await socket.ReceiveAsync() is { } message) await socket.SendAsync(message.Kind, message.Payload);
        });
        _transport = new MemoryTransport();
        _ = _server.ServeAsync(_transport);
        Run(Inputs.WebSocketHandshake);
    }

    [BenchmarkCategory("WebSocket echo in memory"), Benchmark(Baseline = true)]
    public long Echo() => Run(Inputs.SmallFrame);

    [BenchmarkCategory("WebSocket echo in memory"), Benchmark(OperationsPerInvoke = 16)]
    public long Echo16() => Run(Inputs.SmallFrames16);

    [GlobalCleanup]
    public async Task StopAsync()
    {
        await _transport.PeerOutput.CompleteAsync();
        await _server.DisposeAsync();
    }

    private long Run(byte[] wire)
    {
        // Inline schedulers: the whole echo happens within the flush.
        _transport.PeerOutput.Write(wire);
        ValueTask<FlushResult> flush = _transport.PeerOutput.FlushAsync();
        if (!flush.IsCompletedSuccessfully) throw new InvalidOperationException("the messages were not taken");
        if (!_transport.PeerInput.TryRead(out ReadResult result)) throw new InvalidOperationException("no answer");
        long length = result.Buffer.Length;
        _transport.PeerInput.AdvanceTo(result.Buffer.End);
        return length;
    }
}

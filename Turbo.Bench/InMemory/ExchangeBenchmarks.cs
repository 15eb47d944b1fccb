using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using BenchmarkDotNet.Attributes;
using Turbo.Net;
using Turbo.Net.Transport;

namespace Turbo.Bench.InMemory;

/// <summary>Whole exchanges through the connection loop, without a kernel.</summary>
[MemoryDiagnoser]
public class ExchangeBenchmarks
{
    private MemoryTransport _transport = null!;
    private TurboServer _server = null!;
    private int _responseBytes;

    [GlobalSetup]
    public void Start()
    {
        Router routes = new();
        routes.Get("/plaintext"u8, static exchange =>
        {
            exchange.Response.Send(200, "text/plain"u8, "Hello, World!"u8);
            return default;
        });
        _server = new TurboServer(new TurboServerOptions { EndPoints = [new IPEndPoint(IPAddress.Loopback, 0)] }, routes.HandleAsync);
        _transport = new MemoryTransport();
        _ = _server.ServeAsync(_transport);
        _responseBytes = (int)Run(Inputs.Plaintext);
    }

    [BenchmarkCategory("exchange in memory"), Benchmark(Baseline = true)]
    public long KeepAlive() => Run(Inputs.Plaintext);

    [BenchmarkCategory("exchange in memory"), Benchmark(OperationsPerInvoke = 16)]
    public long Pipelined16() => Run(Inputs.Pipelined16);

    [GlobalCleanup]
    public async Task StopAsync()
    {
        await _transport.PeerOutput.CompleteAsync();
        await _server.DisposeAsync();
    }

    private long Run(byte[] wire)
    {
        // Inline schedulers: the whole exchange happens within the flush.
        _transport.PeerOutput.Write(wire);
        ValueTask<FlushResult> flush = _transport.PeerOutput.FlushAsync();
        if (!flush.IsCompletedSuccessfully) throw new InvalidOperationException("the request was not taken");
        if (!_transport.PeerInput.TryRead(out ReadResult result)) throw new InvalidOperationException("no response");
        long length = result.Buffer.Length;
        _transport.PeerInput.AdvanceTo(result.Buffer.End);
        if (_responseBytes > 0 && length % _responseBytes != 0) throw new InvalidOperationException("a response is missing");
        return length;
    }
}

using BenchmarkDotNet.Attributes;
using Turbo.Net;
using Turbo.Net.Http1;

namespace Turbo.Bench.Micro;

/// <summary>One request head from bytes to slices and framing.</summary>
[MemoryDiagnoser]
public class RequestParserBenchmarks
{
    private readonly RequestHead _head = new();
    private readonly ServerLimits _limits = new();

    [Benchmark(Baseline = true)]
    public long Plaintext() => Parse(Inputs.Plaintext);

    [Benchmark]
    public long Browser() => Parse(Inputs.Browser);

    private long Parse(byte[] wire)
    {
        _head.Reset();
        if (Http1Parser.ReadRequestHead(wire, _head, _limits, out int length) != ParseStatus.Complete) throw new InvalidOperationException(_head.Reject.ToString());
        _head.Take(wire.AsSpan(0, length));
        if (MessageFraming.OfRequest(_head, out _, out long content) != RejectReason.None) throw new InvalidOperationException();
        return content + length;
    }
}

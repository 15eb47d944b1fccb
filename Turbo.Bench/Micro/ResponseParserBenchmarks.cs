using System.Buffers;
using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.Server.Kestrel.Core.Internal.Http;
using Turbo.Net.Http1;

namespace Turbo.Bench.Micro;

/// <summary>
/// One response head of an upstream. Kestrel has no parser of responses: its field lines are given to the one of
/// requests, without the status-line.
/// </summary>
[MemoryDiagnoser]
public class ResponseParserBenchmarks
{
    private readonly ResponseHead _head = new();
    private readonly HttpParser<KestrelHandler> _kestrel = new();
    private readonly byte[] _fields = Inputs.Response[(Inputs.Response.AsSpan().IndexOf("\r\n"u8) + 2)..];

    [BenchmarkCategory("response head"), Benchmark]
    public int Turbo()
    {
        _head.Reset();
        if (Http1Parser.ReadResponseHead(Inputs.Response, _head, 64 * 1024, 256, out int length) != ParseStatus.Complete) throw new InvalidOperationException(_head.Reject.ToString());
        _head.Take(Inputs.Response.AsSpan(0, length));
        return length;
    }

    [BenchmarkCategory("response head"), Benchmark(Baseline = true)]
    public long KestrelFieldsAlone()
    {
        SequenceReader<byte> reader = new(new ReadOnlySequence<byte>(_fields));
        if (!_kestrel.ParseHeaders(default, ref reader)) throw new InvalidOperationException();
        return reader.Consumed;
    }
}

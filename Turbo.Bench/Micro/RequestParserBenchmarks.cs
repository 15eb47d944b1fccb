using System.Buffers;
using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.Server.Kestrel.Core.Internal.Http;
using Turbo.Net;
using Turbo.Net.Http1;

namespace Turbo.Bench.Micro;

/// <summary>
/// One request head from bytes to what a server needs of it. Turbo's keeps slices of every field and settles the framing;
/// Kestrel's public parser calls a handler with each, which here keeps nothing.
/// </summary>
[MemoryDiagnoser]
public class RequestParserBenchmarks
{
    private readonly RequestHead _head = new();
    private readonly ServerLimits _limits = new();
    private readonly HttpParser<KestrelHandler> _kestrel = new();

    [BenchmarkCategory("request head, plaintext"), Benchmark]
    public long PlaintextTurbo() => Parse(Inputs.Plaintext);

    [BenchmarkCategory("request head, plaintext"), Benchmark(Baseline = true)]
    public long PlaintextKestrel() => ParseByKestrel(Inputs.Plaintext);

    [BenchmarkCategory("request head, browser"), Benchmark]
    public long BrowserTurbo() => Parse(Inputs.Browser);

    [BenchmarkCategory("request head, browser"), Benchmark(Baseline = true)]
    public long BrowserKestrel() => ParseByKestrel(Inputs.Browser);

    private long Parse(byte[] wire)
    {
        _head.Reset();
        if (Http1Parser.ReadRequestHead(wire, _head, _limits, out int length) != ParseStatus.Complete) throw new InvalidOperationException(_head.Reject.ToString());
        _head.Take(wire.AsSpan(0, length));
        if (MessageFraming.OfRequest(_head, out _, out long content) != RejectReason.None) throw new InvalidOperationException();
        return content + length;
    }

    private long ParseByKestrel(byte[] wire)
    {
        SequenceReader<byte> reader = new(new ReadOnlySequence<byte>(wire));
        if (!_kestrel.ParseRequestLine(default, ref reader) || !_kestrel.ParseHeaders(default, ref reader)) throw new InvalidOperationException();
        return reader.Consumed;
    }
}

/// <summary>What Kestrel's parser calls; it keeps nothing.</summary>
internal readonly struct KestrelHandler : IHttpRequestLineHandler, IHttpHeadersHandler
{
    public void OnStartLine(HttpVersionAndMethod versionAndMethod, TargetOffsetPathLength targetPath, Span<byte> startLine)
    {
    }

    public void OnHeader(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
    }

    public void OnStaticIndexedHeader(int index)
    {
    }

    public void OnStaticIndexedHeader(int index, ReadOnlySpan<byte> value)
    {
    }

    public void OnHeadersComplete(bool endStream)
    {
    }
}

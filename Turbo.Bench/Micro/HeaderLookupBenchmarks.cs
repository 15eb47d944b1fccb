using System.Text;
using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.Http;
using Turbo.Net;
using Turbo.Net.Http1;

namespace Turbo.Bench.Micro;

/// <summary>Finding a field of a browser's request: one that the server knows, one by name, one that is not there.</summary>
[MemoryDiagnoser]
public class HeaderLookupBenchmarks
{
    private readonly RequestHead _head = new();
    private readonly HeaderDictionary _dictionary = new();

    [GlobalSetup]
    public void Parse()
    {
        if (Http1Parser.ReadRequestHead(Inputs.Browser, _head, new ServerLimits(), out int length) != ParseStatus.Complete) throw new InvalidOperationException();
        _head.Take(Inputs.Browser.AsSpan(0, length));
        for (int i = 0; i < _head.Fields.Count; i++) _dictionary[Encoding.ASCII.GetString(_head.Fields[i].Name)] = Encoding.ASCII.GetString(_head.Fields[i].Value);
    }

    [BenchmarkCategory("field, known"), Benchmark]
    public int KnownTurbo() => _head.Fields.TryGet(KnownField.Cookie, out ReadOnlySpan<byte> value) ? value.Length : throw new InvalidOperationException();

    [BenchmarkCategory("field, known"), Benchmark(Baseline = true)]
    public int KnownHeaderDictionary() => _dictionary.TryGetValue("Cookie", out var value) ? value[0]!.Length : throw new InvalidOperationException();

    [BenchmarkCategory("field, by name"), Benchmark]
    public int NamedTurbo() => _head.Fields.TryGet("accept-language"u8, out ReadOnlySpan<byte> value) ? value.Length : throw new InvalidOperationException();

    [BenchmarkCategory("field, by name"), Benchmark(Baseline = true)]
    public int NamedHeaderDictionary() => _dictionary.TryGetValue("accept-language", out var value) ? value[0]!.Length : throw new InvalidOperationException();

    [BenchmarkCategory("field, absent"), Benchmark]
    public bool AbsentTurbo() => _head.Fields.TryGet(KnownField.Expect, out _);

    [BenchmarkCategory("field, absent"), Benchmark(Baseline = true)]
    public bool AbsentHeaderDictionary() => _dictionary.ContainsKey("Expect");
}

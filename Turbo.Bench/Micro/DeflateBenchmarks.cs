using System.IO.Compression;
using System.Text;
using BenchmarkDotNet.Attributes;
using Turbo.Net.WebSocket;

namespace Turbo.Bench.Micro;

/// <summary>A compressed message of 100 KB of JSON: our inflater beside zlib's.</summary>
[MemoryDiagnoser]
public class DeflateBenchmarks
{
    private readonly DeflateInflater _inflater = new(new(false, false, 15, 15, false));
    private readonly byte[] _to = new byte[200_000];
    private byte[] _finished = null!;

    [GlobalSetup]
    public void Compress()
    {
        string json = string.Concat(Enumerable.Range(0, 2500).Select(static i => $"{{\"id\":{i * 7919 % 100_000},\"name\":\"user {i % 1000}\"}},"));
        using MemoryStream output = new();
        using (DeflateStream stream = new(output, CompressionLevel.Optimal, leaveOpen: true)) stream.Write(Encoding.ASCII.GetBytes(json));
        _finished = output.ToArray();
    }

    [BenchmarkCategory("inflate"), Benchmark(Baseline = true)]
    public int Zlib()
    {
        using DeflateStream stream = new(new MemoryStream(_finished), CompressionMode.Decompress);
        return stream.ReadAtLeast(_to, _to.Length, throwOnEndOfStream: false);
    }

    [BenchmarkCategory("inflate"), Benchmark]
    public int Ours()
    {
        if (_inflater.Append(_finished, true, long.MaxValue) != InflateResult.Done) throw new InvalidOperationException("not inflated");
        int length = _inflater.Taken.Length;
        _inflater.Release();
        return length;
    }
}

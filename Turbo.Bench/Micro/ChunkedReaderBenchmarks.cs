using System.Buffers;
using BenchmarkDotNet.Attributes;
using Turbo.Net;
using Turbo.Net.Http1;

namespace Turbo.Bench.Micro;

/// <summary>A chunked body of 32 pieces taken apart.</summary>
[MemoryDiagnoser]
public class ChunkedReaderBenchmarks
{
    private readonly ServerLimits _limits = new();
    private readonly TrailerSection _trailers = new();

    [BenchmarkCategory("chunked body"), Benchmark(OperationsPerInvoke = 32)]
    public long Chunk()
    {
        ChunkedReader reader = default;
        ReadOnlySequence<byte> input = new(Inputs.Chunked);
        long total = 0;
        while (!reader.IsDone)
        {
            if (reader.Read(ref input, out ReadOnlySequence<byte> data, _limits, _trailers) != ParseStatus.Complete) throw new InvalidOperationException(reader.Reject.ToString());
            total += data.Length;
        }
        return total;
    }
}

using System.IO.Pipelines;
using System.Text;
using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.WebUtilities;

namespace Turbo.Bench.Micro;

/// <summary>A form of six fields, two with escapes: every name and value decoded. ASP.NET's readers make strings of them.</summary>
[MemoryDiagnoser]
public class FormBenchmarks
{
    private readonly byte[] _decoded = new byte[1024];

    [BenchmarkCategory("form"), Benchmark]
    public int Turbo()
    {
        Turbo.Net.Content.FormReader reader = new(Inputs.Form);
        int bytes = 0;
        while (reader.Read(out Net.Content.FormField field)) bytes += Decode(field.Name) + Decode(field.Value);
        return bytes;
    }

    [BenchmarkCategory("form"), Benchmark(Baseline = true)]
    public async Task<int> AspNetFormPipeReader()
    {
        FormPipeReader reader = new(PipeReader.Create(new System.Buffers.ReadOnlySequence<byte>(Inputs.Form)), Encoding.UTF8);
        return (await reader.ReadFormAsync()).Count;
    }

    [BenchmarkCategory("form"), Benchmark]
    public int AspNetFormReader()
    {
        using FormReader reader = new(new MemoryStream(Inputs.Form), Encoding.UTF8);
        return reader.ReadForm().Count;
    }

    private int Decode(ReadOnlySpan<byte> text)
    {
        if (!Net.Content.FormReader.NeedsDecoding(text)) return text.Length;
        return Net.Content.FormReader.TryDecode(text, _decoded, out int written) ? written : throw new InvalidOperationException();
    }
}

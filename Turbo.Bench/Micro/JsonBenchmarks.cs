using System.Text.Json;
using System.Text.Json.Serialization;
using BenchmarkDotNet.Attributes;
using Turbo.Net.Content;

namespace Turbo.Bench.Micro;

/// <summary>A prompt's parameters out of a JSON object. System.Text.Json's serializer, source generated, makes an object of it.</summary>
[MemoryDiagnoser]
public partial class JsonBenchmarks
{
    private readonly byte[] _text = new byte[1024];

    [BenchmarkCategory("JSON fields"), Benchmark]
    public int Turbo()
    {
        JsonFields reader = new(Inputs.Json);
        Span<byte> name = stackalloc byte[64];
        int bytes = 0;
        while (reader.Read(name, out _))
        {
            if (!reader.TryCopyValue(_text, out int length)) throw new InvalidOperationException();
            bytes += length;
        }
        return reader.Error == ContentError.None ? bytes : throw new InvalidOperationException();
    }

    [BenchmarkCategory("JSON fields"), Benchmark(Baseline = true)]
    public int SystemTextJson() => JsonSerializer.Deserialize(Inputs.Json, BenchJson.Default.PromptBody)!.Prompt.Length;

    internal sealed record PromptBody(
        [property: JsonPropertyName("id")] string Id,
        [property: JsonPropertyName("prompt")] string Prompt,
        [property: JsonPropertyName("context")] int Context,
        [property: JsonPropertyName("stream")] bool Stream,
        [property: JsonPropertyName("otr")] bool Otr);

    [JsonSerializable(typeof(PromptBody))]
    private sealed partial class BenchJson : JsonSerializerContext;
}

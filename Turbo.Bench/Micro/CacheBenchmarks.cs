using System.Collections.Concurrent;
using BenchmarkDotNet.Attributes;
using BitFaster.Caching.Lru;
using Microsoft.Extensions.Caching.Memory;
using Turbo.Bench.Caches;

namespace Turbo.Bench.Micro;

/// <summary>A hit in a full cache, and a value set again: time and allocated bytes. `Turbo.Bench cache` shows threads, memory and hit rates.</summary>
[MemoryDiagnoser]
public class CacheBenchmarks
{
    private const int Entries = 10_000;
    private const string Key = "context:5000";

    private readonly byte[] _value = new byte[100];
    private readonly TurboCache _turbo = new(new Server.Cache.MemoryCache(64 << 20, TimeProvider.System));
    private readonly Dictionary _dictionary = new(new ConcurrentDictionary<string, byte[]>());
    private readonly ExtensionsCache _extensions = new(new MemoryCache(new MemoryCacheOptions { SizeLimit = 2 * Entries }));
    private readonly BitFasterLru _bitFaster = new(new ConcurrentLru<string, byte[]>(2 * Entries));

    [GlobalSetup]
    public void Fill()
    {
        for (int i = 0; i < Entries; i++)
        {
            string key = $"context:{i}";
            _turbo.Set(key, _value);
            _dictionary.Set(key, _value);
            _extensions.Set(key, _value);
            _bitFaster.Set(key, _value);
        }
    }

    [BenchmarkCategory("cache, read"), Benchmark]
    public bool ReadTurbo() => _turbo.TryGet(Key, out _);

    [BenchmarkCategory("cache, read"), Benchmark(Baseline = true)]
    public bool ReadConcurrentDictionary() => _dictionary.TryGet(Key, out _);

    [BenchmarkCategory("cache, read"), Benchmark]
    public bool ReadExtensionsMemoryCache() => _extensions.TryGet(Key, out _);

    [BenchmarkCategory("cache, read"), Benchmark]
    public bool ReadBitFasterLru() => _bitFaster.TryGet(Key, out _);

    [BenchmarkCategory("cache, set"), Benchmark]
    public void SetTurbo() => _turbo.Set(Key, _value);

    [BenchmarkCategory("cache, set"), Benchmark(Baseline = true)]
    public void SetBitFasterLru() => _bitFaster.Set(Key, _value);
}

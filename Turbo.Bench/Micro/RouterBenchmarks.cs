using System.Collections.Frozen;
using System.Text;
using BenchmarkDotNet.Attributes;
using Turbo.Net;
using Turbo.Server;
using Turbo.Server.Api;
using HttpMethod = Turbo.Net.HttpMethod;

namespace Turbo.Bench.Micro;

/// <summary>
/// A path of the product's own table to its route. The other is the least that a server with string paths does: make the
/// string, look it up in a frozen dictionary.
/// </summary>
[MemoryDiagnoser]
public class RouterBenchmarks
{
    private readonly RouteTable<Route> _routes = Routes.Build(Server.AppOptions.Defaults);
    private readonly byte[] _exact = "/chat/user/remove"u8.ToArray();
    private readonly byte[] _prefixed = "/v1/chat/completions"u8.ToArray();
    private readonly byte[] _unknown = "/chat/user/removed"u8.ToArray();
    private FrozenDictionary<string, Route> _frozen = null!;

    [GlobalSetup]
    public void Build()
    {
        string[] paths = ["/user/signup", "/user/login", "/user/logout", "/user/read", "/user/update", "/user/session", "/user/password/update", "/group/create", "/group/read", "/group/update", "/group/delete", "/group/index", "/group/members", "/group/members/add", "/group/members/remove", "/chat/create", "/chat/read", "/chat/update", "/chat/delete", "/chat/index", "/chat/prompt", "/chat/stream", "/chat/user/add", "/chat/user/remove", "/event/publish", "/event/subscribe", "/healthz", "/readyz"];
        _frozen = paths.ToFrozenDictionary(static path => path, path => _routes.Match(HttpMethod.Post, Encoding.ASCII.GetBytes(path)).Target!);
    }

    [BenchmarkCategory("route"), Benchmark]
    public bool ExactTurbo() => _routes.Match(HttpMethod.Post, _exact).Target is not null;

    [BenchmarkCategory("route"), Benchmark(Baseline = true)]
    public bool ExactFrozenDictionary() => _frozen.ContainsKey(Encoding.ASCII.GetString(_exact));

    [BenchmarkCategory("route"), Benchmark]
    public bool PrefixTurbo() => _routes.Match(HttpMethod.Post, _prefixed).Target is not null;

    [BenchmarkCategory("route"), Benchmark]
    public bool UnknownTurbo() => _routes.Match(HttpMethod.Post, _unknown).IsKnownPath;
}

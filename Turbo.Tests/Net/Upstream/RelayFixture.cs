using System.Net;
using System.Text;
using Turbo.Net;
using Turbo.Net.Upstream;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Upstream;

/// <summary>A server that relays everything to a scripted origin; what the relay reported, in order.</summary>
internal sealed class RelayFixture : IAsyncDisposable
{
    private readonly TurboServer _server;
    private readonly UpstreamPool _pool;
    private readonly List<RelayResult> _results = [];

    public RelayFixture(Action<UpstreamPeer> script, Func<UpstreamOptions, UpstreamOptions>? configure = null, Func<RelayRules, RelayRules>? rules = null, IRelayObserver? observer = null, TimeProvider? time = null)
    {
        Origin = new FaultyUpstream(script);
        UpstreamOptions options = new() { Host = "127.0.0.1", Port = Origin.Port, TimeProvider = time ?? TimeProvider.System };
        _pool = new UpstreamPool(configure?.Invoke(options) ?? options);
        RelayRules relayed = new() { Host = Encoding.ASCII.GetBytes("origin.test"), AuthorizationLine = "Authorization: Bearer key\r\n"u8.ToArray() };
        relayed = rules?.Invoke(relayed) ?? relayed;
        Relay relay = new(_pool);
        _server = new TurboServer(
            new TurboServerOptions { EndPoints = [new IPEndPoint(IPAddress.Loopback, 0)], TimeProvider = time ?? TimeProvider.System },
            async exchange =>
            {
                exchange.Body.MaxBytes = long.MaxValue;
                RelayResult result = await relay.RunAsync(exchange, relayed, observer);
                if (!exchange.Response.HasStarted && result != RelayResult.RequestRejected)
                {
                    int status = result switch { RelayResult.Timeout => 504, RelayResult.Overloaded => 503, _ => 502 };
                    exchange.Response.Send(status, "text/plain"u8, Encoding.ASCII.GetBytes(result.ToString()));
                }
                lock (_results) _results.Add(result);
            });
        _server.Start();
    }

    public FaultyUpstream Origin { get; }

    public UpstreamPool Pool => _pool;

    public TurboServer Server => _server;

    public RelayResult[] Results
    {
        get
        {
            lock (_results) return [.. _results];
        }
    }

    public RawClient Connect() => new(_server.EndPoints[0]);

    public async ValueTask DisposeAsync()
    {
        await _server.StopAsync(TimeSpan.FromSeconds(5));
        await _pool.DisposeAsync();
        Origin.Dispose();
    }
}

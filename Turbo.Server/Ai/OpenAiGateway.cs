using System.Text;
using Turbo.Net;
using Turbo.Net.Upstream;

namespace Turbo.Server.Ai;

/// <summary>
/// The OpenAI API upstream: its origin, whose key goes with a request, and what is rewritten (contract sections 1
/// and 8).
/// </summary>
internal sealed class OpenAiGateway : IAsyncDisposable
{
    private readonly UpstreamPool _pool;
    private readonly Relay _relay;
    private readonly RelayRules _rules;

    /// <param name="options">Origin, key, PROXY_AUTH and the upstream bounds.</param>
    /// <param name="time">The clock of deadlines.</param>
    /// <param name="writeMissingCors">Writes the CORS fields of a reply whose origin sent none.</param>
    /// <param name="connectFailed">Told why a connection to the origin could not be made.</param>
    public OpenAiGateway(AppOptions options, TimeProvider time, Action<Exchange, ResponseWriter>? writeMissingCors, Action<Exception>? connectFailed)
    {
        UpstreamTarget target = options.Upstream;
        _pool = new UpstreamPool(new UpstreamOptions
        {
            Host = target.Host,
            Port = target.Port,
            IsTls = target.IsTls,
            Transport = options.Transport,
            ConnectTimeout = options.ConnectTimeout,
            FirstByteTimeout = options.FirstByteTimeout,
            IdleTimeout = options.IdleTimeout,
            PooledIdleTimeout = options.UpstreamIdleTimeout,
            DnsRefresh = options.UpstreamDnsRefresh,
            MaxConnections = options.UpstreamMaxConnections,
            MaxPipes = options.UpstreamMaxPipes,
            MaxHeaderBytes = options.UpstreamMaxHeaderBytes,
            MaxHeaderFields = options.UpstreamMaxHeaderFields,
            MaxInformational = options.UpstreamMaxInformational,
            TimeProvider = time,
            ConnectFailed = connectFailed,
        });
        _relay = new Relay(_pool);
        Client = new UpstreamClient(_pool);
        PathPrefix = target.PathPrefix;
        RequestFields = (byte[])[.. Encoding.ASCII.GetBytes($"Host: {target.Authority}\r\n"), .. CredentialLine(target, options.OpenAiApiKey)];
        _rules = new RelayRules
        {
            Host = Encoding.ASCII.GetBytes(target.Authority),
            PathPrefix = target.PathPrefix.ToArray(),
            AuthorizationLine = options.ProxyAuth == ProxyAuth.Passthrough ? null : CredentialLine(target, options.OpenAiApiKey),
            EventStreamKeepAlive = options.SseKeepAlive,
            WriteMissingCors = writeMissingCors,
        };
    }

    /// <summary>Connections to the origin, its retries.</summary>
    public UpstreamPool Pool => _pool;

    /// <summary>Requests of Turbo's own, over the same connections.</summary>
    public UpstreamClient Client { get; }

    /// <summary>What stands before <c>/v1/…</c> in a path of the upstream.</summary>
    public ReadOnlyMemory<byte> PathPrefix { get; }

    /// <summary>The field lines that Turbo's own requests begin with: Host and, where there is a key, the server's.</summary>
    public ReadOnlyMemory<byte> RequestFields { get; }

    /// <summary>Relays one exchange. The client's own credential for Turbo never travels on, except in passthrough.</summary>
    /// <param name="exchange">The client's.</param>
    /// <param name="observer">Is told what passes.</param>
    /// <param name="arrival">When the request arrived, a timestamp of the application's clock.</param>
    public ValueTask<RelayResult> RelayAsync(Exchange exchange, IRelayObserver? observer, long arrival) => _relay.RunAsync(exchange, _rules, observer, arrival);

    public ValueTask DisposeAsync() => _pool.DisposeAsync();

    // Azure takes its key in a field of its own.
    private static byte[] CredentialLine(UpstreamTarget target, string key) =>
        key.Length == 0 ? [] : Encoding.ASCII.GetBytes(target.IsAzure ? $"api-key: {key}\r\n" : $"Authorization: Bearer {key}\r\n");
}

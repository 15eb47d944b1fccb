using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using Turbo.Net;
using Turbo.Server.Logging;

namespace Turbo.Server;

/// <summary>Who may use <c>/v1/*</c> and with whose key (contract section 1, <c>PROXY_AUTH</c>).</summary>
internal enum ProxyAuth { Session, Passthrough, None }

/// <summary>
/// The whole configuration, validated and frozen. Its variables, defaults and meanings are the rows of
/// <see cref="Table"/>; a property says only what a row cannot. Sizes are bytes.
/// </summary>
internal sealed partial record AppOptions
{
    private AppOptions() { }

    /// <summary>What an empty environment gives; tests and embedders start from it with <c>with</c>.</summary>
    public static AppOptions Defaults =>
        TryRead(static _ => null, out AppOptions? options, out string? error) ? options : throw new InvalidOperationException(error);

    public ImmutableArray<ListenAddress> Addresses { get; init; } = [];
    public UpstreamTarget Upstream { get; init; } = null!;

    /// <summary>Empty when there is none.</summary>
    public string OpenAiApiKey { get; init; } = "";

    public DbAddress Database { get; init; } = null!;
    public int DatabaseConnections { get; init; }
    public TimeSpan DatabaseTimeout { get; init; }

    /// <summary>Null: cache and events in memory.</summary>
    public RedisAddress? Redis { get; init; }

    public long CacheBytes { get; init; }

    /// <summary>Empty, as <see cref="TlsKeyFile"/> then is too: plain HTTP.</summary>
    public string TlsCertFile { get; init; } = "";

    public string TlsKeyFile { get; init; } = "";
    public ProxyAuth ProxyAuth { get; init; }

    /// <summary>One <c>*</c>, or origins in the form a browser sends; empty allows none.</summary>
    public ImmutableArray<string> CorsOrigins { get; init; } = [];

    /// <summary>See <see cref="IsTrustedProxy"/>.</summary>
    public ImmutableArray<IPNetwork> TrustedProxies { get; init; } = [];

    public LogFormat LogFormat { get; init; }

    public TransportKind Transport { get; init; }
    public LogLevel LogLevel { get; init; }
    public bool Metrics { get; init; }

    /// <summary>Empty: loopback clients only.</summary>
    public string MetricsToken { get; init; } = "";

    public long EventBodiesBytes { get; init; }

    /// <summary>Null: keep.</summary>
    public TimeSpan? EventRetention { get; init; }

    public long EventQueueBytes { get; init; }
    public TimeSpan EventQueueWait { get; init; }
    public int StorageQueue { get; init; }
    public int BcryptCost { get; init; }

    /// <summary>Failed ones, per username and per client address, in a minute.</summary>
    public int LoginAttempts { get; init; }

    /// <summary>In <c>members</c> or <c>user_ids</c>, repeats included.</summary>
    public int UsersPerCall { get; init; }

    /// <summary>The newest ones count.</summary>
    public int ChatMessages { get; init; }

    public int ChatContext { get; init; }
    public long ChatContextBytes { get; init; }
    public long ChatReplyBytes { get; init; }

    /// <summary>Prompts with <c>stream=true</c> whose reply still comes.</summary>
    public int ChatStreams { get; init; }

    /// <summary>Bytes of a saved prompt's text, as UTF-8.</summary>
    public long PromptBytes { get; init; }

    /// <summary>The last changed ones count.</summary>
    public int PromptIndex { get; init; }

    /// <summary>Bytes of what is published on the caller's or a group's topics, as UTF-8 or JSON.</summary>
    public long EventDataBytes { get; init; }

    /// <summary>Name asked for → name sent upstream, the built-in one included.</summary>
    public FrozenDictionary<string, string> ModelAliases { get; init; } = FrozenDictionary<string, string>.Empty;

    public TimeSpan ConnectTimeout { get; init; }
    public TimeSpan FirstByteTimeout { get; init; }
    public TimeSpan IdleTimeout { get; init; }
    public int UpstreamMaxConnections { get; init; }
    public TimeSpan UpstreamIdleTimeout { get; init; }
    public TimeSpan UpstreamDnsRefresh { get; init; }
    public int UpstreamMaxPipes { get; init; }
    public int UpstreamMaxHeaderBytes { get; init; }
    public int UpstreamMaxHeaderFields { get; init; }
    public int UpstreamMaxInformational { get; init; }

    /// <summary>Null: off.</summary>
    public TimeSpan? SseKeepAlive { get; init; }

    /// <summary>The server's own bounds; its <see cref="ServerLimits.MaxBodyBytes"/> is that of Turbo's routes, not of <c>/v1</c>.</summary>
    public ServerLimits Limits { get; init; } = new();

    public TimeSpan ShutdownTimeout { get; init; }

    /// <summary>
    /// Whether <c>X-Forwarded-For</c> counts from this peer. A dual-stack socket reports IPv4 peers as mapped
    /// addresses; they are looked up as what they are.
    /// </summary>
    public bool IsTrustedProxy(IPAddress peer)
    {
        if (TrustedProxies.Length == 0) return false;
        IPAddress address = peer.IsIPv4MappedToIPv6 ? peer.MapToIPv4() : peer;
        foreach (IPNetwork network in TrustedProxies)
        {
            if (network.Contains(address)) return true;
        }
        return false;
    }

    /// <summary>No values: a record prints its members, and some of these are secrets.</summary>
    public override string ToString() => nameof(AppOptions);

    /// <summary>
    /// Reads every row's variable; one that is unset or empty has its default. The error is one line: the first bad
    /// variable in the table's order, its value with secrets masked, and what is accepted.
    /// </summary>
    public static bool TryRead(
        Func<string, string?> environment,
        [NotNullWhen(true)] out AppOptions? options,
        [NotNullWhen(false)] out string? error)
    {
        options = null;
        var read = new AppOptions();
        foreach (OptionRow row in Table)
        {
            error = row.Read(environment(row.Name), ref read);
            if (error is not null) return false;
        }
        error = TlsPair.Check(read.TlsCertFile, read.TlsKeyFile);
        if (error is not null) return false;
        options = read;
        return true;
    }
}

using System.Collections.Frozen;
using System.Collections.Immutable;
using Turbo.Net;
using Turbo.Server.Api;
using Turbo.Server.Logging;
using static Turbo.Server.OptionParser;

namespace Turbo.Server;

internal sealed partial record AppOptions
{
    /// <summary>
    /// Every variable, once: its name, default, meaning and parser. `turbo help` prints these rows and the README's
    /// table is the same ones.
    /// </summary>
    public static ImmutableArray<OptionRow> Table { get; } =
    [
        Row("ADDRESS", ":8080", "where to listen: `:8080` (every interface, IPv4 and IPv6), `host:port`, `[::1]:port`; several separated by commas; port 0 lets the system choose",
            AddressList, (o, v) => o with { Addresses = v }),
        Row("OPENAI_API_URL", "https://api.openai.com", "the upstream's base: http or https, with any path prefix, with or without a trailing `/` or `/v1`",
            UpstreamUrl, (o, v) => o with { Upstream = v }),
        Row("OPENAI_API_KEY", "", "the key sent upstream: as `Authorization: Bearer`, or as `api-key` to `*.openai.azure.com`",
            Secret, (o, v) => o with { OpenAiApiKey = v }, note: "none", isSecret: true),
        Row("PROXY_AUTH", "session", "who may use `/v1`: `session` (holders of a Turbo session), `passthrough` (the client's own Authorization goes upstream untouched) or `none` (anyone, with the server's key)",
            Word(("session", ProxyAuth.Session), ("passthrough", ProxyAuth.Passthrough), ("none", ProxyAuth.None)), (o, v) => o with { ProxyAuth = v }),
        Row("DB_ADDRESS", "sqlite:turbo.db", "the database: `sqlite:PATH`, or a `postgres://user:password@host:port/db?sslmode=…` URL, which several nodes may share",
            DatabaseUrl, (o, v) => o with { Database = v }),
        Row("DB_CONNECTIONS", "20", "connections to PostgreSQL at most, for each node",
            Count(1, 1000), (o, v) => o with { DatabaseConnections = v }),
        Row("DB_TIMEOUT", "15s", "how long PostgreSQL may take to answer a statement; then 503",
            Duration("1s", "1h"), (o, v) => o with { DatabaseTimeout = v }),
        Row("REDIS_ADDRESS", "", "cache and events shared by several nodes: a `redis://` or `rediss://` URL",
            RedisUrl, (o, v) => o with { Redis = v }, note: "in memory"),
        Row("CACHE_BYTES", "64M", "memory of the cache, where it is not in Redis",
            Size("64K", "64G"), (o, v) => o with { CacheBytes = v }),
        Row("TLS_CERT", "", "PEM file of the certificate, RSA or EC, followed by its chain; with `TLS_KEY`, every address serves https instead of http; read again when it changes",
            ReadableFile, (o, v) => o with { TlsCertFile = v }, note: "plain http"),
        Row("TLS_KEY", "", "PEM file of the certificate's private key, unencrypted",
            ReadableFile, (o, v) => o with { TlsKeyFile = v }, note: "plain http"),
        Row("TLS_HANDSHAKES", "1024", "TLS handshakes under way at once, beside `MAX_CONNECTIONS`; one more connection is closed",
            Count(1, 1_000_000), (o, v) => o with { Limits = o.Limits with { MaxHandshakes = v } }),
        Row("TLS_HANDSHAKE_TIMEOUT", "10s", "from a connection to the end of its TLS handshake; then it is closed",
            Duration("1ms", "1h"), (o, v) => o with { Limits = o.Limits with { HandshakeTimeout = v } }),
        Row("TRANSPORT", "auto", "how sockets are read and written: `epoll` (event loops, on Linux), `sockets` (the runtime's, anywhere) or `auto` (the faster that runs here)",
            Word(("auto", TransportKind.Auto), ("epoll", TransportKind.Epoll), ("sockets", TransportKind.Sockets)), (o, v) => o with { Transport = v }),
        Row("CORS_ORIGINS", "*", "origins that browsers may call from, separated by commas; `*` is any, without credentials",
            Origins, (o, v) => o with { CorsOrigins = v }),
        Row("TRUSTED_PROXIES", "", "addresses or networks, separated by commas, whose `X-Forwarded-For` names the client",
            Networks, (o, v) => o with { TrustedProxies = v }, note: "none"),
        Row("LOG_FORMAT", "text", "`text` or `json`: one line a request on stdout",
            Word(("text", LogFormat.Text), ("json", LogFormat.Json)), (o, v) => o with { LogFormat = v }),
        Row("LOG_LEVEL", "info", "`debug`, `info`, `warn` or `error`; a request is `info`, one answered with 5xx is `error`",
            Word(("debug", LogLevel.Debug), ("info", LogLevel.Info), ("warn", LogLevel.Warn), ("error", LogLevel.Error)), (o, v) => o with { LogLevel = v }),
        Row("METRICS", "on", "Prometheus text at `/metrics`, for loopback clients or with `METRICS_TOKEN`",
            Switch, (o, v) => o with { Metrics = v }),
        Row("METRICS_TOKEN", "", "the Bearer token that opens `/metrics` to other clients",
            Secret, (o, v) => o with { MetricsToken = v }, note: "none", isSecret: true),
        Row("EVENT_BODIES", "64K", "how much of each request's and each response's body an event row keeps; 0 keeps none",
            Size("0", "16M"), (o, v) => o with { EventBodiesBytes = v }),
        Row("EVENT_RETENTION", "keep", "age at which event rows are deleted, such as `30d`",
            DurationOr("keep", "1h", "36500d"), (o, v) => o with { EventRetention = v }),
        Row("EVENT_QUEUE_BYTES", "64M", "memory that event rows may take while they wait for the database",
            Size("64K", "16G"), (o, v) => o with { EventQueueBytes = v }),
        Row("EVENT_QUEUE_WAIT", "5s", "how long a request waits where these rows have filled it; then it is answered 503 and not done",
            Duration("1ms", "1h"), (o, v) => o with { EventQueueWait = v }),
        Row("STORAGE_QUEUE", "65536", "database operations that may wait; one more is answered 503",
            Count(16, 10_000_000), (o, v) => o with { StorageQueue = v }),
        Row("BCRYPT_COST", "10", "the work in a password's hash; a hash of a lower cost is rewritten at the next login",
            Count(4, 16), (o, v) => o with { BcryptCost = v }),
        Row("LOGIN_ATTEMPTS", "10", "failed logins a minute, for a username or a client address, after which the answer is 429",
            Count(1, 1_000_000), (o, v) => o with { LoginAttempts = v }),
        Row("USERS_PER_CALL", "1000", "users that one call may name, as `members` or `user_ids`; more is 400",
            Count(1, Parameters.MaxElements), (o, v) => o with { UsersPerCall = v }),
        Row("CHAT_MESSAGES", "10000", "messages that `/chat/read` answers with at most, the newest ones",
            Count(1, 1_000_000), (o, v) => o with { ChatMessages = v }),
        Row("CHAT_CONTEXT", "10", "earlier exchanges sent upstream with a chat's prompt, at most",
            Count(0, 1000), (o, v) => o with { ChatContext = v }),
        Row("CHAT_CONTEXT_BYTES", "16K", "text of those exchanges, at most; the oldest go first",
            Size("0", "64M"), (o, v) => o with { ChatContextBytes = v }),
        Row("CHAT_REPLY_BYTES", "1M", "what the upstream's reply to a prompt may have; a larger one is an error, or ends a stream with one",
            Size("1K", "64M"), (o, v) => o with { ChatReplyBytes = v }),
        Row("CHAT_STREAMS", "1000", "prompts with `stream=true` whose reply still comes; one more is answered 503",
            Count(1, 1_000_000), (o, v) => o with { ChatStreams = v }),
        Row("EVENT_DATA_BYTES", "64K", "what `/event/publish` takes as `data`; more is 400",
            Size("1", "1G"), (o, v) => o with { EventDataBytes = v }),
        Row("MODEL_ALIASES", "", "chat models sent upstream under another name, as `name=model` separated by commas; `gpt-3=gpt-3.5-turbo` is built in",
            Aliases, (o, v) => o with { ModelAliases = WithBuiltIn(v) }, note: "none"),
        Row("CONNECT_TIMEOUT", "5s", "upstream: to connect, TLS included; then 504",
            Duration("1ms", "1h"), (o, v) => o with { ConnectTimeout = v }),
        Row("FIRST_BYTE_TIMEOUT", "300s", "upstream: from the request to the first byte of the response; then 504",
            Duration("1ms", "7d"), (o, v) => o with { FirstByteTimeout = v }),
        Row("IDLE_TIMEOUT", "300s", "upstream: between bytes of a response; then the response is cut off",
            Duration("1ms", "7d"), (o, v) => o with { IdleTimeout = v }),
        Row("UPSTREAM_MAX_CONNECTIONS", "10000", "connections to the upstream; a request that finds none free is answered 503",
            Count(1, 1_000_000), (o, v) => o with { UpstreamMaxConnections = v }),
        Row("UPSTREAM_IDLE_TIMEOUT", "60s", "how long an idle upstream connection is kept",
            Duration("1ms", "1d"), (o, v) => o with { UpstreamIdleTimeout = v }),
        Row("UPSTREAM_DNS_REFRESH", "30s", "how long the upstream's resolved addresses are used",
            Duration("1s", "1d"), (o, v) => o with { UpstreamDnsRefresh = v }),
        Row("UPSTREAM_MAX_HEADER_BYTES", "64K", "bytes of a response head of the upstream; more is 502",
            Size("1K", "16M"), (o, v) => o with { UpstreamMaxHeaderBytes = (int)v }),
        Row("UPSTREAM_MAX_HEADER_FIELDS", "256", "field lines of a response head of the upstream; more is 502",
            Count(8, 10_000), (o, v) => o with { UpstreamMaxHeaderFields = v }),
        Row("UPSTREAM_MAX_INFORMATIONAL", "100", "informational responses (1xx) of the upstream to one request; more is 502",
            Count(1, 1_000_000), (o, v) => o with { UpstreamMaxInformational = v }),
        Row("SSE_KEEPALIVE", "off", "where set, such as `15s`: a comment line in a proxied event stream that is silent that long",
            DurationOr("off", "1s", "1d"), (o, v) => o with { SseKeepAlive = v }),
        Row("MAX_CONNECTIONS", "10000", "client connections; one more is answered 503 and closed",
            Count(1, 1_000_000), (o, v) => o with { Limits = o.Limits with { MaxConnections = v } }),
        Row("MAX_REQUESTS_PER_CONNECTION", "0", "requests after which a connection is closed; 0 is unlimited",
            Count(0, 1_000_000_000), (o, v) => o with { Limits = o.Limits with { MaxRequestsPerConnection = v } }),
        Row("MAX_REQUEST_LINE", "16K", "bytes of a request-line; more is 414",
            Size("256", "1M"), (o, v) => o with { Limits = o.Limits with { MaxRequestLineBytes = (int)v } }),
        Row("MAX_HEADER_BYTES", "32K", "bytes of a whole header section; more is 431",
            Size("1K", "16M"), (o, v) => o with { Limits = o.Limits with { MaxHeaderBytes = (int)v } }),
        Row("MAX_HEADER_FIELDS", "128", "field lines in a header section; more is 431",
            Count(8, 10_000), (o, v) => o with { Limits = o.Limits with { MaxHeaderFields = v } }),
        Row("MAX_BODY", "1M", "body of a request to Turbo's own routes; more is 413. `/v1` has no such limit",
            Size("1K", "1G"), (o, v) => o with { Limits = o.Limits with { MaxBodyBytes = v } }),
        Row("MAX_TRAILER_BYTES", "8K", "bytes of a trailer section; more is 431",
            Size("0", "16M"), (o, v) => o with { Limits = o.Limits with { MaxTrailerBytes = (int)v } }),
        Row("MAX_CHUNK_EXTENSION_BYTES", "4K", "bytes of chunk extensions in one body; more is 400",
            Size("0", "16M"), (o, v) => o with { Limits = o.Limits with { MaxChunkExtensionBytes = (int)v } }),
        Row("MAX_DRAIN", "64K", "rest of a body that no handler wanted, read to keep its connection; with more, it is closed",
            Size("0", "1G"), (o, v) => o with { Limits = o.Limits with { MaxDrainBytes = (int)v } }),
        Row("HEADER_TIMEOUT", "10s", "from a request's first byte to the end of its header section; then 408",
            Duration("1ms", "1d"), (o, v) => o with { Limits = o.Limits with { HeaderTimeout = v } }),
        Row("BODY_TIMEOUT", "30s", "between bytes of a request's body; then 408",
            Duration("1ms", "1d"), (o, v) => o with { Limits = o.Limits with { BodyTimeout = v } }),
        Row("KEEPALIVE_TIMEOUT", "75s", "how long a connection may be idle between requests",
            Duration("1ms", "7d"), (o, v) => o with { Limits = o.Limits with { KeepAliveTimeout = v } }),
        Row("WRITE_TIMEOUT", "60s", "how long a client may take none of a response's bytes; then the connection is closed",
            Duration("1ms", "7d"), (o, v) => o with { Limits = o.Limits with { WriteTimeout = v } }),
        Row("MIN_REQUEST_RATE", "240", "bytes a second that a client must send of a request, over the time that the server waits for it beyond `RATE_GRACE`; slower is 408; 0 is no minimum",
            Size("0", "1G"), (o, v) => o with { Limits = o.Limits with { MinRequestBytesPerSecond = (int)v } }),
        Row("MIN_RESPONSE_RATE", "240", "bytes a second that a client must take while the server waits for it to, beyond `RATE_GRACE`; slower, the connection is closed; 0 is no minimum",
            Size("0", "1G"), (o, v) => o with { Limits = o.Limits with { MinResponseBytesPerSecond = (int)v } }),
        Row("RATE_GRACE", "60s", "how long a client may keep the server waiting in a request's head, its body or a write before the two rates count",
            Duration("1ms", "1d"), (o, v) => o with { Limits = o.Limits with { RateGrace = v } }),
        Row("LINGER_TIMEOUT", "2s", "after a response that ends a connection early: how long what the client still sends is read and dropped, so that it gets the response",
            Duration("1ms", "1h"), (o, v) => o with { Limits = o.Limits with { LingerTimeout = v } }),
        Row("SHUTDOWN_TIMEOUT", "30s", "how long requests in flight may take to finish after SIGTERM or SIGINT",
            Duration("1ms", "1d"), (o, v) => o with { ShutdownTimeout = v }),
    ];

    private static OptionRow Row<T>(
        string name, string preset, string meaning, OptionParser<T> parser, Func<AppOptions, T, AppOptions> apply,
        string? note = null, bool isSecret = false) =>
        new OptionRow<T>(parser, apply)
        {
            Name = name,
            Default = preset,
            DefaultShown = note ?? preset,
            Meaning = meaning,
            IsSecret = isSecret,
        };

    private static FrozenDictionary<string, string> WithBuiltIn(FrozenDictionary<string, string> added)
    {
        var all = new Dictionary<string, string>(added, StringComparer.Ordinal);
        all.TryAdd("gpt-3", "gpt-3.5-turbo");
        return all.ToFrozenDictionary(StringComparer.Ordinal);
    }
}

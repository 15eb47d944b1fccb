using System.Net;
using System.Net.Security;

namespace Turbo.Net.Upstream;

/// <summary>One origin server and the bounds of the connections to it.</summary>
public sealed record UpstreamOptions
{
    /// <summary>Host name or address literal (IPv6 without brackets); also the TLS server name.</summary>
    public required string Host { get; init; }

    /// <summary>TCP port, 1–65535.</summary>
    public required int Port { get; init; }

    /// <summary>Whether to speak TLS; the certificate is checked against <see cref="Host"/> and the system's authorities.</summary>
    public bool IsTls { get; init; }

    /// <summary>Resolving, connecting and the TLS handshake together. Default 5 s; passing it is 504.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>From the last request byte sent to the first response byte. Default 300 s; passing it is 504.</summary>
    public TimeSpan FirstByteTimeout { get; init; } = TimeSpan.FromSeconds(300);

    /// <summary>Between two response bytes, or two accepted request bytes. Default 300 s; passing it breaks the response.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(300);

    /// <summary>How long an unused connection is kept. Default 60 s.</summary>
    public TimeSpan PooledIdleTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a resolved name is believed. Default 30 s; an older one is used while it is refreshed.</summary>
    public TimeSpan DnsRefresh { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Open connections, busy and idle. Default 10,000; one more request is answered 503.</summary>
    public int MaxConnections { get; init; } = 10_000;

    /// <summary>
    /// Pipes of the kernel's through which large contents that nobody looks at go on without being copied, on Linux and
    /// without TLS: two descriptors and at most 256 KiB each. Default 128, 0 for none; an exchange that gets none copies.
    /// </summary>
    public int MaxPipes { get; init; } = 128;

    /// <summary>Bytes of a response head. Default 64 KiB; more is 502.</summary>
    public int MaxHeaderBytes { get; init; } = 64 * 1024;

    /// <summary>Field lines of a response head. Default 256; more is 502.</summary>
    public int MaxHeaderFields { get; init; } = 256;

    /// <summary>Informational responses (RFC 9110 §15.2) to one request. Default 100; more is 502.</summary>
    public int MaxInformational { get; init; } = 100;

    /// <summary>How sockets are read and written. Default: the fastest that runs here.</summary>
    public TransportKind Transport { get; init; }

    /// <summary>The clock of all deadlines.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Looks a name up; another one in tests.</summary>
    internal Func<string, CancellationToken, Task<IPAddress[]>> Resolve { get; init; } = Dns.GetHostAddressesAsync;

    /// <summary>
    /// Told why a connection could not be made, the name not resolved or the handshake not finished; each time, on any thread:
    /// return at once. Null tells nobody.
    /// </summary>
    public Action<Exception>? ConnectFailed { get; init; }

    /// <summary>Settings of the TLS handshake that differ from the default, such as another authority to trust; null changes nothing.</summary>
    public Action<SslClientAuthenticationOptions>? ConfigureTls { get; init; }
}

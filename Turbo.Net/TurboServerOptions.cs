using System.Net;
using System.Text;
using Turbo.Net.Diagnostics;

namespace Turbo.Net;

/// <summary>What a <see cref="TurboServer"/> is made with. Frozen once it starts.</summary>
public sealed record TurboServerOptions
{
    /// <summary>Where to listen for plain HTTP; port 0 takes a free one. Default: port 8080 on every address.</summary>
    public IReadOnlyList<IPEndPoint> EndPoints { get; init; } = [new(IPAddress.IPv6Any, 8080)];

    /// <summary>Where to listen for HTTP in TLS, as <see cref="Tls"/> says. Default: nowhere.</summary>
    public IReadOnlyList<IPEndPoint> TlsEndPoints { get; init; } = [];

    /// <summary>Certificate and manner of TLS; needed where <see cref="TlsEndPoints"/> has any.</summary>
    public TlsOptions? Tls { get; init; }

    /// <summary>Every size, count and time that bounds the server.</summary>
    public ServerLimits Limits { get; init; } = new();

    /// <summary>How sockets are read and written. Default: the fastest that runs here.</summary>
    public TransportKind Transport { get; init; }

    /// <summary>Receives the server's events; null is silent.</summary>
    public IServerLog? Log { get; init; }

    /// <summary>The clock of all deadlines and dates.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Called in each response of the server's own after its Date line, to write fields that every response carries.</summary>
    public Action<Exchange, ResponseWriter>? WriteCommonFields { get; init; }

    /// <summary>
    /// Writes a whole error response: the exchange, a status code and a constant message. Used for requests refused
    /// before any handler saw them, too, whose exchange then has an incomplete head. Default: the message as text/plain.
    /// </summary>
    public Action<Exchange, int, string> WriteError { get; init; } = WritePlainError;

    /// <summary>
    /// The whole response, sent unasked, to a connection over <see cref="ServerLimits.MaxConnections"/>; it must say
    /// Connection: close. On a TLS endpoint it is sent in TLS. Default: 503 without content, Retry-After one second.
    /// </summary>
    public ReadOnlyMemory<byte> RefusalResponse { get; init; } =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"u8.ToArray();

    private static void WritePlainError(Exchange exchange, int status, string message) =>
        exchange.Response.Send(status, "text/plain; charset=utf-8"u8, Encoding.UTF8.GetBytes(message));
}

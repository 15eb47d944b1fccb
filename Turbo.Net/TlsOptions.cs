using System.Net.Security;
using Turbo.Net.Tls;

namespace Turbo.Net;

/// <summary>How a server speaks TLS, 1.2 or 1.3, on its <see cref="TurboServerOptions.TlsEndPoints"/>.</summary>
public sealed record TlsOptions
{
    /// <summary>
    /// The certificate for a handshake, given the server name that the client asked for (RFC 6066 §3): empty when it
    /// named none. Null refuses the handshake. Called for each handshake, on a thread-pool thread, from several at once:
    /// answer with the same object until the certificate changes, since it carries the tickets by which clients resume
    /// their sessions. See <see cref="CertificateFiles"/> for a certificate in PEM files.
    /// </summary>
    public required Func<string, SslStreamCertificateContext?> SelectCertificate { get; init; }

    /// <summary>
    /// The whole response, in plain text, to a client that speaks HTTP without TLS; it must say Connection: close.
    /// Default: 400 with a line of text.
    /// </summary>
    public ReadOnlyMemory<byte> PlainTextResponse { get; init; } =
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 33\r\nConnection: close\r\n\r\nthis port speaks https, not http\n"u8.ToArray();
}

using System.Net;
using Turbo.Net.Tls;
using Turbo.Net.Transport;

namespace Turbo.Net.Diagnostics;

/// <summary>What the server tells: one method per event, silent by default. Called on socket threads: return at once.</summary>
public interface IServerLog
{
    /// <summary>An endpoint is bound.</summary>
    void Listening(IPEndPoint endPoint, bool isTls) { }

    /// <summary>accept() failed; the listener goes on.</summary>
    void AcceptFailed(Exception error) { }

    /// <summary>A handler threw; the client got 500 or, when the response had begun, a reset.</summary>
    void HandlerFailed(Exchange exchange, Exception error) { }

    /// <summary>A connection to a TLS endpoint ended before any request could be read.</summary>
    /// <param name="client">Whose it was.</param>
    /// <param name="reason">Why.</param>
    /// <param name="error">What the TLS library or the certificate selector said; null when it did not come to that.</param>
    void HandshakeFailed(IPEndPoint? client, EndReason reason, Exception? error) { }

    /// <summary>A request was refused before any handler saw it.</summary>
    void RequestRejected(IPEndPoint? client, RejectReason reason) { }

    /// <summary>A certificate's files have changed: new handshakes use what they hold now.</summary>
    void CertificateChanged(string file, DateTimeOffset notAfter) { }

    /// <summary>A certificate's files have changed and cannot be used: the last good ones are. Told again each minute.</summary>
    void CertificateRefused(InvalidCertificateException error) { }

    /// <summary>The certificate in use has expired.</summary>
    void CertificateExpired(string file, DateTimeOffset notAfter) { }

    /// <summary>A connection ended.</summary>
    void ConnectionEnded(IPEndPoint? client, EndReason reason) { }

    /// <summary>The server itself failed on a connection: a bug.</summary>
    void ConnectionFailed(IPEndPoint? client, Exception error) { }
}

internal sealed class SilentLog : IServerLog
{
    public static readonly SilentLog Instance = new();
}

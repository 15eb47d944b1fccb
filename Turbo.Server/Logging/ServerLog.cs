using System.Net;
using System.Text;
using Turbo.Net;
using Turbo.Net.Diagnostics;
using Turbo.Net.Http1;
using Turbo.Net.Tls;
using Turbo.Net.Transport;

namespace Turbo.Server.Logging;

/// <summary>The HTTP server's events as messages of the log. What clients do wrong is told at debug alone.</summary>
/// <param name="log">Where the messages go.</param>
/// <param name="who">What listens, as its first message names it: empty for the server itself.</param>
internal sealed class ServerLog(AppLog log, string who = "") : IServerLog
{
    public void Listening(IPEndPoint endPoint, bool isTls) =>
        log.Info($"{(who.Length == 0 ? "" : who + " ")}listening on {(isTls ? "https" : "http")}://{endPoint}");

    public void AcceptFailed(Exception error) => log.Warn($"a connection could not be accepted: {error.Message}");

    public void HandlerFailed(Exchange exchange, Exception error) =>
        log.Error($"handling {Encoding.ASCII.GetString(exchange.MethodName)} {Encoding.UTF8.GetString(exchange.Path)}", error);

    public void ConnectionFailed(IPEndPoint? client, Exception error) => log.Error($"serving {client}", error);

    public void RequestRejected(IPEndPoint? client, RejectReason reason)
    {
        if (log.IsOn(LogLevel.Debug)) log.Debug($"request from {client} refused: {reason}");
    }

    public void HandshakeFailed(IPEndPoint? client, EndReason reason, Exception? error)
    {
        if (log.IsOn(LogLevel.Debug)) log.Debug($"TLS handshake with {client} ended: {reason}{(error is null ? "" : $": {error.GetBaseException().Message}")}");
    }

    public void CertificateChanged(string file, DateTimeOffset notAfter) =>
        log.Info($"TLS_CERT: serving the new certificate of {file}, valid until {notAfter.UtcDateTime:yyyy-MM-dd}");

    public void CertificateRefused(InvalidCertificateException error) =>
        log.Error($"{(error.IsKey ? "TLS_KEY" : "TLS_CERT")}: {error.Message}; the certificate read before is still served");

    public void CertificateExpired(string file, DateTimeOffset notAfter) =>
        log.Warn($"TLS_CERT: the certificate of {file} has expired on {notAfter.UtcDateTime:yyyy-MM-dd}: clients will refuse it");

    public void ConnectionEnded(IPEndPoint? client, EndReason reason)
    {
        if (log.IsOn(LogLevel.Debug)) log.Debug($"connection from {client} ended: {reason}");
    }
}

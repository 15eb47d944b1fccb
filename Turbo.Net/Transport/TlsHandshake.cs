using System.Net.Security;
using System.Security.Authentication;

namespace Turbo.Net.Transport;

/// <summary>
/// An accepted connection on its way to a <see cref="TlsTransport"/>, under the server's tick. Its work is done in turns
/// on the thread pool; see <see cref="HandshakeWork"/>.
/// </summary>
internal sealed class TlsHandshake(ServerContext server, Connection below, LastWords lastWords) : ITableEntry
{
    // In place of a reason.
    private const int HandedOver = -1;

    private static readonly List<SslApplicationProtocol> s_protocols = [SslApplicationProtocol.Http11];

    private readonly long _deadline = server.Clock.Now + (long)server.Limits.HandshakeTimeout.TotalMilliseconds;
    private int _endReason;
    private bool _isOver;

    public int TableIndex { get; set; }

    /// <summary>Called by the server's tick.</summary>
    public void Tick(long now)
    {
        if (now >= _deadline && !Volatile.Read(ref _isOver)) End(EndReason.HandshakeTimeout);
    }

    /// <summary>Ends the handshake, and what is said after one that failed, from any thread; the first reason counts.</summary>
    public void End(EndReason reason)
    {
        if (Interlocked.CompareExchange(ref _endReason, (int)reason, 0) != HandedOver) below.Abort(reason);
    }

    /// <summary>The connection is another's from now on; false when the handshake was ended before.</summary>
    public bool TryHandOver() => Interlocked.CompareExchange(ref _endReason, HandedOver, 0) == 0;

    /// <summary>The connection; null when there is none, the one below closed and the cause told.</summary>
    public async Task<TlsTransport?> RunAsync()
    {
        TlsInnerStream inner = new(below, HandshakeWork.Shared);
        SslStream stream = new(inner);
        try
        {
            await stream.AuthenticateAsServerAsync(static (_, hello, state, _) => ((TlsHandshake)state!).OptionsFor(hello), this).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            Volatile.Write(ref _isOver, true);
            await stream.DisposeAsync().ConfigureAwait(false);
            EndReason reason = inner.IsPlainText ? EndReason.PlainText : EndReason.HandshakeFailed;
            int before = Interlocked.CompareExchange(ref _endReason, (int)reason, 0);
            server.Log.HandshakeFailed(below.RemoteEndPoint, before == 0 ? reason : (EndReason)before, e);
            // An alert that was sent is not overtaken by a reset either.
            await lastWords.SayAsync(below, inner.IsPlainText ? server.Options.Tls!.PlainTextResponse : default).ConfigureAwait(false);
            return null;
        }
        Volatile.Write(ref _isOver, true);
        // The turn is the next handshake's; a request that came along is not part of this one.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        return new TlsTransport(below, inner, stream);
    }

    // RFC 9110 §4.2.2; RFC 7301 §3.2: a client that names protocols, and not this one, is told no_application_protocol.
    private ValueTask<SslServerAuthenticationOptions> OptionsFor(in SslClientHelloInfo hello)
    {
        SslStreamCertificateContext? certificate;
        try
        {
            certificate = server.Options.Tls!.SelectCertificate(hello.ServerName ?? "");
        }
        catch (Exception e)
        {
            server.Log.ConnectionFailed(below.RemoteEndPoint, e);
            throw new AuthenticationException("the certificate selector failed", e);
        }
        if (certificate is null) throw new AuthenticationException("no certificate for this server name");
        return new ValueTask<SslServerAuthenticationOptions>(new SslServerAuthenticationOptions
        {
            ServerCertificateContext = certificate,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            ApplicationProtocols = s_protocols,
            // Costs the client nothing and the server a handshake, as often as the client likes.
            AllowRenegotiation = false,
        });
    }
}

using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Turbo.Tests.Support;

/// <summary>What a <see cref="TlsOrigin"/> does after its answer: stay, end TLS and the connection, or the connection alone.</summary>
public enum TlsOriginEnd { Stays, Closes, Cuts }

/// <summary>An origin in TLS that answers every request head with the same bytes.</summary>
internal sealed class TlsOrigin : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly X509Certificate2 _certificate;
    private readonly byte[] _answer;
    private readonly TlsOriginEnd _end;
    private readonly Task _accepting;
    private int _connections;

    public TlsOrigin(X509Certificate2 certificate, string answer, TlsOriginEnd end = TlsOriginEnd.Stays)
    {
        _end = end;
        _certificate = certificate;
        _answer = Encoding.Latin1.GetBytes(answer);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Handshakes completed.</summary>
    public int Connections => Volatile.Read(ref _connections);

    public string? ServerName { get; private set; }

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _accepting;
    }

    private async Task AcceptAsync()
    {
        List<Task> serving = [];
        try
        {
            while (true) serving.Add(ServeAsync(await _listener.AcceptTcpClientAsync()));
        }
        catch (Exception e) when (e is SocketException or InvalidOperationException)
        {
            // Stopped: while accepting, or before the next accept ("Not listening").
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        await using (SslStream stream = new(client.GetStream()))
        {
            try
            {
                await stream.AuthenticateAsServerAsync((_, hello, _, _) =>
                {
                    ServerName = hello.ServerName;
                    return ValueTask.FromResult(new SslServerAuthenticationOptions { ServerCertificate = _certificate, ApplicationProtocols = [SslApplicationProtocol.Http11] });
                }, null);
                Interlocked.Increment(ref _connections);
                StringBuilder received = new();
                byte[] buffer = new byte[4096];
                while (await stream.ReadAsync(buffer) is > 0 and int read)
                {
                    received.Append(Encoding.Latin1.GetString(buffer, 0, read));
                    if (!received.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal)) continue;
                    received.Clear();
                    await stream.WriteAsync(_answer);
                    if (_end == TlsOriginEnd.Closes) await stream.ShutdownAsync();
                    if (_end == TlsOriginEnd.Stays) continue;
                    client.Client.Shutdown(SocketShutdown.Send);
                    // Until the client closes, too: a reset might overtake what was sent.
                    while (await stream.ReadAsync(buffer) > 0) { }
                    return;
                }
            }
            catch (Exception e) when (e is IOException or AuthenticationException)
            {
                // The client refused the certificate or left: the test looks at what it saw.
            }
        }
    }
}

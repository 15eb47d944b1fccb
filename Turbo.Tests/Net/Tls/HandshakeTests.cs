using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Tls;

/// <summary>Who gets a TLS connection and who does not, and what the others are told.</summary>
[TestFixture]
internal sealed class HandshakeTests
{
    private const string Get = "GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\r\n";

    private readonly ManualTimeProvider _time = new();
    private NetServer? _server;

    private NetServer Server => _server ??= new NetServer(time: _time, isTls: true);

    [TearDown]
    public async Task Stop()
    {
        if (_server is not null) await _server.DisposeAsync();
        _server = null;
    }

    private static SslClientAuthenticationOptions Client => TestCertificates.Shared.Client();

    private RawClient Connect(SslClientAuthenticationOptions options) => new(Server.EndPoint, tls: options);

    private void Refuses(SslClientAuthenticationOptions options)
    {
        Assert.That(() => Connect(options).Dispose(), Throws.InstanceOf<AuthenticationException>());
        Assert.That(() => Server.Log.Handshakes, Is.EqualTo(new[] { EndReason.HandshakeFailed }).After(5000, 5));
    }

    [TestCase(SslProtocols.Tls12)]
    [TestCase(SslProtocols.Tls13)]
    public void Both_versions_and_either_kind_of_key(SslProtocols version)
    {
        (string rsa, string rsaKey) = TestCertificates.Shared.Make(isRsa: true);
        SslStreamCertificateContext[] kinds = [TestCertificates.SharedServer, SslStreamCertificateContext.Create(X509Certificate2.CreateFromPem(rsa, rsaKey), null, offline: true)];
        SslStreamCertificateContext selected = kinds[0];
        _server = new NetServer(isTls: true, with: o => o with { Tls = new TlsOptions { SelectCertificate = _ => selected } });
        foreach (SslStreamCertificateContext kind in kinds)
        {
            selected = kind;
            SslClientAuthenticationOptions options = Client;
            options.EnabledSslProtocols = version;
            using RawClient client = Connect(options);
            Assert.That(client.Tls!.SslProtocol, Is.EqualTo(version));
            Assert.That(client.Tls.RemoteCertificate!.GetKeyAlgorithm(), Is.EqualTo(kind.TargetCertificate.GetKeyAlgorithm()));
            for (int i = 0; i < 3; i++) Assert.That(client.Exchange(Get).Text, Is.EqualTo("Hello, World!"));
        }
    }

    [Test]
    public void A_version_before_1_2_is_refused()
    {
#pragma warning disable CS0618, SYSLIB0039, CA5397 // the ones that must not be spoken any more
        SslClientAuthenticationOptions options = Client;
        options.EnabledSslProtocols = SslProtocols.Tls11 | SslProtocols.Tls;
#pragma warning restore CS0618, SYSLIB0039, CA5397
        Refuses(options);
    }

    [Test]
    public void Http_1_1_is_agreed_on_where_the_client_names_it()
    {
        SslClientAuthenticationOptions options = Client;
        options.ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11];
        using RawClient client = Connect(options);
        Assert.That(client.Tls!.NegotiatedApplicationProtocol, Is.EqualTo(SslApplicationProtocol.Http11));
        using RawClient silent = Connect(Client);
        Assert.That(silent.Tls!.NegotiatedApplicationProtocol.Protocol.Length, Is.Zero);
        Assert.That(silent.Exchange(Get).Status, Is.EqualTo(200));
    }

    // What OpenSSL's client tells of alert 120 (RFC 7301 §3.2).
    [Test]
    public async Task A_client_of_http_2_alone_is_told_no_application_protocol()
    {
        SslClientAuthenticationOptions options = Client;
        options.ApplicationProtocols = [SslApplicationProtocol.Http2];
        Refuses(options);
        ProcessStartInfo start = new("openssl", ["s_client", "-connect", Server.EndPoint.ToString(), "-alpn", "h2"]) { RedirectStandardInput = true, RedirectStandardError = true, RedirectStandardOutput = true };
        using Process openssl = Process.Start(start)!;
        openssl.StandardInput.Close();
        _ = openssl.StandardOutput.ReadToEndAsync();
        Assert.That(await Until.DoneAsync(openssl.StandardError.ReadToEndAsync()), Does.Contain("alert no application protocol").And.Contain("SSL alert number 120"));
    }

    [Test]
    public void A_client_that_does_not_trust_the_certificate_is_no_fault()
    {
        using RawClient before = Connect(Client);
        SslClientAuthenticationOptions options = new() { TargetHost = "localhost" };
        Assert.That(() => Connect(options).Dispose(), Throws.InstanceOf<AuthenticationException>());
        Assert.That(before.Exchange(Get).Status, Is.EqualTo(200));
    }

    [Test]
    public void The_certificate_is_chosen_by_the_name_that_the_client_asks_for()
    {
        (string other, string otherKey) = TestCertificates.Shared.Make(name: "other.test");
        SslStreamCertificateContext otherContext = SslStreamCertificateContext.Create(X509Certificate2.CreateFromPem(other, otherKey), null, offline: true);
        List<string> asked = [];
        _server = new NetServer(isTls: true, with: o => o with
        {
            Tls = new TlsOptions
            {
                SelectCertificate = name =>
                {
                    lock (asked) asked.Add(name);
                    return name switch { "other.test" => otherContext, "nobody.test" => null, _ => TestCertificates.SharedServer };
                },
            },
        });
        using (RawClient client = Connect(TestCertificates.Shared.Client("other.test"))) Assert.That(client.Exchange(Get).Status, Is.EqualTo(200));
        using (RawClient client = Connect(Client)) Assert.That(client.Exchange(Get).Status, Is.EqualTo(200));
        using (RawClient client = Connect(TestCertificates.Shared.Client("127.0.0.1"))) Assert.That(client.Exchange(Get).Status, Is.EqualTo(200));
        Assert.That(() => Connect(TestCertificates.Shared.Client("nobody.test")), Throws.InstanceOf<Exception>());
        // An address is no server name (RFC 6066 §3).
        Assert.That(asked, Is.EqualTo(new[] { "other.test", "localhost", "", "nobody.test" }));
    }

    [Test]
    public async Task A_selector_that_fails_fails_the_handshake_and_is_told()
    {
        await using NetServer server = new(isTls: true, with: static o => o with { Tls = new TlsOptions { SelectCertificate = static _ => throw new InvalidOperationException("by the test") } });
        Assert.That(() => new RawClient(server.EndPoint, tls: Client), Throws.InstanceOf<Exception>());
        await Until.TrueAsync(() => !server.Log.Handshakes.IsEmpty);
        Assert.That(server.Log.Bugs.Single().Message, Is.EqualTo("by the test"));
        server.Log.Bugs.Clear();
    }

    [TestCase("GET / HTTP/1.1\r\nHost: h\r\n\r\n")]
    [TestCase("P")]
    [TestCase("post /v1/chat/completions HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")]
    public async Task Plain_http_is_answered_in_plain_http(string wire)
    {
        using RawClient client = new(Server.EndPoint);
        RawResponse response = client.Exchange(wire);
        Assert.That((response.StatusLine, response.Field("Connection"), response.Text), Is.EqualTo(("HTTP/1.1 400 Bad Request", "close", "this port speaks https, not http\n")));
        // What the client sends on does not turn into a reset that takes the answer away.
        client.TrySend(new string('x', 100_000));
        client.TryHalfClose();
        client.ExpectFin();
        Assert.That(Server.Log.Handshakes, Is.EqualTo(new[] { EndReason.PlainText }));
        await Until.TrueAsync(() => Server.Server.HandshakeCount == 0);
    }

    [TestCase("\0\0\0\0\0\0\0\0")]
    [TestCase("\x16\x03\x01\xff\xff")]
    [TestCase("\x16\x03\x01\x00\x05hello")]
    [TestCase("\x80\x2e\x01\x00\x02")]
    [TestCase("\x16\x01\x00\x00\x00")]
    public async Task What_is_neither_is_closed(string wire)
    {
        using RawClient client = new(Server.EndPoint);
        client.Send(wire).HalfClose();
        client.ReadToEnd(out byte[] rest);
        Assert.That(rest, Has.Length.LessThan(16), "an alert at most");
        await Until.TrueAsync(() => Server.Server.HandshakeCount == 0);
        Assert.That(Server.Log.Handshakes, Is.EqualTo(new[] { EndReason.HandshakeFailed }));
    }

    // ---- bounds

    [TestCase("")]
    [TestCase("\x16\x03\x01\x02\x00\x01")]
    public async Task A_handshake_that_is_not_over_in_time_is_closed(string wire)
    {
        using RawClient client = new(Server.EndPoint);
        client.Send(wire);
        await Until.TrueAsync(() => Server.Server.HandshakeCount == 1);
        _time.Advance(TimeSpan.FromSeconds(9));
        Assert.That(client.IsQuiet);
        _time.Advance(TimeSpan.FromSeconds(1.5));
        client.ReadToEnd(out byte[] rest);
        Assert.That(rest, Is.Empty);
        await Until.TrueAsync(() => Server.Server.HandshakeCount == 0);
        Assert.That(Server.Log.Handshakes, Is.EqualTo(new[] { EndReason.HandshakeTimeout }));
    }

    [Test]
    public async Task The_time_of_the_handshake_is_not_the_time_of_the_request()
    {
        using RawClient client = Connect(Client);
        await Until.TrueAsync(() => Server.Server.ConnectionCount == 1);
        _time.Advance(TimeSpan.FromSeconds(9));
        Assert.That(client.Exchange(Get).Status, Is.EqualTo(200));
        _time.Advance(TimeSpan.FromSeconds(60));
        Assert.That(client.Exchange(Get).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task One_handshake_too_many_is_closed_and_a_place_freed_is_taken()
    {
        _server = new NetServer(limits: new ServerLimits { MaxHandshakes = 3 }, time: _time, isTls: true);
        using RawClient open = Connect(Client);
        await Until.TrueAsync(() => _server.Server.ConnectionCount == 1);
        RawClient[] silent = [.. Enumerable.Range(0, 3).Select(_ => new RawClient(_server.EndPoint))];
        await Until.TrueAsync(() => _server.Server.HandshakeCount == 3);
        using (RawClient over = new(_server.EndPoint)) over.ExpectFin();
        Assert.That(_server.Log.Handshakes, Is.EqualTo(new[] { EndReason.TooManyHandshakes }));
        Assert.That(open.Exchange(Get).Status, Is.EqualTo(200), "an open connection goes on");
        silent[0].Dispose();
        await Until.TrueAsync(() => _server.Server.HandshakeCount == 2);
        using RawClient next = Connect(Client);
        Assert.That(next.Exchange(Get).Status, Is.EqualTo(200));
        foreach (RawClient each in silent) each.Dispose();
    }

    [Test]
    public async Task A_refused_connection_that_stays_is_closed()
    {
        _server = new NetServer(limits: new ServerLimits { MaxConnections = 1 }, time: _time, isTls: true);
        using RawClient first = Connect(Client);
        Assert.That(first.Exchange(Get).Status, Is.EqualTo(200));
        using RawClient second = Connect(Client);
        Assert.That(second.Read().Status, Is.EqualTo(503));
        second.ExpectFin();
        Assert.That(_server.Server.HandshakeCount, Is.EqualTo(1), "lingers in its handshake's place");
        await Until.TrueAsync(() =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return _server.Server.HandshakeCount == 0;
        });
        Assert.That(first.Exchange(Get).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_stop_ends_handshakes()
    {
        using RawClient silent = new(Server.EndPoint);
        using RawClient plain = new(Server.EndPoint);
        plain.Exchange("GET / HTTP/1.0\r\n\r\n");
        using RawClient idle = Connect(Client);
        await Until.TrueAsync(() => Server.Server is { HandshakeCount: 2, ConnectionCount: 1 });
        await Until.DoneAsync(Server.Server.StopAsync(TimeSpan.FromSeconds(30)));
        silent.ReadToEnd(out byte[] rest);
        Assert.That(rest, Is.Empty);
        idle.ExpectFin();
    }

    /// <summary>
    /// However many handshakes are at their costly step, few of them run at a time, and the open connections are served
    /// meanwhile: the step is held up here in the certificate selector, which is part of it.
    /// </summary>
    [Test]
    public async Task Handshakes_hold_up_no_connection()
    {
        using ManualResetEventSlim gate = new(initialState: true);
        int running = 0, most = 0;
        _server = new NetServer(isTls: true, with: o => o with
        {
            Tls = new TlsOptions
            {
                SelectCertificate = _ =>
                {
                    Assert.That(Thread.CurrentThread.IsThreadPoolThread);
                    int now = Interlocked.Increment(ref running);
                    if (now > most) most = now;
                    gate.Wait(Until.Deadline);
                    Interlocked.Decrement(ref running);
                    return TestCertificates.SharedServer;
                },
            },
        });
        using RawClient open = Connect(Client);
        gate.Reset();
        Task<RawClient>[] connecting = [.. Enumerable.Range(0, 20).Select(_ => Task.Factory.StartNew(() => Connect(Client), TaskCreationOptions.LongRunning))];
        await Until.TrueAsync(() => Volatile.Read(ref running) > 0 && _server.Server.HandshakeCount == 20);
        for (int i = 0; i < 50; i++) Assert.That(open.Exchange(Get).Status, Is.EqualTo(200));
        Assert.That(running, Is.LessThanOrEqualTo(Math.Max(1, Environment.ProcessorCount / 2)));
        gate.Set();
        foreach (Task<RawClient> each in connecting)
        {
            using RawClient client = await Until.DoneAsync(each);
            Assert.That(client.Exchange(Get).Status, Is.EqualTo(200));
        }
        Assert.That(most, Is.LessThanOrEqualTo(Math.Max(1, Environment.ProcessorCount / 2)));
    }

    [TestCase(SslProtocols.Tls12)]
    [TestCase(SslProtocols.Tls13)]
    public async Task A_session_is_resumed(SslProtocols version)
    {
        string[] arguments = ["s_client", "-connect", Server.EndPoint.ToString(), version == SslProtocols.Tls12 ? "-tls1_2" : "-tls1_3", "-ign_eof"];
        string session = Path.Combine(TestContext.CurrentContext.WorkDirectory, $"session-{version}.pem");
        try
        {
            Assert.That(await RunAsync([.. arguments, "-sess_out", session]), Does.Contain("New, TLS").And.Contain("Hello, World!"));
            Assert.That(await RunAsync([.. arguments, "-sess_in", session]), Does.Contain("Reused, TLS").And.Contain("Hello, World!"));
        }
        finally
        {
            File.Delete(session);
        }
    }

    /// <summary>A client may not have the server shake hands again and again (TLS 1.2).</summary>
    [Test]
    public async Task Renegotiation_is_refused()
    {
        ProcessStartInfo start = new("openssl", ["s_client", "-connect", Server.EndPoint.ToString(), "-tls1_2"]) { RedirectStandardInput = true, RedirectStandardError = true, RedirectStandardOutput = true };
        using Process openssl = Process.Start(start)!;
        await openssl.StandardInput.WriteAsync("R\n");
        await openssl.StandardInput.FlushAsync();
        await Until.DoneAsync(openssl.StandardOutput.ReadToEndAsync());
        openssl.StandardInput.Close();
        await Until.DoneAsync(openssl.WaitForExitAsync());
        await Until.TrueAsync(() => Server.Log.Ended.Count == 1);
        Assert.That(Server.Log.Ended.Single(), Is.EqualTo(EndReason.PeerReset));
    }

    private static async Task<string> RunAsync(string[] arguments)
    {
        ProcessStartInfo start = new("openssl", arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process openssl = Process.Start(start)!;
        _ = openssl.StandardError.ReadToEndAsync();
        await openssl.StandardInput.WriteAsync("GET /plaintext HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        await openssl.StandardInput.FlushAsync();
        string output = await Until.DoneAsync(openssl.StandardOutput.ReadToEndAsync());
        openssl.StandardInput.Close();
        await openssl.WaitForExitAsync();
        return output;
    }
}

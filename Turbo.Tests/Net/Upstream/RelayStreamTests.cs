using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Turbo.Net.Upstream;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Upstream;

/// <summary>Long bodies, tunnels, event streams and TLS upstream.</summary>
public sealed class RelayStreamTests
{
    private const string Get = "GET /v1/x HTTP/1.1\r\nHost: a\r\n\r\n";
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    // What the test process may grow by while a body passes: the relay's own buffers are a few hundred KiB.
    private const long GrowthBytes = 48 << 20;

    [TestCase(1L << 20, false)]
    [TestCase(1L << 30, false)]
    [TestCase(1L << 20, true)]
    [TestCase(1L << 28, true)]
    public async Task A_download_passes_whole_in_constant_memory(long bytes, bool isChunked)
    {
        byte[] block = RandomNumberGenerator.GetBytes(1 << 20);
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadRequest();
            peer.Send("HTTP/1.1 200 OK\r\n" + (isChunked ? "Transfer-Encoding: chunked\r\n\r\n" : $"Content-Length: {bytes}\r\n\r\n"));
            for (long sent = 0; sent < bytes; sent += block.Length)
            {
                if (isChunked) peer.Send($"{block.Length:x}\r\n");
                peer.Send(block);
                if (isChunked) peer.Send("\r\n");
            }
            if (isChunked) peer.Send("0\r\n\r\n");
            peer.WaitForEnd();
        });
        using RawClient client = relay.Connect();
        client.Send(Get);
        client.ReadHead();
        long before = Environment.WorkingSet;
        for (long got = 0; got < bytes;)
        {
            // Chunk borders are this hop's own; the content is what must agree.
            byte[] piece = client.Take(isChunked ? ReadChunkSize(client) : block.Length);
            for (int i = 0; i < piece.Length;)
            {
                int at = (int)((got + i) % block.Length);
                int length = Math.Min(block.Length - at, piece.Length - i);
                if (!piece.AsSpan(i, length).SequenceEqual(block.AsSpan(at, length))) Assert.Fail($"the content differs after {got} bytes");
                i += length;
            }
            got += piece.Length;
            if (isChunked) client.Take(2);
        }
        if (isChunked) Assert.That(ReadChunkSize(client), Is.Zero);
        Assert.That(Environment.WorkingSet - before, Is.LessThan(GrowthBytes));
    }

    [TestCase(0L, false)]
    [TestCase(1L << 20, false)]
    [TestCase(1L << 30, false)]
    [TestCase(1L << 28, true)]
    public async Task An_upload_passes_whole_in_constant_memory(long bytes, bool isChunked)
    {
        byte[] block = RandomNumberGenerator.GetBytes(1 << 20);
        long received = 0;
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadHead();
            received = isChunked ? peer.DropChunked() : peer.Drop(bytes, block);
            peer.Send(Ok).WaitForEnd();
        });
        using RawClient client = relay.Connect();
        client.Send("POST /v1/x HTTP/1.1\r\nHost: a\r\n" + (isChunked ? "Transfer-Encoding: chunked\r\n\r\n" : $"Content-Length: {bytes}\r\n\r\n"));
        long before = Environment.WorkingSet;
        for (long sent = 0; sent < bytes; sent += block.Length)
        {
            if (isChunked) client.Send($"{block.Length:x}\r\n");
            client.Send(block);
            if (isChunked) client.Send("\r\n");
        }
        if (isChunked) client.Send("0\r\n\r\n");
        Assert.That(client.Read().Text, Is.EqualTo("ok"));
        Assert.That(received, Is.EqualTo(bytes));
        Assert.That(Environment.WorkingSet - before, Is.LessThan(GrowthBytes));
    }

    [Test]
    public async Task A_client_that_does_not_read_holds_the_origin_back()
    {
        long sent = 0;
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadRequest();
            peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
            byte[] block = new byte[64 * 1024];
            while (true)
            {
                peer.Send(block);
                Interlocked.Add(ref sent, block.Length);
            }
        });
        using RawClient client = relay.Connect();
        client.Send(Get);
        client.ReadHead();
        long last = -1;
        int unchanged = 0;
        await Until.TrueAsync(() =>
        {
            long now = Interlocked.Read(ref sent);
            unchanged = now == last ? unchanged + 1 : 0;
            last = now;
            return unchanged == 100;
        });
        // Socket buffers of four ends and 128 KiB of the relay's own.
        Assert.That(last, Is.LessThan(64 << 20));
    }

    [Test]
    public async Task A_switched_connection_is_a_tunnel_both_ways()
    {
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadHead();
            // Bytes of the new protocol may follow in the same packet.
            peer.Send("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nearly");
            for (int i = 0; i < 3; i++) peer.Send(peer.Take(4));
            peer.Close();
        });
        using RawClient client = relay.Connect();
        client.Send("GET /v1/realtime?model=a HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\nping");
        Assert.That(client.ReadHead(), Is.EqualTo("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"));
        Assert.That(Encoding.ASCII.GetString(client.Take(9)), Is.EqualTo("earlyping"));
        foreach (string bytes in new[] { "\0\u0001\u0002\u0003", "\u00ff\r\n\n" })
        {
            client.Send(bytes);
            Assert.That(Encoding.Latin1.GetString(client.Take(4)), Is.EqualTo(bytes));
        }
        client.ExpectFin();
        client.Dispose();
        await Until.TrueAsync(() => relay.Results.Length == 1);
        Assert.That(relay.Results[0], Is.EqualTo(RelayResult.Tunnelled));
        Assert.That(relay.Origin.Peer(0).Received.ToString(), Does.StartWith(
            "GET /v1/realtime?model=a HTTP/1.1\r\nHost: origin.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\nAuthorization: Bearer key\r\n\r\n"));
    }

    [Test]
    public async Task A_refused_switch_reaches_the_client_as_sent()
    {
        const string refusal = "HTTP/1.1 403 No\r\nContent-Length: 4\r\nX: 1\r\n\r\nnope";
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadHead();
            peer.Send(refusal).WaitForEnd();
        });
        using RawClient client = relay.Connect();
        client.Send("GET /v1/realtime HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        Assert.That(Encoding.ASCII.GetString(client.Take(refusal.Length)), Is.EqualTo(refusal));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_tunnel_that_breaks_on_one_side_ends_on_the_other(bool clientBreaks)
    {
        using SemaphoreSlim breaks = new(0);
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadHead();
            peer.Send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
            if (clientBreaks)
            {
                peer.WaitForEnd();
                return;
            }
            breaks.Wait(Until.Deadline);
            peer.Reset();
        });
        RawClient client = relay.Connect();
        client.Send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        client.ReadHead();
        if (clientBreaks)
        {
            client.Reset();
            await Until.TrueAsync(() => relay.Origin.Peer(0).HasEnded);
        }
        else
        {
            breaks.Release();
            client.ReadToEnd(out byte[] rest);
            Assert.That(rest, Is.Empty);
            client.Dispose();
        }
        await Until.TrueAsync(() => relay.Results.Length == 1);
    }

    [Test]
    public async Task A_silent_event_stream_is_kept_alive_between_events_only()
    {
        ManualTimeProvider time = new();
        using SemaphoreSlim next = new(0);
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadRequest();
            peer.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n");
            next.Wait(Until.Deadline);
            peer.Send("5\r\ndata:\r\n");
            next.Wait(Until.Deadline);
            peer.Send("4\r\n 2\n\n\r\n0\r\n\r\n");
            peer.WaitForEnd();
        }, rules: static r => r with { EventStreamKeepAlive = TimeSpan.FromSeconds(15) }, time: time);
        using RawClient client = relay.Connect();
        client.Send(Get);
        client.ReadHead();
        Expect(client, "9\r\ndata: 1\n\n\r\n");
        Task<byte[]> comment = Task.Run(() => client.Take("e\r\n: keep-alive\n\n\r\n".Length));
        await Until.TrueAsync(() =>
        {
            if (!comment.IsCompleted) time.Advance(TimeSpan.FromSeconds(1));
            return comment.IsCompleted;
        });
        Assert.That(Encoding.ASCII.GetString(await comment), Is.EqualTo("e\r\n: keep-alive\n\n\r\n"));
        next.Release();
        // Comments may have been sent up to here, but none within the event.
        string rest = "";
        while (!rest.EndsWith("5\r\ndata:\r\n", StringComparison.Ordinal)) rest += Encoding.ASCII.GetString(client.Take(1));
        for (int i = 0; i < 60; i++) time.Advance(TimeSpan.FromSeconds(1));
        next.Release();
        Expect(client, "4\r\n 2\n\n\r\n0\r\n\r\n");

        static void Expect(RawClient client, string wire) => Assert.That(Encoding.ASCII.GetString(client.Take(wire.Length)), Is.EqualTo(wire));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Tls_upstream_needs_a_certificate_it_can_trust(bool isTrusted)
    {
        using X509Certificate2 certificate = SelfSigned();
        await using TlsOrigin origin = new(certificate, Ok);
        await using RelayFixture relay = new(static _ => { }, o => o with
        {
            Host = "localhost",
            Port = origin.Port,
            IsTls = true,
            ConfigureTls = tls =>
            {
                if (!isTrusted) return;
                tls.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
                tls.CertificateChainPolicy.CustomTrustStore.Add(certificate);
            },
        });
        using RawClient client = relay.Connect();
        for (int i = 0; i < 3; i++) Assert.That(client.Exchange(Get).Status, Is.EqualTo(isTrusted ? 200 : 502));
        if (!isTrusted) return;
        Assert.That(origin.Connections, Is.EqualTo(1), "one handshake for three requests");
        Assert.That(origin.ServerName, Is.EqualTo("localhost"), "SNI");
    }

    /// <summary>A close_notify is the end of a body that only the end delimits; a FIN without one may be anyone's (RFC 9112 §9.8).</summary>
    [TestCase("", TlsOriginEnd.Closes, true)]
    [TestCase("", TlsOriginEnd.Cuts, false)]
    [TestCase("Content-Length: 200000\r\n", TlsOriginEnd.Cuts, true)]
    [TestCase("Content-Length: 200001\r\n", TlsOriginEnd.Cuts, false)]
    [TestCase("Content-Length: 200001\r\n", TlsOriginEnd.Closes, false)]
    public async Task Tls_upstream_that_ends(string field, TlsOriginEnd end, bool isWhole)
    {
        using X509Certificate2 certificate = SelfSigned();
        await using TlsOrigin origin = new(certificate, $"HTTP/1.1 200 OK\r\n{field}\r\n" + new string('x', 200_000), end);
        await using RelayFixture relay = new(static _ => { }, o => o with { Host = "localhost", Port = origin.Port, IsTls = true, ConfigureTls = static tls => tls.RemoteCertificateValidationCallback = static (_, _, _, _) => true });
        for (int i = 0; i < 3; i++)
        {
            using RawClient client = relay.Connect();
            client.Send(Get);
            string head = client.ReadHead();
            Assert.That(head, Does.StartWith("HTTP/1.1 200"));
            if (field.Length == 0 && isWhole)
            {
                // Its end is what the client is told by: the last chunk.
                int received = 0;
                client.ReadContent(head, piece => received += piece.Length);
                Assert.That(received, Is.EqualTo(200_000));
            }
            else if (isWhole)
            {
                Assert.That(client.Take(200_000), Has.All.EqualTo((byte)'x'));
            }
            else
            {
                // Visibly short: of its length, or of its last chunk.
                client.ReadToEnd(out byte[] rest);
                Assert.That(rest.AsSpan().EndsWith("0\r\n\r\n"u8), Is.False);
                Assert.That(rest.Count(static b => b == 'x'), Is.LessThanOrEqualTo(200_000));
            }
            int ended = i + 1;
            await Until.TrueAsync(() => relay.Results.Length == ended);
            Assert.That(relay.Results[i], Is.EqualTo(isWhole ? RelayResult.Complete : RelayResult.Truncated));
        }
    }

    private static int ReadChunkSize(RawClient client)
    {
        StringBuilder line = new();
        while (line.Length < 2 || line[^1] != '\n') line.Append((char)client.Take(1)[0]);
        return Convert.ToInt32(line.ToString().TrimEnd(), 16);
    }

    private static X509Certificate2 SelfSigned()
    {
        using RSA key = RSA.Create(2048);
        CertificateRequest request = new("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using X509Certificate2 ephemeral = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(ephemeral.Export(X509ContentType.Pkcs12), null);
    }
}

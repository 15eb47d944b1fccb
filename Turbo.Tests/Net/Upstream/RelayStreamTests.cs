using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Turbo.Net.Buffers;
using Turbo.Net.Upstream;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Upstream;

/// <summary>Long bodies, tunnels, event streams and TLS upstream.</summary>
public sealed class RelayStreamTests
{
    private const string Get = "GET /v1/x HTTP/1.1\r\nHost: a\r\n\r\n";
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

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
        string head = client.ReadHead();
        Footprint footprint = new();
        long got = 0;
        client.ReadContent(head, piece =>
        {
            while (!piece.IsEmpty)
            {
                int at = (int)(got % block.Length);
                int length = Math.Min(block.Length - at, piece.Length);
                if (!piece[..length].SequenceEqual(block.AsSpan(at, length))) Assert.Fail($"the content differs after {got} bytes");
                piece = piece[length..];
                got += length;
                footprint.Look();
            }
        });
        Assert.That(got, Is.EqualTo(bytes));
        footprint.Check();
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
        Footprint footprint = new();
        for (long sent = 0; sent < bytes; sent += block.Length)
        {
            if (isChunked) client.Send($"{block.Length:x}\r\n");
            client.Send(block);
            if (isChunked) client.Send("\r\n");
            footprint.Look();
        }
        if (isChunked) client.Send("0\r\n\r\n");
        Assert.That(client.Read().Text, Is.EqualTo("ok"));
        Assert.That(received, Is.EqualTo(bytes));
        footprint.Check();
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

    /// <summary>
    /// What is held while a body passes. Those who look allocate nothing that grows with the body: garbage of a test's own
    /// is in the working set until a collection has had a processor, which under load is late.
    /// </summary>
    private sealed class Footprint
    {
        // Of the whole process; what a body passed by way of the heap would be hundreds of MiB.
        private const long MaxGrowthBytes = 48 << 20;

        // Of the relay: what one read took from each side, and what the other has not taken yet.
        private const int MaxBlocks = 256;

        private readonly long _before = Environment.WorkingSet;
        private int _blocks;

        public void Look() => _blocks = Math.Max(_blocks, PinnedBlockPool.Shared.Outstanding);

        public void Check()
        {
            Assert.That(_blocks, Is.LessThanOrEqualTo(MaxBlocks), "pooled blocks in use at once");
            Assert.That(Environment.WorkingSet - _before, Is.LessThan(MaxGrowthBytes), "bytes of working set");
        }
    }
}

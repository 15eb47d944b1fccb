using System.Text;
using Turbo.Net.Upstream;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Upstream;

/// <summary>What the origin receives (contract section 8): compared byte for byte with what the client sent.</summary>
public sealed class RelayRequestTests
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    private static void AnswerOk(UpstreamPeer peer)
    {
        while (true)
        {
            peer.ReadRequest();
            peer.Send(Ok);
        }
    }

    [TestCase("GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n", "GET /v1/models HTTP/1.1\r\nHost: origin.test\r\nAuthorization: Bearer key\r\n\r\n")]
    [TestCase("GET /v1/m?a=%2f%2F&b=a+b&&c HTTP/1.1\r\nhost: a\r\nX-A: 1\r\nx-a: 2\r\nX-a:3\r\n\r\n",
        "GET /v1/m?a=%2f%2F&b=a+b&&c HTTP/1.1\r\nhost: origin.test\r\nX-A: 1\r\nx-a: 2\r\nX-a:3\r\nAuthorization: Bearer key\r\n\r\n", Description = "case, order, repetition and odd white space stay")]
    [TestCase("GET /v1/m? HTTP/1.1\r\nHost: a\r\nAUTHORIZATION: Bearer token\r\nCookie: sess=1\r\nZ: z\r\ncookie: b=2\r\n\r\n",
        "GET /v1/m? HTTP/1.1\r\nHost: origin.test\r\nAuthorization: Bearer key\r\nZ: z\r\n\r\n", Description = "the key takes the credential's place, cookies stay behind")]
    [TestCase("GET /v1/%zz/../a//b HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\nProxy-Connection: x\r\nX-End: 1\r\n\r\n",
        "GET /v1/%zz/../a//b HTTP/1.1\r\nHost: origin.test\r\nX-End: 1\r\nAuthorization: Bearer key\r\n\r\n", Description = "hop-by-hop fields, and those Connection names")]
    [TestCase("BREW /v1/pot HTTP/1.1\r\nContent-length: 3\r\nHost: a\r\nContent-Type: x\r\n\r\nabc",
        "BREW /v1/pot HTTP/1.1\r\nContent-length: 3\r\nHost: origin.test\r\nContent-Type: x\r\nAuthorization: Bearer key\r\n\r\nabc", Description = "any method; Content-Length keeps place and case")]
    [TestCase("POST /v1/x HTTP/1.1\r\nHost: a\r\ntransfer-encoding: chunked\r\nX: y\r\n\r\n3\r\nabc\r\n0\r\nSum: 1\r\n\r\n",
        "POST /v1/x HTTP/1.1\r\nHost: origin.test\r\ntransfer-encoding: chunked\r\nX: y\r\nAuthorization: Bearer key\r\n\r\n3\r\nabc\r\n0\r\nSum: 1\r\n\r\n", Description = "chunked stays chunked, trailers included")]
    [TestCase("POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "POST /v1/x HTTP/1.1\r\nHost: origin.test\r\nContent-Length: 0\r\nAuthorization: Bearer key\r\n\r\n")]
    [TestCase("GET http://a/v1/x?y HTTP/1.1\r\nHost: a\r\n\r\n", "GET /v1/x?y HTTP/1.1\r\nHost: origin.test\r\nAuthorization: Bearer key\r\n\r\n", Description = "absolute-form becomes origin-form")]
    [TestCase("GET /v1/x HTTP/1.0\r\n\r\n", "GET /v1/x HTTP/1.1\r\nHost: origin.test\r\nAuthorization: Bearer key\r\n\r\n")]
    [TestCase("GET /v1/x HTTP/1.1\r\nHost: a\r\nConnection: Host, Content-Length, close\r\nContent-Length: 1\r\n\r\nz",
        "GET /v1/x HTTP/1.1\r\nHost: origin.test\r\nContent-Length: 1\r\nAuthorization: Bearer key\r\n\r\nz", Description = "Connection cannot take away what frames or routes the request")]
    public async Task Origin_receives(string sent, string received)
    {
        await using RelayFixture relay = new(AnswerOk);
        using RawClient client = relay.Connect();
        RawResponse response = client.Exchange(sent);
        Assert.That(response.Text, Is.EqualTo("ok"));
        Assert.That(relay.Origin.Peer(0).Received.ToString(), Is.EqualTo(received));
    }

    [Test]
    public async Task Origin_receives_the_same_however_the_request_is_cut()
    {
        byte[] wire = Encoding.ASCII.GetBytes("POST /v1/x?q HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;e=1\r\ncde\r\n0\r\n\r\n");
        await using RelayFixture relay = new(AnswerOk);
        for (int at = 1; at < wire.Length; at++)
        {
            using RawClient client = relay.Connect();
            client.SendCut(wire, at);
            Assert.That(client.Read().Text, Is.EqualTo("ok"), $"cut at {at}");
        }
        string all = string.Concat(Enumerable.Range(0, relay.Origin.Connections).Select(i => relay.Origin.Peer(i).Received.ToString()));
        string[] requests = all.Split("POST ", StringSplitOptions.RemoveEmptyEntries);
        Assert.That(requests, Has.Length.EqualTo(wire.Length - 1));
        Assert.That(requests.Select(static r => Dechunk(r)), Is.All.EqualTo(Dechunk(requests[0])));

        // Chunk borders are this hop's own (RFC 9112 §7.1): the content is what must agree.
        static string Dechunk(string request)
        {
            int body = request.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
            StringBuilder content = new(request[..body]);
            for (int i = body; ;)
            {
                int line = request.IndexOf("\r\n", i, StringComparison.Ordinal);
                int size = Convert.ToInt32(request[i..line], 16);
                if (size == 0) return content.ToString();
                content.Append(request, line + 2, size);
                i = line + 2 + size + 2;
            }
        }
    }

    [Test]
    public async Task Passthrough_leaves_the_clients_credential()
    {
        await using RelayFixture relay = new(AnswerOk, rules: static r => r with { AuthorizationLine = null });
        using RawClient client = relay.Connect();
        client.Exchange("GET /v1/x HTTP/1.1\r\nHost: a\r\nauthorization: Bearer mine\r\n\r\n");
        Assert.That(relay.Origin.Peer(0).Received.ToString(), Is.EqualTo("GET /v1/x HTTP/1.1\r\nHost: origin.test\r\nauthorization: Bearer mine\r\n\r\n"));
    }

    [Test]
    public async Task Azure_key_replaces_both_credentials()
    {
        await using RelayFixture relay = new(AnswerOk, rules: static r => r with { AuthorizationLine = "api-key: k\r\n"u8.ToArray(), PathPrefix = "/openai"u8.ToArray() });
        using RawClient client = relay.Connect();
        client.Exchange("GET /v1/x?api-version=1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer mine\r\nApi-Key: other\r\n\r\n");
        Assert.That(relay.Origin.Peer(0).Received.ToString(), Is.EqualTo("GET /openai/v1/x?api-version=1 HTTP/1.1\r\nHost: origin.test\r\napi-key: k\r\n\r\n"));
    }

    [Test]
    public async Task Each_piece_of_the_body_goes_on_as_it_comes()
    {
        using SemaphoreSlim seen = new(0);
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadHead();
            for (int i = 0; i < 3; i++)
            {
                peer.Take(1);
                seen.Release();
            }
            peer.Send(Ok);
            peer.WaitForEnd();
        });
        using RawClient client = relay.Connect();
        client.Send("POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
        for (int i = 0; i < 3; i++)
        {
            client.Send("x");
            Assert.That(await seen.WaitAsync(Until.Deadline), $"piece {i}");
        }
        Assert.That(client.Read().Text, Is.EqualTo("ok"));
    }

    [Test]
    public async Task Expectation_is_the_origins_to_answer()
    {
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadHead();
            peer.Send("HTTP/1.1 100 Continue\r\nX-From: origin\r\n\r\n");
            peer.Take(3);
            peer.Send(Ok);
            peer.WaitForEnd();
        });
        using RawClient client = relay.Connect();
        client.Send("POST /v1/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
        Assert.That(client.ReadHead(), Is.EqualTo("HTTP/1.1 100 Continue\r\nX-From: origin\r\n\r\n"));
        client.Send("abc");
        Assert.That(client.Read().Text, Is.EqualTo("ok"));
        Assert.That(relay.Origin.Peer(0).Received.ToString(), Does.Contain("\r\nExpect: 100-continue\r\n"));
    }

    [Test]
    public async Task A_refused_body_is_answered_and_breaks_the_upstream_request()
    {
        await using RelayFixture relay = new(static peer => peer.WaitForEnd());
        using RawClient client = relay.Connect();
        client.Send("POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        await Until.TrueAsync(() => relay.Origin.Connections == 1);
        client.Send("3\nabc\r\n");
        Assert.That(client.Read().Status, Is.EqualTo(400));
        await Until.TrueAsync(() => relay.Origin.Peer(0).HasEnded);
        Assert.That(relay.Results, Is.EqualTo(new[] { RelayResult.RequestRejected }));
    }
}

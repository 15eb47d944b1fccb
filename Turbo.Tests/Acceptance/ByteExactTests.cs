using System.Security.Cryptography;
using System.Text;
using Turbo.Server.Model;
using Turbo.Tests.Support;

namespace Turbo.Tests.Acceptance;

/// <summary>
/// Contract section 8 at both sockets of the whole application, authentication, event row and tap included. The relay
/// alone is taken through every cut and fault in Net/Upstream.
/// </summary>
[TestFixture]
internal sealed class ByteExactTests
{
    // With a CORS field of the origin's own nothing is added.
    private const string Cors = "Access-Control-Allow-Origin: *\r\n";

    [TestCase("HTTP/1.1 200 OK\r\n" + Cors + "content-length: 0\r\n\r\n", "GET")]
    [TestCase("HTTP/1.1 299 Odd  reason \r\n" + Cors + "Content-Length: 2\r\n\r\n\0\u00ff", "POST")]
    [TestCase("HTTP/1.1 204 No Content\r\n" + Cors + "\r\n", "DELETE")]
    [TestCase("HTTP/1.1 304 Not Modified\r\n" + Cors + "ETag: W/\"a\"\r\nContent-Length: 10\r\n\r\n", "GET")]
    [TestCase("HTTP/1.1 200 OK\r\n" + Cors + "Content-Length: 1234567890123\r\n\r\n", "HEAD")]
    [TestCase("HTTP/1.1 200 OK\r\n" + Cors + "transfer-encoding: chunked\r\nTrailer: Sum\r\n\r\n2\r\nok\r\n0\r\nSum: 7\r\nsum:  8 \r\n\r\n", "GET")]
    [TestCase("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Again\r\n\r\nHTTP/1.1 200 OK\r\n" + Cors + "Content-Length: 2\r\n\r\nok", "GET")]
    [TestCase("HTTP/1.1 200 OK\r\n" + Cors + "Content-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"usage\":{]}\"\\", "GET", Description = "not the JSON it says it is")]
    [TestCase("HTTP/1.1 200 OK\r\n" + Cors + "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndata:\r\n0\r\n\r\n", "POST")]
    public async Task A_response_comes_as_sent_time_after_time(string wire, string method)
    {
        await using ProxyApp proxy = await ProxyApp.StartAsync(ProxyApp.Answering(wire));
        using RawClient client = proxy.Connect();
        for (int i = 0; i < 3; i++)
        {
            client.Send(proxy.Request($"{method} /v1/x", "Content-Length: 0\r\n"));
            Assert.That(Encoding.Latin1.GetString(client.Take(wire.Length)), Is.EqualTo(wire));
        }
        Assert.That(client.IsQuiet);
        Assert.That(proxy.Origin.Connections, Is.EqualTo(1), "all on one connection");
        Assert.That(await proxy.EventsAsync(), Has.Length.EqualTo(3));
    }

    [TestCase("Content-Length: 6\r\n", "\t\r\n\u00ff{]")]
    [TestCase("Transfer-Encoding: chunked\r\nTrailer: Sum\r\n", "3\r\nabc\r\n0\r\nSum: 1\r\n\r\n")]
    [TestCase("Content-Type: application/json\r\ncontent-length: 6\r\n", "{\"a\":}")]
    public async Task A_request_arrives_as_sent(string framing, string body)
    {
        await using ProxyApp proxy = await ProxyApp.StartAsync(ProxyApp.Answering("HTTP/1.1 204 No Content\r\n\r\n"));
        using RawClient client = proxy.Connect();
        string fields = $"X-One: 1\r\n{framing}x-one:2\r\n";
        client.Exchange(proxy.Request("POST /v1/%7Efiles//a?b=%20&&c", fields, body));
        Assert.That(proxy.Origin.Peer(0).Received.ToString(), Is.EqualTo(proxy.Relayed("POST /v1/%7Efiles//a?b=%20&&c", fields, body)));
    }

    [Test]
    public async Task Each_event_arrives_before_the_next_is_sent()
    {
        using SemaphoreSlim next = new(0);
        await using ProxyApp proxy = await ProxyApp.StartAsync(peer =>
        {
            peer.ReadRequest();
            peer.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (int i = 0; i < 50; i++)
            {
                next.Wait(Until.Deadline);
                peer.Send($"b\r\ndata: {i:000}\n\n\r\n");
            }
            peer.Send("0\r\n\r\n").WaitForEnd();
        });
        using RawClient client = proxy.Connect();
        client.Send(proxy.Request("POST /v1/chat/completions", "Content-Length: 2\r\n", "{}"));
        client.ReadHead();
        for (int i = 0; i < 50; i++)
        {
            next.Release();
            string event_ = $"b\r\ndata: {i:000}\n\n\r\n";
            Assert.That(Encoding.ASCII.GetString(client.Take(event_.Length)), Is.EqualTo(event_));
        }
        Assert.That(Encoding.ASCII.GetString(client.Take(5)), Is.EqualTo("0\r\n\r\n"));
        EventRecord row = await proxy.EventAsync();
        Assert.That(row.Response, Is.EqualTo(string.Concat(Enumerable.Range(0, 50).Select(static i => $"data: {i:000}\n\n"))));
    }

    /// <summary>Text, so that the event row keeps its share of it.</summary>
    [TestCase(true)]
    [TestCase(false)]
    public async Task A_large_body_passes_in_constant_memory(bool isUpload)
    {
        const long Bytes = 128L << 20;
        byte[] block = Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(1 << 20));
        await using ProxyApp proxy = await ProxyApp.StartAsync(peer =>
        {
            peer.ReadHead();
            if (isUpload) peer.Drop(Bytes, block);
            peer.Send($"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {(isUpload ? 0 : Bytes)}\r\n\r\n");
            for (long sent = isUpload ? Bytes : 0; sent < Bytes; sent += block.Length) peer.Send(block);
            peer.WaitForEnd();
        });
        using RawClient client = proxy.Connect();
        client.Send(proxy.Request("POST /v1/files", $"Content-Type: text/plain\r\nContent-Length: {(isUpload ? Bytes : 0)}\r\n"));
        long before = Environment.WorkingSet;
        for (long sent = isUpload ? 0 : Bytes; sent < Bytes; sent += block.Length) client.Send(block);
        string head = client.ReadHead();
        long got = 0;
        // Nothing is allocated on this side, whose memory counts as well.
        client.ReadContent(head, piece =>
        {
            while (!piece.IsEmpty)
            {
                int at = (int)(got % block.Length), length = Math.Min(block.Length - at, piece.Length);
                if (!piece[..length].SequenceEqual(block.AsSpan(at, length))) Assert.Fail($"the content differs after {got} bytes");
                piece = piece[length..];
                got += length;
            }
        });
        Assert.That(got, Is.EqualTo(isUpload ? 0 : Bytes));
        Assert.That(Environment.WorkingSet - before, Is.LessThan(48 << 20));
        EventRecord row = await proxy.EventAsync();
        string kept = Encoding.ASCII.GetString(block.AsSpan(0, 65_536));
        Assert.That((row.Request, row.Response), Is.EqualTo(isUpload ? (kept, "") : ("", kept)));
        // What the row keeps passed this process, and nearly all else did not have to.
        if (proxy.App.App.Gateway.Pool.Pipes is { } pipes) Assert.That(pipes.MovedBytes, Is.GreaterThan(Bytes * 3 / 4));
    }

    [TestCase("", true)]
    [TestCase("Content-Encoding: deflate-of-ours\r\n", false)]
    public async Task A_large_reply_is_read_to_its_last_byte_where_that_may_tell_of_its_usage(string coding, bool isRead)
    {
        string content = """{"model":"m","text":""" + $"\"{new string('x', 4_000_000)}\"" + ""","usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}""";
        await using ProxyApp proxy = await ProxyApp.StartAsync(peer =>
        {
            peer.ReadHead();
            peer.Send($"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{coding}Content-Length: {content.Length}\r\n\r\n{content}").WaitForEnd();
        });
        using RawClient client = proxy.Connect();
        Assert.That(client.Exchange(proxy.Request("GET /v1/x", "")).Text, Is.EqualTo(content));
        EventRecord row = await proxy.EventAsync();
        Assert.That((row.Model, row.TotalTokens), Is.EqualTo(isRead ? ("m", 7L) : ("", (long?)null)));
        if (proxy.App.App.Gateway.Pool.Pipes is { } pipes) Assert.That(pipes.MovedBytes > 0, Is.EqualTo(!isRead));
    }

    [Test]
    public async Task A_pooled_connection_that_died_is_replaced_and_recorded_once()
    {
        const string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        await using ProxyApp proxy = await ProxyApp.StartAsync(static peer =>
        {
            peer.ReadRequest();
            peer.Send(ok);
            peer.ReadRequest();
            // Dies with the request in its hands.
            if (peer.Index == 0) peer.Reset();
            else peer.Send(ok).WaitForEnd();
        });
        using RawClient client = proxy.Connect();
        string request = proxy.Request("POST /v1/x", "Content-Type: application/json\r\nContent-Length: 7\r\n", "{\"a\":1}");
        Assert.That(client.Exchange(request).Text, Is.EqualTo("ok"));
        Assert.That(client.Exchange(request).Text, Is.EqualTo("ok"));
        Assert.That(proxy.App.App.Gateway.Pool.Retries, Is.EqualTo(1));
        Assert.That((await proxy.EventsAsync()).Select(static row => row.Request), Is.EqualTo(new[] { "{\"a\":1}", "{\"a\":1}" }), "its content once");
    }

    [Test]
    public async Task A_client_that_aborts_a_stream_ends_the_upstream_request()
    {
        await using ProxyApp proxy = await ProxyApp.StartAsync(static peer =>
        {
            peer.ReadRequest();
            peer.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n").WaitForEnd();
        });
        for (int i = 0; i < 3; i++)
        {
            using (RawClient client = proxy.Connect())
            {
                client.Send(proxy.Request("POST /v1/chat/completions", "Content-Length: 2\r\n", "{}"));
                client.ReadHead();
                client.Take(14);
            }
            int at = i;
            await Until.TrueAsync(() => proxy.Origin.Peer(at).HasEnded);
        }
        await Until.TrueAsync(() => proxy.App.App.Gateway.Pool.OpenCount == 0);
    }
}

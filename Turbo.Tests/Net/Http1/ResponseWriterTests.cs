using System.Buffers;
using System.Text;
using Turbo.Net;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Http1;

/// <summary>What goes on the wire for each way of answering, and the misuse that throws.</summary>
[TestFixture]
internal sealed class ResponseWriterTests : MemoryFixture
{
    /// <summary>The response's bytes without its Date line.</summary>
    private string Answer(RequestHandler handler, string request = Get)
    {
        MemoryClient client = Connect(handler);
        client.Send(request);
        string wire = client.TakeText();
        Assert.That(client.IsReset, Is.False, $"reset: {_server.Log.HandlerFaults.FirstOrDefault()}");
        client.Fin();
        int date = wire.IndexOf("Date: ", StringComparison.Ordinal);
        return wire.Remove(date, 37);
    }

    [TestCase(200, "HTTP/1.1 200 OK\r\nContent-Type: t\r\nContent-Length: 2\r\n\r\nok")]
    [TestCase(404, "HTTP/1.1 404 Not Found\r\nContent-Type: t\r\nContent-Length: 2\r\n\r\nok")]
    [TestCase(599, "HTTP/1.1 599 \r\nContent-Type: t\r\nContent-Length: 2\r\n\r\nok")]
    [TestCase(204, "HTTP/1.1 204 No Content\r\nContent-Type: t\r\n\r\n")]
    [TestCase(304, "HTTP/1.1 304 Not Modified\r\nContent-Type: t\r\nContent-Length: 2\r\n\r\n")]
    public void Send(int status, string wire) => Assert.That(Answer(exchange =>
    {
        exchange.Response.Send(status, "t"u8, "ok"u8);
        return default;
    }), Is.EqualTo(wire));

    /// <summary>The usual response is written at one go: its bytes are those of the steps, whatever is unusual.</summary>
    [Test]
    public void Send_is_the_sum_of_its_steps(
        [Values("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")] string request,
        [Values("", "text/plain")] string type,
        [Values(false, true)] bool hasField,
        [Values(0, 1, 3900, 3950, 4000, 4096, 20_000)] int length)
    {
        byte[] content = Encoding.ASCII.GetBytes(new string('c', length));
        string Sent(Action<Exchange> send) => Answer(exchange =>
        {
            if (hasField) exchange.Response.PresetLines = "X-Preset: 1\r\n"u8.ToArray();
            send(exchange);
            return default;
        }, request);
        string whole = Sent(exchange => exchange.Response.Send(200, Encoding.ASCII.GetBytes(type), content));
        string steps = Sent(exchange =>
        {
            exchange.Response.Start(200);
            if (type.Length > 0) exchange.Response.Field("Content-Type"u8, Encoding.ASCII.GetBytes(type));
            exchange.Response.EndHead(content.Length);
            exchange.Response.Write(content);
        });
        Assert.That(whole, Is.EqualTo(steps));
    }

    [TestCase(200, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n3\r\nabc\r\n0\r\n\r\n")]
    [TestCase(204, "HTTP/1.1 204 No Content\r\n\r\n")]
    [TestCase(304, "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n")]
    public void Chunked(int status, string wire) => Assert.That(Answer(exchange =>
    {
        exchange.Response.Start(status);
        exchange.Response.EndHeadChunked();
        exchange.Response.Write("ok"u8);
        exchange.Response.Write(default(ReadOnlySpan<byte>));
        exchange.Response.Write(Segmented.Of([], []));
        exchange.Response.Write(Segmented.Of([(byte)'a'], [], [(byte)'b', (byte)'c']));
        return default;
    }), Is.EqualTo(wire));

    [Test]
    public void Head_has_the_fields_of_get_and_no_content()
    {
        const string head = "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n";
        Assert.That(Answer(static exchange =>
        {
            exchange.Response.Send(200, default, "content"u8);
            Assert.That(exchange.Response.ContentBytes, Is.EqualTo(7));
            return default;
        }, head), Is.EqualTo("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"));
        Assert.That(Answer(static exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.EndHeadChunked();
            exchange.Response.Write(Segmented.Of([1], [2]));
            Assert.That(exchange.Response.ContentBytes, Is.EqualTo(2));
            return default;
        }, head), Is.EqualTo("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
        // Less content than the length says is no truncation where there is none.
        Assert.That(Answer(static exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.EndHead(1000);
            return default;
        }, head), Is.EqualTo("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"));
    }

    [TestCase("HTTP/1.0", "", "Connection: close\r\n")]
    [TestCase("HTTP/1.0", "Connection: keep-alive\r\n", "Connection: keep-alive\r\n")]
    [TestCase("HTTP/1.0", "Connection: keep-alive, close\r\n", "Connection: close\r\n")]
    [TestCase("HTTP/1.1", "", "")]
    [TestCase("HTTP/1.1", "Connection: keep-alive\r\n", "")]
    [TestCase("HTTP/1.1", "Connection: Close\r\n", "Connection: close\r\n")]
    public void Persistence_is_told(string version, string fields, string told) => Assert.That(Answer(static exchange =>
    {
        exchange.Response.Send(200, default, "x"u8);
        return default;
    }, $"GET / {version}\r\nHost: h\r\n{fields}\r\n"), Is.EqualTo($"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n{told}\r\nx"));

    [Test]
    public void An_open_length_to_http_1_0_ends_with_the_connection() => Assert.That(Answer(static exchange =>
    {
        exchange.Response.Start(200);
        exchange.Response.EndHeadChunked();
        exchange.Response.Write("all"u8);
        return default;
    }, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), Is.EqualTo("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall"));

    [Test]
    public void Fields_of_every_length_cross_blocks_unharmed()
    {
        for (int length = 4000; length < 4200; length++)
        {
            string value = new('v', length);
            Assert.That(Answer(exchange =>
            {
                exchange.Response.Start(200);
                exchange.Response.Field("A"u8, Segmented.Bytes(value));
                exchange.Response.Field("N"u8, long.MinValue);
                exchange.Response.EndHead(3);
                exchange.Response.Write("end"u8);
                return default;
            }), Is.EqualTo($"HTTP/1.1 200 OK\r\nA: {value}\r\nN: -9223372036854775808\r\nContent-Length: 3\r\n\r\nend"));
        }
    }

    private static readonly Action<ResponseWriter>[] s_misuse =
    [
        static r => r.Write("x"u8),
        static r => r.Field("A"u8, "b"u8),
        static r => r.RawFields("A: b\r\n"u8),
        static r => r.EndHead(0),
        static r => r.EndHeadChunked(),
        static r => r.Start(100),
        static r => r.Start(103),
        static r => r.Start(99),
        static r => r.Start(600),
        static r => { r.Send(200, default, default); r.Start(200); },
        static r => { r.Send(200, default, default); r.Field("A"u8, "b"u8); },
        static r => { r.Start(200); r.StartRaw(200, "200 OK"u8); },
        static r => { r.Start(200); r.Write("x"u8); },
        static r => { r.Start(200); r.EndHead(-1); },
        static r => { r.Start(200); r.EndHead(1); r.Write("xy"u8); },
        static r => { r.Start(200); r.EndHead(1); r.Write(Segmented.Of([1], [2])); },
        static r => { r.Start(200); r.EndHead(1); r.EndHeadChunked(); },
        static r => { r.Start(200); r.Field("A"u8, "b\nc"u8); },
        static r => { r.Start(200); r.Field("A"u8, "b\rc"u8); },
        static r => { r.Start(200); r.Field("A"u8, "b\0c"u8); },
        static r => { r.Start(200); r.Field("A"u8, "b\r\n"u8); },
    ];

    [Test]
    public void Misuse_throws([Range(0, 20)] int which)
    {
        Exception? thrown = null;
        MemoryClient client = Connect(exchange =>
        {
            thrown = Assert.Catch(() => s_misuse[which](exchange.Response));
            if (!exchange.Response.HasStarted) exchange.Response.Send(200, default, default);
            return default;
        });
        client.Send(Get);
        Assert.That(thrown, Is.InstanceOf<InvalidOperationException>().Or.InstanceOf<ArgumentException>());
        Assert.That(client.HasEnded || client.TakeText().StartsWith("HTTP/1.1 200 OK", StringComparison.Ordinal));
    }

    [Test]
    public void Common_fields_follow_the_date()
    {
        MemoryClient client = Connect(with: static options => options with { WriteCommonFields = static (_, response) => response.Field("Vary"u8, "Origin"u8) });
        client.Send("GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\n\r\n");
        string[] answers = client.TakeText().Split("HTTP/1.1 ");
        Assert.That(answers[1], Does.StartWith("404 ").And.Match("GMT\r\nVary: Origin\r\nContent-Type: "));
        Assert.That(answers[2], Does.StartWith("400 ").And.Contain("Vary: Origin\r\n"));
    }

    [Test]
    public void Every_status_code_can_be_sent()
    {
        int next = 200;
        MemoryClient client = Connect(exchange =>
        {
            exchange.Response.Send(next, default, default);
            return default;
        });
        for (; next <= 599; next++)
        {
            client.Send(Get);
            Assert.That(Encoding.ASCII.GetString(client.Take())[..13], Is.EqualTo($"HTTP/1.1 {next} "));
        }
    }
}

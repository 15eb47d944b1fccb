using System.Buffers;
using System.Text;
using Turbo.Net;
using Turbo.Net.Sse;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Sse;

/// <summary>An event stream as it goes on the wire.</summary>
[TestFixture]
internal sealed class EventStreamWriterTests : MemoryFixture
{
    private string Answer(RequestHandler handler, string request = Get)
    {
        MemoryClient client = Connect(handler);
        client.Send(request);
        string wire = client.TakeText();
        Assert.That(client.IsReset, Is.False, $"reset: {_server.Log.HandlerFaults.FirstOrDefault()}");
        client.Fin();
        return wire.Remove(wire.IndexOf("Date: ", StringComparison.Ordinal), 37);
    }

    [Test]
    public void Each_event_is_a_chunk() => Assert.That(Answer(static async exchange =>
    {
        EventStreamWriter events = new(exchange);
        await events.SendAsync("{}"u8);
        events.WriteComment();
        events.WriteComment(" still here"u8);
        await events.FlushAsync();
    }), Is.EqualTo("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n" +
        "a\r\ndata: {}\n\n\r\n3\r\n:\n\n\r\ne\r\n: still here\n\n\r\n0\r\n\r\n"));

    [Test]
    public void A_client_of_http_1_0_is_served_to_the_connections_end() => Assert.That(Answer(static async exchange =>
    {
        await new EventStreamWriter(exchange).SendAsync("a"u8);
    }, "GET / HTTP/1.0\r\n\r\n"), Does.EndWith("Cache-Control: no-cache\r\nConnection: close\r\n\r\ndata: a\n\n"));

    [Test]
    public void Head_has_no_events() => Assert.That(Answer(static async exchange =>
    {
        await new EventStreamWriter(exchange).SendAsync("a"u8);
    }, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"), Does.EndWith("Transfer-Encoding: chunked\r\n\r\n"));

    [TestCase("", "", "")]
    [TestCase("a", "", "")]
    [TestCase("a\nb", "", "")]
    [TestCase("a\r\nb\rc\n", "add", "7")]
    [TestCase("\n\n", "add", "")]
    [TestCase(" a: b", "", "ü")]
    public void What_is_written_reads_back(string data, string name, string id)
    {
        string wire = Answer(exchange =>
        {
            new EventStreamWriter(exchange).Write(Encoding.UTF8.GetBytes(data), Encoding.UTF8.GetBytes(name), Encoding.UTF8.GetBytes(id));
            return default;
        }, "GET / HTTP/1.0\r\n\r\n");
        EventStreamReader reader = new();
        ReadOnlySequence<byte> stream = new(Encoding.Latin1.GetBytes(wire[(wire.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]));
        Assert.That(reader.Read(ref stream), Is.EqualTo(EventStreamStatus.Event));
        string expected = data.Replace("\r\n", "\n").Replace('\r', '\n');
        Assert.That(Encoding.UTF8.GetString(reader.Data), Is.EqualTo(expected));
        Assert.That((Encoding.UTF8.GetString(reader.Name), Encoding.UTF8.GetString(reader.LastId)), Is.EqualTo((name, id)));
        Assert.That(reader.Read(ref stream), Is.EqualTo(EventStreamStatus.NeedMore));
    }

    [Test]
    public void A_line_end_in_a_name_id_or_comment_throws() => Answer(static exchange =>
    {
        EventStreamWriter events = new(exchange);
        Assert.Throws<ArgumentException>(() => events.Write("a"u8, "b\nc"u8));
        Assert.Throws<ArgumentException>(() => events.Write("a"u8, id: "b\rc"u8));
        Assert.Throws<ArgumentException>(() => events.Write("a"u8, id: "b\0c"u8));
        Assert.Throws<ArgumentException>(() => events.WriteComment("a\ndata: b"u8));
        return default;
    });
}

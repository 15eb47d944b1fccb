using System.Text;
using Turbo.Bench.Load;

namespace Turbo.Tests.Bench;

/// <summary>The load client takes responses apart alike, however they come; what is none it does not count.</summary>
[TestFixture]
internal sealed class ResponseReaderTests
{
    private sealed class Sink : IResponseSink
    {
        private readonly StringBuilder _content = new();

        public List<string> Responses { get; } = [];

        public void OnContent(ReadOnlySpan<byte> piece, long now) => _content.Append(Encoding.ASCII.GetString(piece));

        public void OnEnd(int status, long now)
        {
            Responses.Add($"{status} {_content}");
            _content.Clear();
        }
    }

    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 hello")]
    [TestCase("HTTP/1.1 200 OK\r\ncontent-length:5\r\nX: y\r\n\r\nhelloHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "200 hello", "404 ")]
    [TestCase("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "204 ", "200 x")]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n, world!!!\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "200 hello, world!!!", "200 x")]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nTrailer: a\r\nOther: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200 x", "200 ")]
    public void Responses_are_the_same_at_every_cut(string wire, params string[] expected)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(wire);
        for (int cut = 0; cut <= bytes.Length; cut++)
        {
            Sink sink = new();
            ResponseReader reader = new();
            reader.Read(bytes.AsSpan(0, cut), sink, 0);
            reader.Read(bytes.AsSpan(cut), sink, 0);
            Assert.That(sink.Responses, Is.EqualTo(expected), $"cut at {cut}");
        }
        Sink single = new();
        ResponseReader slow = new();
        foreach (byte one in bytes) slow.Read([one], single, 0);
        Assert.That(single.Responses, Is.EqualTo(expected), "byte by byte");
    }

    [TestCase("SSH-2.0-OpenSSH_9.2\r\n\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\n\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")]
    public void What_is_no_response_is_a_failure(string wire) =>
        Assert.That(() => new ResponseReader().Read(Encoding.ASCII.GetBytes(wire), new Sink(), 0), Throws.TypeOf<InvalidDataException>());
}

using System.Text;
using Turbo.Net;
using Turbo.Tests.Net;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance.Http;

/// <summary>RFC 9112 §9.3.2: requests sent ahead are answered in order, up to the first bad one; what follows that is nobody's.</summary>
[TestFixture]
internal sealed class PipelineTests : HttpTable
{
    private const string Body = "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
    private const string Chunks = "POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

    [TestCaseSource(nameof(Batches))]
    public void Answers_come_in_order(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Batches() => Rows(
        (Get + Get + Get, Hello + Hello + Hello),
        (Get + Body + Get + Chunks + Get, Hello + Seen("hello") + Hello + Seen("hello") + Hello),
        (Body + Chunks + Body, Seen("hello") + Seen("hello") + Seen("hello")),
        (Get + "HEAD /plaintext HTTP/1.1\r\nHost: h\r\n\r\n" + Get, Hello + Hello[..^13] + Hello),
        (Get + Get[..^6], Hello),
        // One that fails within its handler ends the connection, too.
        (Get + "GET /throw HTTP/1.1\r\nHost: h\r\n\r\n", Hello + Refusal("500 Internal Server Error", "internal error")));

    [TestCaseSource(nameof(Bad))]
    public void A_bad_one_in_the_middle_is_the_last(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Bad() => Rows([.. s_bad.Select(static bad => (Get + Body + bad.Wire + Get, Hello + Seen("hello") + bad.Answer)), .. s_bad.Select(static bad => (Chunks + bad.Wire, Seen("hello") + bad.Answer))]);

    private static readonly (string Wire, string Answer)[] s_bad =
    [
        ("\r\n\r\n\r\n", BadRequest("malformed request line")),
        ("GET\r\n\r\n", BadRequest("malformed request line")),
        ("GET / HTTP/1.1\nHost: h\n\n", BadRequest("malformed line end")),
        ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", BadRequest("malformed header field")),
        ("GET / HTTP/1.1\r\n\r\n", BadRequest("missing or malformed Host")),
        ("GET /#x HTTP/1.1\r\nHost: h\r\n\r\n", BadRequest("malformed request target")),
        ("GET / HTTP/2.0\r\n\r\n", Refusal("505 HTTP Version Not Supported", "HTTP version not supported")),
        ("CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", Refusal("501 Not Implemented", "CONNECT is not supported")),
        ("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhello", BadRequest("malformed Content-Length")),
        ("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BadRequest("malformed Transfer-Encoding")),
        ("POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;\nhello\r\n0\r\n\r\n", BadRequest("malformed chunked body")),
        ("POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n", BadRequest("malformed line end")),
        ("POST /body HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n", Refusal("417 Expectation Failed", "expectation not supported")),
        ("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", Refusal("413 Content Too Large", "request body too large")),
        ("GET /throw HTTP/1.1\r\nHost: h\r\n\r\n", Refusal("500 Internal Server Error", "internal error")),
    ];

    /// <summary>On a socket the answers arrive too, although unread bytes of the client would turn a careless close into a reset.</summary>
    [TestCaseSource(nameof(Bad))]
    public async Task The_answers_arrive_at_a_socket(string wire, string answer)
    {
        await using NetServer server = new(Routes().HandleAsync);
        using RawClient client = server.Connect();
        client.Send(wire + new string('x', 200_000)).HalfClose();
        Assert.That(client.ReadToEnd(out byte[] received), Is.EqualTo(PeerEnd.Fin));
        Assert.That(Undated(Encoding.Latin1.GetString(received)), Is.EqualTo(answer));
    }
}

/// <summary>RFC 9112 §8, §9.6: requests that end before they are whole, at every byte: by FIN, by reset, by silence.</summary>
[TestFixture]
internal sealed class IncompleteRequestTests
{
    private const string Head = "POST /body HTTP/1.1\r\nHost: h\r\n";

    private static readonly string[] s_requests =
    [
        Head + "Content-Length: 5\r\n\r\nhello",
        Head + "Transfer-Encoding: chunked\r\n\r\n5;a=\"b\"\r\nhello\r\n0\r\nSum: 7\r\n\r\n",
        "GET http://h:80/seen?x HTTP/1.1\r\nHost: h:80\r\nA: b\r\n\r\n",
    ];

    [TestCaseSource(nameof(s_requests))]
    public async Task By_FIN_or_reset(string request)
    {
        await using NetServer server = new(Handler, time: new ManualTimeProvider(), listens: false);
        int head = request.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
        for (int at = 0; at < request.Length; at++)
        {
            MemoryClient half = server.ConnectInMemory().Send(request[..at]).Fin();
            string answer = half.TakeText();
            // A request that nobody finished sending gets no answer; content that is short of its framing is an error (§8).
            if (at < head) Assert.That(answer, Is.Empty, $"cut at {at}");
            else Assert.That(answer, Does.StartWith("HTTP/1.1 400 Bad Request\r\n").And.EndWith("\r\nConnection: close\r\n\r\nrequest body ended early"), $"cut at {at}");
            Assert.That(half.HasEnded && !half.IsReset && half.Serving.IsCompletedSuccessfully, $"cut at {at}");

            MemoryClient reset = server.ConnectInMemory().Send(request[..at]);
            reset.Rst();
            Assert.That(reset.Serving.IsCompletedSuccessfully, $"cut at {at}");
        }
        Assert.That(server.Log.HandlerFaults, Is.Empty);
    }

    [TestCaseSource(nameof(s_requests))]
    public async Task By_silence(string request)
    {
        for (int at = 1; at < request.Length; at++)
        {
            ManualTimeProvider time = new();
            await using NetServer server = new(Handler, time: time, listens: false);
            MemoryClient silent = server.ConnectInMemory().Send(request[..at]);
            Inline.Run(() => time.Advance(TimeSpan.FromSeconds(9)));
            Assert.That(silent.Take(), Is.Empty, $"cut at {at}");
            Inline.Run(() => time.Advance(TimeSpan.FromSeconds(22)));
            Assert.That(silent.TakeText(), Does.StartWith("HTTP/1.1 408 Request Timeout\r\n").And.EndWith("\r\nConnection: close\r\n\r\nrequest timed out"), $"cut at {at}");
            Assert.That(silent.HasEnded && !silent.IsReset, $"cut at {at}");
            silent.Fin();
            Assert.That(silent.Serving.IsCompletedSuccessfully, $"cut at {at}");
        }
    }

    [TestCaseSource(nameof(s_requests))]
    public async Task By_FIN_at_a_socket(string request)
    {
        await using NetServer server = new(Handler);
        int head = request.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
        for (int at = 0; at <= request.Length; at++)
        {
            using RawClient client = server.Connect();
            client.Send(request[..at]).HalfClose();
            if (at >= head) Assert.That(client.Read().Status, Is.EqualTo(at < request.Length ? 400 : 200), $"cut at {at}");
            client.ExpectFin();
        }
    }

    private static async ValueTask Handler(Exchange exchange)
    {
        BodyContent content = await exchange.Body.ReadAllAsync();
        if (content.IsComplete) exchange.Response.Send(200, default, content.Bytes.Span);
    }
}

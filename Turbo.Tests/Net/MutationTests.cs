using System.Buffers;
using System.Text;
using Turbo.Net;
using Turbo.Net.Http1;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net;

/// <summary>
/// Valid requests, damaged at random from a fixed seed and cut at random: the same outcome whole and cut, no exception
/// out of a parser, and a server that is there afterwards. A failure's bytes belong into Regressions.
/// </summary>
[TestFixture]
internal sealed class MutationTests
{
    private static readonly string[] s_requests =
    [
        "GET /plaintext HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /plaintext HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GET http://h/chunked?q HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\nhello, world",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b\\\"\"\r\nhello\r\n7\r\n, world\r\n0\r\nT: u\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
        "POST /ignore HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
        "GET /throw HTTP/1.1\r\nHost: h\r\n\r\n",
    ];

    // What parsers disagree on.
    private static readonly string[] s_tokens =
    [
        "\r\n", "\r", "\n", "\0", " ", "\t", ":", ";", ",", "\"", "0", "f", "-", "\x80", "\xff", "\r\n\r\n", "\r\n ",
        "Content-Length: 5\r\n", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n", "Host: h\r\n", "Connection: close\r\n",
        "Expect: 100-continue\r\n", "HTTP/1.1", "0\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "99999999999999999999",
    ];

    private static byte[] Mutated(Random random)
    {
        List<byte> wire = [];
        for (int n = random.Next(1, 4); n > 0; n--) wire.AddRange(Segmented.Bytes(s_requests[random.Next(s_requests.Length)]));
        for (int n = random.Next(0, 4); n > 0 && wire.Count > 0; n--)
        {
            int at = random.Next(wire.Count);
            int length = Math.Min(random.Next(1, 12), wire.Count - at);
            switch (random.Next(6))
            {
                case 0: wire[at] = (byte)random.Next(256); break;
                case 1: wire[at] ^= (byte)(1 << random.Next(8)); break;
                case 2: wire.RemoveRange(at, length); break;
                case 3: wire.InsertRange(at, Segmented.Bytes(s_tokens[random.Next(s_tokens.Length)])); break;
                case 4: wire.InsertRange(random.Next(wire.Count), wire.GetRange(at, length)); break;
                default: wire.RemoveRange(at, wire.Count - at); break;
            }
        }
        return [.. wire];
    }

    private static int[] Cuts(Random random, int length) => random.Next(5) == 0
        ? [.. Enumerable.Range(1, length)]
        : [.. Enumerable.Range(0, random.Next(1, 5)).Select(_ => random.Next(length + 1)).Append(length).Distinct().Order()];

    [Test]
    public async Task A_server_in_memory([Range(1, 4)] int seed)
    {
        Random random = new(seed);
        await using NetServer server = new(limits: new() { MaxBodyBytes = 1000 }, time: new ManualTimeProvider(), listens: false);
        HashSet<string> outcomes = [];
        for (int i = 0; i < 1500; i++)
        {
            byte[] wire = Mutated(random);
            string whole = Outcome(server, wire, [wire.Length]);
            string cut = Outcome(server, wire, Cuts(random, wire.Length));
            Assert.That(cut, Is.EqualTo(whole), $"seed {seed}, number {i}: {Segmented.Show(wire)}");
            foreach (string status in whole.Split('\n')) outcomes.Add(status.Split(' ')[0]);
        }
        Assert.That(server.Log.HandlerFaults.All(static e => e.Message == "thrown by the handler"), "only the one that throws");
        // The seed must reach more than one refusal.
        Assert.That(outcomes, Is.SupersetOf(new[] { "200", "400", "404", "405", "500", "reset" }));
    }

    /// <summary>Every final response's head and content, and how the connection ended.</summary>
    private static string Outcome(NetServer server, byte[] wire, int[] cuts)
    {
        MemoryClient client = server.ConnectInMemory();
        int sent = 0;
        foreach (int cut in cuts)
        {
            if (client.Serving.IsCompleted) break;
            client.Send(wire.AsSpan(sent, cut - sent));
            sent = cut;
        }
        client.Fin();
        // Whether 100 was sent depends on what had come by then.
        string answer = client.TakeText().Replace("HTTP/1.1 100 Continue\r\n\r\n", "", StringComparison.Ordinal);
        Assert.That(client.HasEnded && client.Serving.IsCompletedSuccessfully, $"still serving after: {Segmented.Show(wire)}");
        if (client.IsReset) return "reset";
        StringBuilder outcome = new();
        foreach (RawResponse response in RawResponse.Split(answer, isHead: false)) outcome.Append(response.Status).Append(' ').Append(response.Undated).Append('\n');
        return outcome.ToString();
    }

    [Test]
    public async Task A_server_on_a_socket()
    {
        Random random = new(5);
        await using NetServer server = new(limits: new() { MaxBodyBytes = 1000 });
        for (int i = 0; i < 300; i++)
        {
            byte[] wire = Mutated(random);
            string expected = Outcome(server, wire, [wire.Length]);
            using RawClient client = server.Connect();
            int sent = 0;
            foreach (int cut in Cuts(random, wire.Length).Take(20).Append(wire.Length))
            {
                client.Send(wire.AsSpan(sent, cut - sent));
                sent = cut;
                if (expected == "reset") break;
            }
            if (expected == "reset")
            {
                // The client may be cut off while it sends.
                if (client.TrySend(wire.AsSpan(sent))) client.TryHalfClose();
                client.ExpectReset();
                continue;
            }
            PeerEnd end = client.HalfClose().ReadToEnd(out byte[] answer);
            StringBuilder outcome = new();
            string text = Encoding.Latin1.GetString(answer).Replace("HTTP/1.1 100 Continue\r\n\r\n", "", StringComparison.Ordinal);
            foreach (RawResponse response in RawResponse.Split(text, isHead: false)) outcome.Append(response.Status).Append(' ').Append(response.Undated).Append('\n');
            Assert.That(end, Is.EqualTo(PeerEnd.Fin), $"number {i}: {Segmented.Show(wire)}");
            Assert.That(outcome.ToString(), Is.EqualTo(expected), $"number {i}: {Segmented.Show(wire)}");
        }
        using RawClient last = server.Connect();
        Assert.That(last.Exchange(s_requests[0]).Status, Is.EqualTo(200));
    }

    [Test]
    public void The_parser_alone()
    {
        Random random = new(6);
        ServerLimits limits = new() { MaxHeaderBytes = 200, MaxRequestLineBytes = 60, MaxHeaderFields = 4 };
        for (int i = 0; i < 20_000; i++)
        {
            byte[] wire = Mutated(random);
            (ParseStatus, RejectReason, int) whole = Head(wire, [wire.Length], limits);
            Assert.That(Head(wire, Cuts(random, wire.Length), limits), Is.EqualTo(whole), Segmented.Show(wire));
        }
    }

    private static (ParseStatus, RejectReason, int) Head(byte[] wire, int[] cuts, ServerLimits limits)
    {
        RequestHead head = new();
        ParseStatus status = ParseStatus.NeedMore;
        int consumed = 0;
        foreach (int cut in cuts)
        {
            status = Http1Parser.ReadRequestHead(wire.AsSpan(0, cut), head, limits, out consumed);
            if (status != ParseStatus.NeedMore) break;
        }
        return (status, head.Reject, consumed);
    }

    [Test]
    public void The_chunked_reader_alone()
    {
        Random random = new(7);
        ServerLimits limits = new() { MaxChunkExtensionBytes = 20, MaxTrailerBytes = 40, MaxHeaderFields = 3 };
        byte[] valid = Segmented.Bytes("5;a=\"b\\\"\"\r\nhello\r\n7\r\n, world\r\nA;x;y=z\r\n0123456789\r\n0\r\nT: u\r\nV:\r\n\r\n");
        for (int i = 0; i < 20_000; i++)
        {
            List<byte> wire = [.. valid];
            for (int n = random.Next(1, 4); n > 0; n--)
            {
                int at = random.Next(wire.Count);
                if (random.Next(3) == 0) wire.RemoveAt(at);
                else if (random.Next(2) == 0) wire.InsertRange(at, Segmented.Bytes(s_tokens[random.Next(s_tokens.Length)]));
                else wire[at] = (byte)random.Next(256);
            }
            byte[] bytes = [.. wire];
            string whole = Chunks(bytes, [bytes.Length], limits);
            Assert.That(Chunks(bytes, Cuts(random, bytes.Length), limits), Is.EqualTo(whole), Segmented.Show(bytes));
        }
    }

    private static string Chunks(byte[] wire, int[] cuts, ServerLimits limits)
    {
        ChunkedReader reader = default;
        TrailerSection trailers = new();
        StringBuilder content = new();
        ParseStatus status = ParseStatus.NeedMore;
        int consumed = 0;
        foreach (int cut in cuts)
        {
            do
            {
                ReadOnlySequence<byte> input = new(wire.AsMemory(consumed, cut - consumed));
                long before = input.Length;
                status = reader.Read(ref input, out ReadOnlySequence<byte> data, limits, trailers);
                consumed += (int)(before - input.Length);
                content.Append(Encoding.Latin1.GetString(data));
            }
            while (status == ParseStatus.Complete && !reader.IsDone);
            if (status != ParseStatus.NeedMore) break;
        }
        return $"{status} {reader.Reject} {content} {(status == ParseStatus.Complete ? consumed : 0)}";
    }
}

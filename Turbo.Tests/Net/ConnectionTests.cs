using System.Text;
using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net;

/// <summary>Batches, expectations, faults, limits and unread bodies.</summary>
[TestFixture]
internal sealed class ConnectionTests : MemoryFixture
{
    // ---- batches

    [Test]
    public void Sixteen_pipelined_requests_are_answered_with_one_flush()
    {
        MemoryClient client = Connect();
        client.Send(string.Concat(Enumerable.Repeat(Get, 16)));
        Assert.That(client.Transport.Flushes, Is.EqualTo(1));
        Assert.That(client.TakeText().Split("Hello, World!"), Has.Length.EqualTo(17));
    }

    [Test]
    public void A_batch_of_large_answers_is_flushed_as_it_grows()
    {
        byte[] large = new byte[20_000];
        MemoryClient client = Connect(exchange =>
        {
            exchange.Response.Send(200, default, large);
            return default;
        });
        client.Send(string.Concat(Enumerable.Repeat(Get, 10)));
        Assert.That(client.Transport.Flushes, Is.EqualTo(5));
    }

    [Test]
    public void Earlier_answers_leave_before_a_body_is_waited_for()
    {
        MemoryClient client = Connect();
        client.Send(Get + "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n");
        Assert.That(client.TakeText(), Does.EndWith("Hello, World!"));
        client.Send("ok");
        Assert.That(client.TakeText(), Does.EndWith("\r\n\r\nok"));
    }

    [Test]
    public void A_handler_that_waits_is_answered_when_it_ends_and_the_next_request_after_it()
    {
        TaskCompletionSource gate = new();
        MemoryClient client = Connect(async exchange =>
        {
            if (exchange.Query.Length > 0) await gate.Task.ConfigureAwait(false);
            exchange.Response.Send(200, default, "done"u8);
        });
        client.Send("GET /?wait HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
        Assert.That(client.Take(), Is.Empty);
        Inline.Run(gate.SetResult);
        Assert.That(client.TakeText().Split("done"), Has.Length.EqualTo(3));
    }

    [Test]
    public void Earlier_answers_leave_before_a_handler_is_waited_for([Values] bool isOnAnotherThread)
    {
        TaskCompletionSource gate = new(isOnAnotherThread ? TaskCreationOptions.RunContinuationsAsynchronously : TaskCreationOptions.None);
        MemoryClient client = Connect(async exchange =>
        {
            if (exchange.Query.Length > 0) await gate.Task.ConfigureAwait(false);
            exchange.Response.Send(200, default, exchange.Query.Length > 0 ? "slow"u8 : "fast"u8);
        });
        client.Send(Plain + Plain + "GET /?wait HTTP/1.1\r\nHost: h\r\n\r\n" + Plain);
        Assert.That(client.TakeText().Split("fast"), Has.Length.EqualTo(3), "the two before it");
        Assert.That(client.Transport.Flushes, Is.EqualTo(1));
        Inline.Run(gate.SetResult);
        Assert.That(() => client.TakeText(), Does.Contain("slow").And.EndWith("fast").After(5000, 1));
    }

    private const string Plain = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

    [Test]
    public void Earlier_answers_that_the_client_does_not_take_hold_up_the_handlers_own()
    {
        TaskCompletionSource gate = new();
        bool? isTaken = null;
        byte[] large = new byte[2 << 20];
        MemoryClient client = Connect(async exchange =>
        {
            if (exchange.Query.Length == 0)
            {
                // Less than a batch, so that nothing leaves before the next handler.
                exchange.Response.Send(200, default, large.AsSpan(0, 20_000));
                return;
            }
            await gate.Task.ConfigureAwait(false);
            exchange.Response.Send(200, default, "slow"u8);
            isTaken = await exchange.Response.FlushAsync();
        });
        // What fills the memory between server and client first: nobody reads yet.
        MemoryClient full = client;
        for (int i = 0; i < 60; i++) full.Send(Plain);
        full.Send(Plain + "GET /?wait HTTP/1.1\r\nHost: h\r\n\r\n" + Plain);
        Inline.Run(gate.SetResult);
        Assert.That(isTaken, Is.Null, "waits for the client");
        string all = "";
        for (int i = 0; i < 10; i++) all += client.TakeText();
        Assert.That(isTaken, Is.True);
        Assert.That(all.Split("HTTP/1.1 200"), Has.Length.EqualTo(64));
        Assert.That(all.IndexOf("slow", StringComparison.Ordinal), Is.GreaterThan(61 * 20_000).And.LessThan(all.Length - 20_000));
    }

    [Test]
    public void A_handler_that_fails_while_earlier_answers_wait_for_the_client_ends_the_connection()
    {
        TaskCompletionSource gate = new();
        MemoryClient client = Connect(async exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.EndHead(20_000);
            if (exchange.Query.Length > 0) await gate.Task.ConfigureAwait(false);
            exchange.Response.Write(new byte[20_000]);
            if (exchange.Query.Length > 0) throw new InvalidOperationException("after the answer");
        });
        for (int i = 0; i < 60; i++) client.Send(Plain);
        client.Send(Plain + "GET /?wait HTTP/1.1\r\nHost: h\r\n\r\n");
        Inline.Run(gate.SetResult);
        client.Take();
        Assert.That(client.HasEnded && client.IsReset);
        Assert.That(client.Serving.IsCompletedSuccessfully);
        Assert.That(client.Transport.EndReason, Is.EqualTo(EndReason.HandlerFault));
    }

    // ---- Expect: 100-continue (RFC 9110 §10.1.1)

    private const string Expecting = "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n";

    [Test]
    public void Continue_is_sent_at_the_first_read()
    {
        MemoryClient client = Connect();
        client.Send(Expecting);
        Assert.That(client.TakeText(), Is.EqualTo("HTTP/1.1 100 Continue\r\n\r\n"));
        client.Send("hel");
        client.Send("lo" + Get);
        string answers = client.TakeText();
        Assert.That(answers, Does.StartWith("HTTP/1.1 200 OK").And.Not.Contain("100 Continue").And.Not.Contain("Connection: close"));
        Assert.That(answers, Does.Contain("hello").And.EndWith("Hello, World!"));
    }

    [Test]
    public void Continue_is_not_sent_to_a_client_that_already_sends()
    {
        MemoryClient client = Connect();
        client.Send(Expecting + "h");
        Assert.That(client.TakeText(), Does.StartWith("HTTP/1.1 200").And.EndWith("\r\n\r\nh"));
        client.Send("ello");
        Assert.That(client.TakeText(), Is.EqualTo("ello"));
    }

    [Test]
    public void Continue_is_not_sent_when_the_handler_does_not_read_and_the_connection_closes()
    {
        MemoryClient client = Connect();
        client.Send(Expecting.Replace("/echo", "/ignore"));
        Assert.That(client.TakeText(), Does.StartWith("HTTP/1.1 200 OK").And.Contain("Connection: close").And.EndWith("ignored"));
        Assert.That(Ended(client), Is.EqualTo(EndReason.NotPersistent));
    }

    [Test]
    public void Continue_is_not_sent_after_the_final_head_nor_to_http_1_0_nor_without_content()
    {
        MemoryClient client = Connect(static async exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.EndHeadChunked();
            await exchange.Response.FlushAsync();
            BodyContent content = await exchange.Body.ReadAllAsync();
            exchange.Response.Write(content.Bytes.Span);
        });
        client.Send(Expecting);
        Assert.That(client.TakeText(), Does.StartWith("HTTP/1.1 200 OK"));
        client.Send("hello");
        Assert.That(client.TakeText(), Is.EqualTo("5\r\nhello\r\n0\r\n\r\n"));

        MemoryClient old = _server.ConnectInMemory().Send(Expecting.Replace("HTTP/1.1", "HTTP/1.0"));
        Assert.That(old.TakeText(), Does.Not.Contain("100 Continue"));
        MemoryClient none = _server.ConnectInMemory().Send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n");
        Assert.That(none.TakeText(), Does.Not.Contain("100 Continue").And.Contain("200 OK"));
        old.Fin();
    }

    [TestCase("Expect: 100-continue\r\nExpect: 100-continue\r\n")]
    [TestCase("Expect: 100-continue, x\r\n")]
    [TestCase("Expect:\r\n")]
    public void Another_expectation_is_refused(string fields)
    {
        MemoryClient client = Connect();
        client.Send("POST /echo HTTP/1.1\r\nHost: h\r\n" + fields + "Content-Length: 5\r\n\r\n");
        Assert.That(Status(client.TakeText()), Is.EqualTo("417"));
    }

    // ---- what a handler does wrong

    [Test]
    public void A_fault_before_the_response_is_500_and_closes()
    {
        MemoryClient client = Connect();
        client.Send("GET /throw HTTP/1.1\r\nHost: h\r\n\r\n" + Get);
        Assert.That(client.TakeText(), Does.StartWith("HTTP/1.1 500 ").And.Contain("Connection: close").And.EndWith("internal error"));
        Assert.That(Ended(client), Is.EqualTo(EndReason.NotPersistent));
        Assert.That(_server.Log.HandlerFaults, Has.Count.EqualTo(1));
    }

    [Test]
    public void A_handler_of_io_faults_is_logged_while_the_client_is_there()
    {
        MemoryClient client = Connect(static _ => throw new IOException("disk"));
        client.Send(Get);
        Assert.That(Status(client.TakeText()), Is.EqualTo("500"));
        Assert.That(_server.Log.HandlerFaults.Single().Message, Is.EqualTo("disk"));
    }

    private static readonly RequestHandler[] s_cut =
    [
        // short of its Content-Length
        static exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.EndHead(5);
            exchange.Response.Write("hell"u8);
            return default;
        },
        // a head that never ends
        static exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.Field("A"u8, "b"u8);
            return default;
        },
        // thrown within
        static async exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.EndHeadChunked();
            exchange.Response.Write("hell"u8);
            await exchange.Response.FlushAsync();
            throw new InvalidOperationException("midway");
        },
        static exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.EndHead(5);
            exchange.Response.Write("hello!"u8);
            return default;
        },
        static exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.Field("A"u8, "b\r\nSet-Cookie: c"u8);
            return default;
        },
    ];

    [Test]
    public void A_response_that_is_not_whole_ends_in_a_reset([Range(0, 4)] int which)
    {
        MemoryClient client = Connect(s_cut[which]);
        client.Send(Get + Get);
        Assert.That(client.HasEnded && client.IsReset);
        Assert.That(client.Transport.EndReason, Is.EqualTo(EndReason.HandlerFault));
        Assert.That(client.Serving.IsCompletedSuccessfully);
    }

    [Test]
    public void A_handler_that_writes_nothing_is_500()
    {
        MemoryClient client = Connect(static _ => default);
        client.Send(Get);
        Assert.That(Status(client.TakeText()), Is.EqualTo("500"));
    }

    [Test]
    public void Nothing_of_a_used_exchange_is_left_for_the_next()
    {
        int n = 0;
        MemoryClient client = Connect(async exchange =>
        {
            if (++n == 1) _ = exchange.Aborted;
            if (n == 2) await exchange.Body.ReadAllAsync();
            string seen = $"{exchange.Method} {exchange.Body.Length} {exchange.Body.IsChunked} {exchange.Body.BytesRead} {exchange.Body.Trailers?.Count} {exchange.Fields.Count} {exchange.Response.Status} {exchange.Query.Length} {exchange.Response.ContentBytes}";
            exchange.Response.Send(200, default, Encoding.ASCII.GetBytes(seen));
        });
        client.Send("POST /?q HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
        Assert.That(client.TakeText(), Does.EndWith("\r\n\r\nPost 0 False 0  2 0 1 0"));
        client.Send("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nT: u\r\n\r\n");
        Assert.That(client.TakeText(), Does.EndWith("\r\n\r\nPut  True 1 1 2 0 0 0"));
        client.Send(Get);
        Assert.That(client.TakeText(), Does.EndWith("\r\n\r\nGet  False 0  1 0 0 0"));
    }

    [Test]
    public void A_refusal_shows_its_writer_what_came_and_nothing_of_another_request()
    {
        List<string> seen = [];
        MemoryClient client = Connect(with: options => options with
        {
            WriteError = (exchange, status, message) =>
            {
                exchange.Fields.TryGet(KnownField.Origin, out ReadOnlySpan<byte> origin);
                seen.Add($"{status} {exchange.Method} {Encoding.Latin1.GetString(exchange.Target)} {Encoding.Latin1.GetString(origin)}");
                exchange.Response.Send(status, default, Encoding.ASCII.GetBytes(message));
            },
        });
        client.Send("HEAD /plaintext?secret HTTP/1.1\r\nHost: h\r\nOrigin: secret\r\n\r\n");
        client.Take();
        client.Send("GET /x HTTP/1.1\r\nOrigin: mine\r\nBad field\r\n\r\n");
        Assert.That(client.TakeText(), Does.EndWith("malformed header field"), "HEAD before it must not swallow the content");
        MemoryClient second = _server.ConnectInMemory().Send("G\x01");
        Assert.That(second.TakeText(), Does.EndWith("malformed request line"));
        MemoryClient third = _server.ConnectInMemory().Send("GET /late HTTP/1.1\r\nOrigin: late\r\nA");
        Advance(11);
        Assert.That(third.TakeText(), Does.EndWith("request timed out"));
        Assert.That(seen, Is.EqualTo(new[] { "400 Get /x mine", "400 Other  ", "408 Get /late late" }));
    }

    // ---- limits

    [Test]
    public void The_last_request_of_a_limited_connection_says_so()
    {
        MemoryClient client = Connect(limits: s_limits with { MaxRequestsPerConnection = 2 });
        client.Send(Get + Get + Get);
        string[] answers = client.TakeText().Split("Hello, World!");
        Assert.That(answers, Has.Length.EqualTo(3));
        Assert.That(answers[0], Does.Not.Contain("Connection: close"));
        Assert.That(answers[1], Does.Contain("Connection: close"));
        Assert.That(Ended(client), Is.EqualTo(EndReason.NotPersistent));
    }

    [TestCase(16, "200")]
    [TestCase(17, "413")]
    public void Content_is_bounded(int bytes, string status)
    {
        MemoryClient client = Connect(static async exchange =>
        {
            BodyContent content = await exchange.Body.ReadAllAsync();
            if (content.IsComplete) exchange.Response.Send(200, default, content.Bytes.Span);
        }, s_limits with { MaxBodyBytes = 16 });
        string content = new('x', bytes);
        client.Send($"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {bytes}\r\n\r\n{content}");
        Assert.That(Status(client.TakeText()), Is.EqualTo(status), "by length");
        MemoryClient chunked = _server.ConnectInMemory().Send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
        foreach (char c in content) chunked.Send($"1\r\n{c}\r\n");
        chunked.Send("0\r\n\r\n");
        Assert.That(Status(chunked.TakeText()), Is.EqualTo(status), "chunked");
        client.Fin();
        chunked.Fin();
    }

    [Test]
    public void Content_can_be_asked_for_twice()
    {
        MemoryClient client = Connect(static async exchange =>
        {
            await exchange.Body.ReadAllAsync();
            BodyContent again = await exchange.Body.ReadAllAsync();
            exchange.Response.Send(200, default, again.Bytes.Span);
        });
        client.Send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        client.Send("2\r\nde\r\n0\r\n\r\n");
        Assert.That(client.TakeText(), Does.EndWith("\r\n\r\nabcde"));
    }

    // ---- bodies that nobody read

    [Test]
    public void A_small_unread_body_is_drained_without_delaying_the_answer()
    {
        MemoryClient client = Connect();
        client.Send("POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345");
        Assert.That(client.TakeText(), Does.EndWith("ignored").And.Not.Contain("Connection: close"));
        client.Send("67890" + Get);
        Assert.That(client.TakeText(), Does.EndWith("Hello, World!"));
    }

    [Test]
    public void A_large_unread_body_closes_the_connection_lingering()
    {
        MemoryClient client = Connect();
        client.Send("POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n12345");
        Assert.That(client.TakeText(), Does.Contain("Connection: close"));
        Assert.That(client.HasEnded && !client.IsReset);
        Assert.That(client.Serving.IsCompleted, Is.False, "lingers");
        client.Send("more");
        Assert.That(client.Serving.IsCompleted, Is.False);
        Advance(2.5);
        Assert.That(client.Serving.IsCompleted, "the linger is bounded");
    }

    [Test]
    public void A_chunked_unread_body_is_drained_up_to_the_limit()
    {
        MemoryClient client = Connect(limits: s_limits with { MaxDrainBytes = 10 });
        const string head = "POST /ignore HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.Send(head + "a\r\n1234567890\r\n0\r\n\r\n" + Get);
        Assert.That(client.TakeText(), Does.EndWith("Hello, World!"));
        client.Send(head + "a\r\n1234567890\r\n1\r\n1\r\n0\r\n\r\n" + Get);
        Assert.That(client.TakeText(), Does.EndWith("ignored"));
        Assert.That(Ended(client), Is.EqualTo(EndReason.NotPersistent));
    }
}

using System.Text;
using Turbo.Net.Upstream;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Upstream;

/// <summary>How an exchange ends while something else still goes on: the upload, the watch for the client, another try.</summary>
public sealed class RelayEndTests
{
    private const string Get = "GET /v1/x HTTP/1.1\r\nHost: a\r\n\r\n";
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    [TestCase("HTTP/1.1 103 Early Hints\r\nX: 1\r\n\r\n", true)]
    [TestCase("HTTP/1.1 103 Early Hints\r\nX: 1\r\n\r\n", false)]
    public async Task A_pooled_connection_that_dies_after_a_byte_is_not_tried_again(string sent, bool resets)
    {
        using SemaphoreSlim dies = new(0);
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadRequest();
            peer.Send(Ok);
            peer.ReadRequest();
            peer.Send(sent);
            dies.Wait(Until.Deadline);
            if (resets) peer.Reset();
            else peer.Close();
        });
        using RawClient client = relay.Connect();
        Assert.That(client.Exchange(Get).Text, Is.EqualTo("ok"));
        client.Send(Get);
        Assert.That(client.ReadHead(), Is.EqualTo(sent), "the origin has this request");
        dies.Release();
        Assert.That(client.Read().Status, Is.EqualTo(502));
        Assert.That((relay.Origin.Connections, relay.Pool.Retries), Is.EqualTo((1, 0L)));
    }

    [TestCase("Content-Length: 6\r\n\r\n", "abcdef")]
    [TestCase("Transfer-Encoding: chunked\r\n\r\n", "6\r\nabcdef\r\n0\r\n\r\n")]
    public async Task A_small_body_that_was_still_coming_is_gathered_for_the_second_try(string framing, string body)
    {
        await using RelayFixture relay = new(peer =>
        {
            if (peer.Index == 0)
            {
                peer.ReadRequest();
                peer.Send(Ok);
                peer.ReadHead();
                peer.Close();
                return;
            }
            peer.ReadRequest();
            peer.Send(Ok).WaitForEnd();
        });
        using RawClient client = relay.Connect();
        Assert.That(client.Exchange(Get).Text, Is.EqualTo("ok"));
        client.Send("POST /v1/x HTTP/1.1\r\nHost: a\r\n" + framing);
        await Until.TrueAsync(() => relay.Origin.Peer(0).Received.ToString().Contains("POST", StringComparison.Ordinal));
        // The dead connection is known before the body is there, or after: both must do.
        foreach (char c in body)
        {
            client.Send(c.ToString());
            await Task.Yield();
        }
        Assert.That(client.Read().Text, Is.EqualTo("ok"));
        Assert.That(relay.Pool.Retries, Is.EqualTo(1));
        Assert.That(relay.Origin.Peer(1).Received.ToString(), Does.StartWith("POST /v1/x HTTP/1.1\r\n"));
        Assert.That(Content(relay.Origin.Peer(1).Received.ToString()), Is.EqualTo("abcdef"));
    }

    [TestCase("Content-Length: 1000000\r\n\r\nabc")]
    [TestCase("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")]
    public async Task An_origin_that_dies_under_an_upload_is_502(string upload)
    {
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadHead();
            peer.Reset();
        });
        using RawClient client = relay.Connect();
        RawResponse response = client.Exchange("POST /v1/x HTTP/1.1\r\nHost: a\r\n" + upload);
        // That the rest of the body was not read is no fault of the client's.
        Assert.That((response.Status, response.Text), Is.EqualTo((502, nameof(RelayResult.Unreachable))));
        Assert.That(relay.Pool.OpenCount, Is.Zero);
    }

    [Test]
    public async Task An_origin_that_is_silent_under_an_upload_is_504()
    {
        await using RelayFixture relay = new(static peer => peer.WaitForEnd(), static o => o with { FirstByteTimeout = TimeSpan.FromMilliseconds(50) });
        using RawClient client = relay.Connect();
        RawResponse response = client.Exchange("POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc");
        Assert.That((response.Status, response.Text), Is.EqualTo((504, nameof(RelayResult.Timeout))));
        await Until.TrueAsync(() => relay.Origin.Peer(0).HasEnded);
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_client_that_leaves_before_a_switch_cancels_upstream(bool resets)
    {
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadHead();
            peer.WaitForEnd();
        });
        RawClient client = relay.Connect();
        client.Send("GET /v1/realtime HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        await Until.TrueAsync(() => relay.Origin.Connections == 1 && relay.Origin.Peer(0).Received.Length > 0);
        if (resets) client.Reset();
        else client.Dispose();
        await Until.TrueAsync(() => relay.Origin.Peer(0).HasEnded);
        await Until.TrueAsync(() => relay.Results.Length == 1);
        Assert.That(relay.Results[0], Is.EqualTo(RelayResult.ClientGone));
        Assert.That(relay.Pool.OpenCount, Is.Zero);
    }

    [Test]
    public async Task A_retried_request_is_still_cancelled_by_its_client()
    {
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadRequest();
            if (peer.Index == 0)
            {
                peer.Send(Ok);
                peer.ReadRequest();
                peer.Reset();
                return;
            }
            peer.WaitForEnd();
        });
        RawClient client = relay.Connect();
        Assert.That(client.Exchange(Get).Text, Is.EqualTo("ok"));
        client.Send(Get);
        await Until.TrueAsync(() => relay.Origin.Connections == 2 && relay.Origin.Peer(1).Received.Length > 0);
        client.Reset();
        await Until.TrueAsync(() => relay.Origin.Peer(1).HasEnded);
    }

    /// <summary>Clients that reset while bytes flow to them, or just as their response ends, disturb nobody else.</summary>
    [Test]
    public async Task Clients_that_break_off_cost_others_nothing()
    {
        const int Leavers = 300;
        byte[] block = new byte[32 * 1024];
        string whole = $"HTTP/1.1 200 OK\r\nContent-Length: {block.Length}\r\n\r\n";
        await using RelayFixture relay = new(peer =>
        {
            while (true)
            {
                bool isEndless = peer.ReadRequest().StartsWith("GET /endless", StringComparison.Ordinal);
                peer.Send(isEndless ? "HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n" : whole).Send(block);
                while (isEndless) peer.Send(block);
            }
        });
        Task leaving = Task.Run(() =>
        {
            Random random = new(3);
            for (int i = 0; i < Leavers; i++)
            {
                RawClient client = relay.Connect();
                bool isEndless = random.Next(2) == 0;
                client.Send(isEndless ? Get.Replace("/v1/x", "/endless") : Get);
                client.ReadHead();
                client.Drop(isEndless ? random.Next(200_000) : block.Length - random.Next(2));
                client.Reset();
            }
        });
        using RawClient staying = relay.Connect();
        int answered = 0;
        while (!leaving.IsCompleted)
        {
            Assert.That(staying.Exchange(Get).Body, Has.Length.EqualTo(block.Length));
            answered++;
        }
        await leaving;
        Assert.That(answered, Is.Positive);
        await Until.TrueAsync(() => relay.Results.Length == Leavers + answered);
        Assert.That(relay.Results.Distinct(), Is.EquivalentTo(new[] { RelayResult.Complete, RelayResult.ClientGone }));
        // Only connections whose exchange ended cleanly are left.
        Assert.That(staying.Exchange(Get).Body, Has.Length.EqualTo(block.Length));
    }

    private static string Content(string request)
    {
        string body = request[(request.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
        if (request.Contains("Content-Length", StringComparison.Ordinal)) return body;
        StringBuilder content = new();
        while (true)
        {
            int line = body.IndexOf("\r\n", StringComparison.Ordinal);
            int size = Convert.ToInt32(body[..line], 16);
            if (size == 0) return content.ToString();
            content.Append(body.AsSpan(line + 2, size));
            body = body[(line + 2 + size + 2)..];
        }
    }
}

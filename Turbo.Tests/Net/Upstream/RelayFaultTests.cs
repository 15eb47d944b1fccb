using System.Net;
using System.Net.Sockets;
using System.Text;
using Turbo.Net.Upstream;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Upstream;

/// <summary>Origins and clients that leave, stall or break (contract section 8).</summary>
public sealed class RelayFaultTests
{
    private const string Get = "GET /v1/x HTTP/1.1\r\nHost: a\r\n\r\n";
    private const string Post = "POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    [Test]
    public async Task A_refused_connection_is_502()
    {
        await using RelayFixture relay = new(static _ => { }, static o => o with { Port = ClosedPort() });
        using RawClient client = relay.Connect();
        for (int i = 0; i < 2; i++)
        {
            RawResponse response = client.Exchange(Get);
            Assert.That((response.Status, response.Text), Is.EqualTo((502, nameof(RelayResult.Unreachable))));
        }
        Assert.That(relay.Pool.OpenCount, Is.Zero);
    }

    [Test]
    public async Task An_unknown_host_is_502()
    {
        await using RelayFixture relay = new(static _ => { }, static o => o with { Host = "no-such-host.invalid" });
        using RawClient client = relay.Connect();
        Assert.That(client.Exchange(Get).Status, Is.EqualTo(502));
    }

    [TestCase(Get)]
    [TestCase(Post)]
    public async Task An_origin_that_ends_without_an_answer_is_502(string request)
    {
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadRequest();
            peer.Close();
        });
        using RawClient client = relay.Connect();
        Assert.That(client.Exchange(request).Status, Is.EqualTo(502));
        // A fresh connection's failure is the origin's answer: no second try.
        Assert.That(relay.Origin.Connections, Is.EqualTo(1));
    }

    [TestCase(Get, true)]
    [TestCase(Get, false)]
    [TestCase(Post, true)]
    [TestCase("POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", false)]
    public async Task A_pooled_connection_that_dies_under_a_request_is_retried_once(string request, bool resets)
    {
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadRequest();
            peer.Send(Ok);
            peer.ReadRequest();
            // Dies with the second request in its hands and no byte of an answer.
            if (peer.Index > 0) peer.Send(Ok).WaitForEnd();
            else if (resets) peer.Reset();
            else peer.Close();
        });
        using RawClient client = relay.Connect();
        Assert.That(client.Exchange(request).Text, Is.EqualTo("ok"));
        Assert.That(client.Exchange(request).Text, Is.EqualTo("ok"));
        Assert.That(relay.Origin.Connections, Is.EqualTo(2));
        Assert.That(relay.Pool.Retries, Is.EqualTo(1));
        string first = relay.Origin.Peer(0).Received.ToString();
        Assert.That(first, Is.EqualTo(relay.Origin.Peer(1).Received.ToString() + relay.Origin.Peer(1).Received.ToString()), "the same bytes again");
    }

    [Test]
    public async Task A_pooled_connection_closed_while_idle_is_not_used()
    {
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadRequest();
            peer.Send(Ok).Close();
        });
        using RawClient client = relay.Connect();
        for (int i = 0; i < 5; i++) Assert.That(client.Exchange(Post).Text, Is.EqualTo("ok"));
    }

    [Test]
    public async Task A_response_that_says_close_is_the_connections_last()
    {
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadRequest();
            peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").WaitForEnd();
        });
        using RawClient client = relay.Connect();
        RawResponse response = client.Exchange(Get);
        Assert.That(response.Head, Is.EqualTo("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"), "close is between Turbo and the origin");
        client.Exchange(Get);
        Assert.That(relay.Origin.Connections, Is.EqualTo(2));
    }

    [Test]
    public async Task A_silent_origin_is_504_and_a_stalled_one_breaks_the_response()
    {
        ManualTimeProvider time = new();
        using SemaphoreSlim received = new(0);
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadRequest();
            if (peer.Index == 1) peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
            received.Release();
            peer.WaitForEnd();
        }, static o => o with { FirstByteTimeout = TimeSpan.FromSeconds(20), IdleTimeout = TimeSpan.FromSeconds(5) }, time: time);

        using RawClient silent = relay.Connect();
        silent.Send(Get);
        await received.WaitAsync(Until.Deadline);
        time.Advance(TimeSpan.FromSeconds(19));
        Assert.That(silent.IsQuiet);
        RawResponse? response = null;
        Task reading = Task.Run(() => response = silent.Read());
        await Until.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return reading.IsCompleted;
        });
        Assert.That(response!.Status, Is.EqualTo(504));

        using RawClient stalled = relay.Connect();
        stalled.Send(Get);
        Assert.That(stalled.ReadHead(), Does.StartWith("HTTP/1.1 200"));
        Task<PeerEnd> ending = Task.Run(() => stalled.ReadToEnd(out _));
        await Until.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return ending.IsCompleted;
        });
        await Until.TrueAsync(() => relay.Results.Length == 2);
        Assert.That(relay.Results, Is.EqualTo(new[] { RelayResult.Timeout, RelayResult.Truncated }));
    }

    [TestCase(true, true)]
    [TestCase(true, false)]
    [TestCase(false, true)]
    [TestCase(false, false)]
    public async Task A_client_that_leaves_cancels_upstream_at_once(bool resets, bool hasHead)
    {
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadRequest();
            if (hasHead) peer.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
            peer.WaitForEnd();
        });
        RawClient client = relay.Connect();
        client.Send(Post);
        if (hasHead) client.ReadHead();
        await Until.TrueAsync(() => relay.Origin.Connections == 1 && relay.Origin.Peer(0).Received.Length > 0);
        if (resets) client.Reset();
        else client.Dispose();
        await Until.TrueAsync(() => relay.Origin.Peer(0).HasEnded);
        await Until.TrueAsync(() => relay.Results.Length == 1);
        Assert.That(relay.Results[0], Is.EqualTo(RelayResult.ClientGone));
    }

    [Test]
    public async Task A_client_that_leaves_within_its_body_cancels_upstream()
    {
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadHead();
            peer.WaitForEnd();
        });
        RawClient client = relay.Connect();
        client.Send("POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nabc");
        await Until.TrueAsync(() => relay.Origin.Connections == 1);
        client.Dispose();
        await Until.TrueAsync(() => relay.Origin.Peer(0).HasEnded);
    }

    [Test]
    public async Task A_client_that_only_finished_sending_gets_its_response()
    {
        using SemaphoreSlim answer = new(0);
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadRequest();
            answer.Wait(Until.Deadline);
            peer.Send(Ok);
            peer.WaitForEnd();
        });
        using RawClient client = relay.Connect();
        client.Send(Get).HalfClose();
        // It is asked whether it is still there, and that is all it sees until the answer.
        Assert.That(client.ReadHead(), Is.EqualTo("HTTP/1.1 102 Processing\r\n\r\n"));
        answer.Release();
        Assert.That(client.Read().Text, Is.EqualTo("ok"));
        client.ExpectFin();
    }

    [Test]
    public async Task An_answer_before_the_request_is_whole_arrives_and_ends_the_upload()
    {
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadHead();
            peer.Send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
            peer.WaitForEnd();
        });
        using RawClient client = relay.Connect();
        client.Send("POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc");
        RawResponse response = client.Read();
        Assert.That((response.Status, response.Text, response.Field("Connection")), Is.EqualTo((413, "big", "close")));
        await Until.TrueAsync(() => relay.Origin.Peer(0).HasEnded);
        await Until.TrueAsync(() => relay.Results.Length == 1);
        Assert.That(relay.Results[0], Is.EqualTo(RelayResult.Complete));
        Assert.That(relay.Pool.OpenCount, Is.Zero);
    }

    [Test]
    public async Task Both_bodies_stream_at_the_same_time()
    {
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadHead();
            peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
            for (int i = 0; i < 3; i++) peer.Send(peer.Take(1));
            peer.WaitForEnd();
        });
        using RawClient client = relay.Connect();
        client.Send("POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
        Assert.That(client.ReadHead(), Does.StartWith("HTTP/1.1 200"));
        foreach (string piece in new[] { "x", "y", "z" })
        {
            client.Send(piece);
            Assert.That(Encoding.ASCII.GetString(client.Take(1)), Is.EqualTo(piece));
        }
    }

    [Test]
    public async Task More_connections_than_allowed_are_503()
    {
        using SemaphoreSlim answer = new(0);
        await using RelayFixture relay = new(peer =>
        {
            peer.ReadRequest();
            answer.Wait(Until.Deadline);
            peer.Send(Ok);
            peer.WaitForEnd();
        }, static o => o with { MaxConnections = 1 });
        using RawClient first = relay.Connect();
        using RawClient second = relay.Connect();
        first.Send(Get);
        await Until.TrueAsync(() => relay.Origin.Connections == 1);
        Assert.That(second.Exchange(Get).Status, Is.EqualTo(503));
        answer.Release();
        Assert.That(first.Read().Text, Is.EqualTo("ok"));
        answer.Release();
    }

    [Test]
    public async Task Idle_connections_are_given_up()
    {
        ManualTimeProvider time = new();
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadRequest();
            peer.Send(Ok).WaitForEnd();
        }, static o => o with { PooledIdleTimeout = TimeSpan.FromSeconds(60) }, time: time);
        using RawClient client = relay.Connect();
        client.Exchange(Get);
        await Until.TrueAsync(() => relay.Results.Length == 1);
        Assert.That(relay.Pool.OpenCount, Is.EqualTo(1));
        time.Advance(TimeSpan.FromSeconds(59));
        Assert.That(relay.Pool.OpenCount, Is.EqualTo(1));
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.That(relay.Pool.OpenCount, Is.Zero);
        await Until.TrueAsync(() => relay.Origin.Peer(0).HasEnded);
    }

    private static int ClosedPort()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}

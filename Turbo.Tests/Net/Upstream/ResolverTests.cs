using System.Net;
using System.Net.Sockets;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Upstream;

/// <summary>The origin's name: asked once, asked again in time, and followed where it leads.</summary>
public sealed class ResolverTests
{
    private const string Get = "GET /v1/x HTTP/1.1\r\nHost: a\r\n\r\n";
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    private static readonly IPAddress s_here = IPAddress.Loopback;

    // Nothing listens there: the kernel refuses at once.
    private static readonly IPAddress s_elsewhere = IPAddress.Parse("127.0.0.99");

    private static void Answer(UpstreamPeer peer)
    {
        while (true)
        {
            peer.ReadRequest();
            peer.Send(Ok);
        }
    }

    [Test]
    public async Task Every_address_is_tried_in_turn()
    {
        await using RelayFixture relay = new(Answer, static o => o with { Host = "origin.test", Resolve = static (_, _) => Task.FromResult(new[] { s_elsewhere, s_here }) });
        using RawClient client = relay.Connect();
        Assert.That(client.Exchange(Get).Text, Is.EqualTo("ok"));
    }

    [Test]
    public async Task An_old_answer_serves_while_a_new_one_is_fetched()
    {
        ManualTimeProvider time = new();
        int asked = 0;
        TaskCompletionSource<IPAddress[]> second = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using RelayFixture relay = new(Answer, o => o with
        {
            Host = "origin.test",
            DnsRefresh = TimeSpan.FromSeconds(30),
            PooledIdleTimeout = TimeSpan.FromSeconds(1),
            Resolve = (_, _) => Interlocked.Increment(ref asked) == 1 ? Task.FromResult(new[] { s_here }) : second.Task,
        }, time: time);
        using RawClient client = relay.Connect();
        client.Exchange(Get);
        time.Advance(TimeSpan.FromSeconds(20));
        client.Exchange(Get);
        Assert.That(asked, Is.EqualTo(1), "believed for 30 s");

        time.Advance(TimeSpan.FromSeconds(20));
        Assert.That(client.Exchange(Get).Text, Is.EqualTo("ok"), "not held up by the lookup");
        Assert.That(asked, Is.EqualTo(2));

        second.SetResult([s_elsewhere]);
        await Until.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(2));
            return client.Exchange(Get).Status == 502;
        });
    }

    [Test]
    public async Task Idle_connections_to_an_address_the_name_left_are_not_used()
    {
        ManualTimeProvider time = new();
        IPAddress[] answer = [s_here];
        await using RelayFixture relay = new(Answer, o => o with
        {
            Host = "origin.test",
            DnsRefresh = TimeSpan.FromSeconds(5),
            Resolve = (_, _) => Task.FromResult(answer),
        }, time: time);
        using RawClient first = relay.Connect();
        using RawClient second = relay.Connect();
        first.Exchange(Get);
        Assert.That(relay.Pool.OpenCount, Is.EqualTo(1));
        answer = [s_elsewhere];
        // The name is asked again, and the idle connection to the old address goes with the tick after.
        await Until.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(6));
            return relay.Pool.OpenCount == 0;
        });
        Assert.That(second.Exchange(Get).Status, Is.EqualTo(502));
    }

    [Test]
    public async Task A_resolver_that_is_away_leaves_the_last_answer_standing()
    {
        ManualTimeProvider time = new();
        int asked = 0;
        await using RelayFixture relay = new(static peer =>
        {
            peer.ReadRequest();
            peer.Send(Ok).Close();
        }, o => o with
        {
            Host = "origin.test",
            DnsRefresh = TimeSpan.FromSeconds(5),
            Resolve = (_, _) => Interlocked.Increment(ref asked) == 1 ? Task.FromResult(new[] { s_here }) : Task.FromException<IPAddress[]>(new SocketException((int)SocketError.TryAgain)),
        }, time: time);
        using RawClient client = relay.Connect();
        for (int i = 0; i < 4; i++)
        {
            Assert.That(client.Exchange(Get).Text, Is.EqualTo("ok"));
            time.Advance(TimeSpan.FromSeconds(6));
        }
        Assert.That(asked, Is.GreaterThan(1));
    }
}

using System.Text;
using Turbo.Server.Cache;
using Turbo.Server.Events;
using Turbo.Server.Redis;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Redis;

/// <summary>Cache and bus on a real Redis, as two nodes see it, through its outages.</summary>
[Category(TurboProcess.Category)]
internal sealed class RedisTests
{
    private RedisServer _server = null!;
    private RedisLink _one = null!;
    private RedisLink _other = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        _server = new RedisServer();
        _one = await RedisLink.ConnectAsync(_server.Address);
        _other = await RedisLink.ConnectAsync(_server.Address);
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        await _one.DisposeAsync();
        await _other.DisposeAsync();
        _server.Dispose();
    }

    private static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string? Text(ReadOnlyMemory<byte>? value) => value is { } bytes ? Encoding.UTF8.GetString(bytes.Span) : null;

    private static async Task<string?> ListAsync(ICache cache, string key) =>
        await cache.ReadListAsync(key) is { } items ? string.Join(' ', items.Select(static i => Text(i))) : null;

    [Test]
    public async Task What_one_node_caches_the_other_reads()
    {
        RedisCache one = new(_one), other = new(_other);
        Assert.That(Text(await one.GetAsync("v")), Is.Null);
        await one.SetAsync("v", Bytes("é"));
        Assert.That(Text(await other.GetAsync("v")), Is.EqualTo("é"));
        await other.SetAsync("v", Bytes(""));
        Assert.That(Text(await one.GetAsync("v")), Is.EqualTo(""));
        Assert.That((await one.DeleteAsync("v"), await other.DeleteAsync("v")), Is.EqualTo((true, false)));
        await one.SetAsync("short", Bytes("1"), TimeSpan.FromMilliseconds(50));
        await Until.TrueAsync(() => one.GetAsync("short").AsTask().GetAwaiter().GetResult() is null);
    }

    [Test]
    public async Task Lists_are_as_in_memory()
    {
        RedisCache one = new(_one), other = new(_other);
        Assert.That(await one.AppendAsync("l", Bytes("x"), 3), Is.False);
        Assert.That(await ListAsync(other, "l"), Is.Null);
        await one.SetListAsync("l", []);
        Assert.That(await ListAsync(other, "l"), Is.EqualTo(""));
        foreach (string item in new[] { "1", "2", "3", "4" }) Assert.That(await other.AppendAsync("l", Bytes(item), 3));
        Assert.That(await ListAsync(one, "l"), Is.EqualTo("2 3 4"));
        await one.SetListAsync("l", [Bytes("a"), Bytes("")]);
        Assert.That((await other.ReadListAsync("l"))!.Select(static i => Text(i)), Is.EqualTo(new[] { "a", "" }));
    }

    [Test]
    public async Task Appends_of_two_nodes_at_the_same_time_are_all_kept()
    {
        RedisCache one = new(_one), other = new(_other);
        await one.SetListAsync("race", []);
        await Task.WhenAll(Enumerable.Range(0, 200).Select(async i => await (i % 2 == 0 ? one : other).AppendAsync("race", Bytes($"{i}"), 1000)));
        Assert.That((await one.ReadListAsync("race"))!.Select(static i => Text(i)), Is.EquivalentTo(Enumerable.Range(0, 200).Select(static i => $"{i}")));
    }

    [Test]
    public async Task Messages_reach_the_subscribers_of_every_node_in_order()
    {
        await using RedisEventBus one = await RedisEventBus.StartAsync(_one, static (_, _) => { });
        await using RedisEventBus other = await RedisEventBus.StartAsync(_other, static (_, _) => { });
        using ISubscription here = one.Subscribe("topic"), there = other.Subscribe("topic"), elsewhere = other.Subscribe("another");
        for (int i = 0; i < 500; i++) one.Publish("topic", Bytes($"{i}"));
        foreach (ISubscription subscription in new[] { here, there })
        {
            for (int i = 0; i < 500; i++) Assert.That(Text(await Until.DoneAsync(subscription.NextAsync(default).AsTask())), Is.EqualTo($"{i}"));
        }
        other.Publish("another", Bytes("last"));
        Assert.That(Text(await Until.DoneAsync(elsewhere.NextAsync(default).AsTask())), Is.EqualTo("last"), "and nothing of the other topic");
    }

    [Test]
    public async Task What_was_published_is_here_when_the_bus_has_settled()
    {
        await using RedisEventBus bus = await RedisEventBus.StartAsync(_one, static (_, _) => { });
        using ISubscription subscription = bus.Subscribe("topic");
        for (int i = 0; i < 500; i++) bus.Publish("topic", Bytes($"{i}"));
        await Until.DoneAsync(bus.SettleAsync(Until.Deadline));
        // Whoever leaves now has got all of it.
        subscription.Dispose();
        for (int i = 0; i < 500; i++) Assert.That(Text(await Until.DoneAsync(subscription.NextAsync(default).AsTask())), Is.EqualTo($"{i}"));
    }

    [Test]
    public async Task An_outage_fails_clearly_ends_subscriptions_and_passes()
    {
        using RedisServer server = new();
        await using RedisLink link = await RedisLink.ConnectAsync(server.Address);
        List<string> reports = [];
        await using RedisEventBus bus = await RedisEventBus.StartAsync(link, (what, _) =>
        {
            lock (reports) reports.Add(what);
        });
        RedisCache cache = new(link);
        await cache.SetAsync("a", Bytes("1"));
        using ISubscription before = bus.Subscribe("topic");

        server.Stop();
        Assert.That(Text(await Until.DoneAsync(before.NextAsync(default).AsTask())), Is.Null, "over, not silent");
        Assert.ThrowsAsync<CacheException>(async () => await cache.GetAsync("a"));
        Assert.ThrowsAsync<RedisUnavailableException>(bus.CheckAsync);
        Assert.That(bus.IsAway);
        Assert.DoesNotThrow(() => bus.Publish("topic", Bytes("lost")));
        Assert.That(await bus.PublishAsync("topic", Bytes("refused")), Is.False);
        await Until.DoneAsync(bus.SettleAsync(TimeSpan.FromMilliseconds(50)));
        lock (reports) Assert.That(reports, Is.Not.Empty);

        server.Start();
        await Until.TrueAsync(() => bus.CheckAsync().ContinueWith(static t => t.IsCompletedSuccessfully, TaskScheduler.Default).GetAwaiter().GetResult());
        await cache.SetAsync("a", Bytes("2"));
        Assert.That(Text(await cache.GetAsync("a")), Is.EqualTo("2"));
        using ISubscription after = bus.Subscribe("topic");
        Assert.That(await bus.PublishAsync("topic", Bytes("back")));
        Assert.That(Text(await Until.DoneAsync(after.NextAsync(default).AsTask())), Is.EqualTo("back"), "who is ready has the pattern again");
        lock (reports) Assert.That(reports, Is.EqualTo(new[] { "Redis is away: streams end, and go on when their clients come back", "Redis is back" }));
    }

    /// <summary>One node's connections break and the other's do not: what the one could not publish is a hole for the other.</summary>
    [Test]
    public async Task What_one_node_could_not_publish_ends_the_others_subscriptions()
    {
        using RedisServer server = new();
        await using CuttingProxy proxy = new(server.Port);
        await using RedisLink cut = await RedisLink.ConnectAsync(server.Address with { Port = proxy.Port });
        await using RedisLink whole = await RedisLink.ConnectAsync(server.Address);
        await using RedisEventBus one = await RedisEventBus.StartAsync(cut, static (_, _) => { });
        await using RedisEventBus other = await RedisEventBus.StartAsync(whole, static (_, _) => { });
        using ISubscription before = other.Subscribe("topic");
        Assert.That(await one.PublishAsync("topic", Bytes("first")));
        Assert.That(Text(await Until.DoneAsync(before.NextAsync(default).AsTask())), Is.EqualTo("first"));

        proxy.Await("into the void", Cut.Before);
        one.Publish("topic", Bytes("into the void"));
        Assert.That(Text(await Until.DoneAsync(before.NextAsync(default).AsTask())), Is.Null, "it ends: a message is missing from it");
        Assert.That(other.IsAway, Is.False);
        await Until.TrueAsync(() => !one.IsAway);
        using ISubscription after = other.Subscribe("topic");
        Assert.That(await one.PublishAsync("topic", Bytes("next")));
        Assert.That(Text(await Until.DoneAsync(after.NextAsync(default).AsTask())), Is.EqualTo("next"));
        Assert.That(proxy.Cuts, Is.EqualTo(1));
    }

    /// <summary>Channels are the same for all databases of a Redis: two installations on two of them do not hear each other.</summary>
    [Test]
    public async Task Databases_have_their_own_topics()
    {
        await using RedisLink elsewhere = await RedisLink.ConnectAsync(_server.Address with { Database = 7 });
        await using RedisEventBus one = await RedisEventBus.StartAsync(_one, static (_, _) => { });
        await using RedisEventBus other = await RedisEventBus.StartAsync(elsewhere, static (_, _) => { });
        using ISubscription here = one.Subscribe("topic"), there = other.Subscribe("topic");
        await one.PublishAsync("topic", Bytes("0"));
        await other.PublishAsync("topic", Bytes("7"));
        Assert.That(Text(await Until.DoneAsync(here.NextAsync(default).AsTask())), Is.EqualTo("0"));
        Assert.That(Text(await Until.DoneAsync(there.NextAsync(default).AsTask())), Is.EqualTo("7"));
    }

    [Test]
    public async Task A_node_is_ready_while_redis_answers()
    {
        using RedisServer server = new();
        await using TestApp app = await TestApp.StartAsync(o => o with { Redis = server.Address });
        Assert.That((await app.GetAsync("/readyz")).Status, Is.EqualTo(200));
        server.Stop();
        await Until.TrueAsync(() => app.GetAsync("/readyz").GetAwaiter().GetResult().Status == 503);
        Assert.That((await app.GetAsync("/healthz")).Status, Is.EqualTo(200));
        server.Start();
        await Until.TrueAsync(() => app.GetAsync("/readyz").GetAwaiter().GetResult().Status == 200);
    }

    [Test]
    public async Task The_command_says_in_one_line_that_redis_is_away()
    {
        RedisServer gone = new();
        string url = gone.Url;
        gone.Dispose();
        using TempFolder folder = new();
        using TurboProcess turbo = TurboProcess.Start(folder.Path, new Dictionary<string, string> { ["ADDRESS"] = "127.0.0.1:0", ["REDIS_ADDRESS"] = url });
        Assert.That(await turbo.ExitAsync(), Is.EqualTo(1));
        Assert.That(turbo.Error, Is.EqualTo($"turbo: REDIS_ADDRESS=\"{url}\": cannot be reached\n"));
    }

    [Test]
    public async Task A_server_that_is_not_there_fails_the_start()
    {
        RedisServer gone = new();
        Turbo.Server.RedisAddress address = gone.Address;
        gone.Dispose();
        RedisUnavailableException? failure = null;
        try
        {
            await RedisLink.ConnectAsync(address);
        }
        catch (RedisUnavailableException e)
        {
            failure = e;
        }
        Assert.That(failure?.Message, Is.EqualTo("cannot be reached"));
    }
}

using System.Text.Json;
using Turbo.Server;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>Issue 3, item 6: events of one's own topics and of one's groups, and of no others.</summary>
internal sealed class EventApiTests(DatabaseKind kind) : ContractFixture(kind)
{
    [SetUp]
    public async Task StartAsync()
    {
        await StartAppAsync();
        await SignUpAllAsync();
    }

    [Test]
    public async Task What_is_published_reaches_ones_own_subscribers([Values] StreamKind stream)
    {
        string other = Text((await App.FormAsync("/user/login", "username=owner&password=correct+horse")).Json, "Token");
        await using StreamClient one = await OpenAsync(stream, Owner, "topic=news"), two = await StreamClient.OpenAsync(stream, App, "/event/subscribe?topic=news", other);
        await using StreamClient elsewhere = await OpenAsync(stream, Owner, "topic=other"), stranger = await OpenAsync(stream, Stranger, "topic=news");
        Reply reply = await App.FormAsync("/event/publish", "topic=news&data=h%C3%A9llo+%E2%98%83", Owner.Token);
        Assert.That((reply.Status, reply.Content), Is.EqualTo((200, "{}")));
        foreach (StreamClient client in new[] { one, two })
        {
            JsonElement news = await client.NextAsync();
            Assert.That(Reply.Names(news), Is.EqualTo("topic data user_id group_id"));
            Assert.That((Text(news, "topic"), Text(news, "data"), Text(news, "user_id"), Text(news, "group_id")), Is.EqualTo(("news", "héllo ☃", Owner.Id, "")));
        }
        // The others got nothing before this.
        await DoneAsync(Owner, "/event/publish", "topic=other&data=1");
        Assert.That(Text(await elsewhere.NextAsync(), "topic"), Is.EqualTo("other"));
        await DoneAsync(Stranger, "/event/publish", "topic=news&data=mine");
        Assert.That(Text(await stranger.NextAsync(), "data"), Is.EqualTo("mine"));
    }

    [TestCase("\"te\\u0078t \\\"\\ud834\\udd1e\"")]
    [TestCase("7.50")]
    [TestCase("false")]
    [TestCase("""{"a":[1,{"b":null}],"c":"☃"}""")]
    [TestCase("[]")]
    public async Task Data_may_be_any_json(string data)
    {
        await using StreamClient client = await OpenAsync(StreamKind.Sse, Owner, "topic=t");
        Reply reply = await App.JsonAsync("/event/publish", $$"""{"data":"first","topic":"t", "data" : {{data}} }""", Owner.Token);
        Assert.That(reply.Status, Is.EqualTo(200), reply.Content);
        JsonElement got = (await client.NextAsync()).GetProperty("data");
        Assert.That(JsonElement.DeepEquals(got, JsonDocument.Parse(data).RootElement), got.ToString());
    }

    [Test]
    public async Task Data_on_several_lines_is_one_event()
    {
        await using StreamClient client = await OpenAsync(StreamKind.Sse, Owner, "topic=t");
        await App.JsonAsync("/event/publish", "{\"topic\":\"t\",\"data\":{\r\n \"a\": 1,\n\r \"b\": \"c\\nd\"}}", Owner.Token);
        JsonElement data = (await client.NextAsync()).GetProperty("data");
        Assert.That((data.GetProperty("a").GetInt32(), Text(data, "b")), Is.EqualTo((1, "c\nd")));
    }

    [Test]
    public async Task A_groups_topic_is_its_members()
    {
        string group = await TeamAsync();
        await using StreamClient member = await OpenAsync(StreamKind.Sse, Member, $"topic=t&group_id={group}"), own = await OpenAsync(StreamKind.Sse, Member, "topic=t");
        await DoneAsync(Owner, "/event/publish", $"topic=t&data=x&group_id={group}");
        JsonElement got = await member.NextAsync();
        Assert.That((Text(got, "user_id"), Text(got, "group_id"), Text(got, "data")), Is.EqualTo((Owner.Id, group, "x")));
        await DoneAsync(Member, "/event/publish", "topic=t&data=own");
        Assert.That(Text(await own.NextAsync(), "data"), Is.EqualTo("own"));
    }

    [TestCase("/event/publish", "topic=t&data=x&group_id={G}")]
    [TestCase("/event/subscribe", "topic=t&group_id={G}")]
    public async Task Another_group_is_no_group(string target, string form)
    {
        foreach (string group in new[] { await TeamAsync(), "none" })
            (await App.FormAsync(target, form.Replace("{G}", group), Stranger.Token)).IsError(404, "not_found_error", "group_not_found", "group_id");
    }

    [Test]
    public async Task A_member_who_goes_hears_no_more([Values("removed", "leaves", "deleted", "elsewhere")] string how)
    {
        string group = await TeamAsync();
        await using StreamClient member = await OpenAsync(StreamKind.Sse, Member, $"topic=t&group_id={group}"), other = await OpenAsync(StreamKind.Sse, Member, "topic=t");
        switch (how)
        {
            case "removed":
                await DoneAsync(Owner, "/group/members/remove", $"id={group}&user_ids={Member.Id}");
                await DoneAsync(Owner, "/event/publish", $"topic=t&data=x&group_id={group}");
                break;
            case "leaves":
                await DoneAsync(Member, "/group/members/remove", $"id={group}&user_ids={Member.Id}");
                break;
            case "deleted":
                await DoneAsync(Owner, "/group/delete", $"id={group}");
                break;
            default:
                await App.App.Db.Groups.RemoveMembersAsync(group, Owner.Id, [Member.Id]);
                break;
        }
        Assert.That(await member.EndAsync(), Is.EqualTo("end"));
        await DoneAsync(Member, "/event/publish", "topic=t&data=x");
        await other.NextAsync();
    }

    [Test]
    public async Task A_session_takes_its_streams_along()
    {
        await using StreamClient client = await OpenAsync(StreamKind.WebSocket, Member, "topic=t");
        await App.PostAsync("/user/logout", Member.Token);
        Assert.That(await client.EndAsync(), Is.EqualTo("1008"));
    }

    [Test]
    public async Task No_topic_leads_to_turbos_own()
    {
        string chat = Text(await DoneAsync(Owner, "/chat/create", ""), "id");
        string group = await TeamAsync();
        string[] topics = ["events", $"chat:{chat}", $"user:{Owner.Id}:t", $"group:{group}:t", $":{Owner.Id}:t", $"../{Owner.Id}:t", "*", "turbo:t:events"];
        List<StreamClient> spies = [];
        foreach (string topic in topics) spies.Add(await OpenAsync(StreamKind.Sse, Stranger, $"topic={Uri.EscapeDataString(topic)}"));
        await using StreamClient real = await StreamClient.OpenAsync(StreamKind.Sse, App, $"/chat/stream?id={chat}", Owner.Token), own = await OpenAsync(StreamKind.Sse, Owner, "topic=t");

        // What Turbo and others publish is not for the spies.
        await DoneAsync(Owner, "/chat/prompt", $"id={chat}&prompt=x&otr=true");
        await DoneAsync(Owner, "/event/publish", "topic=t&data=x");
        await DoneAsync(Owner, "/event/publish", $"topic=t&data=x&group_id={group}");
        await App.App.Events.FlushAsync();
        // Nor does what they publish reach others.
        foreach (string topic in topics) await DoneAsync(Stranger, "/event/publish", $"topic={Uri.EscapeDataString(topic)}&data=forged");
        for (int i = 0; i < topics.Length; i++)
        {
            JsonElement first = await spies[i].NextAsync();
            Assert.That((Text(first, "topic"), Text(first, "data"), Text(first, "user_id")), Is.EqualTo((topics[i], "forged", Stranger.Id)));
        }
        Assert.That((await real.NextAsync()).GetProperty("message").GetProperty("prompt").GetString(), Is.EqualTo("x"));
        Assert.That(Text(await own.NextAsync(), "data"), Is.EqualTo("x"));
        await DoneAsync(Owner, "/event/publish", "topic=t&data=y");
        Assert.That(Text(await own.NextAsync(), "data"), Is.EqualTo("y"));
        await DoneAsync(Owner, "/chat/prompt", $"id={chat}&prompt=z&otr=true");
        Assert.That((await real.NextAsync()).GetProperty("message").GetProperty("prompt").GetString(), Is.EqualTo("z"));
        foreach (StreamClient spy in spies) await spy.DisposeAsync();
    }

    [TestCase("""{"data":"x"}""", "missing_parameter", "topic")]
    [TestCase("""{"topic":"","data":"x"}""", "missing_parameter", "topic")]
    [TestCase("""{"topic":7,"data":"x"}""", "invalid_parameter", "topic")]
    [TestCase("""{"topic":"a\u0000","data":"x"}""", "invalid_parameter", "topic")]
    [TestCase("""{"topic":"a\u0007","data":"x"}""", "invalid_parameter", "topic")]
    [TestCase("""{"topic":"t"}""", "missing_parameter", "data")]
    [TestCase("""{"topic":"t","data":null}""", "missing_parameter", "data")]
    [TestCase("""{"topic":"t","data":"x","group_id":["g"]}""", "invalid_parameter", "group_id")]
    public async Task A_bad_field_is_named(string json, string code, string param) =>
        (await App.JsonAsync("/event/publish", json, Owner.Token)).IsError(400, "invalid_request_error", code, param);

    [Test]
    public async Task Topic_and_data_are_bounded()
    {
        await StopAppAsync();
        await StartAppAsync(static options => options with { EventDataBytes = 10 });
        await SignUpAllAsync();
        string topic = string.Concat(Enumerable.Repeat("☃", 256));
        await DoneAsync(Owner, "/event/publish", $"topic={topic}&data=0123456789");
        (await App.FormAsync("/event/publish", $"topic={topic}a&data=x", Owner.Token)).IsError(400, "invalid_request_error", "invalid_parameter", "topic");
        (await App.GetAsync($"/event/subscribe?topic={Uri.EscapeDataString(topic)}a", Owner.Token)).IsError(400, "invalid_request_error", "invalid_parameter", "topic");
        (await App.FormAsync("/event/publish", "topic=t&data=01234567%C3%BCx", Owner.Token)).IsError(400, "invalid_request_error", "invalid_parameter", "data");
        (await App.JsonAsync("/event/publish", """{"topic":"t","data":[1,2,3,4,5]}""", Owner.Token)).IsError(400, "invalid_request_error", "invalid_parameter", "data");
        (await App.GetAsync("/event/subscribe", Owner.Token)).IsError(400, "invalid_request_error", "missing_parameter", "topic");
        Assert.That((await App.GetAsync("/event/publish", Owner.Token)).Field("Allow"), Is.EqualTo("POST"));
        Assert.That((await App.SendAsync(HttpMethod.Put, "/event/subscribe?topic=t", null, Owner.Token)).Field("Allow"), Is.EqualTo("GET, HEAD, POST"));
    }

    private Task<StreamClient> OpenAsync(StreamKind stream, Caller caller, string query) => StreamClient.OpenAsync(stream, App, $"/event/subscribe?{query}", caller.Token);

    private async Task<string> TeamAsync()
    {
        string id = Text(await DoneAsync(Owner, "/group/create", $"name=team&members={Member.Id},{Removed.Id}"), "id");
        await DoneAsync(Owner, "/group/members/remove", $"id={id}&user_ids={Removed.Id}");
        return id;
    }
}

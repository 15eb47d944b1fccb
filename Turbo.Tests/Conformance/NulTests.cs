using System.Text.Json;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>
/// A text with a NUL, which PostgreSQL cannot store: 400 that names the field, on every route and either database,
/// however it is sent, and nothing is done.
/// </summary>
internal sealed class NulTests(DatabaseKind kind) : PromptFixture(kind)
{
    // Route, field, and what the call needs beside it: {C} a chat, {G} a group, {M} the member.
    private static readonly (string Target, string Field, string Others)[] s_fields =
    [
        ("/user/signup", "username", ""),
        ("/user/signup", "password", "username=new"),
        ("/user/signup", "first_name", "username=new"),
        ("/user/signup", "last_name", "username=new"),
        ("/user/signup", "group_name", "username=new"),
        ("/user/signup", "redirect_url", "username=new"),
        ("/user/login", "username", "password=correct+horse"),
        ("/user/login", "password", "username=owner"),
        ("/user/read", "id", ""),
        ("/user/update", "first_name", ""),
        ("/user/update", "last_name", ""),
        ("/user/update", "username", ""),
        ("/user/password/update", "old_password", "new_password=battery+staple"),
        ("/user/password/update", "new_password", "old_password=correct+horse"),
        ("/group/create", "name", ""),
        ("/group/create", "description", "name=new"),
        ("/group/create", "members", "name=new"),
        ("/group/read", "id", ""),
        ("/group/update", "name", "id={G}"),
        ("/group/update", "description", "id={G}"),
        ("/group/delete", "id", ""),
        ("/group/members", "group_id", ""),
        ("/group/members/add", "user_ids", "id={G}"),
        ("/group/members/add", "user_id", "id={G}"),
        ("/group/members/remove", "user_ids", "id={G}"),
        ("/chat/create", "name", ""),
        ("/chat/create", "model", ""),
        ("/chat/create", "group_id", ""),
        ("/chat/read", "chat_id", ""),
        ("/chat/update", "name", "id={C}"),
        ("/chat/update", "model", "id={C}"),
        ("/chat/delete", "id", ""),
        ("/chat/prompt", "id", "prompt=x"),
        ("/chat/prompt", "prompt", "id={C}"),
        ("/chat/prompt", "prompt_id", "id={C}"),
        ("/prompt/create", "name", "text=x"),
        ("/prompt/create", "text", "name=x"),
        ("/prompt/create", "group_id", "name=x&text=x"),
        ("/prompt/read", "id", ""),
        ("/prompt/update", "name", "id=x"),
        ("/prompt/update", "text", "id=x"),
        ("/prompt/update", "group_id", "id=x"),
        ("/prompt/delete", "prompt_id", ""),
        ("/chat/user/add", "chat_id", "user_id={M}"),
        ("/chat/user/add", "user_id", "chat_id={C}"),
        ("/chat/user/remove", "user_id", "chat_id={C}"),
        ("/event/publish", "topic", "data=x"),
        ("/event/publish", "group_id", "topic=t&data=x"),
        ("/event/subscribe", "topic", ""),
    ];

    [Test]
    public async Task It_is_refused_everywhere()
    {
        await StartAsync();
        string chat = await ChatAsync();
        string group = Text(await DoneAsync(Owner, "/group/create", "name=old"), "id");
        string before = await EverythingAsync(chat);
        foreach ((string target, string field, string others) in s_fields)
            await RefusedAsync(target, field, others.Replace("{C}", chat).Replace("{G}", group).Replace("{M}", Member.Id));
        Assert.That(await EverythingAsync(chat), Is.EqualTo(before));
        Assert.That(Sent, Is.Empty);
        await App.EventsAsync();
        Assert.That((App.App.Events.LostRows, App.App.Events.QueuedRows), Is.EqualTo((0L, 0)), "the event rows tell of it");
    }

    private async Task RefusedAsync(string target, string field, string others)
    {
        string form = $"{field}=a%00b&{others}";
        IEnumerable<KeyValuePair<string, string>> fields = others.Split('&', StringSplitOptions.RemoveEmptyEntries)
            .Select(static pair => pair.Split('=')).Select(static pair => KeyValuePair.Create(pair[0], pair[1].Replace('+', ' ')));
        string json = JsonSerializer.Serialize(new Dictionary<string, string>(fields) { [field] = "a\0b" });
        Reply[] replies =
        [
            await App.FormAsync(target, form, Owner.Token),
            await App.FormAsync(target, $"{field}=a\0b&{others}", Owner.Token),
            await App.PostAsync($"{target}?{form}", Owner.Token),
            await App.JsonAsync(target, json, Owner.Token),
        ];
        foreach (Reply reply in replies)
        {
            Assert.That(reply.Status, Is.EqualTo(400), $"{target} {field}: {reply.Content}");
            reply.IsError(400, "invalid_request_error", "invalid_parameter", field);
        }
    }

    /// <summary>A JSON value passes as it stands, and is no column of any table.</summary>
    [TestCase("""{"topic":"t","data":"a\u0000b"}""")]
    [TestCase("""{"topic":"t","data":{"a\u0000":["\u0000"]}}""")]
    public async Task Published_json_is_not_text(string json)
    {
        await StartAsync();
        await using StreamClient client = await StreamClient.OpenAsync(StreamKind.Sse, App, "/event/subscribe?topic=t", Owner.Token);
        Assert.That((await App.JsonAsync("/event/publish", json, Owner.Token)).Status, Is.EqualTo(200));
        Assert.That((await client.NextAsync()).GetProperty("data").GetRawText(), Is.EqualTo(JsonDocument.Parse(json).RootElement.GetProperty("data").GetRawText()));
        await App.EventsAsync();
        Assert.That((App.App.Events.LostRows, App.App.Events.QueuedRows), Is.EqualTo((0L, 0)));
    }

    /// <summary>What the upstream says is stored all the same, the NUL shown as what it is not.</summary>
    [Test]
    public async Task A_reply_with_a_nul_is_stored()
    {
        using FaultyUpstream upstream = new(peer =>
        {
            peer.ReadRequest();
            peer.Send(Completed("a\0b"));
        });
        await StartOnAsync(upstream.EndPoint);
        string chat = await ChatAsync();
        Assert.That(Text(await PromptAsync(Owner, chat, "x"), "reply"), Is.EqualTo("a\uFFFDb"));
        Assert.That(Texts(await StoredAsync(chat), "reply"), Is.EqualTo("a\uFFFDb"));
    }

    private async Task<string> EverythingAsync(string chat)
    {
        JsonElement reading = await ReadAsync(Owner, $"/chat/read?id={chat}");
        return string.Join('\n', reading, await ReadAsync(Owner, "/user/read"), await ReadAsync(Owner, "/group/index"), await ReadAsync(Owner, "/chat/index"));
    }
}

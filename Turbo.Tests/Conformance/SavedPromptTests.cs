using System.Text.Json;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>Saved prompts: kept, shared with a group, and prompted with.</summary>
internal sealed class SavedPromptTests(DatabaseKind kind) : PromptFixture(kind)
{
    private const string Names = $"{TimeNames} id name text user_id group_id";

    [Test]
    public async Task They_are_kept_read_changed_and_deleted()
    {
        await StartAsync();
        JsonElement made = await DoneAsync(Owner, "/prompt/create", "name=brief&text=Be+brief.+%E2%98%83");
        Assert.That(Reply.Names(made), Is.EqualTo(Names));
        Assert.That((Text(made, "name"), Text(made, "text"), Text(made, "user_id"), Text(made, "group_id")), Is.EqualTo(("brief", "Be brief. ☃", Owner.Id, "")));
        Assert.That(made.GetProperty("DeletedAt").ValueKind, Is.EqualTo(JsonValueKind.Null));
        string id = Text(made, "id");
        Assert.That((await ReadAsync(Owner, $"/prompt/read?id={id}")).ToString(), Is.EqualTo(made.ToString()));
        Assert.That((await ReadAsync(Owner, $"/prompt/read?prompt_id={id}")).ToString(), Is.EqualTo(made.ToString()));

        Reply changed = await App.JsonAsync("/prompt/update", $$"""{"id":"{{id}}","text":"Be briefer."}""", Owner.Token);
        Assert.That((changed.Status, Reply.Names(changed.Json)), Is.EqualTo((200, Names)));
        Assert.That((Text(changed.Json, "name"), Text(changed.Json, "text")), Is.EqualTo(("brief", "Be briefer.")));
        Assert.That((await ReadAsync(Owner, "/prompt/index")).ToString(), Is.EqualTo($$"""{"prompts":[{{changed.Json}}]}"""));
        Assert.That((await ReadAsync(Member, "/prompt/index")).ToString(), Is.EqualTo("""{"prompts":[]}"""));

        Assert.That((await DoneAsync(Owner, "/prompt/delete", $"id={id}")).ToString(), Is.EqualTo("{}"));
        IsDenied(await App.GetAsync($"/prompt/read?id={id}", Owner.Token), 404, "prompt");
        Assert.That((await ReadAsync(Owner, "/prompt/index")).ToString(), Is.EqualTo("""{"prompts":[]}"""));
    }

    [Test]
    public async Task A_groups_members_read_what_is_shared_with_it()
    {
        await StartAsync();
        string group = await GroupAsync();
        string id = Text(await DoneAsync(Owner, "/prompt/create", "name=ours&text=x"), "id");
        IsDenied(await App.GetAsync($"/prompt/read?id={id}", Member.Token), 404, "prompt");
        JsonElement shared = await DoneAsync(Owner, "/prompt/update", $"id={id}&group_id={group}");
        Assert.That(Text(shared, "group_id"), Is.EqualTo(group));
        Assert.That((await ReadAsync(Member, $"/prompt/read?id={id}")).ToString(), Is.EqualTo(shared.ToString()));
        Assert.That(Texts((await ReadAsync(Member, "/prompt/index")).GetProperty("prompts"), "name"), Is.EqualTo("ours"));
        await DoneAsync(Owner, "/prompt/update", $"id={id}&group_id=");
        IsDenied(await App.GetAsync($"/prompt/read?id={id}", Member.Token), 404, "prompt");

        foreach ((string target, string fields) in ((string, string)[])[("/prompt/create", "name=x&text=x"), ("/prompt/update", $"id={id}")])
            (await App.FormAsync(target, $"{fields}&group_id=none", Owner.Token)).IsError(404, "not_found_error", "group_not_found", "group_id");
    }

    [TestCase("/prompt/create", """{"text":"x"}""", "missing_parameter", "name")]
    [TestCase("/prompt/create", """{"name":"","text":"x"}""", "missing_parameter", "name")]
    [TestCase("/prompt/create", """{"name":"x"}""", "missing_parameter", "text")]
    [TestCase("/prompt/create", """{"name":"x","text":""}""", "missing_parameter", "text")]
    [TestCase("/prompt/create", """{"name":"x","text":7}""", "invalid_parameter", "text")]
    [TestCase("/prompt/create", """{"name":"x","text":"123456789"}""", "invalid_parameter", "text")]
    [TestCase("/prompt/create", """{"name":"x","text":"☃☃☃"}""", "invalid_parameter", "text")]
    [TestCase("/prompt/create", """{"name":"x","text":"x","group_id":[]}""", "invalid_parameter", "group_id")]
    [TestCase("/prompt/read", """{}""", "missing_parameter", "id")]
    [TestCase("/prompt/update", """{"name":"x"}""", "missing_parameter", "id")]
    [TestCase("/prompt/update", """{"id":"x","name":""}""", "invalid_parameter", "name")]
    [TestCase("/prompt/update", """{"id":"x","text":""}""", "invalid_parameter", "text")]
    [TestCase("/prompt/update", """{"id":"x","text":"123456789"}""", "invalid_parameter", "text")]
    [TestCase("/prompt/delete", """{}""", "missing_parameter", "id")]
    [TestCase("/chat/prompt", """{"id":"x"}""", "missing_parameter", "prompt")]
    [TestCase("/chat/prompt", """{"id":"x","prompt_id":""}""", "missing_parameter", "prompt")]
    [TestCase("/chat/prompt", """{"id":"x","prompt_id":7}""", "invalid_parameter", "prompt_id")]
    public async Task A_bad_field_is_named(string target, string json, string code, string param)
    {
        await StartAsync(options => options with { PromptBytes = 8 });
        (await App.JsonAsync(target, json, Owner.Token)).IsError(400, "invalid_request_error", code, param);
        Assert.That(await App.Database.CountAsync("SELECT count(*) FROM prompts"), Is.Zero);
    }

    [Test]
    public async Task Limits_hold_at_their_edge()
    {
        await StartAsync(options => options with { PromptBytes = 8, PromptIndex = 2 });
        string name = string.Concat(Enumerable.Repeat("☃", 256));
        JsonElement made = await DoneAsync(Owner, "/prompt/create", $"name={Uri.EscapeDataString(name)}&text=12345678");
        Assert.That(Text(made, "name"), Is.EqualTo(name));
        (await App.FormAsync("/prompt/create", $"name={Uri.EscapeDataString(name)}x&text=x", Owner.Token)).IsError(400, "invalid_request_error", "invalid_parameter", "name");
        foreach (string another in (string[])["two", "three"]) await DoneAsync(Owner, "/prompt/create", $"name={another}&text=x");
        Assert.That(Texts((await ReadAsync(Owner, "/prompt/index")).GetProperty("prompts"), "name"), Is.EqualTo("three two"));
    }

    [Test]
    public async Task A_chat_is_prompted_with_one()
    {
        await StartAsync();
        string chat = await ChatAsync(), group = await GroupAsync();
        string plain = await SaveAsync("Be brief."), template = await SaveAsync("Say {{input}} in French, just {{input}}.", $"&group_id={group}");

        Assert.That(await StoredAsync(Owner, $"prompt_id={plain}"), Is.EqualTo("Be brief."));
        Assert.That(await StoredAsync(Owner, $"prompt_id={plain}&prompt=Why%3F"), Is.EqualTo("Be brief.\n\nWhy?"));
        Assert.That(await StoredAsync(Member, $"prompt_id={template}&prompt=hello"), Is.EqualTo("Say hello in French, just hello."));
        Assert.That(await StoredAsync(Owner, $"prompt_id={plain}&otr=true"), Is.EqualTo("Be brief."));
        Assert.That(await StoredAsync(Owner, "prompt=plain&prompt_id="), Is.EqualTo("plain"));
        Assert.That(Sent.Select(static request => Text(request.GetProperty("messages").EnumerateArray().Last(), "content")),
            Is.EqualTo(new[] { "Be brief.", "Be brief.\n\nWhy?", "Say hello in French, just hello.", "plain" }));
        await PromptAsync(Owner, chat, "x", $"&prompt_id={template}&stream=true");
        await Until.TrueAsync(() => Sent.Length == 5);
        Assert.That(Text(Sent[4].GetProperty("messages").EnumerateArray().Last(), "content"), Is.EqualTo("Say x in French, just x."));

        int sent = Sent.Length;
        (await App.FormAsync("/chat/prompt", $"id={chat}&prompt_id={template}", Owner.Token)).IsError(400, "invalid_request_error", "missing_parameter", "prompt");
        (await App.FormAsync("/chat/prompt", $"id={chat}&prompt_id=none&prompt=x", Owner.Token)).IsError(404, "not_found_error", "prompt_not_found", "prompt_id");
        (await App.FormAsync("/chat/prompt", $"id={chat}&prompt_id={plain}&prompt=x", Member.Token)).IsError(404, "not_found_error", "prompt_not_found", "prompt_id");
        Assert.That(Sent, Has.Length.EqualTo(sent));

        async Task<string> StoredAsync(Caller caller, string fields)
        {
            JsonElement message = (await DoneAsync(caller, "/chat/prompt", $"id={chat}&context=0&{fields}")).GetProperty("message");
            Assert.That((await base.StoredAsync(chat)).EnumerateArray().Last().ToString(), Is.EqualTo(message.ToString()));
            return Text(message, "prompt");
        }
    }

    [Test]
    public async Task A_text_that_names_its_input_often_makes_no_prompt_larger_than_a_body()
    {
        await StartAsync(options => options with { Limits = options.Limits with { MaxBodyBytes = 4096 } });
        string chat = await ChatAsync(), id = await SaveAsync(string.Concat(Enumerable.Repeat("{{input}}", 8)));
        await PromptAsync(Owner, chat, new string('x', 512), $"&prompt_id={id}");
        (await App.FormAsync("/chat/prompt", $"id={chat}&prompt_id={id}&prompt={new string('x', 513)}", Owner.Token)).IsError(400, "invalid_request_error", "invalid_parameter", "prompt");
        Assert.That(Sent, Has.Length.EqualTo(1));
    }

    [Test]
    public async Task A_prompt_that_is_no_longer_shared_is_no_longer_prompted_with()
    {
        await StartAsync();
        string chat = await ChatAsync(), group = await GroupAsync(), id = await SaveAsync("x", $"&group_id={group}");
        await PromptAsync(Member, chat, "y", $"&prompt_id={id}");
        await DoneAsync(Owner, "/group/members/remove", $"id={group}&user_id={Member.Id}");
        (await App.FormAsync("/chat/prompt", $"id={chat}&prompt_id={id}&prompt=y", Member.Token)).IsError(404, "not_found_error", "prompt_not_found", "prompt_id");
        Assert.That(Sent, Has.Length.EqualTo(1));
    }

    private async Task<string> GroupAsync() => Text(await DoneAsync(Owner, "/group/create", $"name=team&members={Member.Id}"), "id");

    private async Task<string> SaveAsync(string text, string fields = "") =>
        Text(await DoneAsync(Owner, "/prompt/create", $"name=x&text={Uri.EscapeDataString(text)}{fields}"), "id");
}

using System.Text.Json;
using Turbo.Server.Model;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>Contract section 6 but for the prompt.</summary>
internal sealed class ChatTests(DatabaseKind kind) : ContractFixture(kind)
{
    private const string Names = $"{TimeNames} id name model user_id group_id";
    private const string MessageNames = $"{TimeNames} id chat_id user_id group_id prompt reply model otr";
    private const string UserNames = $"{TimeNames} id first_name last_name username groups";

    [SetUp]
    public async Task StartAsync()
    {
        await StartAppAsync();
        await SignUpAllAsync();
    }

    [Test]
    public async Task Create_has_defaults()
    {
        JsonElement chat = await DoneAsync(Owner, "/chat/create", "");
        Assert.That(Reply.Names(chat), Is.EqualTo(Names));
        string personal = Text((await ReadAsync(Owner, "/group/index")).GetProperty("groups")[0], "id");
        Assert.That((Text(chat, "name"), Text(chat, "model"), Text(chat, "user_id"), Text(chat, "group_id")), Is.EqualTo(("general", "gpt-3", Owner.Id, personal)));
        Assert.That(chat.GetProperty("DeletedAt").ValueKind, Is.EqualTo(JsonValueKind.Null));

        chat = await DoneAsync(Owner, "/chat/create", "name=&model=&group_id=");
        Assert.That((Text(chat, "name"), Text(chat, "model"), Text(chat, "group_id")), Is.EqualTo(("general", "gpt-3", personal)));
    }

    [Test]
    public async Task Create_takes_name_model_and_a_group_of_the_callers()
    {
        string group = Text(await DoneAsync(Owner, "/group/create", $"name=team&members={Member.Id}"), "id");
        JsonElement chat = await DoneAsync(Member, "/chat/create", $"name=B%C3%BCro+%E2%98%83&model=gpt-4&group_id={group}");
        Assert.That((Text(chat, "name"), Text(chat, "model"), Text(chat, "user_id"), Text(chat, "group_id")), Is.EqualTo(("Büro ☃", "gpt-4", Member.Id, group)));
        (await App.FormAsync("/chat/create", $"group_id={group}", Stranger.Token)).IsError(404, "not_found_error", "group_not_found", "group_id");
        (await App.FormAsync("/chat/create", "group_id=none", Owner.Token)).IsError(404, "not_found_error", "group_not_found", "group_id");
        Assert.That((await App.GetAsync("/chat/index", Stranger.Token)).Content, Is.EqualTo("""{"chats":[]}"""));
    }

    [TestCase("/chat/create", """{"name":1}""", "invalid_parameter", "name")]
    [TestCase("/chat/create", """{"model":[]}""", "invalid_parameter", "model")]
    [TestCase("/chat/create", """{"group_id":{}}""", "invalid_parameter", "group_id")]
    [TestCase("/chat/read", """{}""", "missing_parameter", "id")]
    [TestCase("/chat/read", """{"chat_id":1}""", "invalid_parameter", "chat_id")]
    [TestCase("/chat/update", """{"name":"x"}""", "missing_parameter", "id")]
    [TestCase("/chat/update", """{"id":"x","name":""}""", "invalid_parameter", "name")]
    [TestCase("/chat/update", """{"id":"x","model":""}""", "invalid_parameter", "model")]
    [TestCase("/chat/delete", """{}""", "missing_parameter", "id")]
    [TestCase("/chat/user/add", """{"user_id":"x"}""", "missing_parameter", "chat_id")]
    [TestCase("/chat/user/add", """{"chat_id":"x"}""", "missing_parameter", "user_id")]
    [TestCase("/chat/user/remove", """{"chat_id":"x","user_id":7}""", "invalid_parameter", "user_id")]
    public async Task A_bad_field_is_named(string target, string json, string code, string param) =>
        (await App.JsonAsync(target, json, Owner.Token)).IsError(400, "invalid_request_error", code, param);

    [TestCase("name", 256)]
    [TestCase("model", 128)]
    public async Task Lengths_are_counted_in_characters(string field, int most)
    {
        string text = string.Concat(Enumerable.Repeat("☃", most));
        Assert.That(Text(await DoneAsync(Owner, "/chat/create", $"{field}={text}"), field), Is.EqualTo(text));
        (await App.FormAsync("/chat/create", $"{field}={text}a", Owner.Token)).IsError(400, "invalid_request_error", "invalid_parameter", field);
    }

    [Test]
    public async Task Read_shows_chat_messages_and_users_with_the_removed_ones_marked()
    {
        string id = await ChatAsync();
        await AppendAsync(id, Member, "one ☃", "eins");
        await AppendAsync(id, Owner, "two", "zwei");
        foreach (string name in new[] { "id", "chat_id" })
        {
            JsonElement reading = await ReadAsync(Member, $"/chat/read?{name}={id}");
            Assert.That(Reply.Names(reading), Is.EqualTo("chat messages users"));
            Assert.That(Reply.Names(reading.GetProperty("chat")), Is.EqualTo(Names));
            JsonElement messages = reading.GetProperty("messages"), users = reading.GetProperty("users");
            Assert.That(Reply.Names(messages[0]), Is.EqualTo(MessageNames));
            Assert.That((Texts(messages, "prompt"), Texts(messages, "reply")), Is.EqualTo(("one ☃ two", "eins zwei")));
            Assert.That((Text(messages[0], "chat_id"), Text(messages[0], "user_id")), Is.EqualTo((id, Member.Id)));
            Assert.That(Texts(users, "username"), Is.EqualTo("owner member removed"));
            Assert.That(Reply.Names(users[0]), Is.EqualTo(UserNames));
            Assert.That(users.EnumerateArray().Select(user => user.GetProperty("DeletedAt").ValueKind), Is.EqualTo(new[] { JsonValueKind.Null, JsonValueKind.Null, JsonValueKind.String }));
        }
    }

    [Test]
    public async Task A_new_chat_has_no_messages()
    {
        JsonElement reading = await ReadAsync(Owner, "/chat/read?id=" + Text(await DoneAsync(Owner, "/chat/create", ""), "id"));
        Assert.That(reading.GetProperty("messages").ToString(), Is.EqualTo("[]"));
        Assert.That(Texts(reading.GetProperty("users"), "username"), Is.EqualTo("owner"));
    }

    [Test]
    public async Task Read_answers_with_the_newest_messages_up_to_the_limit()
    {
        await StopAppAsync();
        await StartAppAsync(options => options with { ChatMessages = 2 });
        await SignUpAllAsync();
        string id = await ChatAsync();
        foreach (string prompt in new[] { "one", "two", "three" }) await AppendAsync(id, Owner, prompt, "");
        Assert.That(Texts((await ReadAsync(Owner, $"/chat/read?id={id}")).GetProperty("messages"), "prompt"), Is.EqualTo("two three"));
        Assert.That(Texts((await ReadAsync(Owner, $"/chat/read?id={id}&limit=1")).GetProperty("messages"), "prompt"), Is.EqualTo("three"));
        JsonElement none = await ReadAsync(Owner, $"/chat/read?id={id}&limit=0");
        Assert.That(none.GetProperty("messages").ToString(), Is.EqualTo("[]"));
        Assert.That(none.GetProperty("users").GetArrayLength(), Is.Positive);
        foreach (string limit in (string[])["3", "-1", "x"]) (await App.GetAsync($"/chat/read?id={id}&limit={limit}", Owner.Token)).IsError(400, "invalid_request_error", "invalid_parameter", "limit");
    }

    [Test]
    public async Task Update_changes_what_is_given()
    {
        string id = await ChatAsync();
        JsonElement chat = await DoneAsync(Owner, "/chat/update", $"id={id}&name=renamed");
        Assert.That(Reply.Names(chat), Is.EqualTo(Names));
        Assert.That((Text(chat, "name"), Text(chat, "model")), Is.EqualTo(("renamed", "gpt-3")));
        chat = await DoneAsync(Owner, "/chat/update", $"id={id}&model=gpt-4");
        Assert.That((Text(chat, "name"), Text(chat, "model")), Is.EqualTo(("renamed", "gpt-4")));
        Assert.That((await ReadAsync(Member, $"/chat/read?id={id}")).GetProperty("chat").ToString(), Is.EqualTo(chat.ToString()));
    }

    [Test]
    public async Task A_deleted_chat_is_gone_for_all()
    {
        string id = await ChatAsync();
        Reply reply = await App.FormAsync("/chat/delete", $"id={id}", Owner.Token);
        Assert.That((reply.Status, reply.Content), Is.EqualTo((200, "{}")));
        foreach (Caller caller in new[] { Owner, Member })
        {
            IsDenied(await App.GetAsync($"/chat/read?id={id}", caller.Token), 404, "chat");
            Assert.That((await App.GetAsync("/chat/index", caller.Token)).Content, Is.EqualTo("""{"chats":[]}"""));
        }
        IsDenied(await App.FormAsync("/chat/delete", $"id={id}", Owner.Token), 404, "chat");
    }

    [Test]
    public async Task The_index_has_owned_and_joined_chats_newest_update_first()
    {
        string first = await ChatAsync(), second = await ChatAsync();
        string own = Text(await DoneAsync(Member, "/chat/create", "name=own"), "id");
        JsonElement index = await ReadAsync(Member, "/chat/index");
        Assert.That(Reply.Names(index), Is.EqualTo("chats"));
        Assert.That(Texts(index.GetProperty("chats"), "id"), Is.EqualTo($"{own} {second} {first}"));
        Assert.That(Reply.Names(index.GetProperty("chats")[0]), Is.EqualTo(Names));
        await DoneAsync(Owner, "/chat/update", $"id={first}&name=again");
        Assert.That(Texts((await ReadAsync(Member, "/chat/index")).GetProperty("chats"), "id"), Is.EqualTo($"{first} {own} {second}"));
        Assert.That(Texts((await ReadAsync(Removed, "/chat/index")).GetProperty("chats"), "id"), Is.Empty);
    }

    [Test]
    public async Task Adding_and_removing_a_user_are_idempotent()
    {
        string id = await ChatAsync();
        foreach ((string target, int status) in new[] { ("/chat/user/add", 200), ("/chat/user/add", 200), ("/chat/user/remove", 404), ("/chat/user/remove", 404), ("/chat/user/add", 200) })
        {
            Reply reply = await App.FormAsync(target, $"chat_id={id}&user_id={Stranger.Id}", Owner.Token);
            Assert.That((reply.Status, reply.Content), Is.EqualTo((200, "{}")));
            Assert.That((await App.GetAsync($"/chat/read?id={id}", Stranger.Token)).Status, Is.EqualTo(status));
        }
    }

    [Test]
    public async Task An_unknown_user_is_404_and_the_owner_stays()
    {
        string id = await ChatAsync();
        (await App.FormAsync("/chat/user/add", $"chat_id={id}&user_id=nobody", Owner.Token)).IsError(404, "not_found_error", "user_not_found", "user_id");
        (await App.FormAsync("/chat/user/remove", $"chat_id={id}&user_id=nobody", Owner.Token)).IsError(404, "not_found_error", "user_not_found", "user_id");
        IsDenied(await App.FormAsync("/chat/user/remove", $"chat_id={id}&user_id={Owner.Id}", Owner.Token), 403, "chat");
        Assert.That((await App.GetAsync($"/chat/read?id={id}", Owner.Token)).Status, Is.EqualTo(200));
    }

    [TestCase("/chat/create", "POST")]
    [TestCase("/chat/read", "GET, HEAD, POST")]
    [TestCase("/chat/update", "POST")]
    [TestCase("/chat/delete", "POST")]
    [TestCase("/chat/index", "GET, HEAD, POST")]
    [TestCase("/chat/user/add", "POST")]
    [TestCase("/chat/user/remove", "POST")]
    public async Task Other_methods_are_405(string target, string allow)
    {
        foreach (string method in new[] { "GET", "HEAD", "PUT", "DELETE" }.Where(method => !allow.Contains(method)))
        {
            Reply reply = await App.SendAsync(new HttpMethod(method), target, null, Owner.Token);
            Assert.That((reply.Status, reply.Field("Allow")), Is.EqualTo((405, allow)), method);
        }
    }

    [Test]
    public async Task The_go_programs_chat_reads_as_it_was_written()
    {
        await StopAppAsync();
        await StartAppAsync(golden: true);
        Golden.Person alice = Golden.Read("alice", Kind), bob = Golden.Read("bob", Kind);
        string id = Golden.Id("chat", Kind);
        JsonElement reading = (await App.GetAsync($"/chat/read?id={id}", bob.Token)).Json;
        JsonElement chat = reading.GetProperty("chat");
        Assert.That((Text(chat, "name"), Text(chat, "model"), Text(chat, "user_id"), Text(chat, "group_id")), Is.EqualTo(("golden", "gpt-4", alice.Id, Golden.Id("group", Kind))));
        JsonElement messages = reading.GetProperty("messages");
        Assert.That(messages.EnumerateArray().Select(message => (Text(message, "prompt"), Text(message, "reply"), message.GetProperty("otr").GetBoolean())), Is.EqualTo(new[]
        {
            ("first question", "Hi there", false), ("second: ünïcödé ☃ \"quotes\"", "Hi there", false), ("third", "Hi there", false), ("off the record", "", true),
        }));
        JsonElement users = reading.GetProperty("users");
        Assert.That(Texts(users, "username"), Is.EqualTo("alice bob carol"));
        Assert.That(users.EnumerateArray().Select(user => user.GetProperty("DeletedAt").ValueKind == JsonValueKind.Null), Is.EqualTo(new[] { true, true, false }));
    }

    /// <summary>A chat of the owner's with the member in it, and one who was.</summary>
    private async Task<string> ChatAsync()
    {
        string id = Text(await DoneAsync(Owner, "/chat/create", "name=talk"), "id");
        await DoneAsync(Owner, "/chat/user/add", $"chat_id={id}&user_id={Member.Id}");
        await DoneAsync(Owner, "/chat/user/add", $"chat_id={id}&user_id={Removed.Id}");
        await DoneAsync(Owner, "/chat/user/remove", $"chat_id={id}&user_id={Removed.Id}");
        return id;
    }

    private async Task AppendAsync(string chat, Caller caller, string prompt, string reply)
    {
        DateTime now = DateTime.UtcNow;
        Assert.That(await App.App.Db.Chats.AppendAsync(new ChatMessage
        {
            Id = Ids.New(), CreatedAt = now, UpdatedAt = now, ChatId = chat, UserId = caller.Id, Prompt = prompt, Reply = reply, Model = "gpt-3",
        }));
    }
}

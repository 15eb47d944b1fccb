using System.Text.Json;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>Contract section 5.</summary>
internal sealed class GroupTests(DatabaseKind kind) : ContractFixture(kind)
{
    private const string Names = $"{TimeNames} id name description owner_id";
    private const string UserNames = $"{TimeNames} id first_name last_name username groups";

    [SetUp]
    public async Task StartAsync()
    {
        await StartAppAsync();
        await SignUpAllAsync();
    }

    [Test]
    public async Task Create_answers_the_group_and_its_owner_is_a_member()
    {
        JsonElement group = await DoneAsync(Owner, "/group/create", $"name=team&description=of+ten&members={Member.Id},{Removed.Id}");
        Assert.That(Reply.Names(group), Is.EqualTo(Names));
        Assert.That((Text(group, "name"), Text(group, "description"), Text(group, "owner_id")), Is.EqualTo(("team", "of ten", Owner.Id)));
        Assert.That(group.GetProperty("DeletedAt").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(group.GetProperty("CreatedAt").GetDateTimeOffset(), Is.EqualTo(group.GetProperty("UpdatedAt").GetDateTimeOffset()));
        Assert.That(await MembersAsync(Text(group, "id")), Is.EqualTo("owner member removed"));
        Assert.That((await ReadAsync(Member, $"/group/read?id={Text(group, "id")}")).ToString(), Is.EqualTo(group.ToString()));
    }

    [TestCase("json")]
    [TestCase("repeated")]
    [TestCase("commas")]
    [TestCase("json commas")]
    [TestCase("query")]
    public async Task Members_come_as_an_array_in_each_form(string form)
    {
        string one = Member.Id, two = Stranger.Id;
        Reply reply = form switch
        {
            "json" => await App.JsonAsync("/group/create", $$"""{"name":"team","members":["{{one}}","{{two}}","{{one}}"]}""", Owner.Token),
            "repeated" => await App.FormAsync("/group/create", $"name=team&members={one}&members={two}", Owner.Token),
            "commas" => await App.FormAsync("/group/create", $"name=team&members={one},+{two},", Owner.Token),
            "json commas" => await App.JsonAsync("/group/create", $$"""{"name":"team","members":"{{one}},{{two}}"}""", Owner.Token),
            _ => await App.PostAsync($"/group/create?name=team&members={one}&members={two}", Owner.Token),
        };
        Assert.That(reply.Status, Is.EqualTo(200), reply.Content);
        Assert.That(await MembersAsync(Text(reply.Json, "id")), Is.EqualTo("owner member stranger"));
    }

    [Test]
    public async Task An_unknown_member_makes_no_group()
    {
        Reply reply = await App.FormAsync("/group/create", $"name=team&members={Member.Id},nobody", Owner.Token);
        reply.IsError(404, "not_found_error", "user_not_found", "members");
        Assert.That(reply.Json.GetProperty("error").GetProperty("message").GetString(), Does.Contain("nobody"));
        Assert.That(Texts((await ReadAsync(Owner, "/group/index")).GetProperty("groups"), "name"), Is.EqualTo("Personal"));
    }

    [TestCase("/group/create", """{}""", "missing_parameter", "name")]
    [TestCase("/group/create", """{"name":""}""", "missing_parameter", "name")]
    [TestCase("/group/create", """{"name":7}""", "invalid_parameter", "name")]
    [TestCase("/group/create", """{"name":"a","description":[]}""", "invalid_parameter", "description")]
    [TestCase("/group/create", """{"name":"a","members":[1]}""", "invalid_parameter", "members")]
    [TestCase("/group/create", """{"name":"a","members":["\u0000"]}""", "invalid_parameter", "members")]
    [TestCase("/group/create", """{"name":"\u0000"}""", "invalid_parameter", "name")]
    [TestCase("/group/read", """{}""", "missing_parameter", "id")]
    [TestCase("/group/read", """{"id":true}""", "invalid_parameter", "id")]
    [TestCase("/group/update", """{"name":"a"}""", "missing_parameter", "id")]
    [TestCase("/group/update", """{"id":"x","name":""}""", "invalid_parameter", "name")]
    [TestCase("/group/update", """{"id":"x","description":{}}""", "invalid_parameter", "description")]
    [TestCase("/group/delete", """{}""", "missing_parameter", "id")]
    [TestCase("/group/members", """{}""", "missing_parameter", "id")]
    [TestCase("/group/members/add", """{"user_ids":["a"]}""", "missing_parameter", "id")]
    [TestCase("/group/members/add", """{"id":"a"}""", "missing_parameter", "user_ids")]
    [TestCase("/group/members/add", """{"id":"a","user_ids":[]}""", "missing_parameter", "user_ids")]
    [TestCase("/group/members/add", """{"id":"a","user_ids":{}}""", "invalid_parameter", "user_ids")]
    [TestCase("/group/members/remove", """{"id":"a"}""", "missing_parameter", "user_ids")]
    [TestCase("/group/members/remove", """{"id":"a","user_id":3}""", "invalid_parameter", "user_id")]
    public async Task A_bad_field_is_named(string target, string json, string code, string param) =>
        (await App.JsonAsync(target, json, Owner.Token)).IsError(400, "invalid_request_error", code, param);

    [TestCase("/group/create", "members")]
    [TestCase("/group/members/add", "user_ids")]
    [TestCase("/group/members/remove", "user_ids")]
    public async Task A_call_names_so_many_users_and_no_more(string target, string field)
    {
        string team = await TeamAsync(), most = string.Join(',', Enumerable.Repeat(Member.Id, 1000));
        await DoneAsync(Owner, target, $"name=new&id={team}&{field}={most}");
        Refused(await App.FormAsync(target, $"name=new&id={team}&{field}={most},{Member.Id}", Owner.Token), 1000);
        string[] many = [.. Enumerable.Repeat("x", 5000)];
        Refused(await App.JsonAsync(target, JsonSerializer.Serialize(new Dictionary<string, object> { ["name"] = "new", ["id"] = team, [field] = many }), Owner.Token), 1024);
        Assert.That(Texts((await ReadAsync(Owner, "/group/index")).GetProperty("groups"), "name"), Is.EqualTo(target == "/group/create" ? "Personal team new" : "Personal team"));

        void Refused(Reply reply, int limit)
        {
            reply.IsError(400, "invalid_request_error", "invalid_parameter", field);
            Assert.That(reply.Json.GetProperty("error").GetProperty("message").GetString(), Is.EqualTo($"{field} has more than {limit} elements"));
        }
    }

    [Test]
    public async Task Lengths_are_counted_in_characters()
    {
        string name = string.Concat(Enumerable.Repeat("☃", 28)) + "𝄞𝄞";
        string description = string.Concat(Enumerable.Repeat("ü", 256));
        Reply reply = await App.JsonAsync("/group/create", JsonSerializer.Serialize(new { name, description }), Owner.Token);
        Assert.That(reply.Status, Is.EqualTo(200), reply.Content);
        Assert.That((Text(reply.Json, "name"), Text(reply.Json, "description")), Is.EqualTo((name, description)));

        (await App.JsonAsync("/group/create", JsonSerializer.Serialize(new { name = name + "a" }), Owner.Token)).IsError(400, "invalid_request_error", "invalid_parameter", "name");
        (await App.JsonAsync("/group/create", JsonSerializer.Serialize(new { name, description = description + "a" }), Owner.Token)).IsError(400, "invalid_request_error", "invalid_parameter", "description");
        string id = Text(reply.Json, "id");
        (await App.JsonAsync("/group/update", JsonSerializer.Serialize(new { id, name = name + "a" }), Owner.Token)).IsError(400, "invalid_request_error", "invalid_parameter", "name");
    }

    [Test]
    public async Task Update_changes_what_is_given()
    {
        string id = await TeamAsync();
        JsonElement group = await DoneAsync(Owner, "/group/update", $"group_id={id}&name=crew");
        Assert.That(Reply.Names(group), Is.EqualTo(Names));
        Assert.That((Text(group, "name"), Text(group, "description")), Is.EqualTo(("crew", "ours")));
        group = await DoneAsync(Owner, "/group/update", $"id={id}&description=");
        Assert.That((Text(group, "name"), Text(group, "description")), Is.EqualTo(("crew", "")));
        Assert.That((await ReadAsync(Member, $"/group/read?group_id={id}")).ToString(), Is.EqualTo(group.ToString()));
    }

    [Test]
    public async Task A_deleted_group_is_gone_for_all()
    {
        string id = await TeamAsync();
        JsonElement answer = await DoneAsync(Owner, "/group/delete", $"id={id}");
        Assert.That(Reply.Names(answer), Is.EqualTo("group"));
        Assert.That(Reply.Names(answer.GetProperty("group")), Is.EqualTo(Names));
        Assert.That(Text(answer.GetProperty("group"), "id"), Is.EqualTo(id));
        Assert.That(answer.GetProperty("group").GetProperty("DeletedAt").ValueKind, Is.EqualTo(JsonValueKind.String));
        foreach (Caller caller in new[] { Owner, Member }) IsDenied(await App.GetAsync($"/group/read?id={id}", caller.Token), 404, "group");
        IsDenied(await App.FormAsync("/group/delete", $"id={id}", Owner.Token), 404, "group");
        Assert.That(Texts((await ReadAsync(Member, "/group/index")).GetProperty("groups"), "name"), Is.EqualTo("Personal"));
    }

    [Test]
    public async Task The_index_has_the_callers_groups()
    {
        string id = await TeamAsync();
        JsonElement index = await ReadAsync(Member, "/group/index");
        Assert.That(Reply.Names(index), Is.EqualTo("groups"));
        JsonElement groups = index.GetProperty("groups");
        Assert.That(Texts(groups, "name"), Is.EqualTo("Personal team"));
        Assert.That(Reply.Names(groups[1]), Is.EqualTo(Names));
        Assert.That(Text(groups[1], "id"), Is.EqualTo(id));

        await DoneAsync(Stranger, "/group/delete", "id=" + Text((await ReadAsync(Stranger, "/group/index")).GetProperty("groups")[0], "id"));
        Assert.That((await App.GetAsync("/group/index", Stranger.Token)).Content, Is.EqualTo("""{"groups":[]}"""));
    }

    [Test]
    public async Task Members_are_users_without_their_groups()
    {
        string id = await TeamAsync();
        foreach (string name in new[] { "id", "group_id" })
        {
            JsonElement members = await ReadAsync(Member, $"/group/members?{name}={id}");
            Assert.That(Reply.Names(members), Is.EqualTo("users"));
            Assert.That(Texts(members.GetProperty("users"), "username"), Is.EqualTo("owner member"));
            Assert.That(Reply.Names(members.GetProperty("users")[0]), Is.EqualTo(UserNames));
            Assert.That(members.ToString(), Does.Not.Contain("$2"));
        }
    }

    [Test]
    public async Task Adding_and_removing_are_idempotent()
    {
        string id = await TeamAsync();
        for (int i = 0; i < 2; i++)
        {
            Reply reply = await App.JsonAsync("/group/members/add", $$"""{"group_id":"{{id}}","user_ids":["{{Stranger.Id}}","{{Member.Id}}"]}""", Owner.Token);
            Assert.That((reply.Status, reply.Content), Is.EqualTo((200, "{}")));
        }
        Assert.That(await MembersAsync(id), Is.EqualTo("owner member stranger"));
        for (int i = 0; i < 2; i++)
        {
            Reply reply = await App.FormAsync("/group/members/remove", $"id={id}&user_id={Stranger.Id}", Owner.Token);
            Assert.That((reply.Status, reply.Content), Is.EqualTo((200, "{}")));
        }
        Assert.That(await MembersAsync(id), Is.EqualTo("owner member"));
        await DoneAsync(Owner, "/group/members/add", $"id={id}&user_id={Stranger.Id}");
        Assert.That(await MembersAsync(id), Is.EqualTo("owner member stranger"));
    }

    [Test]
    public async Task An_unknown_user_changes_nothing()
    {
        string id = await TeamAsync();
        (await App.FormAsync("/group/members/add", $"id={id}&user_ids={Stranger.Id},nobody", Owner.Token)).IsError(404, "not_found_error", "user_not_found", "user_ids");
        (await App.FormAsync("/group/members/remove", $"id={id}&user_ids={Member.Id},nobody", Owner.Token)).IsError(404, "not_found_error", "user_not_found", "user_ids");
        Assert.That(await MembersAsync(id), Is.EqualTo("owner member"));
    }

    [Test]
    public async Task The_owner_stays_and_a_member_removes_itself_alone()
    {
        string id = await TeamAsync();
        IsDenied(await App.FormAsync("/group/members/remove", $"id={id}&user_ids={Owner.Id}", Owner.Token), 403, "group");
        IsDenied(await App.FormAsync("/group/members/remove", $"id={id}&user_ids={Owner.Id}", Member.Token), 403, "group");
        IsDenied(await App.FormAsync("/group/members/remove", $"id={id}&user_ids={Member.Id},{Owner.Id}", Member.Token), 403, "group");
        await DoneAsync(Member, "/group/members/remove", $"id={id}&user_ids={Member.Id}");
        IsDenied(await App.GetAsync($"/group/read?id={id}", Member.Token), 404, "group");
        Assert.That(await MembersAsync(id), Is.EqualTo("owner"));
    }

    [TestCase("/group/create", "POST")]
    [TestCase("/group/read", "GET, HEAD, POST")]
    [TestCase("/group/update", "POST")]
    [TestCase("/group/delete", "POST")]
    [TestCase("/group/index", "GET, HEAD, POST")]
    [TestCase("/group/members", "GET, HEAD, POST")]
    [TestCase("/group/members/add", "POST")]
    [TestCase("/group/members/remove", "POST")]
    public async Task Other_methods_are_405(string target, string allow)
    {
        foreach (string method in new[] { "GET", "HEAD", "PUT", "DELETE" }.Where(method => !allow.Contains(method)))
        {
            Reply reply = await App.SendAsync(new HttpMethod(method), target, null, Owner.Token);
            Assert.That((reply.Status, reply.Field("Allow")), Is.EqualTo((405, allow)), method);
        }
    }

    [Test]
    public async Task The_go_programs_groups_are_there()
    {
        await StopAppAsync();
        await StartAppAsync(golden: true);
        Golden.Person alice = Golden.Read("alice", Kind), bob = Golden.Read("bob", Kind), carol = Golden.Read("carol", Kind);
        string team = Golden.Id("group", Kind);
        Reply reply = await App.GetAsync($"/group/read?id={team}", bob.Token);
        Assert.That((reply.Status, Text(reply.Json, "name"), Text(reply.Json, "description"), Text(reply.Json, "owner_id")), Is.EqualTo((200, "team", "golden team", alice.Id)));
        Assert.That(Texts((await App.GetAsync($"/group/members?id={team}", bob.Token)).Json.GetProperty("users"), "username"), Is.EqualTo("alice bob"));
        IsDenied(await App.GetAsync($"/group/read?id={team}", carol.Token), 404, "group");
        Assert.That((await App.FormAsync("/group/members/add", $"id={team}&user_ids={carol.Id}", alice.Token)).Status, Is.EqualTo(200));
        Assert.That((await App.GetAsync($"/group/read?id={team}", carol.Token)).Status, Is.EqualTo(200));
    }

    /// <summary>A group of the owner's with the member in it, and one who was.</summary>
    private async Task<string> TeamAsync()
    {
        JsonElement group = await DoneAsync(Owner, "/group/create", $"name=team&description=ours&members={Member.Id},{Removed.Id}");
        string id = Text(group, "id");
        await DoneAsync(Owner, "/group/members/remove", $"id={id}&user_ids={Removed.Id}");
        return id;
    }

    private async Task<string> MembersAsync(string id) => Texts((await ReadAsync(Owner, $"/group/members?id={id}")).GetProperty("users"), "username");
}

using System.Text.Json;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>Contract section 4, over sockets, on each kind of database.</summary>
[TestFixture(DatabaseKind.Sqlite)]
[TestFixture(DatabaseKind.Postgres)]
internal sealed class UserRoutesTests(DatabaseKind kind)
{
    private const string UserNames = "CreatedAt UpdatedAt DeletedAt id first_name last_name username groups";
    private const string GroupNames = "CreatedAt UpdatedAt DeletedAt id name description owner_id";

    private TestApp _app = null!;

    [SetUp]
    public async Task StartAsync() => _app = await TestApp.StartAsync(kind: kind);

    [TearDown]
    public async Task StopAsync() => await _app.DisposeAsync();

    [Test]
    public async Task Signup_makes_user_group_and_session()
    {
        Reply reply = await _app.FormAsync("/user/signup", "username=alice%40example.com&password=pass+word&last_name=Liddell&group_name=Wonderland");
        Assert.That(reply.Status, Is.EqualTo(200), reply.Content);
        Assert.That(reply.Field("Content-Type"), Is.EqualTo("application/json"));
        Assert.That(Reply.Names(reply.Json), Is.EqualTo("Token User"));
        JsonElement user = reply.Json.GetProperty("User"), group = user.GetProperty("groups")[0];
        Assert.That(Reply.Names(user), Is.EqualTo(UserNames));
        Assert.That(Reply.Names(group), Is.EqualTo(GroupNames));
        Assert.That(user.GetProperty("username").GetString(), Is.EqualTo("alice@example.com"));
        Assert.That(user.GetProperty("first_name").GetString(), Is.EqualTo("alice"));
        Assert.That(user.GetProperty("last_name").GetString(), Is.EqualTo("Liddell"));
        Assert.That(user.GetProperty("DeletedAt").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(user.GetProperty("CreatedAt").GetString(), Does.Match(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z$"));
        Assert.That(user.GetProperty("groups").GetArrayLength(), Is.EqualTo(1));
        Assert.That(group.GetProperty("name").GetString(), Is.EqualTo("Wonderland"));
        Assert.That(group.GetProperty("owner_id").GetString(), Is.EqualTo(user.GetProperty("id").GetString()));

        string token = reply.Json.GetProperty("Token").GetString()!;
        Assert.That(Convert.FromBase64String(token), Has.Length.EqualTo(32));
        Assert.That(reply.Field("Set-Cookie"), Does.Match($"^sess={System.Text.RegularExpressions.Regex.Escape(token)}; Path=/; HttpOnly; SameSite=Lax; Expires=[A-Z][a-z]{{2}}, \\d\\d [A-Z][a-z]{{2}} \\d{{4}} \\d\\d:\\d\\d:\\d\\d GMT$"));
        Assert.That((await _app.GetAsync("/user/session", token)).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_generated_password_is_told_once_and_works()
    {
        Reply reply = await _app.FormAsync("/user/signup", "username=alice");
        Assert.That(Reply.Names(reply.Json), Is.EqualTo("Token User password"));
        Assert.That(reply.Json.GetProperty("User").GetProperty("groups")[0].GetProperty("name").GetString(), Is.EqualTo("Personal"));
        string password = reply.Json.GetProperty("password").GetString()!;
        Assert.That(password, Has.Length.GreaterThanOrEqualTo(16));

        Reply logIn = await _app.JsonAsync("/user/login", JsonSerializer.Serialize(new { username = "alice", password }));
        Assert.That(logIn.Status, Is.EqualTo(200));
        Assert.That(Reply.Names(logIn.Json), Is.EqualTo("Token User"));
    }

    [Test]
    public async Task A_taken_username_is_409()
    {
        await _app.SignUpAsync("alice");
        (await _app.FormAsync("/user/signup", "username=alice&password=other")).IsError(409, "conflict_error", "username_taken", "username");
    }

    [Test]
    public async Task Usernames_have_1_to_254_characters()
    {
        // Characters, not bytes.
        string longest = new string('ü', 253) + "😀";
        await _app.SignUpAsync(longest);
        (await _app.JsonAsync("/user/signup", JsonSerializer.Serialize(new { username = longest + "x", password = "x" }))).IsError(400, "invalid_request_error", "invalid_parameter", "username");
        (await _app.JsonAsync("/user/signup", """{"username":"","password":"x"}""")).IsError(400, "invalid_request_error", "missing_parameter", "username");
        (await _app.JsonAsync("/user/signup", """{"password":"x"}""")).IsError(400, "invalid_request_error", "missing_parameter", "username");
        (await _app.JsonAsync("/user/signup", """{"username":"a\nb"}""")).IsError(400, "invalid_request_error", "invalid_parameter", "username");
        (await _app.FormAsync("/user/signup", "username=a%00b")).IsError(400, "invalid_request_error", "invalid_parameter", "username");
        (await _app.FormAsync("/user/signup", "username=%ff")).IsError(400, "invalid_request_error", "invalid_parameter", "username");
    }

    [Test]
    public async Task Passwords_have_up_to_72_bytes()
    {
        await _app.SignUpAsync("alice", new string('ü', 36));
        (await _app.JsonAsync("/user/signup", JsonSerializer.Serialize(new { username = "bob", password = new string('ü', 36) + "x" }))).IsError(400, "invalid_request_error", "invalid_parameter", "password");
        (await _app.JsonAsync("/user/login", JsonSerializer.Serialize(new { username = "alice", password = new string('ü', 36) + "x" }))).IsError(400, "invalid_request_error", "invalid_parameter", "password");
    }

    [Test]
    public async Task Group_names_have_up_to_30_characters()
    {
        Assert.That((await _app.FormAsync("/user/signup", $"username=alice&group_name={new string('x', 30)}")).Status, Is.EqualTo(200));
        (await _app.FormAsync("/user/signup", $"username=bob&group_name={new string('x', 31)}")).IsError(400, "invalid_request_error", "invalid_parameter", "group_name");
    }

    [Test]
    public async Task Login_gives_a_session_of_its_own()
    {
        (string first, string id) = await _app.SignUpAsync("alice", "secret");
        Reply reply = await _app.FormAsync("/user/login", "username=alice&password=secret");
        Assert.That(reply.Status, Is.EqualTo(200), reply.Content);
        Assert.That(Reply.Names(reply.Json), Is.EqualTo("Token User"));
        Assert.That(Reply.Names(reply.Json.GetProperty("User")), Is.EqualTo(UserNames));
        Assert.That(reply.Json.GetProperty("User").GetProperty("id").GetString(), Is.EqualTo(id));
        Assert.That(reply.Json.GetProperty("User").GetProperty("groups").GetArrayLength(), Is.EqualTo(1));
        Assert.That(reply.Field("Set-Cookie"), Does.StartWith("sess="));
        Assert.That(reply.Json.GetProperty("Token").GetString(), Is.Not.EqualTo(first));
    }

    [Test]
    public async Task An_unknown_user_and_a_wrong_password_answer_alike()
    {
        await _app.SignUpAsync("alice", "secret");
        Reply wrong = await _app.FormAsync("/user/login", "username=alice&password=other");
        Reply unknown = await _app.FormAsync("/user/login", "username=nobody&password=other");
        wrong.IsError(401, "authentication_error", "invalid_credentials");
        Assert.That(unknown.Content, Is.EqualTo(wrong.Content));
        Assert.That(unknown.Status, Is.EqualTo(401));
    }

    [TestCase("", "username")]
    [TestCase("username=alice", "password")]
    [TestCase("username=alice&password=", "password")]
    [TestCase("password=x", "username")]
    public async Task A_login_without_username_or_password_is_400(string form, string param) =>
        (await _app.FormAsync("/user/login", form)).IsError(400, "invalid_request_error", "missing_parameter", param);

    [Test]
    public async Task Logout_ends_the_session_everywhere([Values("token", "unescaped", "json", "bearer", "cookie", "get")] string by)
    {
        // One with a plus sign, which a form reads as a blank.
        (string token, _) = await _app.SignUpAsync("alice", "secret");
        while (!token.Contains('+')) token = (await _app.FormAsync("/user/login", "username=alice&password=secret")).Json.GetProperty("Token").GetString()!;
        string escaped = Uri.EscapeDataString(token);
        Reply reply = by switch
        {
            "token" => await _app.FormAsync("/user/logout", $"token={escaped}"),
            "unescaped" => await _app.FormAsync("/user/logout", $"token={token}"),
            "json" => await _app.JsonAsync("/user/logout", $$"""{"token":"{{token}}"}"""),
            "bearer" => await _app.PostAsync("/user/logout", token),
            "cookie" => await _app.SendAsync(HttpMethod.Post, "/user/logout", null, null, ("Cookie", $"a=b; sess={token}")),
            _ => await _app.GetAsync($"/user/logout?token={escaped}"),
        };
        Assert.That((reply.Status, reply.Content), Is.EqualTo((200, "{}")));
        Assert.That(reply.Field("Set-Cookie"), Is.EqualTo("sess=; Path=/; HttpOnly; SameSite=Lax; Expires=Thu, 01 Jan 1970 00:00:00 GMT"));
        (await _app.GetAsync("/user/session", token)).IsError(401, "authentication_error", "invalid_session");
        // Again: it has ended already.
        Assert.That((await _app.PostAsync("/user/logout", token)).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task Logout_of_nothing_is_401() => (await _app.PostAsync("/user/logout")).IsError(401, "authentication_error", "missing_session");

    [Test]
    public async Task Read_and_session_show_the_caller()
    {
        (string token, string id) = await _app.SignUpAsync("alice");
        foreach (string target in new[] { "/user/session", "/user/read", $"/user/read?id={id}" })
        {
            foreach (HttpMethod method in new[] { HttpMethod.Get, HttpMethod.Post })
            {
                Reply reply = await _app.SendAsync(method, target, null, token);
                Assert.That(reply.Status, Is.EqualTo(200), target);
                Assert.That(Reply.Names(reply.Json), Is.EqualTo("user"));
                Assert.That(Reply.Names(reply.Json.GetProperty("user")), Is.EqualTo(UserNames));
                Assert.That(reply.Json.GetProperty("user").GetProperty("id").GetString(), Is.EqualTo(id));
                Assert.That(reply.Content, Does.Not.Contain("$2"));
            }
        }
    }

    [Test]
    public async Task Another_users_record_is_403_whether_or_not_it_exists()
    {
        (string token, _) = await _app.SignUpAsync("alice");
        (_, string bob) = await _app.SignUpAsync("bob");
        foreach (string id in new[] { bob, "no-such-id" })
        {
            (await _app.GetAsync($"/user/read?id={id}", token)).IsError(403, "permission_error", "not_allowed", "id");
            (await _app.FormAsync("/user/update", $"id={id}&first_name=x", token)).IsError(403, "permission_error", "not_allowed", "id");
        }
    }

    [Test]
    public async Task Update_changes_what_is_given()
    {
        (string token, string id) = await _app.SignUpAsync("alice", "secret");
        Reply reply = await _app.FormAsync("/user/update", $"id={id}&first_name=Al&last_name=Ice&username=alice2", token);
        Assert.That(reply.Status, Is.EqualTo(200), reply.Content);
        JsonElement user = reply.Json.GetProperty("user");
        Assert.That(Reply.Names(user), Is.EqualTo(UserNames));
        Assert.That((user.GetProperty("first_name").GetString(), user.GetProperty("last_name").GetString(), user.GetProperty("username").GetString()), Is.EqualTo(("Al", "Ice", "alice2")));

        user = (await _app.JsonAsync("/user/update", """{"last_name":"Other"}""", token)).Json.GetProperty("user");
        Assert.That((user.GetProperty("first_name").GetString(), user.GetProperty("last_name").GetString(), user.GetProperty("username").GetString()), Is.EqualTo(("Al", "Other", "alice2")));
        Assert.That((await _app.FormAsync("/user/login", "username=alice2&password=secret")).Status, Is.EqualTo(200));
        Assert.That((await _app.FormAsync("/user/login", "username=alice&password=secret")).Status, Is.EqualTo(401));
    }

    [Test]
    public async Task Update_refuses_a_taken_or_empty_username()
    {
        (string token, _) = await _app.SignUpAsync("alice");
        await _app.SignUpAsync("bob");
        (await _app.FormAsync("/user/update", "username=bob", token)).IsError(409, "conflict_error", "username_taken", "username");
        (await _app.FormAsync("/user/update", "username=", token)).IsError(400, "invalid_request_error", "invalid_parameter", "username");
        (await _app.FormAsync("/user/update", $"username={new string('x', 255)}", token)).IsError(400, "invalid_request_error", "invalid_parameter", "username");
        Assert.That((await _app.FormAsync("/user/update", "username=alice", token)).Status, Is.EqualTo(200), "one's own name is not taken");
    }

    [Test]
    public async Task A_password_update_ends_the_other_sessions()
    {
        (string other, _) = await _app.SignUpAsync("alice", "old one");
        string token = (await _app.FormAsync("/user/login", "username=alice&password=old+one")).Json.GetProperty("Token").GetString()!;
        (await _app.FormAsync("/user/password/update", "old_password=wrong&new_password=new+one", token)).IsError(403, "permission_error", "wrong_password", "old_password");

        Reply reply = await _app.FormAsync("/user/password/update", "old_password=old+one&new_password=new+one", token);
        Assert.That((reply.Status, reply.Content), Is.EqualTo((200, "{}")));
        Assert.That((await _app.GetAsync("/user/session", token)).Status, Is.EqualTo(200));
        (await _app.GetAsync("/user/session", other)).IsError(401, "authentication_error", "invalid_session");
        Assert.That((await _app.FormAsync("/user/login", "username=alice&password=old+one")).Status, Is.EqualTo(401));
        Assert.That((await _app.FormAsync("/user/login", "username=alice&password=new+one")).Status, Is.EqualTo(200));
    }

    [TestCase("new_password=x", "old_password")]
    [TestCase("old_password=x", "new_password")]
    [TestCase("old_password=x&new_password=", "new_password")]
    public async Task A_password_update_needs_both(string form, string param)
    {
        (string token, _) = await _app.SignUpAsync("alice");
        (await _app.FormAsync("/user/password/update", form, token)).IsError(400, "invalid_request_error", "missing_parameter", param);
    }

    [Test]
    public async Task Redirects_stay_on_this_host()
    {
        Reply reply = await _app.FormAsync("/user/signup", "username=alice&password=secret&redirect_url=%2Fhome%3Fa%3D1%23b");
        Assert.That(reply.Status, Is.EqualTo(302));
        Assert.That(reply.Field("Location"), Is.EqualTo("/home?a=1#b"));
        Assert.That(reply.Field("Set-Cookie"), Does.StartWith("sess="));
        reply = await _app.FormAsync("/user/login?redirect_url=/", "username=alice&password=secret");
        Assert.That((reply.Status, reply.Field("Location")), Is.EqualTo((302, "/")));
    }

    [TestCase("https://evil.example/")]
    [TestCase("//evil.example")]
    [TestCase("/\\evil.example")]
    [TestCase("\\\\evil.example")]
    [TestCase("home")]
    [TestCase("javascript:alert(1)")]
    [TestCase("/\t/evil.example")]
    [TestCase("/a\r\nSet-Cookie: sess=x")]
    [TestCase(" /home")]
    public async Task Other_redirects_are_refused_and_nobody_is_signed_up(string url)
    {
        (await _app.JsonAsync("/user/signup", JsonSerializer.Serialize(new { username = "alice", password = "secret", redirect_url = url }))).IsError(400, "invalid_request_error", "invalid_parameter", "redirect_url");
        await _app.SignUpAsync("alice");
    }
}

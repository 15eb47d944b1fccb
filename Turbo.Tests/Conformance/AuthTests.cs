using System.Text;
using System.Text.Json;
using Turbo.Server;
using Turbo.Server.Auth;
using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>Contract section 3, over sockets, on each kind of database.</summary>
[TestFixture(DatabaseKind.Sqlite)]
[TestFixture(DatabaseKind.Postgres)]
internal sealed class AuthTests(DatabaseKind kind)
{
    private TestApp? _app;

    [TearDown]
    public async Task StopAsync()
    {
        if (_app is not null) await _app.DisposeAsync();
        _app = null;
    }

    [TestCase("Authorization: Bearer {T}")]
    [TestCase("Authorization: bearer {T}")]
    [TestCase("Authorization: BEARER   {T}")]
    [TestCase("Cookie: sess={T}")]
    [TestCase("Cookie: a=b; sess={T}; c=d")]
    [TestCase("Cookie: sess=\"{T}\"")]
    [TestCase("Cookie: xsess=no; sess={T}")]
    [TestCase("Authorization: Basic {any:T}")]
    [TestCase("Authorization: basic {:T}")]
    public async Task A_token_opens_private_paths(string field)
    {
        (string token, _) = await StartWithAliceAsync();
        Assert.That((await WithAsync(token)).Status, Is.EqualTo(200));
        (await WithAsync("bm90LWEtdG9rZW4=")).IsError(401, "authentication_error", "invalid_session");

        Task<Reply> WithAsync(string token)
        {
            string line = field.Replace("{T}", token);
            int pair = line.IndexOf('{');
            if (pair >= 0) line = line[..pair] + Convert.ToBase64String(Encoding.ASCII.GetBytes(line[(pair + 1)..^1].Replace("T", token)));
            return _app!.SendAsync(HttpMethod.Get, "/user/session", null, null, (line.Split(": ")[0], line.Split(": ")[1]));
        }
    }

    [Test]
    public async Task The_first_credential_counts()
    {
        (string token, _) = await StartWithAliceAsync();
        string basic = Convert.ToBase64String(Encoding.ASCII.GetBytes($"alice:{token}"));
        (await _app!.SendAsync(HttpMethod.Get, "/user/session", null, "bad", ("Cookie", $"sess={token}"))).IsError(401, "authentication_error", "invalid_session");
        (await _app.SendAsync(HttpMethod.Get, "/user/session", null, null, ("Authorization", $"Basic {basic}"), ("Cookie", "sess=bad"))).IsError(401, "authentication_error", "invalid_session");
        Assert.That((await _app.SendAsync(HttpMethod.Get, "/user/session", null, token, ("Cookie", "sess=bad"))).Status, Is.EqualTo(200));
    }

    [TestCase("")]
    [TestCase("Bearer")]
    [TestCase("Bearer ")]
    [TestCase("Basic")]
    [TestCase("Basic !!!")]
    [TestCase("Basic YWxpY2U=")]
    [TestCase("Digest username=\"x\"")]
    public async Task None_is_401(string authorization)
    {
        _app = await TestApp.StartAsync(kind: kind);
        Reply reply = await _app.SendAsync(HttpMethod.Get, "/user/session", null, null, ("Authorization", authorization));
        reply.IsError(401, "authentication_error", "missing_session");
        Assert.That(reply.Field("WWW-Authenticate"), Is.EqualTo("Bearer"));
    }

    [TestCase("/user/read")]
    [TestCase("/user/update")]
    [TestCase("/user/session")]
    [TestCase("/user/password/update")]
    public async Task Private_paths_need_a_session(string path)
    {
        _app = await TestApp.StartAsync(kind: kind);
        (await _app.PostAsync(path)).IsError(401, "authentication_error", "missing_session");
        (await _app.PostAsync($"{path}?token=x")).IsError(401, "authentication_error", "missing_session");
    }

    [Test]
    public async Task The_stored_form_of_a_token_is_no_token()
    {
        (string token, _) = await StartWithAliceAsync();
        (await _app!.GetAsync("/user/session", SessionTokens.Stored(token))).IsError(401, "authentication_error", "invalid_session");
    }

    [Test]
    public async Task The_Go_programs_users_and_tokens_are_good()
    {
        _app = await TestApp.StartAsync(golden: true, kind: kind);
        foreach (string name in new[] { "alice", "bob", "carol" })
        {
            Golden.Person person = Golden.Read(name, kind);
            Reply reply = await _app.GetAsync("/user/session", person.Token);
            Assert.That(reply.Json.GetProperty("user").GetProperty("id").GetString(), Is.EqualTo(person.Id));
            string logIn = JsonSerializer.Serialize(new { username = person.Username, password = person.Password });
            Assert.That((await _app.JsonAsync("/user/login", logIn)).Status, Is.EqualTo(200));
        }
    }

    [Test]
    public async Task A_weaker_hash_is_rewritten_at_login()
    {
        _app = await TestApp.StartAsync(static options => options with { BcryptCost = 5 }, golden: true, kind: kind);
        Golden.Person alice = Golden.Read("alice", kind);
        string logIn = JsonSerializer.Serialize(new { username = alice.Username, password = alice.Password });
        Assert.That((await _app.JsonAsync("/user/login", logIn)).Status, Is.EqualTo(200));
        Assert.That((await _app.App.Db.Users.FindAsync(alice.Id))!.PasswordHash, Does.Match(@"^\$2[ab]\$05\$"));
        Assert.That((await _app.JsonAsync("/user/login", logIn)).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task More_than_ten_failed_logins_a_minute_are_429_with_Retry_After()
    {
        ManualTimeProvider time = new();
        _app = await TestApp.StartAsync(time: time, kind: kind);
        await _app.SignUpAsync("alice", "secret");
        for (int i = 0; i < 10; i++) (await _app.FormAsync("/user/login", "username=alice&password=wrong")).IsError(401, "authentication_error", "invalid_credentials");
        foreach (string form in new[] { "username=alice&password=wrong", "username=alice&password=secret", "username=other&password=x" })
        {
            // The name is blocked, and so is the address that tried.
            Reply reply = await _app.FormAsync("/user/login", form);
            reply.IsError(429, "rate_limit_error", "too_many_logins");
            Assert.That(int.Parse(reply.Field("Retry-After")!), Is.InRange(1, 65));
        }
        time.Advance(TimeSpan.FromSeconds(66));
        Assert.That((await _app.FormAsync("/user/login", "username=alice&password=secret")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task Sessions_last_365_days_and_no_longer()
    {
        ManualTimeProvider time = new(new DateTimeOffset(2026, 11, 23, 9, 0, 0, TimeSpan.Zero));
        _app = await TestApp.StartAsync(time: time, kind: kind);
        Reply signUp = await _app.FormAsync("/user/signup", "username=alice&password=secret");
        Assert.That(signUp.Field("Set-Cookie"), Does.EndWith("; Expires=Tue, 23 Nov 2027 09:00:00 GMT" + (_app.IsTls ? "; Secure" : "")));

        // The clock of a year would tick for minutes: this session has but a minute left.
        User alice = (await _app.App.Db.Users.FindByUsernameAsync("alice"))!;
        string token = SessionTokens.Create();
        await _app.App.Db.Users.AddSessionAsync(alice, new NewSession(SessionTokens.Stored(token), time.GetUtcNow().UtcDateTime.AddMinutes(1)), null);
        time.Advance(TimeSpan.FromSeconds(59));
        Assert.That((await _app.GetAsync("/user/session", token)).Status, Is.EqualTo(200));
        time.Advance(TimeSpan.FromSeconds(1));
        (await _app.GetAsync("/user/session", token)).IsError(401, "authentication_error", "invalid_session");
    }

    [Test]
    public async Task Any_origin_is_allowed_by_default_without_credentials()
    {
        _app = await TestApp.StartAsync(kind: kind);
        foreach (string target in new[] { "/healthz", "/user/session", "/nowhere" })
        {
            Reply reply = await _app.SendAsync(HttpMethod.Get, target, null, null, ("Origin", "https://app.example"));
            Assert.That(reply.Field("Access-Control-Allow-Origin"), Is.EqualTo("https://app.example"), target);
            Assert.That(reply.Field("Access-Control-Allow-Credentials"), Is.Null);
            Assert.That(reply.Field("Access-Control-Allow-Methods"), Does.Contain("POST"));
            Assert.That(reply.Field("Access-Control-Allow-Headers"), Does.Contain("Authorization"));
            Assert.That(reply.Field("Vary"), Is.EqualTo("Origin"));
            Assert.That((await _app.GetAsync(target)).Field("Access-Control-Allow-Origin"), Is.EqualTo("*"));
        }
    }

    [Test]
    public async Task Origins_by_name_are_allowed_with_credentials_and_no_others()
    {
        _app = await TestApp.StartAsync(static options => options with { CorsOrigins = ["https://app.example", "http://localhost:3000"] }, kind: kind);
        foreach (string origin in new[] { "https://app.example", "http://localhost:3000" })
        {
            Reply reply = await _app.SendAsync(HttpMethod.Get, "/healthz", null, null, ("Origin", origin));
            Assert.That(reply.Field("Access-Control-Allow-Origin"), Is.EqualTo(origin));
            Assert.That(reply.Field("Access-Control-Allow-Credentials"), Is.EqualTo("true"));
        }
        foreach (string origin in new[] { "https://evil.example", "https://app.example.evil.example", "https://APP.example", "null" })
        {
            Reply reply = await _app.SendAsync(HttpMethod.Get, "/healthz", null, null, ("Origin", origin));
            Assert.That(reply.Field("Access-Control-Allow-Origin"), Is.Null);
            Assert.That(reply.Field("Access-Control-Allow-Credentials"), Is.Null);
            Assert.That(reply.Field("Vary"), Is.EqualTo("Origin"));
        }
    }

    [TestCase("/user/update")]
    [TestCase("/v1/chat/completions")]
    [TestCase("/nowhere")]
    public async Task A_preflight_answers_204_without_a_session(string target)
    {
        _app = await TestApp.StartAsync(kind: kind);
        Reply reply = await _app.SendAsync(HttpMethod.Options, target, null, null, ("Origin", "https://app.example"),
            ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization,x-stainless-lang"));
        Assert.That((reply.Status, reply.Content), Is.EqualTo((204, "")));
        Assert.That(reply.Field("Access-Control-Allow-Origin"), Is.EqualTo("https://app.example"));
        Assert.That(reply.Field("Access-Control-Allow-Methods"), Is.EqualTo("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
        Assert.That(reply.Field("Access-Control-Allow-Headers"), Is.EqualTo("authorization,x-stainless-lang"));
        Assert.That(reply.Field("Content-Length"), Is.Null);
    }

    private async Task<(string Token, string Id)> StartWithAliceAsync()
    {
        _app = await TestApp.StartAsync(kind: kind);
        return await _app.SignUpAsync("alice");
    }
}

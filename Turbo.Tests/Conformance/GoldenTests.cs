using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Turbo.Server;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>
/// Contract section 9, the way here and the way back: the databases that the Go program wrote, with Turbo on them, and
/// whether the Go program could go on with what Turbo leaves.
/// </summary>
internal sealed partial class GoldenTests(DatabaseKind kind) : PromptFixture(kind)
{
    private Caller _alice = null!, _bob = null!, _carol = null!;
    private string _chat = "", _deletedChat = "", _team = "";

    [SetUp]
    public async Task StartGoldenAsync()
    {
        StartMock();
        await StartAppAsync(options => options with { Upstream = UpstreamTarget.At(Mock.EndPoints[0]) }, golden: true);
        (_alice, _bob, _carol) = (Person("alice"), Person("bob"), Person("carol"));
        (_chat, _deletedChat, _team) = (Golden.Id("chat", Kind), Golden.Id("deleted_chat", Kind), Golden.Id("group", Kind));

        Caller Person(string name)
        {
            Golden.Person person = Golden.Read(name, Kind);
            return new Caller(name, person.Token, person.Id);
        }
    }

    [Test]
    public async Task Prompting_goes_on_from_its_context()
    {
        for (int i = 0; i < 2; i++) await PromptAsync(_bob, _chat, "go on");
        string user = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{_bob.Id}-{_chat}"));
        const string earlier = """
            {"role":"user","content":"first question"},{"role":"assistant","content":"Hi there"},{"role":"user","content":"second: ünïcödé ☃ \"quotes\""},{"role":"assistant","content":"Hi there"},{"role":"user","content":"third"},{"role":"assistant","content":"Hi there"},{"role":"user","content":"go on"}
            """;
        const string later = """,{"role":"assistant","content":"Reply to 7 messages: go on"},{"role":"user","content":"go on"}""";
        Assert.That(Sent.Select(static request => request.GetRawText()), Is.EqualTo(new[]
        {
            $$"""{"model":"gpt-4","messages":[{{earlier}}],"user":"{{user}}"}""", $$"""{"model":"gpt-4","messages":[{{earlier + later}}],"user":"{{user}}"}""",
        }));
        JsonElement chat = (await ReadAsync(_bob, "/chat/index")).GetProperty("chats")[0];
        Assert.That(chat.GetProperty("UpdatedAt").GetDateTimeOffset(), Is.GreaterThan(DateTimeOffset.UtcNow.AddMinutes(-5)));
    }

    [Test]
    public async Task The_soft_deleted_stay_hidden()
    {
        // The deleted chat is nobody's, its owner's neither; and the other is none of carol's, who was removed.
        foreach ((Caller caller, string chat) in new[] { (_alice, _deletedChat), (_carol, _chat) })
        {
            foreach (string call in new[] { "read?", "update?name=x&", "delete?", "prompt?prompt=x&", "prompt?prompt=x&otr=1&", "stream?", $"user/add?user_id={_bob.Id}&", $"user/remove?user_id={_bob.Id}&" })
                IsDenied(await App.PostAsync($"/chat/{call}{(call.StartsWith("user", StringComparison.Ordinal) ? "chat_id" : "id")}={chat}", caller.Token), 404, "chat");
        }
        Assert.That(Texts((await ReadAsync(_alice, "/chat/index")).GetProperty("chats"), "name"), Is.EqualTo("golden"));
        Assert.That((await ReadAsync(_carol, "/chat/index")).GetProperty("chats").ToString(), Is.EqualTo("[]"));
        IsDenied(await App.GetAsync($"/group/read?id={_team}", _carol.Token), 404, "group");
        Assert.That(Sent, Is.Empty);
    }

    [Test]
    public async Task What_Turbo_wrote_has_the_columns_and_forms_of_the_Go_program()
    {
        Dictionary<string, JsonElement[]> before = [];
        await using (TestDatabase untouched = await TestDatabase.CreateAsync(Kind, golden: true))
        {
            foreach (string table in TestDatabase.Tables) before[table] = await RowsAsync(untouched, table);
        }
        await WorkAsync();

        List<string> changed = [];
        foreach ((string table, JsonElement[] rows) in before)
        {
            JsonElement[] now = await RowsAsync(App.Database, table);
            foreach (JsonElement row in rows)
            {
                JsonElement same = now.Single(other => Raw(other, "id") == Raw(row, "id"));
                string columns = string.Join(' ', row.EnumerateObject().Where(column => Raw(same, column.Name) != column.Value.GetRawText()).Select(static column => column.Name));
                if (columns.Length > 0) changed.Add($"{table}: {columns}");
            }
            if (rows.Length > 0)
            {
                Assert.That(now, table == "events" ? Has.Length.GreaterThan(rows.Length) : Has.Length.AtLeast(rows.Length + 1), $"nothing was written to {table}");
                foreach (JsonElement row in now) HasForms(table, row, rows);
            }
            else Assert.That(now, Is.Empty, $"{table} is left alone");
        }
        Assert.That(changed, Is.EquivalentTo(new[]
        {
            "users: updated_at last_name password", "chats: updated_at name", "chat_users: updated_at deleted_at", "sessions: deleted_at",
        }));
    }

    [Test]
    public async Task What_the_Go_program_writes_after_Turbo_is_seen()
    {
        await PromptAsync(_bob, _chat, "by Turbo");
        // In its own columns, and in the zone of its machine.
        string now = DateTimeOffset.UtcNow.ToOffset(TimeSpan.FromHours(2)).ToString("yyyy-MM-dd HH:mm:ss.fffffffzzz", CultureInfo.InvariantCulture);
        string times = $"'{now}','{now}',NULL", entity = "created_at,updated_at,deleted_at";
        string dave = Guid.NewGuid().ToString(), message = Guid.NewGuid().ToString(), group = Guid.NewGuid().ToString();
        foreach (string sql in new[]
        {
            $"INSERT INTO users (id,{entity},first_name,last_name,username,password) VALUES ('{dave}',{times},'Dave','','dave','$2a$04$pfsL5e/VCaLisZNPCGwUIeM2QtQLVRYFHPYOJER6k6osCW/efj6C.')",
            $"INSERT INTO sessions ({entity},token,expires_at,username,user_id) VALUES ({times},'cGxhaW4tdG9rZW4=','2099-01-01 00:00:00+00:00','dave','{dave}')",
            $"INSERT INTO \"groups\" (id,{entity},name,description,owner_id) VALUES ('{group}',{times},'go','','{dave}')",
            $"INSERT INTO group_members ({entity},group_id,user_id) VALUES ({times},'{group}','{dave}')",
            $"INSERT INTO chat_users ({entity},chat_id,user_id) VALUES ({times},'{_chat}','{dave}')",
            $"INSERT INTO messages (id,{entity},chat_id,user_id,group_id,prompt,reply,llm,otr) VALUES ('{message}',{times},'{_chat}','{dave}','{_team}','by Go ☃','indeed','gpt-4',false)",
            $"INSERT INTO events (id,{entity},timestamp,client_ip,endpoint,request,response,status,message,duration,method,params,user_id) VALUES ('{Guid.NewGuid()}',{times},'{now}','127.0.0.1','/x','','',200,'',1,'GET','','{dave}')",
        }) await App.Database.RunAsync(sql);

        Caller caller = new("dave", "cGxhaW4tdG9rZW4=", dave);
        Assert.That(Text((await ReadAsync(caller, "/user/session")).GetProperty("user"), "id"), Is.EqualTo(dave));
        string password = Golden.Read("carol", Kind).Password;
        if (Kind == DatabaseKind.Sqlite) Assert.That((await App.FormAsync("/user/login", $"username=dave&password={Uri.EscapeDataString(password)}")).Status, Is.EqualTo(200), "the hash is carol's");
        Assert.That(Texts((await ReadAsync(caller, "/group/index")).GetProperty("groups"), "id"), Is.EqualTo(group));
        Assert.That(Texts((await ReadAsync(caller, $"/chat/read?id={_chat}")).GetProperty("messages"), "prompt"), Does.EndWith(" by Turbo by Go ☃"));
        await PromptAsync(caller, _chat, "and now");
        Assert.That(Turns(Sent[^1]), Does.EndWith("user: by Turbo\nassistant: Reply to 7 messages: by Turbo\nuser: by Go ☃\nassistant: indeed\nuser: and now"));

        // It ends sessions and takes messages back by the mark that it has for that.
        await App.Database.RunAsync($"UPDATE messages SET deleted_at='{now}' WHERE id='{message}'");
        await PromptAsync(caller, _chat, "once more");
        Assert.That(Turns(Sent[^1]), Does.Not.Contain("by Go").And.Contain("user: by Turbo\n").And.Contain("user: and now\n"));
        await App.Database.RunAsync($"UPDATE sessions SET deleted_at='{now}' WHERE user_id='{dave}'");
        await Until.DoneAsync(Task.Run(async () =>
        {
            while ((await App.GetAsync("/user/session", caller.Token)).Status != 401) await Task.Delay(10);
        }));
    }

    /// <summary>Something of all that writes.</summary>
    private async Task WorkAsync()
    {
        (string token, string id) = await App.SignUpAsync("dave");
        Caller dave = new("dave", token, id);
        Golden.Person alice = Golden.Read("alice", Kind);
        await DoneAsync(_alice, "/user/update", "last_name=Changed");
        await DoneAsync(_alice, "/user/password/update", $"old_password={Uri.EscapeDataString(alice.Password)}&new_password=other");
        string team = Text(await DoneAsync(dave, "/group/create", $"name=new&description=ü&members={_bob.Id}"), "id");
        await DoneAsync(dave, "/group/members/remove", $"id={team}&user_ids={_bob.Id}");
        await DoneAsync(dave, "/group/update", $"id={team}&name=newer");
        await DoneAsync(dave, "/group/delete", $"id={team}");
        await DoneAsync(_alice, "/group/members/add", $"id={_team}&user_ids={_carol.Id}");
        await DoneAsync(_alice, "/chat/update", $"id={_chat}&name=renamed");
        await DoneAsync(_alice, "/chat/user/add", $"chat_id={_chat}&user_id={_carol.Id}");
        await DoneAsync(_alice, "/chat/user/add", $"chat_id={_chat}&user_id={id}");
        await DoneAsync(_alice, "/chat/user/remove", $"chat_id={_chat}&user_id={id}");
        await PromptAsync(_carol, _chat, "ünïcödé ☃");
        await PromptAsync(_carol, _chat, "secret", "&otr=true");
        await PromptAsync(_carol, _chat, "streamed", "&stream=true");
        await Until.TrueAsync(() => App.App.Prompts.ComingCount == 0);
        await DoneAsync(dave, "/chat/delete", "id=" + Text(await DoneAsync(dave, "/chat/create", ""), "id"));
        await App.PostAsync("/user/logout", _bob.Token);
        await App.App.Events.FlushAsync();
    }

    /// <summary>Each of the Go program's columns holds what it holds in the rows that the Go program wrote.</summary>
    private void HasForms(string table, JsonElement row, JsonElement[] written)
    {
        foreach (JsonProperty column in written[0].EnumerateObject())
        {
            string what = $"{table}.{column.Name}: {row}";
            Assert.That(row.TryGetProperty(column.Name, out JsonElement value), what);
            if (column.Name == "deleted_at" && value.ValueKind == JsonValueKind.Null) continue;
            bool isTime = column.Name.EndsWith("_at", StringComparison.Ordinal) || column.Name == "timestamp";
            if (isTime) Assert.That(value.GetString(), Does.Match(Kind == DatabaseKind.Sqlite ? SqliteTime() : PostgresTime()), what);
            else if (value.ValueKind is JsonValueKind.True or JsonValueKind.False) Assert.That(column.Value.ValueKind is JsonValueKind.True or JsonValueKind.False, what);
            else Assert.That(value.ValueKind, Is.EqualTo(column.Value.ValueKind), what);
            if (column.Name == "otr" && Kind == DatabaseKind.Sqlite) Assert.That(value.GetRawText(), Is.AnyOf("0", "1"), what);
            if (column.Name == "password") Assert.That(value.GetString(), Does.Match(@"^\$2a\$\d\d\$[./A-Za-z0-9]{53}$"), what);
            if (column.Name == "id" && value.ValueKind == JsonValueKind.String) Assert.That(Guid.TryParseExact(value.GetString(), "D", out _), what);
        }
    }

    private static async Task<JsonElement[]> RowsAsync(TestDatabase database, string table) =>
        [.. (await database.RowsAsync(table)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => JsonDocument.Parse(line).RootElement)];

    private static string Raw(JsonElement row, string column) => row.GetProperty(column).GetRawText();

    // As Go writes a time into SQLite, and as PostgreSQL shows one.
    [GeneratedRegex(@"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{0,8}[1-9])?\+00:00$")]
    private static partial Regex SqliteTime();

    [GeneratedRegex(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?[+-]\d\d:\d\d$")]
    private static partial Regex PostgresTime();
}

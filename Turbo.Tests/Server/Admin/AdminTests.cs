using System.Net;
using System.Text.Json;
using Turbo.Server.Admin;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Admin;

/// <summary>Contract section 10, as a process of its own on a database of its own.</summary>
[Category(TurboProcess.Category)]
internal sealed class AdminTests
{
    private TempFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TempFolder();

    [TearDown]
    public void DropFolder() => _folder.Dispose();

    private async Task<(int Code, string Out, string Error)> RunAsync(string database, params string[] args)
    {
        using TurboProcess turbo = TurboProcess.Start(_folder.Path, new Dictionary<string, string> { ["DB_ADDRESS"] = $"sqlite:{database}", ["BCRYPT_COST"] = "4" }, ["admin", .. args]);
        int code = await turbo.ExitAsync();
        return (code, turbo.Out, turbo.Error);
    }

    private static string[][] Rows(string text) => [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static l => l.Split('\t'))];

    [Test]
    public async Task A_users_life()
    {
        string database = _folder.File("turbo.db");
        (int code, string made, string error) = await RunAsync(database, "create", "ann@example.com", "first password");
        Assert.That((code, error), Is.EqualTo((0, "")));
        string[] row = Rows(made).Single();
        Assert.That(row, Has.Length.EqualTo(5));
        Assert.That(row[1..4], Is.EqualTo(new[] { "ann@example.com", "ann", "" }));

        Assert.That(await RunAsync(database, "create", "ann@example.com", "x"), Is.EqualTo((1, "", "turbo admin: the username ann@example.com is taken\n")));
        Assert.That((await RunAsync(database, "user", row[0])).Out, Is.EqualTo(made));
        Assert.That((await RunAsync(database, "list")).Out, Is.EqualTo(made));
        JsonElement json = JsonDocument.Parse((await RunAsync(database, "list", "--json")).Out).RootElement;
        Assert.That(Reply.Names(json), Is.EqualTo("id username first_name last_name created_at"));
        Assert.That(json.GetProperty("id").GetString(), Is.EqualTo(row[0]));
    }

    [Test]
    public async Task Beside_a_running_server_a_session_ends_there_too()
    {
        await using TestApp app = await TestApp.StartAsync();
        Reply signUp = await app.FormAsync("/user/signup", "username=bob&password=old-password");
        string token = signUp.Json.GetProperty("Token").GetString()!;
        string database = ((Turbo.Server.SqliteAddress)app.App.Options.Database).Path;

        string[][] sessions = Rows((await RunAsync(database, "sessions", "bob")).Out);
        Assert.That(sessions, Has.Length.EqualTo(1));
        Assert.That(sessions[0][1], Is.EqualTo("bob"));
        Assert.That((await app.GetAsync("/user/session", token)).Status, Is.EqualTo(200));

        Assert.That(await RunAsync(database, "revoke", token), Is.EqualTo((0, sessions[0][0] + "\n", "")));
        await Until.TrueAsync(() => app.GetAsync("/user/session", token).GetAwaiter().GetResult().Status == 401);
        Assert.That(await RunAsync(database, "revoke", token), Is.EqualTo((1, "", "turbo admin: no such user or session\n")));

        await app.FormAsync("/user/login", "username=bob&password=old-password");
        Assert.That((await RunAsync(database, "reset", "bob", "new-password")).Code, Is.Zero);
        Assert.That((await RunAsync(database, "sessions", "bob")).Out, Is.Empty);
        Assert.That((await app.FormAsync("/user/login", "username=bob&password=old-password")).Status, Is.EqualTo(401));
        Assert.That((await app.FormAsync("/user/login", "username=bob&password=new-password")).Status, Is.EqualTo(200));
        Assert.That(Rows((await RunAsync(database, "revoke", "bob")).Out), Has.Length.EqualTo(1));
    }

    [Test]
    public async Task A_backup_is_made_beside_a_running_server_and_holds_all_that_was_acknowledged()
    {
        await using TestApp app = await TestApp.StartAsync();
        string token = (await app.FormAsync("/user/signup", "username=bob&password=old-password")).Json.GetProperty("Token").GetString()!;
        string database = ((Turbo.Server.SqliteAddress)app.App.Options.Database).Path, copy = _folder.File("copy.db");
        using CancellationTokenSource enough = new();
        List<string> groups = [];
        Task writing = Task.Run(async () =>
        {
            while (!enough.IsCancellationRequested)
            {
                string id = (await app.FormAsync("/group/create", "name=g", token)).Json.GetProperty("id").GetString()!;
                lock (groups) groups.Add(id);
            }
        });
        await Until.TrueAsync(() => groups.Count > 3);
        string[] before;
        lock (groups) before = [.. groups];
        (int code, string text, string error) = await RunAsync(database, "backup", copy);
        await enough.CancelAsync();
        await writing;
        Assert.That((code, text, error), Is.EqualTo((0, $"{copy}\t{new FileInfo(copy).Length}\n", "")));
        Assert.That(Directory.GetFiles(_folder.Path), Is.EqualTo(new[] { copy }), "nothing else is left");
        if (!OperatingSystem.IsWindows()) Assert.That(File.GetUnixFileMode(copy), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));

        // Not twice into one file, and a database that is none is told of.
        Assert.That((await RunAsync(database, "backup", copy)).Error, Does.StartWith("turbo admin: no backup was made: "));
        (code, _, error) = await RunAsync(database, "backup", _folder.File("nowhere/copy.db"));
        Assert.That(code, Is.EqualTo(1));
        Assert.That(error, Does.StartWith("turbo admin: no backup was made: ").And.EndsWith("\n"));
        Assert.That(Directory.GetFiles(_folder.Path), Has.Length.EqualTo(1));

        await using Turbo.Server.Storage.Db opened = await Turbo.Server.Storage.Db.OpenAsync(new Turbo.Server.SqliteAddress(copy), new(), TimeProvider.System);
        Turbo.Server.Model.User bob = (await opened.Users.FindByUsernameAsync("bob"))!;
        foreach (string id in before) Assert.That((await opened.Groups.ReadAsync(id, bob.Id))?.OwnerId, Is.EqualTo(bob.Id));
    }

    [Test]
    public async Task A_backup_of_PostgreSQL_is_left_to_its_own_tools()
    {
        await using TestDatabase database = await TestDatabase.CreateAsync(DatabaseKind.Postgres);
        using TurboProcess turbo = TurboProcess.Start(_folder.Path, new Dictionary<string, string> { ["DB_ADDRESS"] = database.Url }, "admin", "backup", "copy.db");
        Assert.That(await turbo.ExitAsync(), Is.EqualTo(1));
        Assert.That((turbo.Out, turbo.Error), Is.EqualTo(("", "turbo admin: the database is PostgreSQL, which pg_dump copies\n")));
    }

    [Test]
    public async Task The_go_programs_database()
    {
        string database = Golden.CopyTo(_folder);
        string[][] users = Rows((await RunAsync(database, "list")).Out);
        Assert.That(users.Select(static u => u[1]), Is.EqualTo(new[] { "alice", "bob", "carol" }));

        string[][] events = Rows((await RunAsync(database, "events", "--user", users[0][0], "--limit", "3")).Out);
        Assert.That(events, Has.Length.EqualTo(3));
        Assert.That(events.Select(static e => e[7]), Is.All.EqualTo(users[0][0]));
        Assert.That(string.CompareOrdinal(events[0][1], events[2][1]), Is.Positive, "newest first");
        Assert.That((await RunAsync(database, "usage", "--since", "30d")).Out, Is.Empty, "the Go program kept no usage");

        string everything = string.Concat((await RunAsync(database, "list", "--json")).Out, (await RunAsync(database, "sessions", "alice", "--json")).Out);
        Assert.That(everything, Does.Not.Contain("$2a$"));
        Assert.That(everything, Does.Not.Contain("token"));
    }

    /// <summary>Neither a database nor a file comes of asking.</summary>
    [TestCase("backup", "--help")]
    [TestCase("events", "-h", "--json")]
    [TestCase("help", "create")]
    public async Task A_commands_help_tells_its_words_what_it_does_and_its_columns(params string[] args)
    {
        AdminEntry entry = AdminCommand.Entries.Single(entry => args.Contains(entry.Name));
        Assert.That(await RunAsync(_folder.File("turbo.db"), args), Is.EqualTo((0, $"usage: turbo admin {entry.Synopsis} [--json]\n      {entry.Meaning}\n      columns: {entry.Columns}\n", "")));
        Assert.That(Directory.EnumerateFileSystemEntries(_folder.Path), Is.Empty);
    }

    [Test]
    public async Task A_password_comes_from_stdin_or_after_the_end_of_the_flags()
    {
        await using TestApp app = await TestApp.StartAsync();
        string database = ((Turbo.Server.SqliteAddress)app.App.Options.Database).Path;
        string turbo = string.Join(' ', TurboProcess.Command.Select(static word => $"'{word}'"));
        string script = $"set -e; printf 'from stdin\nno more' | {turbo} admin create ann -; {turbo} admin create bob -- --help";
        using TurboProcess shell = TurboProcess.StartProgram("sh", _folder.Path, new Dictionary<string, string> { ["DB_ADDRESS"] = $"sqlite:{database}", ["BCRYPT_COST"] = "4" }, "-c", script);
        Assert.That((await shell.ExitAsync(), shell.Error), Is.EqualTo((0, "")));
        Assert.That((await app.FormAsync("/user/login", "username=ann&password=from+stdin")).Status, Is.EqualTo(200));
        Assert.That((await app.FormAsync("/user/login", "username=bob&password=--help")).Status, Is.EqualTo(200));
        // Nothing on stdin is no password.
        Assert.That(await RunAsync(database, "reset", "ann", "-"), Is.EqualTo((2, "", "turbo admin: the password is empty\n")));
        (int code, string text, string error) = await RunAsync(database, "reset", "ann", "--secret");
        Assert.That((code, text), Is.EqualTo((2, "")));
        Assert.That(error, Does.StartWith("turbo admin: usage: turbo admin reset USERNAME PASSWORD").And.Not.Contain("--secret"));
    }

    [TestCase(2, "frob")]
    [TestCase(2, "help", "frob")]
    [TestCase(2, "backup", "--jsn")]
    [TestCase(2, "create", "onlyname")]
    [TestCase(2, "user")]
    [TestCase(2, "events", "--since", "yesterday")]
    [TestCase(2, "events", "--limit", "0")]
    [TestCase(2, "events", "--since")]
    [TestCase(2, "chat")]
    [TestCase(2, "chatUsers", "one", "two")]
    [TestCase(2, "messages", "id", "--limit", "0")]
    [TestCase(2, "messages", "id", "--limit", "2147483648")]
    [TestCase(2, "messages", "id", "--since", "1h")]
    [TestCase(2, "deleteMessage")]
    [TestCase(2, "backup")]
    [TestCase(1, "chat", "no-such-id")]
    [TestCase(1, "chatUsers", "no-such-id")]
    [TestCase(1, "messages", "no-such-id")]
    [TestCase(1, "deleteMessage", "no-such-id")]
    [TestCase(1, "user", "no-such-id")]
    [TestCase(1, "reset", "nobody", "password")]
    [TestCase(1, "sessions", "nobody")]
    [TestCase(1, "revoke", "sha256:00")]
    public async Task Misuse_and_absence_are_one_line(int exit, params string[] args)
    {
        (int code, string text, string error) = await RunAsync(Golden.CopyTo(_folder), args);
        Assert.That((code, text), Is.EqualTo((exit, "")));
        Assert.That(error, Does.StartWith("turbo admin: ").And.EndsWith("\n"));
        Assert.That(error.Count(static c => c == '\n'), Is.EqualTo(1));
    }

    [Test]
    public async Task A_mistyped_path_makes_no_database()
    {
        (int code, _, string error) = await RunAsync(_folder.File("typo.db"), "list");
        Assert.That((code, error), Is.EqualTo((1, $"turbo admin: there is no database at {_folder.File("typo.db")}\n")));
        Assert.That(File.Exists(_folder.File("typo.db")), Is.False);
    }
}

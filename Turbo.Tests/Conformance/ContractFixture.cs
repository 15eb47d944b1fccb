using System.Text.Json;
using Turbo.Server;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>A user of a test and the token of its session; without one, nobody.</summary>
internal sealed record Caller(string Name, string? Token, string Id);

/// <summary>
/// The whole application for one test, on each kind of database, and the people of the access matrix: who owns a record,
/// who is in it, who was removed from it, who never was, and nobody.
/// </summary>
[TestFixture(DatabaseKind.Sqlite)]
[TestFixture(DatabaseKind.Postgres)]
internal abstract class ContractFixture(DatabaseKind kind)
{
    protected const string TimeNames = "CreatedAt UpdatedAt DeletedAt";

    protected static readonly string[] Roles = ["owner", "member", "removed", "stranger", "anonymous"];

    private readonly Dictionary<string, Caller> _people = [];
    private TestApp? _app;

    protected DatabaseKind Kind { get; } = kind;

    protected TestApp App => _app ?? throw new InvalidOperationException("the test has not started the application");

    protected Caller Owner => _people["owner"];

    protected Caller Member => _people["member"];

    protected Caller Removed => _people["removed"];

    protected Caller Stranger => _people["stranger"];

    [TearDown]
    public async Task StopAppAsync()
    {
        if (_app is not null) await _app.DisposeAsync();
        _app = null;
        _people.Clear();
    }

    /// <summary>Starts the application; nobody has signed up.</summary>
    protected async Task<TestApp> StartAppAsync(Func<AppOptions, AppOptions>? change = null, TimeProvider? time = null, bool golden = false) =>
        _app = await TestApp.StartAsync(change, time, golden, Kind);

    /// <summary>Signs the four up.</summary>
    protected async Task SignUpAllAsync()
    {
        foreach (string name in Roles.SkipLast(1))
        {
            (string token, string id) = await App.SignUpAsync(name);
            _people[name] = new Caller(name, token, id);
        }
        _people["anonymous"] = new Caller("anonymous", null, "");
    }

    protected Caller Person(string role) => _people[role];

    /// <summary>A POST of a form that must succeed.</summary>
    protected async Task<JsonElement> DoneAsync(Caller caller, string target, string form)
    {
        Reply reply = await App.FormAsync(target, form, caller.Token);
        Assert.That(reply.Status, Is.EqualTo(200), $"{target} {form}: {reply.Content}");
        return reply.Json;
    }

    /// <summary>A GET that must succeed.</summary>
    protected async Task<JsonElement> ReadAsync(Caller caller, string target)
    {
        Reply reply = await App.GetAsync(target, caller.Token);
        Assert.That(reply.Status, Is.EqualTo(200), $"{target}: {reply.Content}");
        return reply.Json;
    }

    /// <summary>The error of a status that the access matrix knows.</summary>
    protected static void IsDenied(Reply reply, int status, string record)
    {
        switch (status)
        {
            case 401:
                reply.IsError(401, "authentication_error", "missing_session");
                break;
            case 403:
                reply.IsError(403, "permission_error", "not_allowed");
                break;
            case 404:
                reply.IsError(404, "not_found_error", $"{record}_not_found", "id");
                break;
            default:
                Assert.That(reply.Status, Is.EqualTo(status), reply.Content);
                break;
        }
    }

    protected static string Text(JsonElement json, string name) => json.GetProperty(name).GetString()!;

    protected static string Texts(JsonElement array, string name) => string.Join(' ', array.EnumerateArray().Select(element => Text(element, name)));
}

using System.Net;
using System.Text;
using System.Text.Json;
using Turbo.Server;
using Turbo.Server.Storage;

namespace Turbo.Tests.Support;

/// <summary>What came back: status, fields and JSON.</summary>
internal sealed record Reply(int Status, HttpResponseMessage Message, string Content)
{
    public JsonElement Json => JsonDocument.Parse(Content).RootElement;

    /// <summary>The names of an object's members in their order.</summary>
    public static string Names(JsonElement json) => string.Join(' ', json.EnumerateObject().Select(member => member.Name));

    public string? Field(string name) =>
        Message.Headers.TryGetValues(name, out IEnumerable<string>? values) || Message.Content.Headers.TryGetValues(name, out values) ? string.Join(", ", values) : null;

    /// <summary>Checks the one error shape; null for <paramref name="code"/> or <paramref name="param"/> is a JSON null.</summary>
    public void IsError(int status, string type, string? code, string? param = null)
    {
        Assert.That(Status, Is.EqualTo(status), Content);
        Assert.That(Field("Content-Type"), Is.EqualTo("application/json"));
        Assert.That(Names(Json), Is.EqualTo("error"));
        JsonElement error = Json.GetProperty("error");
        Assert.That(Names(error), Is.EqualTo("message type param code"));
        Assert.That(error.GetProperty("message").GetString(), Is.Not.Empty);
        Assert.That(error.GetProperty("type").GetString(), Is.EqualTo(type), Content);
        Assert.That(error.GetProperty("code").GetString(), Is.EqualTo(code), Content);
        Assert.That(error.GetProperty("param").GetString(), Is.EqualTo(param), Content);
    }
}

/// <summary>The whole application on a database of its own, at a free port, and a client without memory.</summary>
internal sealed class TestApp : IAsyncDisposable
{
    // Set by a run of the tests that has everything in TLS.
    private static readonly bool s_isTls = Environment.GetEnvironmentVariable("TURBO_TEST_TLS") == "1";

    private readonly bool _ownsDatabase;
    private readonly MemoryStream _log;
    private readonly HttpClient _http;

    private TestApp(TestDatabase database, bool ownsDatabase, AppHost app, MemoryStream log)
    {
        Database = database;
        _ownsDatabase = ownsDatabase;
        _log = log;
        App = app;
        _http = new HttpClient(Handler());
    }

    public AppHost App { get; }

    public TestDatabase Database { get; }

    public IPEndPoint EndPoint => App.EndPoints[0];

    public bool IsTls => App.Options.TlsCertFile.Length > 0;

    /// <summary>Its origin, as a client on this machine names it.</summary>
    /// <param name="scheme">Without the s that TLS adds.</param>
    public string Origin(string scheme = "http") => $"{scheme}{(IsTls ? "s" : "")}://127.0.0.1:{EndPoint.Port}";

    /// <summary>What a client needs to connect to it.</summary>
    public SocketsHttpHandler Handler() => new()
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
        SslOptions = IsTls ? TestCertificates.Shared.Client("127.0.0.1") : new(),
    };

    /// <summary>The same for a WebSocket.</summary>
    public void Trust(System.Net.WebSockets.ClientWebSocketOptions options)
    {
        if (IsTls) options.RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate!.Issuer == TestCertificates.Shared.Root.Subject;
    }

    /// <summary>What was logged; complete once the application is stopped.</summary>
    public string Log => Encoding.UTF8.GetString(_log.ToArray());

    /// <param name="change">What of the options is to be otherwise.</param>
    /// <param name="time">The clock; null is the system's.</param>
    /// <param name="golden">Whether the database is as the Go program left it.</param>
    /// <param name="kind">What it runs on: SQLite and memory, or PostgreSQL and Redis.</param>
    /// <param name="shared">A database that outlives this application, for two nodes or two runs on one.</param>
    public static async Task<TestApp> StartAsync(
        Func<AppOptions, AppOptions>? change = null, TimeProvider? time = null, bool golden = false,
        DatabaseKind kind = DatabaseKind.Sqlite, TestDatabase? shared = null)
    {
        TestDatabase database = shared ?? await TestDatabase.CreateAsync(kind, golden);
        AppOptions options = AppOptions.Defaults with
        {
            Addresses = [new ListenAddress { Host = "127.0.0.1", Port = 0 }],
            Database = database.Address,
            Redis = shared is null && kind == DatabaseKind.Postgres ? RedisServer.NextDatabase() : null,
            // The least that bcrypt takes: what it costs is tested elsewhere.
            BcryptCost = 4,
            ShutdownTimeout = TimeSpan.FromSeconds(10),
        };
        if (s_isTls) options = options with { TlsCertFile = TestCertificates.SharedFiles.Certificate, TlsKeyFile = TestCertificates.SharedFiles.Key };
        MemoryStream log = new();
        try
        {
            return new TestApp(database, shared is null, await AppHost.StartAsync(change is null ? options : change(options), time, log), log);
        }
        catch
        {
            if (shared is null) await database.DisposeAsync();
            throw;
        }
    }

    public RawClient Connect() => new(EndPoint, tls: IsTls ? TestCertificates.Shared.Client() : null);

    public Task<Reply> GetAsync(string target, string? token = null) => SendAsync(HttpMethod.Get, target, null, token);

    public Task<Reply> PostAsync(string target, string? token = null) => SendAsync(HttpMethod.Post, target, null, token);

    public Task<Reply> FormAsync(string target, string form, string? token = null) =>
        SendAsync(HttpMethod.Post, target, new StringContent(form, Encoding.UTF8, "application/x-www-form-urlencoded"), token);

    public Task<Reply> JsonAsync(string target, string json, string? token = null) =>
        SendAsync(HttpMethod.Post, target, new StringContent(json, Encoding.UTF8, "application/json"), token);

    public Task<Reply> SendAsync(HttpMethod method, string target, HttpContent? content, string? token = null, params (string Name, string Value)[] fields)
    {
        // As it stands: the test's percent signs are the test's.
        Uri uri = new(Origin() + target, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        HttpRequestMessage request = new(method, uri) { Content = content };
        if (token is not null) request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        foreach ((string name, string value) in fields) request.Headers.TryAddWithoutValidation(name, value);
        return SendAsync(request);
    }

    public async Task<Reply> SendAsync(HttpRequestMessage request)
    {
        HttpResponseMessage message = await _http.SendAsync(request);
        return new Reply((int)message.StatusCode, message, await message.Content.ReadAsStringAsync());
    }

    /// <summary>Signs a user up; its token and id.</summary>
    public async Task<(string Token, string Id)> SignUpAsync(string username, string password = "correct horse")
    {
        Reply reply = await JsonAsync("/user/signup", JsonSerializer.Serialize(new { username, password }));
        Assert.That(reply.Status, Is.EqualTo(200), reply.Content);
        return (reply.Json.GetProperty("Token").GetString()!, reply.Json.GetProperty("User").GetProperty("id").GetString()!);
    }

    /// <summary>The event rows so far, oldest first.</summary>
    public async Task<List<Turbo.Server.Model.EventRecord>> EventsAsync()
    {
        await App.Events.FlushAsync();
        IReadOnlyList<Turbo.Server.Model.EventRecord> rows = await App.Db.Events.QueryAsync(new EventQuery());
        return [.. rows.Reverse()];
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await App.DisposeAsync();
        if (_ownsDatabase) await Database.DisposeAsync();
    }
}

using System.Text;
using System.Text.Json;
using Turbo.Server;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Framework;

/// <summary>An application built on Turbo, in-process, with the mock upstream behind it and a user who is logged in.</summary>
internal sealed class AppFixture : IAsyncDisposable
{
    private readonly TestDatabase _database;
    private readonly MockServer _mock;
    private readonly MemoryStream _log = new();
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false });

    private AppFixture(TestDatabase database, DatabaseKind kind, TimeProvider? time)
    {
        _database = database;
        _mock = new MockServer();
        _mock.Start();
        TurboAppOptions options = new()
        {
            UsesEnvironment = false,
            Log = _log,
            ["ADDRESS"] = "127.0.0.1:0",
            ["DB_ADDRESS"] = database.Url,
            ["OPENAI_API_URL"] = $"http://{_mock.EndPoints[0]}",
            ["BCRYPT_COST"] = "4",
            ["SHUTDOWN_TIMEOUT"] = "10s",
        };
        if (kind == DatabaseKind.Postgres) options["REDIS_ADDRESS"] = RedisServer.NextUrl();
        if (time is not null) options.Time = time;
        App = new TurboApp(options);
    }

    public TurboApp App { get; }

    public string Token { get; private set; } = "";

    public string UserId { get; private set; } = "";

    public string Origin => $"http://{App.EndPoints[0]}";

    /// <summary>What was logged; complete once the application is stopped.</summary>
    public string Log => Encoding.UTF8.GetString(_log.ToArray());

    public static async Task<AppFixture> StartAsync(Action<TurboApp> register, DatabaseKind kind = DatabaseKind.Sqlite, TimeProvider? time = null)
    {
        AppFixture fixture = new(await TestDatabase.CreateAsync(kind), kind, time);
        register(fixture.App);
        await fixture.App.StartAsync();
        (fixture.Token, fixture.UserId) = await fixture.SignUpAsync("alice");
        return fixture;
    }

    public async Task<(string Token, string Id)> SignUpAsync(string username)
    {
        Reply reply = await SendAsync(HttpMethod.Post, "/user/signup", $"username={username}&password=correct+horse", token: null);
        Assert.That(reply.Status, Is.EqualTo(200), reply.Content);
        return (reply.Json.GetProperty("Token").GetString()!, reply.Json.GetProperty("User").GetProperty("id").GetString()!);
    }

    public Task<Reply> GetAsync(string target, string? token = null) => SendAsync(HttpMethod.Get, target, null, token);

    public async Task<Reply> SendAsync(HttpMethod method, string target, string? content, string? token, string type = "application/x-www-form-urlencoded")
    {
        Uri uri = new(Origin + target, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using HttpRequestMessage request = new(method, uri);
        if (content is not null) request.Content = new StringContent(content, Encoding.UTF8, type);
        if (token is not null) request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        HttpResponseMessage message = await _http.SendAsync(request);
        return new Reply((int)message.StatusCode, message, await message.Content.ReadAsStringAsync());
    }

    public RawClient Connect() => new(App.EndPoints[0]);

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await App.DisposeAsync();
        await _mock.DisposeAsync();
        await _database.DisposeAsync();
    }
}

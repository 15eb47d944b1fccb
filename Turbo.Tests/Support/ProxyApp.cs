using System.Diagnostics;
using System.Text;
using Turbo.Server;
using Turbo.Server.Model;

namespace Turbo.Tests.Support;

/// <summary>The whole application in front of a scripted origin, and a user who is logged in.</summary>
internal sealed class ProxyApp : IAsyncDisposable
{
    /// <summary>The server's key for the origin.</summary>
    public const string Key = "sk-of-the-server";

    private ProxyApp(FaultyUpstream origin, TestApp app, string token, string userId)
    {
        Origin = origin;
        App = app;
        Token = token;
        UserId = userId;
    }

    public FaultyUpstream Origin { get; }

    public TestApp App { get; }

    /// <summary>A session's token.</summary>
    public string Token { get; }

    public string UserId { get; }

    /// <param name="script">What the origin does on each connection.</param>
    /// <param name="change">Changes the options, whose upstream is the origin's address.</param>
    /// <param name="time">The application's clock.</param>
    /// <param name="target">What follows the origin's address in OPENAI_API_URL.</param>
    /// <param name="kind">What the application runs on.</param>
    public static async Task<ProxyApp> StartAsync(
        Action<UpstreamPeer> script, Func<AppOptions, AppOptions>? change = null, TimeProvider? time = null, string target = "",
        DatabaseKind kind = DatabaseKind.Sqlite)
    {
        FaultyUpstream origin = new(script);
        if (!UpstreamTarget.TryParse($"http://127.0.0.1:{origin.Port}{target}", out UpstreamTarget upstream)) throw new ArgumentException(target);
        TestApp app = await TestApp.StartAsync(
            options =>
            {
                options = options with { Upstream = upstream, OpenAiApiKey = Key };
                return change is null ? options : change(options);
            },
            time, kind: kind);
        (string token, string id) = await app.SignUpAsync("alice");
        return new ProxyApp(origin, app, token, id);
    }

    /// <summary>An origin that answers every request with the same bytes.</summary>
    public static Action<UpstreamPeer> Answering(string wire) => Answering(Encoding.Latin1.GetBytes(wire));

    public static Action<UpstreamPeer> Answering(byte[] wire) => peer =>
    {
        while (true)
        {
            peer.ReadRequest();
            peer.Send(wire);
        }
    };

    public RawClient Connect() => App.Connect();

    /// <summary>A request with the session's token; <paramref name="fields"/> are whole lines.</summary>
    public string Request(string line, string fields = "", string body = "") =>
        $"{line} HTTP/1.1\r\nHost: turbo.test\r\nAuthorization: Bearer {Token}\r\n{fields}\r\n{body}";

    /// <summary>What the origin is to receive in place of <see cref="Request"/>.</summary>
    public string Relayed(string line, string fields = "", string body = "") =>
        $"{line} HTTP/1.1\r\nHost: 127.0.0.1:{Origin.Port}\r\nAuthorization: Bearer {Key}\r\n{fields}\r\n{body}";

    /// <summary>The one event row of <c>/v1</c>; waits for it, since a client that left does not know when its row is written.</summary>
    public async Task<EventRecord> EventAsync()
    {
        long started = Stopwatch.GetTimestamp();
        EventRecord[] rows;
        while ((rows = await EventsAsync()).Length == 0)
        {
            if (Stopwatch.GetElapsedTime(started) > Until.Deadline) Assert.Fail("no event row was written");
            await Task.Delay(1);
        }
        return rows.Single();
    }

    /// <summary>The event rows of <c>/v1</c> so far, oldest first.</summary>
    public async Task<EventRecord[]> EventsAsync() => [.. (await App.EventsAsync()).Where(static row => row.Endpoint.StartsWith("/v1", StringComparison.Ordinal))];

    public async ValueTask DisposeAsync()
    {
        await App.DisposeAsync();
        Origin.Dispose();
    }
}

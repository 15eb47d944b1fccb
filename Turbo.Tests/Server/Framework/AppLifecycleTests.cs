using System.Net;
using System.Net.Sockets;
using System.Text;
using Turbo.Server;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Framework;

/// <summary>An application's start and stop, and what it refuses before either.</summary>
[TestFixture]
internal sealed class AppLifecycleTests
{
    private readonly TempFolder _folder = new();

    [OneTimeTearDown]
    public void TearDown() => _folder.Dispose();

    private TurboAppOptions Options(string address = "127.0.0.1:0") =>
        new() { UsesEnvironment = false, Log = Stream.Null, ["ADDRESS"] = address, ["DB_ADDRESS"] = $"sqlite:{_folder.File($"{Guid.NewGuid()}.db")}", ["SHUTDOWN_TIMEOUT"] = "10s" };

    [Test]
    public async Task What_it_is_made_of_is_there_from_the_start_to_the_end()
    {
        List<string> steps = [];
        TurboApp app = new(Options());
        Assert.That(app.EndPoints, Is.Empty);
        Assert.Throws<InvalidOperationException>(() => app.Events.Publish("t", "v"));
        app.OnStart(async () =>
        {
            await app.Cache.SetAsync("k", "v");
            steps.Add(await app.Cache.GetAsync("k") ?? "none");
        }).OnStart(() =>
        {
            steps.Add($"{app.EndPoints.Count} listening");
            return Task.CompletedTask;
        });
        app.Get("/wait", async request =>
        {
            steps.Add("waiting");
            await Task.Delay(Timeout.Infinite, app.Stopping);
        }, isPrivate: false);
        await app.StartAsync();
        Assert.ThrowsAsync<InvalidOperationException>(app.StartAsync);
        Assert.Throws<InvalidOperationException>(() => app.Get("/late", static request => request.Empty()));
        using RawClient client = new(app.EndPoints[0]);
        client.Send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
        Assert.That(SpinWait.SpinUntil(() => steps.Contains("waiting"), Until.Deadline));
        Task stopping = app.StopAsync();
        RawResponse response = client.Read();
        Assert.That((response.Status, response.Field("Retry-After")), Is.EqualTo((503, "1")), "what waited for the end is told so");
        await stopping;
        await app.StopAsync();
        Assert.That(steps, Is.EqualTo(new[] { "v", "0 listening", "waiting" }));
        Assert.Throws<SocketException>(() => new RawClient(app.EndPoints[0]).Dispose());
    }

    [Test]
    public async Task A_start_that_fails_says_why_in_one_line_and_leaves_nothing_open()
    {
        using Socket taken = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        taken.Listen();
        string address = $"127.0.0.1:{((IPEndPoint)taken.LocalEndPoint!).Port}";
        (TurboAppOptions Options, int ExitCode, string[] Says)[] cases =
        [
            (Options(address), 1, ["ADDRESS", address]),
            (Options("nowhere"), 2, ["ADDRESS", "nowhere"]),
            (new() { UsesEnvironment = false, Log = Stream.Null, ["ADDRESS"] = "127.0.0.1:0", ["DB_ADDRESS"] = "sqlite:/nowhere/x.db" }, 1, ["DB_ADDRESS"]),
        ];
        foreach ((TurboAppOptions options, int exitCode, string[] says) in cases)
        {
            await using TurboApp app = new(options);
            TurboStartException refused = Assert.ThrowsAsync<TurboStartException>(app.StartAsync)!;
            Assert.That(refused.ExitCode, Is.EqualTo(exitCode), refused.Message);
            foreach (string part in says) Assert.That(refused.Message, Does.Contain(part).And.Not.Contain("\n"));
        }
        Assert.Throws<ArgumentException>(() => _ = new TurboAppOptions { ["ADRESS"] = ":80" });

        TurboApp fails = new(Options());
        fails.OnStart(static () => throw new InvalidOperationException("of the application"));
        Assert.That(Assert.ThrowsAsync<InvalidOperationException>(fails.StartAsync)!.Message, Is.EqualTo("of the application"));
        await fails.DisposeAsync();
    }

    [Test]
    public void Paths_that_are_taken_or_malformed_are_refused_at_once()
    {
        TurboApp app = new(Options());
        app.Get("/mine", static request => request.Empty());
        app.Post("/mine", static request => request.Empty());
        Action<AppRequest> handler = static request => request.Empty();
        foreach (string path in (string[])["/mine", "/healthz", "/user/read", "/chat/index", "/metrics", "/openapi.json", "mine", "", "/{id", "/{a}/{a}", "/x{a}"])
            Assert.Throws<ArgumentException>(() => app.Get(path, handler), path);
        Assert.Throws<ArgumentException>(() => app.Post("/user/login", handler));
        Assert.Throws<ArgumentException>(() => app.Register("/v1/*", handler));
        Assert.DoesNotThrow(() => app.Register("/", handler));
        Assert.DoesNotThrow(() => app.Register("/user/{id}/notes", handler));
    }

    [Test]
    public async Task A_silent_event_stream_has_a_comment_every_15_seconds()
    {
        ManualTimeProvider time = new();
        TurboAppOptions options = Options();
        options.Time = time;
        await using TurboApp app = new(options);
        app.Get("/events", async request =>
        {
            AppEventStream events = await request.EventsAsync();
            await Task.Delay(Timeout.Infinite, events.Ended);
        }, isPrivate: false);
        await app.StartAsync();
        using RawClient client = new(app.EndPoints[0]);
        client.Send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
        client.ReadHead();
        time.Advance(TimeSpan.FromSeconds(15));
        Assert.That(Encoding.ASCII.GetString(client.Take("3\r\n:\n\n\r\n".Length)), Is.EqualTo("3\r\n:\n\n\r\n"));
        using RawClient head = new(app.EndPoints[0]);
        Assert.That(head.Exchange("HEAD /events HTTP/1.1\r\nHost: x\r\n\r\n", isHead: true).Status, Is.EqualTo(200), "it ends at once");
    }
}

using System.Net;
using Microsoft.Data.Sqlite;
using Turbo.Net;
using Turbo.Server;
using Turbo.Server.Api;
using Turbo.Server.Logging;
using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Api;

/// <summary>What becomes of a request whose handler fails, and of all while the database cannot take their event rows.</summary>
[TestFixture]
internal sealed class DispatcherTests
{
    private static readonly (string Path, RouteHandler Handler)[] s_handlers =
    [
        ("/throws", static (_, _) => throw new InvalidOperationException("internal detail")),
        ("/throws-later", static async (_, _) =>
        {
            await Task.Yield();
            throw new InvalidOperationException("internal detail");
        }),
        ("/silent", static (_, _) => default),
        ("/busy", static (_, _) => throw new StorageBusyException("internal detail")),
        ("/closed", static async (_, _) =>
        {
            await Task.Yield();
            throw new StorageException(StorageFailure.Closed, "internal detail");
        }),
        ("/breaks-off", static async (_, context) =>
        {
            context.Exchange.Response.Start(200);
            context.Exchange.Response.EndHead(10);
            context.Exchange.Response.Write("half "u8);
            await context.Exchange.Response.FlushAsync();
            throw new InvalidOperationException("internal detail");
        }),
        ("/leaves", static (_, context) =>
        {
            context.HasClientLeft = true;
            return default;
        }),
    ];

    [TestCase("/throws", 500, "internal_error", null)]
    [TestCase("/throws-later", 500, "internal_error", null)]
    [TestCase("/silent", 500, "internal_error", null)]
    [TestCase("/busy", 503, "overloaded", "1")]
    [TestCase("/closed", 503, "unavailable", "1")]
    public async Task A_failed_handler_is_answered_without_internals_logged_and_recorded(string path, int status, string code, string? retryAfter)
    {
        using MemoryStream log = new();
        RawResponse response;
        EventRecord row;
        await using (TestApp app = await TestApp.StartAsync())
        {
            using LogWriter lines = new(log, LogFormat.Text, TimeProvider.System);
            await using TurboServer server = Start(app, lines);
            using RawClient client = new(server.EndPoints[0]);
            response = client.Exchange($"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
            Assert.That(client.Exchange($"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").Status, Is.EqualTo(status), "the connection goes on");
            row = (await app.EventsAsync())[0];
        }
        Assert.That((response.Status, response.Field("Retry-After")), Is.EqualTo((status, retryAfter)));
        Assert.That(response.Text, Does.Contain($"\"type\":\"server_error\",\"param\":null,\"code\":\"{code}\"").And.Not.Contain("internal detail"));
        Assert.That((row.Endpoint, row.Status), Is.EqualTo((path, status)));
        Assert.That(System.Text.Encoding.UTF8.GetString(log.ToArray()), Does.Contain($" error GET {path} {status} "));
    }

    [Test]
    public async Task A_response_that_breaks_off_looks_broken_and_is_recorded()
    {
        await using TestApp app = await TestApp.StartAsync();
        using LogWriter lines = new(Stream.Null, LogFormat.Text, TimeProvider.System);
        await using TurboServer server = Start(app, lines);
        using RawClient client = new(server.EndPoints[0]);
        client.Send("GET /breaks-off HTTP/1.1\r\nHost: a\r\n\r\n");
        client.ExpectReset();
        EventRecord row = (await app.EventsAsync()).Single();
        Assert.That((row.Status, row.Message), Is.EqualTo((200, "the response broke off")));
    }

    [Test]
    public async Task A_client_that_left_before_an_answer_is_499()
    {
        await using TestApp app = await TestApp.StartAsync();
        using LogWriter lines = new(Stream.Null, LogFormat.Text, TimeProvider.System);
        await using TurboServer server = Start(app, lines);
        using RawClient client = new(server.EndPoints[0]);
        client.Send("GET /leaves HTTP/1.1\r\nHost: a\r\n\r\n");
        client.ExpectReset();
        await Until.TrueAsync(() => app.App.Events.QueuedRows + app.App.Events.StoredRows > 0);
        EventRecord row = (await app.EventsAsync()).Single();
        Assert.That((row.Status, row.Message), Is.EqualTo((499, "the client left")));
    }

    [Test]
    public async Task While_event_rows_find_no_room_requests_wait_and_probes_do_not()
    {
        await using TestApp app = await TestApp.StartAsync(static options => options with { EventQueueBytes = 64 * 1024 });
        (string token, _) = await app.SignUpAsync("alice");
        using SqliteConnection other = new($"Data Source={((SqliteAddress)app.App.Options.Database).Path};Pooling=False");
        other.Open();
        Execute(other, "BEGIN IMMEDIATE");
        List<Task<Reply>> requests = [];
        while (app.App.Events.HasRoom)
        {
            requests.Add(app.GetAsync("/nowhere?" + new string('x', 4000)));
            await Task.WhenAny(requests[^1], Task.Delay(Until.Deadline));
        }
        Task<Reply> waiting = app.GetAsync("/user/session", token);
        int rows = app.App.Events.QueuedRows;
        for (int i = 0; i < 5; i++) Assert.That((await app.GetAsync("/healthz")).Status, Is.EqualTo(200));
        Assert.That(app.App.Events.QueuedRows, Is.EqualTo(rows), "probes leave no rows then");
        Assert.That(waiting.IsCompleted, Is.False);
        Execute(other, "ROLLBACK");
        Assert.That((await Until.DoneAsync(waiting)).Status, Is.EqualTo(200));
        await Task.WhenAll(requests);
        Assert.That((await app.EventsAsync()).Count(static row => row.Endpoint is "/nowhere" or "/user/session"), Is.EqualTo(requests.Count + 1), "none is lost");
    }

    [TestCase("/user/signup")]
    [TestCase("/nowhere")]
    public async Task A_request_that_finds_no_room_in_time_is_refused_before_it_is_done(string target)
    {
        ManualTimeProvider time = new();
        await using TestApp app = await TestApp.StartAsync(static options => options with { EventQueueBytes = 64 * 1024, EventQueueWait = TimeSpan.FromSeconds(30) }, time);
        using SqliteConnection other = new($"Data Source={((SqliteAddress)app.App.Options.Database).Path};Pooling=False");
        other.Open();
        Execute(other, "BEGIN IMMEDIATE");
        int filling = 0;
        for (; app.App.Events.HasRoom; filling++) Assert.That((await app.GetAsync("/nowhere?" + new string('x', 4000))).Status, Is.EqualTo(404));
        int rows = app.App.Events.QueuedRows;

        // The waiting timer is set by the time the request is seen to wait: it is moved past until it fires.
        Task<Reply> waiting = app.FormAsync(target, "username=alice&password=correct+horse");
        await Until.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return waiting.IsCompleted;
        });
        Reply refused = await waiting;
        refused.IsError(503, "server_error", "unavailable");
        Assert.That(refused.Field("Retry-After"), Is.EqualTo("5"));
        Assert.That(app.App.Events.QueuedRows, Is.EqualTo(rows), "no memory goes into who is turned away");

        Execute(other, "ROLLBACK");
        await Until.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return app.App.Events.HasRoom;
        });
        Assert.That((await app.FormAsync("/user/signup", "username=alice&password=correct+horse")).Status, Is.EqualTo(200), "not taken: it was not done");
        Task<List<EventRecord>> events = app.EventsAsync();
        await Until.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return events.IsCompleted;
        });
        Assert.That((await events).Select(static row => row.Endpoint), Is.EqualTo(Enumerable.Repeat("/nowhere", filling).Append("/user/signup")));
        Assert.That(app.App.Events.LostRows, Is.Zero);
    }

    private static TurboServer Start(TestApp app, LogWriter lines)
    {
        RouteTable<Route> routes = new();
        foreach ((string path, RouteHandler handler) in s_handlers) routes.Get(System.Text.Encoding.ASCII.GetBytes(path), new Route(Access.Public, handler));
        Dispatcher dispatcher = new(app.App, routes, new Cors(["*"]), new RequestLog(lines, LogLevel.Info));
        TurboServer server = new(new TurboServerOptions { EndPoints = [new IPEndPoint(IPAddress.Loopback, 0)], WriteError = dispatcher.WriteError }, dispatcher.HandleAsync);
        server.Start();
        return server;
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}

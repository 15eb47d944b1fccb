using System.Net;
using System.Net.Sockets;
using Microsoft.Data.Sqlite;
using Turbo.Server;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server;

/// <summary>The application as a whole: how it starts, stops, and fails.</summary>
[TestFixture]
internal sealed class AppHostTests
{
    [Test]
    public async Task An_address_in_use_fails_the_start_and_leaves_nothing_open()
    {
        using TcpListener taken = new(IPAddress.Loopback, 0);
        taken.Start();
        int port = ((IPEndPoint)taken.LocalEndpoint).Port;
        using TempFolder folder = new();
        AppOptions options = AppOptions.Defaults with
        {
            Addresses = [new ListenAddress { Host = "127.0.0.1", Port = 0 }, new ListenAddress { Host = "127.0.0.1", Port = port }],
            Database = new SqliteAddress(folder.File("turbo.db")),
        };
        Assert.ThrowsAsync<SocketException>(() => AppHost.StartAsync(options, log: Stream.Null));
        // The last connection to close removes the log: a file left open would have one.
        Assert.That(File.Exists(folder.File("turbo.db")) && !File.Exists(folder.File("turbo.db-wal")));
    }

    [Test]
    public void A_database_that_cannot_be_opened_fails_the_start()
    {
        using TempFolder folder = new();
        AppOptions options = AppOptions.Defaults with
        {
            Addresses = [new ListenAddress { Host = "127.0.0.1", Port = 0 }],
            Database = new SqliteAddress(folder.File("no/such/folder/turbo.db")),
        };
        Assert.ThrowsAsync<StorageException>(() => AppHost.StartAsync(options, log: Stream.Null));
    }

    [Test]
    public async Task Several_addresses_are_served()
    {
        await using TestApp app = await TestApp.StartAsync(static options => options with
        {
            Addresses = [new ListenAddress { Host = "127.0.0.1", Port = 0 }, new ListenAddress { Host = "127.0.0.1", Port = 0 }],
        });
        Assert.That(app.App.EndPoints, Has.Count.EqualTo(2));
        foreach (IPEndPoint endPoint in app.App.EndPoints)
        {
            using RawClient client = new(endPoint);
            Assert.That(client.Exchange("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").Status, Is.EqualTo(200));
        }
    }

    [Test]
    public async Task Stopping_lets_the_request_in_flight_finish_and_stores_its_event()
    {
        TestApp app = await TestApp.StartAsync();
        string database = ((SqliteAddress)app.App.Options.Database).Path;
        string copy = Path.GetTempFileName();
        try
        {
            using RawClient client = BeginSignUp(app);
            Task stopping = app.App.DisposeAsync().AsTask();
            RawResponse answer = client.Send("username=alice").Read();
            client.ExpectFin();
            await Until.DoneAsync(stopping);
            Assert.That((answer.Status, answer.Field("Connection")), Is.EqualTo((200, "close")));
            File.Copy(database, copy, overwrite: true);
        }
        finally
        {
            await app.DisposeAsync();
        }
        using SqliteConnection stored = new($"Data Source={copy};Pooling=False");
        stored.Open();
        using SqliteCommand query = stored.CreateCommand();
        query.CommandText = "SELECT endpoint || ' ' || status FROM events";
        Assert.That(query.ExecuteScalar(), Is.EqualTo("/user/signup 200"));
        stored.Close();
        File.Delete(copy);
    }

    [Test]
    public async Task A_request_that_does_not_end_is_cut_off_after_the_timeout()
    {
        TestApp app = await TestApp.StartAsync(static options => options with { ShutdownTimeout = TimeSpan.FromMilliseconds(100) });
        using RawClient client = BeginSignUp(app);
        await Until.DoneAsync(app.DisposeAsync().AsTask());
        client.ExpectReset();
        Assert.That(app.Log, Does.Contain("1 connections were cut off"));
    }

    [Test]
    public async Task Not_ready_while_stopping()
    {
        TestApp app = await TestApp.StartAsync();
        await using (app)
        {
            // Two requests that have begun are still answered when the stop begins: the second keeps it from ending.
            using RawClient client = app.Connect(), holder = BeginSignUp(app);
            Assert.That(client.Exchange("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\nPOST /readyz HTTP/1.1\r\nHost: a\r\n").Status, Is.EqualTo(200));
            Task stopping = app.App.DisposeAsync().AsTask();
            Assert.That(app.App.IsDraining);
            RawResponse answer = client.Send("\r\n").Read();
            Assert.That((answer.Status, answer.Field("Retry-After"), answer.Field("Connection")), Is.EqualTo((503, "1", "close")));
            Assert.That(answer.Text, Does.Contain("\"type\":\"server_error\""));
            Assert.That(holder.Send("username=alice").Read().Status, Is.EqualTo(200));
            await Until.DoneAsync(stopping);
        }
    }

    [Test]
    public async Task Not_ready_and_not_able_when_another_process_holds_the_database()
    {
        ManualTimeProvider time = new();
        await using TestApp app = await TestApp.StartAsync(time: time);
        using SqliteConnection other = new($"Data Source={((SqliteAddress)app.App.Options.Database).Path};Pooling=False");
        other.Open();
        Execute(other, "BEGIN IMMEDIATE");
        Task<Reply> ready = app.GetAsync("/readyz"), second = app.GetAsync("/readyz");
        while (!ready.IsCompleted || !second.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(Task.WhenAll(ready, second), Task.Delay(10));
        }
        Execute(other, "ROLLBACK");
        (await ready).IsError(503, "server_error", "unavailable");
        (await second).IsError(503, "server_error", "unavailable");
        Assert.That((await app.GetAsync("/healthz")).Status, Is.EqualTo(200));
        Reply again = await app.GetAsync("/readyz");
        while (again.Status != 200) again = await app.GetAsync("/readyz");
    }

    [Test]
    public async Task A_full_queue_of_the_database_is_503_with_Retry_After()
    {
        await using TestApp app = await TestApp.StartAsync(static options => options with { StorageQueue = 1 });
        using SqliteConnection other = new($"Data Source={((SqliteAddress)app.App.Options.Database).Path};Pooling=False");
        other.Open();
        Execute(other, "BEGIN IMMEDIATE");
        // One is with the writer, one waits, and of the rest each is refused at once.
        Task<Reply>[] all = [.. Enumerable.Range(0, 8).Select(i => app.FormAsync("/user/signup", $"username=user{i}&password=x"))];
        Reply refused = await (await Task.WhenAny(all));
        Execute(other, "ROLLBACK");
        refused.IsError(503, "server_error", "overloaded");
        Assert.That(refused.Field("Retry-After"), Is.EqualTo("1"));
        await Task.WhenAll(all);
    }

    /// <summary>A client whose request is with its handler, which waits for the 14 bytes of the body.</summary>
    private static RawClient BeginSignUp(TestApp app)
    {
        RawClient client = app.Connect();
        client.Send("POST /user/signup HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 14\r\n\r\n");
        Assert.That(client.ReadHead(), Is.EqualTo("HTTP/1.1 100 Continue\r\n\r\n"));
        return client;
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}

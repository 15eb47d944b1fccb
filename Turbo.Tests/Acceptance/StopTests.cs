using System.Text;
using System.Text.Json;
using System.Net;
using Microsoft.Data.Sqlite;
using Turbo.Tests.Support;

namespace Turbo.Tests.Acceptance;

/// <summary>SIGTERM to the real process while streams, tunnels and logins are in flight.</summary>
[TestFixture]
[Category(TurboProcess.Category)]
internal sealed class StopTests
{
    private const string CutOff = "cut off by the server's stop: SHUTDOWN_TIMEOUT had passed";
    private const string Event = "9\r\ndata: 1\n\n\r\n";

    [Test]
    public async Task What_is_in_flight_ends_as_it_would_have()
    {
        const int Streams = 16, Logins = 8;
        using SemaphoreSlim goesOn = new(0);
        using FaultyUpstream origin = new(peer =>
        {
            peer.ReadRequest();
            peer.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" + Event);
            goesOn.Wait(TimeSpan.FromMinutes(1));
            peer.Send(Event + "0\r\n\r\n").WaitForEnd();
        });
        using TempFolder folder = new();
        using TurboProcess turbo = Start(folder, origin, ("BCRYPT_COST", "10"));
        IPEndPoint address = await AddressAsync(turbo);
        string token = SignUp(address);
        RawClient[] streams = [.. Enumerable.Range(0, Streams).Select(_ => new RawClient(address))];
        RawClient[] logins = [.. Enumerable.Range(0, Logins).Select(_ => new RawClient(address))];
        try
        {
            foreach (RawClient client in streams) client.Send($"GET /v1/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
            foreach (RawClient client in streams)
            {
                client.ReadHead();
                Assert.That(Encoding.ASCII.GetString(client.Take(Event.Length)), Is.EqualTo(Event));
            }
            // That the server has the head, and has begun to handle it, is what its 100 says.
            const string login = "username=alice&password=secret";
            foreach (RawClient client in logins) client.Send($"POST /user/login HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {login.Length}\r\n\r\n");
            foreach (RawClient client in logins) Assert.That(client.ReadHead(), Is.EqualTo("HTTP/1.1 100 Continue\r\n\r\n"));

            turbo.Signal("TERM");
            await turbo.LineAsync("stopping");
            foreach (RawClient client in logins) client.Send(login);
            goesOn.Release(Streams);
            foreach (RawClient client in streams)
            {
                Assert.That(Encoding.ASCII.GetString(client.Take(Event.Length + 5)), Is.EqualTo(Event + "0\r\n\r\n"));
                client.ExpectFin();
            }
            foreach (RawClient client in logins)
            {
                RawResponse answer = client.Read();
                Assert.That((answer.Status, answer.Field("Connection")), Is.EqualTo((200, "close")));
                client.ExpectFin();
            }
            Assert.That(await turbo.ExitAsync(), Is.Zero, turbo.Error);
        }
        finally
        {
            foreach (RawClient client in streams.Concat(logins)) client.Dispose();
        }
        Assert.That(Rows(folder), Is.EquivalentTo(
            Enumerable.Repeat("/v1/stream 200 ", Streams).Concat(Enumerable.Repeat("/user/login 200 ", Logins)).Append("/user/signup 200 ")));
    }

    [Test]
    public async Task What_does_not_end_is_cut_after_the_timeout_and_recorded()
    {
        using FaultyUpstream origin = new(static peer =>
        {
            string request = peer.ReadHead();
            peer.Send(request.StartsWith("GET /v1/realtime", StringComparison.Ordinal)
                ? "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
                : "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" + Event);
            peer.WaitForEnd();
        });
        using TempFolder folder = new();
        using TurboProcess turbo = Start(folder, origin, ("SHUTDOWN_TIMEOUT", "300ms"), ("BCRYPT_COST", "4"));
        IPEndPoint address = await AddressAsync(turbo);
        string token = SignUp(address);
        using RawClient stream = new(address), tunnel = new(address);
        stream.Send($"GET /v1/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
        stream.ReadHead();
        stream.Take(Event.Length);
        tunnel.Send($"GET /v1/realtime HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        Assert.That(tunnel.ReadHead(), Does.StartWith("HTTP/1.1 101"));

        turbo.Signal("TERM");
        // Cut, and seen to be cut.
        stream.ExpectReset();
        tunnel.ExpectReset();
        Assert.That(await turbo.ExitAsync(), Is.Zero, turbo.Error);
        Assert.That(turbo.Out, Does.Contain("2 connections were cut off"));
        Assert.That(Rows(folder), Is.EquivalentTo(new[] { "/user/signup 200 ", "/v1/stream 200 " + CutOff, "/v1/realtime 101 " + CutOff }));
    }

    private static TurboProcess Start(TempFolder folder, FaultyUpstream origin, params (string Name, string Value)[] more)
    {
        Dictionary<string, string> environment = new() { ["ADDRESS"] = "127.0.0.1:0", ["OPENAI_API_URL"] = $"http://127.0.0.1:{origin.Port}" };
        foreach ((string name, string value) in more) environment[name] = value;
        return TurboProcess.Start(folder.Path, environment, "serve");
    }

    private static async Task<IPEndPoint> AddressAsync(TurboProcess turbo)
    {
        string line = await turbo.LineAsync("listening on http://");
        return IPEndPoint.Parse(line[(line.IndexOf("http://", StringComparison.Ordinal) + 7)..]);
    }

    private static string SignUp(IPEndPoint address)
    {
        using RawClient client = new(address);
        RawResponse answer = client.Exchange("POST /user/signup HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nusername=alice&password=secret");
        Assert.That(answer.Status, Is.EqualTo(200), answer.Text);
        return JsonDocument.Parse(answer.Text).RootElement.GetProperty("Token").GetString()!;
    }

    private static List<string> Rows(TempFolder folder)
    {
        using SqliteConnection connection = new($"Data Source={folder.File("turbo.db")};Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "SELECT endpoint || ' ' || status || ' ' || message FROM events";
        using SqliteDataReader reader = command.ExecuteReader();
        List<string> rows = [];
        while (reader.Read()) rows.Add(reader.GetString(0));
        return rows;
    }
}

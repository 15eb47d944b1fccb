using System.Text;
using Turbo.Server;
using Turbo.Server.Auth;
using Turbo.Server.Model;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>
/// Contract section 4: a session's end ends what it opened through <c>/v1</c> and that still goes on, streams and tunnels;
/// nothing of another session's.
/// </summary>
internal sealed class ProxySessionEndTests(DatabaseKind kind) : EachKindFixture(kind)
{
    public enum Ends
    {
        /// <summary>The session logs out, on this node.</summary>
        Logout,
        /// <summary>The user's password is changed, by another of its sessions.</summary>
        PasswordChange,
        /// <summary>The row is ended in the database alone, as another node or <c>turbo admin revoke</c> does.</summary>
        Elsewhere,
    }

    // Something of each shape that goes on until somebody ends it; upstream says no more after this.
    private static readonly (string Name, string Request, string Answer, int Status)[] s_shapes =
    [
        ("events", "GET /v1/events HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n", 200),
        ("events to HTTP/1.0", "GET /v1/events10 HTTP/1.0\r\n", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n", 200),
        ("a length", "GET /v1/length HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"a\": ", 200),
        ("an upload", "POST /v1/upload HTTP/1.1\r\nContent-Length: 1000\r\n", "", 401),
        ("no answer yet", "GET /v1/silent HTTP/1.1\r\n", "", 401),
        ("a tunnel", "GET /v1/realtime HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi", 101),
    ];

    [TestCase(Ends.Logout)]
    [TestCase(Ends.PasswordChange)]
    [TestCase(Ends.Elsewhere)]
    public async Task A_sessions_end_ends_what_goes_on_under_it(Ends ends)
    {
        using SemaphoreSlim goesOn = new(0);
        await using ProxyApp proxy = await StartProxyAsync(peer =>
        {
            string head = peer.ReadHead();
            if (head.StartsWith("GET /v1/keeper", StringComparison.Ordinal))
            {
                peer.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
                goesOn.Wait(Until.Deadline);
                peer.Send("4\r\nlast\r\n0\r\n\r\n").WaitForEnd();
                return;
            }
            string path = head.Split(' ')[1];
            peer.Send(s_shapes.Single(s => s.Request.Split(' ')[1] == path).Answer).WaitForEnd();
        });
        Reply login = await proxy.App.FormAsync("/user/login", "username=alice&password=correct horse");
        string keeper = login.Json.GetProperty("Token").GetString()!;
        using RawClient kept = proxy.Connect();
        kept.Send($"GET /v1/keeper HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {keeper}\r\n\r\n");
        string keptHead = kept.ReadHead();

        RawClient[] clients = [.. s_shapes.Select(_ => proxy.Connect())];
        try
        {
            for (int i = 0; i < s_shapes.Length; i++)
            {
                clients[i].Send($"{s_shapes[i].Request}Host: a\r\nAuthorization: Bearer {proxy.Token}\r\n\r\n");
                if (s_shapes[i].Answer.Length > 0) clients[i].ReadHead();
            }
            await Until.TrueAsync(() => proxy.Origin.Connections == s_shapes.Length + 1);

            await EndAsync(proxy, ends, keeper);

            for (int i = 0; i < s_shapes.Length; i++)
            {
                (string name, string _, string _, int status) = s_shapes[i];
                if (status == 401)
                {
                    RawResponse refused = clients[i].Read();
                    Assert.That((refused.Status, refused.Text.Contains("invalid_session", StringComparison.Ordinal)), Is.EqualTo((401, true)), name);
                }
                else
                {
                    PeerEnd end = clients[i].ReadToEnd(out byte[] rest);
                    Assert.That(end, Is.Not.EqualTo(PeerEnd.Fin), $"{name}: a reset, which no one takes for the end of a body");
                    Assert.That(rest, Has.Length.LessThan(20), name);
                    Assert.That(Encoding.ASCII.GetString(rest), Does.Not.Contain("0\r\n\r\n"), name);
                }
            }
            for (int i = 1; i <= s_shapes.Length; i++)
            {
                UpstreamPeer peer = proxy.Origin.Peer(i);
                await Until.TrueAsync(() => peer.HasEnded, $"upstream of connection {i} is cancelled");
            }

            goesOn.Release();
            StringBuilder all = new();
            kept.ReadContent(keptHead, piece => all.Append(Encoding.ASCII.GetString(piece)));
            Assert.That(all.ToString(), Is.EqualTo("firstlast"), "another session's stream");
        }
        finally
        {
            foreach (RawClient client in clients) client.Dispose();
        }

        EventRecord[] rows = [];
        for (int tries = 0; rows.Length < s_shapes.Length + 1 && tries < 1000; tries++)
        {
            await Task.Delay(1);
            rows = await proxy.EventsAsync();
        }
        Assert.That(rows.Select(static r => (r.Endpoint, r.Status, r.Message)), Is.EquivalentTo(s_shapes.Select(static s =>
            (s.Request.Split(' ')[1], s.Status, s.Status == 401 ? ApiErrorMessage : "cut off: the session ended")).Append(("/v1/keeper", 200, ""))));
        Assert.That(proxy.App.App.Gateway.Pool.OpenCount, Is.EqualTo(1), "only the connection whose exchange ended cleanly");
    }

    private static string ApiErrorMessage => Turbo.Server.Api.ApiError.InvalidSession.Message;

    private static async Task EndAsync(ProxyApp proxy, Ends ends, string keeper)
    {
        switch (ends)
        {
            case Ends.Logout:
                Assert.That((await proxy.App.PostAsync("/user/logout", proxy.Token)).Status, Is.EqualTo(200));
                break;
            case Ends.PasswordChange:
                Assert.That((await proxy.App.FormAsync("/user/password/update", "old_password=correct horse&new_password=battery staple", keeper)).Status, Is.EqualTo(200));
                break;
            default:
                Session? row = await proxy.App.App.Db.Users.FindSessionAsync(SessionTokens.Stored(Encoding.ASCII.GetBytes(proxy.Token)), proxy.Token);
                await proxy.App.App.Db.Users.EndSessionAsync(row!.Id);
                break;
        }
    }
}

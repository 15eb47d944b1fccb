using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.Examples;

/// <summary>What examples/ shows, run as it is built.</summary>
[TestFixture]
internal sealed class ExampleTests
{
    private readonly TempFolder _folder = new();
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, UseCookies = false });

    [OneTimeTearDown]
    public void TearDown()
    {
        _http.Dispose();
        _folder.Dispose();
    }

    [Test]
    public async Task Hello_serves_http_events_and_websockets_by_itself_and_through_proxy()
    {
        using ExampleProcess hello = await ExampleProcess.StartAsync(ExampleProcess.Built("hello"), _folder.Path, [], "0");
        using ExampleProcess proxy = await ExampleProcess.StartAsync(ExampleProcess.Built("proxy"), _folder.Path, [], $"http://{hello.EndPoint}/", "0");
        foreach (IPEndPoint server in (IPEndPoint[])[hello.EndPoint, proxy.EndPoint])
        {
            Assert.That(await _http.GetStringAsync($"http://{server}/hello/you"), Is.EqualTo("Hello, you!\n"));
            Assert.That(await _http.GetStringAsync($"http://{server}/events"), Is.EqualTo("data: 3\n\ndata: 2\n\ndata: 1\n\n"));
            using ClientWebSocket socket = new();
            await socket.ConnectAsync(new Uri($"ws://{server}/socket"), CancellationToken.None);
            await socket.SendAsync("hi"u8.ToArray(), WebSocketMessageType.Text, true, CancellationToken.None);
            byte[] buffer = new byte[16];
            WebSocketReceiveResult received = await socket.ReceiveAsync(buffer, CancellationToken.None);
            Assert.That(Encoding.UTF8.GetString(buffer, 0, received.Count), Is.EqualTo("hi"));
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        }
        hello.Process.Signal("TERM");
        Assert.That(await hello.Process.ExitAsync(), Is.EqualTo(0));
        using HttpResponseMessage gone = await _http.GetAsync($"http://{proxy.EndPoint}/hello/you");
        Assert.That((gone.StatusCode, await gone.Content.ReadAsStringAsync()), Is.EqualTo((HttpStatusCode.BadGateway, "the origin cannot be reached\n")));
        proxy.Process.Signal("INT");
        Assert.That((await proxy.Process.ExitAsync(), proxy.Process.Error), Is.EqualTo((0, "")));
    }

    [Test]
    public async Task Proxy_passes_cookies_and_the_prefix_on()
    {
        string received = "";
        using FaultyUpstream origin = new(peer =>
        {
            received = peer.ReadRequest();
            peer.Send("HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok");
        });
        using ExampleProcess proxy = await ExampleProcess.StartAsync(ExampleProcess.Built("proxy"), _folder.Path, [], $"http://127.0.0.1:{origin.Port}/base/", "0");
        using RawClient client = new(proxy.EndPoint);
        RawResponse response = client.Exchange("GET /x?y=1 HTTP/1.1\r\nHost: front\r\nCookie: c=d\r\nAuthorization: Basic eDp5\r\n\r\n");
        Assert.That((response.Status, response.Field("Set-Cookie"), response.Text), Is.EqualTo((200, "a=b", "ok")));
        Assert.That(received, Is.EqualTo($"GET /base/x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:{origin.Port}\r\nCookie: c=d\r\nAuthorization: Basic eDp5\r\n\r\n"));
    }

    [Test]
    public async Task The_application_keeps_notes()
    {
        await using MockServer mock = new();
        mock.Start();
        using ExampleProcess app = await ExampleProcess.StartAsync(
            ExampleProcess.Built("app"), _folder.Path, new() { ["ADDRESS"] = "127.0.0.1:0", ["DB_ADDRESS"] = "sqlite:notes.db", ["OPENAI_API_URL"] = $"http://{mock.EndPoints[0]}", ["BCRYPT_COST"] = "4" });
        string origin = $"http://{app.EndPoint}";
        string alice = await SignUpAsync(origin, "alice"), bob = await SignUpAsync(origin, "bob");

        Assert.That((await SendAsync(HttpMethod.Get, $"{origin}/", null)).Content, Does.Contain("signup"));
        (await SendAsync(HttpMethod.Get, $"{origin}/notes", null)).IsError(401, "authentication_error", "missing_session");
        using HttpRequestMessage watching = new(HttpMethod.Get, $"{origin}/feed");
        watching.Headers.Add("Authorization", $"Bearer {alice}");
        using HttpResponseMessage feed = await _http.SendAsync(watching, HttpCompletionOption.ResponseHeadersRead);
        using StreamReader lines = new(await feed.Content.ReadAsStreamAsync());

        Reply note = await SendAsync(HttpMethod.Post, $"{origin}/notes", alice, "text=buy+milk");
        Assert.That((note.Status, note.Json.GetProperty("text").GetString()), Is.EqualTo((201, "buy milk")), note.Content);
        Assert.That(note.Field("X-Elapsed"), Does.EndWith(" ms"));
        Assert.That(await lines.ReadLineAsync().WaitAsync(Until.Deadline), Is.EqualTo("data: buy milk"));
        string own = $"{origin}/notes/{note.Json.GetProperty("id").GetString()}";
        (await SendAsync(HttpMethod.Post, $"{origin}/notes", alice, "x=y")).IsError(400, "invalid_request_error", "missing_parameter", "text");
        Assert.That((await SendAsync(HttpMethod.Get, $"{origin}/notes", alice)).Json.GetArrayLength(), Is.EqualTo(1));
        Assert.That((await SendAsync(HttpMethod.Get, $"{origin}/notes", bob)).Content, Is.EqualTo("[]"));
        Assert.That((await SendAsync(HttpMethod.Get, own, alice)).Content, Is.EqualTo(note.Content));
        foreach (HttpMethod method in (HttpMethod[])[HttpMethod.Get, HttpMethod.Delete]) (await SendAsync(method, own, bob)).IsError(404, "not_found_error", "note_not_found");

        Reply summary = await SendAsync(HttpMethod.Get, $"{own}/summary", alice);
        Assert.That((summary.Status, summary.Content), Is.Not.EqualTo((200, "")), summary.Content);
        Reply streamed = await SendAsync(HttpMethod.Get, $"{own}/summary/stream", alice);
        Assert.That(string.Concat(streamed.Content.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(static line => line["data: ".Length..].Replace("\ndata: ", "\n", StringComparison.Ordinal))), Is.EqualTo(summary.Content));
        long asked = mock.Stats.Requests;
        Assert.That((await SendAsync(HttpMethod.Get, $"{own}/summary", alice)).Content, Is.EqualTo(summary.Content));
        Assert.That(mock.Stats.Requests, Is.EqualTo(asked), "the second comes from the cache");

        Assert.That((await SendAsync(HttpMethod.Delete, own, alice)).Status, Is.EqualTo(204));
        (await SendAsync(HttpMethod.Get, own, alice)).IsError(404, "not_found_error", "note_not_found");
        app.Process.Signal("TERM");
        Assert.That(await app.Process.ExitAsync(), Is.EqualTo(0));
        Assert.That(await lines.ReadToEndAsync().WaitAsync(Until.Deadline), Is.EqualTo("\n"), "the feed ends in order");
    }

    [Test]
    public async Task An_address_in_use_is_one_line_and_an_exit_code()
    {
        using Socket taken = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        taken.Listen();
        int port = ((IPEndPoint)taken.LocalEndPoint!).Port;
        Dictionary<string, string> address = new() { ["ADDRESS"] = $"127.0.0.1:{port}", ["DB_ADDRESS"] = "sqlite:taken.db" };
        (string Name, string[] Args)[] examples = [("hello", [$"{port}"]), ("echo", []), ("proxy", ["http://127.0.0.1:1", $"{port}"]), ("app", [])];
        // At once: each has a runtime to start.
        await Task.WhenAll(examples.Select(async example =>
        {
            using TurboProcess process = TurboProcess.StartProgram("dotnet", _folder.Path, address, [ExampleProcess.Built(example.Name), .. example.Args]);
            Assert.That(await process.ExitAsync(), Is.EqualTo(1), example.Name);
            Assert.That(process.Error.TrimEnd('\n'), Does.Contain("cannot listen").And.Contain($"{port}").And.Not.Contain("\n"), example.Name);
        }));
    }

    private async Task<string> SignUpAsync(string origin, string username) =>
        (await SendAsync(HttpMethod.Post, $"{origin}/user/signup", null, $"username={username}&password=correct+horse")).Json.GetProperty("Token").GetString()!;

    private async Task<Reply> SendAsync(HttpMethod method, string uri, string? token, string? form = null)
    {
        using HttpRequestMessage request = new(method, uri);
        if (form is not null) request.Content = new StringContent(form, Encoding.UTF8, "application/x-www-form-urlencoded");
        if (token is not null) request.Headers.Add("Authorization", $"Bearer {token}");
        HttpResponseMessage message = await _http.SendAsync(request);
        return new Reply((int)message.StatusCode, message, await message.Content.ReadAsStringAsync());
    }
}

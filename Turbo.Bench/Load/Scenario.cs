using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Turbo.Bench.Peers;

namespace Turbo.Bench.Load;

/// <summary>One thing that servers are measured by.</summary>
/// <param name="Name">What the command line calls it.</param>
/// <param name="Title">What it is, for people.</param>
/// <param name="Unit">What is counted.</param>
/// <param name="Role">What a server must serve.</param>
/// <param name="Connections">Connections of the client.</param>
/// <param name="Visit">Makes a visitor of the server; called once for each connection.</param>
internal sealed record Scenario(string Name, string Title, string Unit, Role Role, int Connections, Func<ServerProcess, Func<Visitor>> Visit)
{
    /// <summary>Requests a second of an open loop; 0 is a closed one.</summary>
    public double Rate { get; init; }

    /// <summary>The kind of work that servers are warmed up for.</summary>
    public string Kind { get; init; } = Name;

    /// <summary>Visitors to warm a server up, where its own ask for too little to do that soon.</summary>
    public Func<ServerProcess, Func<Visitor>>? WarmVisit { get; init; }

    public bool NeedsWebSockets { get; init; }

    /// <summary>Whether only Turbo has it.</summary>
    public bool IsTurboOnly { get; init; }

    /// <summary>Whether what is measured is memory of idle connections, and not work.</summary>
    public bool IsIdle { get; init; }

    public bool Fits(Target target) => target.Can(Role) && (!NeedsWebSockets || target.HasWebSockets) && (!IsTurboOnly || target.IsTurbo);

    /// <param name="rate">Requests a second of the open loop.</param>
    /// <param name="connections">Connections of most scenarios.</param>
    public static IReadOnlyList<Scenario> All(double rate, int connections) =>
    [
        new("plaintext", $"plaintext, {connections} connections", "request", Role.Web, connections, static server => Same(server, "/plaintext", "Hello, World!")),
        new("pipelined", $"plaintext, {connections} connections, 16 deep", "request", Role.Web, connections, static server => Same(server, "/plaintext", "Hello, World!", 16)),
        new("json", $"JSON, {connections} connections", "request", Role.Web, connections, static server => Same(server, "/json", """{"message":"Hello, World!"}""")),
        new("latency", $"plaintext at {rate:0} requests a second whatever the server does", "request", Role.Web, connections, static server => Same(server, "/plaintext", "Hello, World!")) { Rate = rate, Kind = "plaintext" },
        new("websocket", $"WebSocket echo, {connections} connections, 32 octets", "message", Role.Web, connections, static _ => static () => new WebSocketVisitor()) { NeedsWebSockets = true },
        new("proxy", $"proxied GET of 1 KB, {connections} connections", "request", Role.Proxy, connections, static server => Same(server, "/v1/models", UpstreamPeer.Models)),
        new("chat", $"proxied chat completion, {connections} connections", "request", Role.Proxy, connections, static server => Post(server, "/v1/chat/completions", CompletionRequest, Expected.Exactly(UpstreamPeer.Completion))),
        new("proxy-latency", $"proxied GET at {rate:0} requests a second whatever the server does", "request", Role.Proxy, connections, static server => Same(server, "/v1/models", UpstreamPeer.Models)) { Rate = rate, Kind = "proxy" },
        new("sse", "proxied event streams, 100 at a time, an event every 10 ms in each", "event", Role.Proxy, 100, static server => Streams(server, 50, 10_000)) { WarmVisit = static server => Streams(server, 50, 1000) },
        new("session", $"/user/session, {connections} connections", "request", Role.Proxy, connections, static server => Containing(server, "GET", "/user/session", "", "\"user\":{")) { IsTurboOnly = true },
        new("prompt", "/chat/prompt, 16 connections, each with a chat", "request", Role.Proxy, 16, Prompts) { IsTurboOnly = true },
        new("idle", "memory of an idle connection, after one request on each of 5,000", "connection", Role.Web, 5000, static server => Same(server, "/plaintext", "Hello, World!")) { IsIdle = true },
    ];

    private const string CompletionRequest = """{"model":"bench-1","messages":[{"role":"user","content":"hello there"}]}""";

    private static Func<Visitor> Same(ServerProcess server, string path, string content, int depth = 1)
    {
        byte[] request = Request(server, "GET", path, "");
        byte[][] requests = [[.. Enumerable.Repeat(request, depth).SelectMany(static r => r)]];
        Expected expected = Expected.Exactly(content);
        return () => new HttpVisitor(requests, expected, depth);
    }

    private static Func<Visitor> Post(ServerProcess server, string path, string body, Expected expected)
    {
        byte[][] requests = [Request(server, "POST", path, body)];
        return () => new HttpVisitor(requests, expected);
    }

    private static Func<Visitor> Containing(ServerProcess server, string method, string path, string body, string part)
    {
        byte[][] requests = [Request(server, method, path, body)];
        Expected expected = Expected.Containing(part);
        return () => new HttpVisitor(requests, expected);
    }

    /// <summary>Visitors that ask for streams of so many events, so many microseconds apart.</summary>
    public static Func<Visitor> Streams(ServerProcess server, int events, int interval)
    {
        byte[] request = Request(server, "POST", "/v1/chat/completions", """{"model":"bench-1","stream":true,"messages":[{"role":"user","content":"hello there"}]}""", $"X-Events: {events}\r\nX-Interval-Us: {interval}\r\n");
        return () => new StreamVisitor(request, events);
    }

    // One login, and for each connection a chat of its own: prompts of one chat wait for each other.
    private static Func<Visitor> Prompts(ServerProcess server) => () => Prompt(server, CreateChat(server));

    /// <summary>A visitor that prompts in a chat.</summary>
    public static Visitor Prompt(ServerProcess server, string chat) => new HttpVisitor(
        [Request(server, "POST", "/chat/prompt", $$"""{"id":"{{chat}}","prompt":"hello there"}""")], Expected.Containing("and no more\"}"));

    private static string CreateChat(ServerProcess server)
    {
        using HttpClient client = new() { BaseAddress = new Uri($"http://{server.EndPoint}") };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", server.Token);
        using HttpResponseMessage answer = client.PostAsync("/chat/create", new StringContent("""{"name":"bench"}""", Encoding.UTF8, "application/json")).Result;
        string content = answer.Content.ReadAsStringAsync().Result;
        if (!answer.IsSuccessStatusCode) throw new BenchException($"{server.Name}: /chat/create was answered {(int)answer.StatusCode}: {content}");
        return JsonDocument.Parse(content).RootElement.GetProperty("id").GetString()!;
    }

    /// <summary>A whole request, with the fields that a client's library sends.</summary>
    public static byte[] Request(ServerProcess server, string method, string target, string body, string fields = "", string? token = null) => Encoding.UTF8.GetBytes(
        $"{method} {target} HTTP/1.1\r\nHost: {server.EndPoint}\r\nAuthorization: Bearer {token ?? server.Token}\r\nAccept: */*\r\n{fields}"
        + (body.Length > 0 ? $"Content-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n" : "") + "\r\n" + body);
}

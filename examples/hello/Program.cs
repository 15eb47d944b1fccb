using System.Net;
using Turbo.Net;
using Turbo.Net.Sse;
using Turbo.Net.WebSocket;

Router routes = new();
routes.Get("/hello/{name}"u8, static exchange =>
{
    exchange.TryGetPathValue("name"u8, out ReadOnlySpan<byte> name);
    exchange.Response.Send(200, "text/plain"u8, [.. "Hello, "u8, .. name, .. "!\n"u8]);
    return default;
});
routes.Get("/socket"u8, static async exchange =>
{
    if (await WebSocketHandshake.AcceptAsync(exchange, WebSocketOptions.Default) is not { } socket) return;
    while (await socket.ReceiveAsync() is { } message) await socket.SendAsync(message.Kind, message.Payload);
});
routes.Get("/events"u8, static async exchange =>
{
    EventStreamWriter events = new(exchange);
    foreach (byte digit in "321"u8.ToArray())
    {
        if (!await events.SendAsync([digit])) return;
        await Task.Delay(100);
    }
});

int port = args is [var given] ? int.Parse(given) : 8080;
await using TurboServer server = new(new() { EndPoints = [new(IPAddress.Loopback, port)] }, routes.HandleAsync);
return await server.RunAsync(() => Console.WriteLine($"listening on {server.EndPoints[0]}"));

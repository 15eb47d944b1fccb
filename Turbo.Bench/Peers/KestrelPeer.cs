using System.Buffers;
using System.Net;
using System.Net.WebSockets;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Turbo.Bench.Peers;

/// <summary>
/// Kestrel as one would tune it: a terminal middleware, content written to the pipe, no logging. Serves /plaintext, /json
/// and a WebSocket echo at /ws.
/// </summary>
internal static class KestrelPeer
{
    private static readonly byte[] s_hello = "Hello, World!"u8.ToArray();

    /// <param name="port">Where on loopback to listen.</param>
    /// <param name="isInline">Whether handlers run on the socket's thread, which an application that may block cannot have.</param>
    public static void Run(int port, bool isInline)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(options => options.Listen(IPAddress.Loopback, port));
        builder.WebHost.UseSockets(options => options.UnsafePreferInlineScheduling = isInline);
        WebApplication app = builder.Build();
        app.UseWebSockets();
        app.Run(static context => context.Request.Path.Value switch
        {
            "/plaintext" => Plaintext(context.Response),
            "/json" => Json(context.Response),
            "/ws" when context.WebSockets.IsWebSocketRequest => EchoAsync(context),
            _ => NotFound(context.Response),
        });
        app.Run();
    }

    private static Task Plaintext(HttpResponse response)
    {
        response.ContentType = "text/plain";
        response.ContentLength = s_hello.Length;
        response.BodyWriter.Write(s_hello);
        return Task.CompletedTask;
    }

    private static Task Json(HttpResponse response)
    {
        response.ContentType = "application/json";
        response.ContentLength = 27;
        using Utf8JsonWriter writer = new(response.BodyWriter, new JsonWriterOptions { SkipValidation = true });
        writer.WriteStartObject();
        writer.WriteString("message"u8, "Hello, World!"u8);
        writer.WriteEndObject();
        return Task.CompletedTask;
    }

    private static Task NotFound(HttpResponse response)
    {
        response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    }

    private static async Task EchoAsync(HttpContext context)
    {
        using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync();
        byte[] buffer = new byte[4096];
        while (true)
        {
            ValueWebSocketReceiveResult received = await socket.ReceiveAsync(buffer.AsMemory(), CancellationToken.None);
            if (received.MessageType == WebSocketMessageType.Close)
            {
                await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
                return;
            }
            await socket.SendAsync(buffer.AsMemory(0, received.Count), received.MessageType, received.EndOfMessage, CancellationToken.None);
        }
    }
}

using System.Net;
using System.Text.Json;
using Turbo.Net;
using Turbo.Net.WebSocket;

// A server on Turbo.Net alone: GET /plaintext, GET /json, POST /echo, a WebSocket echo at /ws. Listens at
// ADDRESS (default 127.0.0.1:8081) by TRANSPORT (auto, epoll or sockets).

SocketTuning.UseInlineCompletions();
Router routes = new();
routes.Get("/plaintext"u8, static exchange =>
{
    exchange.Response.Send(200, "text/plain"u8, "Hello, World!"u8);
    return default;
});
routes.Get("/json"u8, static exchange =>
{
    JsonReply reply = JsonReply.OfThisThread;
    reply.Writer.WriteStartObject();
    reply.Writer.WriteString("message"u8, "Hello, World!"u8);
    reply.Writer.WriteEndObject();
    exchange.Response.Send(200, "application/json"u8, reply.Finish());
    return default;
});
routes.Post("/echo"u8, EchoAsync);
WebSocketOptions webSocket = new() { MaxMessageBytes = 64 * 1024 * 1024, Compression = new WebSocketCompression() };
routes.Get("/ws"u8, async exchange =>
{
    WebSocketConnection? socket = await WebSocketHandshake.AcceptAsync(exchange, webSocket);
    if (socket is null) return;
    while (await socket.ReceiveAsync() is { } message) await socket.SendAsync(message.Kind, message.Payload);
});

string address = Environment.GetEnvironmentVariable("ADDRESS") ?? "127.0.0.1:8081";
if (!IPEndPoint.TryParse(address.StartsWith(':') ? "[::]" + address : address, out IPEndPoint? endPoint) || endPoint.Port == 0 && !address.EndsWith(":0", StringComparison.Ordinal))
{
    Console.Error.WriteLine($"ADDRESS: '{address}' is not :PORT, IP:PORT or [IPv6]:PORT");
    return 2;
}

if (!Enum.TryParse(Environment.GetEnvironmentVariable("TRANSPORT") ?? "auto", ignoreCase: true, out TransportKind transport))
{
    Console.Error.WriteLine("TRANSPORT: expected auto, epoll or sockets");
    return 2;
}
await using TurboServer server = new(new TurboServerOptions { EndPoints = [endPoint], Transport = transport }, routes.HandleAsync);
return await server.RunAsync(() => Console.WriteLine($"listening on {server.EndPoints[0]}"));

// Exactly the request's content, as it comes: same length where it is known, chunked where it is not.
static async ValueTask EchoAsync(Exchange exchange)
{
    exchange.Body.MaxBytes = long.MaxValue;
    ResponseWriter response = exchange.Response;
    BodyRead read = await exchange.Body.ReadAsync();
    if (read.IsRejected) return;
    response.Start(200);
    if (exchange.Fields.TryGet(KnownField.ContentType, out ReadOnlySpan<byte> type)) response.Field("Content-Type"u8, type);
    if (exchange.Body.IsChunked) response.EndHeadChunked();
    else response.EndHead(exchange.Body.Length ?? 0);
    while (true)
    {
        response.Write(read.Data);
        if (read.IsEnd) return;
        if (!await response.FlushAsync()) return;
        read = await exchange.Body.ReadAsync();
        if (read.IsRejected) throw new IOException("the request's content ended early");
    }
}

/// <summary>A JSON writer and its buffer, made once for a thread.</summary>
internal sealed class JsonReply
{
    [ThreadStatic]
    private static JsonReply? s_ofThisThread;

    private readonly System.Buffers.ArrayBufferWriter<byte> _buffer = new();

    private JsonReply() => Writer = new Utf8JsonWriter(_buffer);

    public static JsonReply OfThisThread
    {
        get
        {
            JsonReply reply = s_ofThisThread ??= new JsonReply();
            reply._buffer.ResetWrittenCount();
            reply.Writer.Reset();
            return reply;
        }
    }

    public Utf8JsonWriter Writer { get; }

    public ReadOnlySpan<byte> Finish()
    {
        Writer.Flush();
        return _buffer.WrittenSpan;
    }
}

using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Tests.Support;

namespace Turbo.Tests.Allocation.Operations;

/// <summary>A whole keep-alive exchange without a kernel: received, parsed, routed, answered, flushed.</summary>
internal static class Exchanges
{
    private const string Fields =
        "Host: localhost:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html,application/xhtml+xml\r\n"
        + "Accept-Encoding: gzip, deflate, br\r\nCookie: sess=abc\r\nConnection: keep-alive\r\n\r\n";

    [ThreadStatic]
    private static (ArrayBufferWriter<byte> Buffer, Utf8JsonWriter Writer) s_json;

    public static double Plaintext() => Measure($"GET /plaintext?x=1 HTTP/1.1\r\n{Fields}", 1);

    public static double Json() => Measure($"GET /json HTTP/1.1\r\n{Fields}", 1);

    public static double Pipelined() => Measure($"GET /plaintext?x=1 HTTP/1.1\r\n{Fields}", 16);

    private static double Measure(string request, int together)
    {
        Router routes = new();
        routes.Get("/plaintext"u8, static exchange =>
        {
            exchange.Response.Send(200, "text/plain"u8, "Hello, World!"u8);
            return default;
        });
        routes.Get("/json"u8, static exchange =>
        {
            SendJson(exchange.Response);
            return default;
        });
        byte[] batch = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(request, together)));
        TurboServer server = new(new TurboServerOptions { EndPoints = [] }, routes.HandleAsync);
        MemoryTransport transport = new();
        Task serving = Inline.Run(() => server.ServeAsync(transport));
        int sent = 0;
        double bytes = Allocated.By(() =>
        {
            Run(transport, batch, together);
            sent++;
        }, together);
        Inline.Run(() => transport.PeerOutput.Complete());
        serving.Wait(TimeSpan.FromSeconds(10));
        server.DisposeAsync().AsTask().Wait(TimeSpan.FromSeconds(10));
        // Requests that came together are answered together.
        return transport.Flushes == sent ? bytes : throw new InvalidDataException($"{transport.Flushes} flushes for {sent} batches");
    }

    private static void SendJson(ResponseWriter response)
    {
        if (s_json.Buffer is null)
        {
            ArrayBufferWriter<byte> buffer = new();
            s_json = (buffer, new Utf8JsonWriter(buffer));
        }
        s_json.Buffer.ResetWrittenCount();
        s_json.Writer.Reset();
        s_json.Writer.WriteStartObject();
        s_json.Writer.WriteString("message"u8, "Hello, World!"u8);
        s_json.Writer.WriteEndObject();
        s_json.Writer.Flush();
        response.Send(200, "application/json"u8, s_json.Buffer.WrittenSpan);
    }

    private static void Run(MemoryTransport transport, byte[] batch, int together)
    {
        batch.CopyTo(transport.PeerOutput.GetSpan(batch.Length));
        transport.PeerOutput.Advance(batch.Length);
        // The server runs within this call.
        ValueTask<FlushResult> flush = transport.PeerOutput.FlushAsync();
        if (!flush.IsCompletedSuccessfully || !transport.PeerInput.TryRead(out ReadResult answer)) throw new InvalidDataException("no answer");
        if (!answer.Buffer.FirstSpan.StartsWith("HTTP/1.1 200 OK\r\n"u8) || answer.Buffer.Length < together * 100) throw new InvalidDataException("not the answer");
        transport.PeerInput.AdvanceTo(answer.Buffer.End);
    }
}

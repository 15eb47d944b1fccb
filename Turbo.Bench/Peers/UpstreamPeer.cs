using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Text;
using Turbo.Net;
using Turbo.Net.Sse;

namespace Turbo.Bench.Peers;

/// <summary>
/// The upstream of all proxies: answers that are always the same, so that a client can compare every byte, and events
/// that tell when they were made. As cheap as can be, since it shares the client's processor; `turbo mock` is the one that
/// speaks the whole API.
/// </summary>
internal static class UpstreamPeer
{
    /// <summary>A kilobyte of GET /v1/models.</summary>
    public static readonly string Models = """{"object":"list","data":[""" + string.Join(',', Enumerable.Range(0, 12).Select(static i => $$"""{"id":"bench-model-{{i:D2}}","object":"model","created":1700000000,"owned_by":"bench"}""")) + "]}";

    /// <summary>What POST /v1/chat/completions answers, with usage.</summary>
    public static readonly string Completion =
        """{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"bench-1","choices":[{"index":0,"message":{"role":"assistant","content":" """.TrimEnd()
        + string.Concat(Enumerable.Repeat("an answer of a few words, ", 10)) + """and no more","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":64,"total_tokens":73}}""";

    public static async Task RunAsync(int port)
    {
        SocketTuning.UseInlineCompletions();
        byte[] models = Encoding.UTF8.GetBytes(Models), completion = Encoding.UTF8.GetBytes(Completion);
        Router routes = new();
        routes.Get("/v1/models"u8, exchange =>
        {
            exchange.Response.Send(200, "application/json"u8, models);
            return default;
        });
        routes.Post("/v1/chat/completions"u8, exchange => AnswerAsync(exchange, completion));
        await using TurboServer server = new(new TurboServerOptions { EndPoints = [new IPEndPoint(IPAddress.Loopback, port)] }, routes.HandleAsync);
        server.Start();
        await Task.Delay(Timeout.Infinite);
    }

    // X-Events: N of them; X-Interval-Us: microseconds between them, 0 is as fast as they are taken.
    private static async ValueTask AnswerAsync(Exchange exchange, byte[] completion)
    {
        while (await exchange.Body.ReadAsync() is { IsEnd: false } read)
        {
            if (read.IsRejected) return;
        }
        if (Number(exchange, "X-Events"u8) is not (> 0 and int events))
        {
            exchange.Response.Send(200, "application/json"u8, completion);
            return;
        }
        int interval = Number(exchange, "X-Interval-Us"u8);
        EventStreamWriter stream = new(exchange);
        byte[] data = new byte[160];
        using PeriodicTimer? pace = interval > 0 ? new PeriodicTimer(TimeSpan.FromMicroseconds(interval)) : null;
        for (int i = 0; i < events; i++)
        {
            if (pace is not null) await pace.WaitForNextTickAsync();
            if (!await stream.SendAsync(Event(data, i))) return;
        }
        await stream.SendAsync("[DONE]"u8);
    }

    private static ReadOnlySpan<byte> Event(byte[] data, int number)
    {
        int at = 0;
        Put("{\"ts\":"u8);
        _ = Utf8Formatter.TryFormat(Stopwatch.GetTimestamp(), data.AsSpan(at), out int digits);
        at += digits;
        Put(",\"i\":"u8);
        _ = Utf8Formatter.TryFormat(number, data.AsSpan(at), out digits);
        at += digits;
        Put(",\"model\":\"bench-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"}}]}"u8);
        return data.AsSpan(0, at);

        void Put(ReadOnlySpan<byte> text)
        {
            text.CopyTo(data.AsSpan(at));
            at += text.Length;
        }
    }

    private static int Number(Exchange exchange, ReadOnlySpan<byte> field) =>
        exchange.Fields.TryGet(field, out ReadOnlySpan<byte> value) && Utf8Parser.TryParse(value, out int number, out _) ? number : 0;
}

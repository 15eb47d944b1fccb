using Turbo.Net.WebSocket;

namespace Turbo.Server.Mock;

/// <summary>GET /v1/realtime: a WebSocket that sends every message back. Of the subprotocols offered it takes the first.</summary>
internal static class RealtimeEcho
{
    private static readonly WebSocketOptions s_options = new() { AcceptsAnySubprotocol = true, MaxMessageBytes = 16 * 1024 * 1024 };

    public static async ValueTask AnswerAsync(MockCall call)
    {
        WebSocketConnection? socket = await WebSocketHandshake.AcceptAsync(call.Exchange, s_options).ConfigureAwait(false);
        if (socket is null) return;
        while (await socket.ReceiveAsync().ConfigureAwait(false) is { } message)
            await socket.SendAsync(message.Kind, message.Payload).ConfigureAwait(false);
    }
}

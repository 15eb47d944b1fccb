using Turbo.Net;
using Turbo.Net.WebSocket;
using Turbo.Server.Events;

namespace Turbo.Server.Streams;

/// <summary>A stream over a WebSocket: each message one of text. What the client says is passed over.</summary>
internal sealed class WebSocketStream(ISubscription subscription, StreamAccess access) : LiveStream(subscription, access)
{
    private static readonly WebSocketOptions s_options = new()
    {
        MaxMessageBytes = 512,
        MaxQueuedMessages = IEventBus.DefaultCapacity,
        MaxQueuedBytes = IEventBus.DefaultCapacityBytes,
        PingInterval = TimeSpan.FromSeconds(15),
        PongTimeout = TimeSpan.FromSeconds(60),
        AcceptsAnySubprotocol = true,
    };

    public override async Task RunAsync(Exchange exchange)
    {
        WebSocketConnection? socket = await WebSocketHandshake.AcceptAsync(exchange, s_options);
        if (socket is null) return;
        Task sending = SendAsync(socket);
        // Pings, pongs and the client's Close frame are dealt with in here.
        while (await socket.ReceiveAsync() is not null) { }
        End(StreamEnd.ClientLeft);
        await sending;
    }

    private async Task SendAsync(WebSocketConnection socket)
    {
        try
        {
            while (!IsOver)
            {
                while (TryTake(out ReadOnlyMemory<byte> message))
                {
                    // One that is too slow has been told so.
                    if (!socket.TrySend(WebSocketMessageKind.Text, message))
                        End(socket.CloseCode == WebSocketCloseCode.TryAgainLater ? StreamEnd.FellBehind : StreamEnd.ClientLeft);
                }
                if (!IsOver) await WaitAsync();
            }
        }
        finally
        {
            socket.Close(CloseCode(Ending));
        }
    }

    private static int CloseCode(StreamEnd ending) => ending switch
    {
        StreamEnd.SessionEnded or StreamEnd.AccessLost => WebSocketCloseCode.PolicyViolation,
        StreamEnd.Draining => WebSocketCloseCode.GoingAway,
        StreamEnd.FellBehind or StreamEnd.TopicEnded => WebSocketCloseCode.TryAgainLater,
        StreamEnd.ClientLeft => WebSocketCloseCode.Normal,
        _ => WebSocketCloseCode.InternalError,
    };
}

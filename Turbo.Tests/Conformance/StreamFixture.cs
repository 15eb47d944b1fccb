using System.Net.WebSockets;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>Subscribers of a chat's stream.</summary>
internal abstract class StreamFixture(DatabaseKind kind) : PromptFixture(kind)
{
    protected Task<StreamClient> OpenAsync(StreamKind stream, string chat, Caller caller) => StreamClient.OpenAsync(stream, App, $"/chat/stream?id={chat}", caller.Token);

    /// <summary>The status that a WebSocket is answered with.</summary>
    protected async Task<int> RefusedAsync(string target, string? token, Action<ClientWebSocketOptions>? with = null)
    {
        using ClientWebSocket socket = new();
        socket.Options.Proxy = null;
        App.Trust(socket.Options);
        socket.Options.CollectHttpResponseDetails = true;
        if (token is not null) socket.Options.SetRequestHeader("Authorization", $"Bearer {token}");
        with?.Invoke(socket.Options);
        try
        {
            await socket.ConnectAsync(new Uri(App.Origin("ws") + target), CancellationToken.None).WaitAsync(Until.Deadline);
        }
        catch (WebSocketException)
        {
            // Its status says why.
        }
        return (int)socket.HttpStatusCode;
    }
}

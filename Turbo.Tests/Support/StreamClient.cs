using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace Turbo.Tests.Support;

/// <summary>The two ways to subscribe.</summary>
public enum StreamKind { Sse, WebSocket }

/// <summary>A subscriber of a stream; every wait is bounded.</summary>
internal abstract class StreamClient : IAsyncDisposable
{
    /// <summary>Opens a stream that must open: it is subscribed when this returns.</summary>
    public static async Task<StreamClient> OpenAsync(StreamKind kind, TestApp app, string target, string? token) =>
        kind == StreamKind.Sse ? await SseClient.OpenAsync(app, target, token) : await WebSocketStreamClient.OpenAsync(app, target, token);

    /// <summary>The next message.</summary>
    public async Task<JsonElement> NextAsync() =>
        await TryNextAsync().WaitAsync(Until.Deadline) is { } message
            ? JsonDocument.Parse(message).RootElement
            : throw new AssertionException("the stream has ended: " + Ending);

    /// <summary>That the stream ends without a further message: `end`, `broken`, or a WebSocket's close code.</summary>
    public async Task<string> EndAsync()
    {
        if (await TryNextAsync().WaitAsync(Until.Deadline) is { } message) Assert.Fail("a message, not the end: " + message);
        return Ending;
    }

    /// <summary>Messages up to the end.</summary>
    public async Task<List<string>> RestAsync()
    {
        List<string> rest = [];
        while (await TryNextAsync().WaitAsync(Until.Deadline) is { } message) rest.Add(message);
        return rest;
    }

    /// <summary>How it ended.</summary>
    protected string Ending { get; set; } = "";

    public abstract ValueTask DisposeAsync();

    protected abstract Task<string?> TryNextAsync();
}

/// <summary>A subscriber by server-sent events, over HttpClient.</summary>
internal sealed class SseClient : StreamClient
{
    private readonly HttpClient _http;
    private readonly HttpResponseMessage _response;
    private readonly StreamReader _lines;

    private SseClient(HttpClient http, HttpResponseMessage response, Stream content)
    {
        _http = http;
        _response = response;
        _lines = new StreamReader(content, Encoding.UTF8);
    }

    public HttpResponseMessage Response => _response;

    /// <summary>Comment lines so far.</summary>
    public int Comments { get; private set; }

    /// <param name="app">Where.</param>
    /// <param name="target">The stream.</param>
    /// <param name="token">Whose.</param>
    /// <param name="form">Its parameters in the body of a POST, rather than a GET.</param>
    public static async Task<SseClient> OpenAsync(TestApp app, string target, string? token, HttpContent? form = null)
    {
        HttpClient http = new(app.Handler()) { Timeout = Timeout.InfiniteTimeSpan };
        HttpRequestMessage request = new(form is null ? HttpMethod.Get : HttpMethod.Post, app.Origin() + target) { Content = form };
        if (token is not null) request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).WaitAsync(Until.Deadline);
        Assert.That((int)response.StatusCode, Is.EqualTo(200), target);
        return new SseClient(http, response, await response.Content.ReadAsStreamAsync());
    }

    /// <summary>The next line that is a comment.</summary>
    public async Task CommentAsync()
    {
        int before = Comments;
        while (Comments == before) Assert.That(await LineAsync().WaitAsync(Until.Deadline), Is.Not.Null.And.Not.StartsWith("data"));
    }

    public override ValueTask DisposeAsync()
    {
        _response.Dispose();
        _http.Dispose();
        return default;
    }

    protected override async Task<string?> TryNextAsync()
    {
        while (await LineAsync() is { } line)
        {
            if (!line.StartsWith("data: ", StringComparison.Ordinal)) continue;
            Assert.That(await LineAsync(), Is.Empty, "an event is one data line and an empty one");
            return line["data: ".Length..];
        }
        return null;
    }

    private async Task<string?> LineAsync()
    {
        try
        {
            string? line = await _lines.ReadLineAsync();
            if (line is null) Ending = "end";
            else if (line.StartsWith(':')) Comments++;
            return line;
        }
        catch (IOException)
        {
            Ending = "broken";
            return null;
        }
    }
}

/// <summary>A subscriber by WebSocket.</summary>
internal sealed class WebSocketStreamClient : StreamClient
{
    private readonly ClientWebSocket _socket;

    private WebSocketStreamClient(ClientWebSocket socket) => _socket = socket;

    public ClientWebSocket Socket => _socket;

    public static async Task<WebSocketStreamClient> OpenAsync(TestApp app, string target, string? token, Action<ClientWebSocketOptions>? with = null)
    {
        ClientWebSocket socket = new();
        if (token is not null) socket.Options.SetRequestHeader("Authorization", $"Bearer {token}");
        socket.Options.Proxy = null;
        app.Trust(socket.Options);
        with?.Invoke(socket.Options);
        await socket.ConnectAsync(new Uri(app.Origin("ws") + target), CancellationToken.None).WaitAsync(Until.Deadline);
        return new WebSocketStreamClient(socket);
    }

    public override ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return default;
    }

    protected override async Task<string?> TryNextAsync()
    {
        byte[] buffer = new byte[1024 * 1024];
        int length = 0;
        try
        {
            while (true)
            {
                WebSocketReceiveResult result = await _socket.ReceiveAsync(new ArraySegment<byte>(buffer, length, buffer.Length - length), CancellationToken.None);
                if (result.MessageType == WebSocketMessageType.Close)
                {
                    Ending = ((int?)result.CloseStatus ?? 1005).ToString(System.Globalization.CultureInfo.InvariantCulture);
                    await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
                    return null;
                }
                Assert.That(result.MessageType, Is.EqualTo(WebSocketMessageType.Text));
                length += result.Count;
                if (result.EndOfMessage) return Encoding.UTF8.GetString(buffer, 0, length);
            }
        }
        catch (WebSocketException)
        {
            Ending = "broken";
            return null;
        }
    }
}

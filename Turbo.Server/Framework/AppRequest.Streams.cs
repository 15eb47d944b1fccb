using System.Text;
using Turbo.Net;
using Turbo.Net.WebSocket;
using Turbo.Server.Auth;

namespace Turbo.Server;

public sealed partial class AppRequest
{
    private AppEventStream? _events;
    private SessionHold? _hold;
    private CancellationTokenRegistration _ending;

    /// <summary>
    /// Answers with content that is written as it is made, of whatever length. What is written by
    /// <see cref="System.IO.Stream.WriteAsync(ReadOnlyMemory{byte}, CancellationToken)"/> leaves at once. Writing throws
    /// <see cref="IOException"/> when the client has gone. The handler's return ends it.
    /// </summary>
    public Stream Stream(string contentType, int status = 200)
    {
        CheckIsOpen();
        if (HasAnswered) throw new InvalidOperationException("the request has an answer already");
        StartResponse(status, contentType);
        _context.Exchange.Response.EndHeadChunked();
        return new ContentWriteStream(this);
    }

    /// <summary>
    /// Answers with an event stream (<c>text/event-stream</c>), which stays open until the handler returns. A comment line
    /// every 15 s keeps it from being taken for dead.
    /// </summary>
    public async Task<AppEventStream> EventsAsync()
    {
        CheckIsOpen();
        if (HasAnswered) throw new InvalidOperationException("the request has an answer already");
        // What the client sent besides is of no use here; unread it would keep the connection from being watched.
        await ContentAsync();
        if (_context.Session is { } session) _hold = App.Host.Sessions.Hold(session);
        _events = new AppEventStream(Exchange, App.Host, _hold?.Session.Ended ?? default, _fields is null ? [] : Encoding.UTF8.GetBytes(_fields.ToString()));
        await _events.FlushAsync();
        return _events;
    }

    /// <summary>
    /// Answers the opening handshake of a WebSocket (RFC 6455 §4.2). Null when it was refused, which is answered: 426 where
    /// the request is not for a WebSocket, 403 where a page of another origin uses its visitor's cookie. It closes when the
    /// handler returns, with 1001 when the application stops, and with 1008 when the session ends.
    /// </summary>
    /// <param name="options">Bounds, subprotocols, compression; null is <see cref="WebSocketOptions.Default"/>.</param>
    public async Task<WebSocketConnection?> AcceptWebSocketAsync(WebSocketOptions? options = null)
    {
        CheckIsOpen();
        if (HasAnswered) throw new InvalidOperationException("the request has an answer already");
        if (_context.Session is not null && Api.StreamApi.RefusesPage(_context, App.Host.Cors)) return null;
        if (_context.Session is { } session) _hold = App.Host.Sessions.Hold(session);
        WebSocketConnection? socket = await WebSocketHandshake.AcceptAsync(Exchange, options ?? WebSocketOptions.Default);
        if (socket is null || _hold is not { } hold) return socket;
        _ending = hold.Session.Ended.Register(static state => ((WebSocketConnection)state!).Close(WebSocketCloseCode.PolicyViolation), socket);
        return socket;
    }

    /// <summary>Ends what was open for as long as the handler ran.</summary>
    internal async ValueTask CloseStreamAsync()
    {
        if (_events is not null) await _events.CloseAsync();
        await _ending.DisposeAsync();
        _hold?.Dispose();
        _hold = null;
    }

    /// <summary>Sends what was written; throws when the client has gone.</summary>
    internal async ValueTask FlushAsync()
    {
        if (await Exchange.Response.FlushAsync()) return;
        _isClientGone = true;
        throw new IOException("the client has gone");
    }
}

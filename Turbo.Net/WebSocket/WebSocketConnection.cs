using System.Net.Sockets;
using Turbo.Net.Http1;
using Turbo.Net.Transport;

namespace Turbo.Net.WebSocket;

/// <summary>
/// An open WebSocket (RFC 6455), from <see cref="WebSocketHandshake.AcceptAsync"/> until the handler returns; the Close
/// frame and the closing handshake that remain are the server's.
/// </summary>
/// <remarks>
/// One flow receives; any thread may send and close. A handler that only sends must receive all the same: pings, pongs
/// and the peer's Close frame are dealt with while a receive is pending.
/// </remarks>
public sealed class WebSocketConnection : IUpgradedProtocol
{
    private const long Never = long.MaxValue;

    private readonly ServerContext _server;
    private readonly Http1Connection _connection;
    private readonly Connection _transport;
    private readonly WebSocketOptions _options;
    private readonly FrameInput _input;
    private readonly FrameOutput _output;

    // Milliseconds of the server's clock.
    private long _nextPing = Never;
    private long _lastPong;
    private long _awaySince;
    private long _closeDeadline = Never;

    private CloseStatus? _closed;
    private volatile bool _isPeerDone;
    private volatile bool _isFramingLost;
    private volatile bool _isCloseDue;

    private WebSocketConnection(Exchange exchange, WebSocketOptions options, string? subprotocol, DeflateParameters? deflate)
    {
        _server = exchange.Server;
        _connection = exchange.Connection;
        _options = options;
        Subprotocol = subprotocol;
        IsCompressed = deflate is not null;
        _transport = exchange.Upgrade();
        _input = new FrameInput(this, _transport.Input, options, deflate);
        _output = new FrameOutput(this, _transport.Output, options, deflate);
        _lastPong = _server.Clock.Now;
        if (options.PingInterval > TimeSpan.Zero) _nextPing = _lastPong + Milliseconds(options.PingInterval);
        Delivered();
    }

    /// <summary>The subprotocol that was accepted; null when none was.</summary>
    public string? Subprotocol { get; }

    /// <summary>Whether permessage-deflate was negotiated (RFC 7692).</summary>
    public bool IsCompressed { get; }

    /// <summary>
    /// Why the WebSocket closes, the first cause: the code of the peer's Close frame (<see cref="WebSocketCloseCode.NoCode"/>
    /// when it had none), the code that this side closed with, or <see cref="WebSocketCloseCode.Abnormal"/> when the
    /// connection ended without. 0 while it is open.
    /// </summary>
    public int CloseCode => Volatile.Read(ref _closed)?.Code ?? 0;

    /// <summary>The reason in the Close frame of whichever side closed first: UTF-8, often empty.</summary>
    public ReadOnlyMemory<byte> CloseReason => Volatile.Read(ref _closed)?.Reason ?? default;

    /// <summary>
    /// The next message; null when there will be none: the peer closed or left, this side closed, or the peer broke a
    /// rule and was closed. <see cref="CloseCode"/> says why. The payload is valid until the next receive. A message over
    /// <see cref="WebSocketOptions.MaxMessageBytes"/> closes with 1009, text that is not UTF-8 with 1007.
    /// </summary>
    public ValueTask<WebSocketMessage?> ReceiveAsync() => _input.ReceiveAsync();

    /// <summary>
    /// The next piece of a message as it arrives, in constant memory; null when there will be none. Not to be mixed with
    /// <see cref="ReceiveAsync"/> within a message. <see cref="WebSocketOptions.MaxMessageBytes"/> bounds the whole message.
    /// </summary>
    public ValueTask<WebSocketFragment?> ReceiveFragmentAsync() => _input.ReceiveFragmentAsync();

    /// <summary>
    /// Sends a message, in the order of the calls; completes when the transport has taken it, which a slow peer delays.
    /// False when it was not sent: the WebSocket closes or the peer has gone. <paramref name="payload"/> must not change
    /// until then. Within a handler's synchronous run after a receive, what is sent leaves together, when the handler
    /// waits for something. More than <see cref="WebSocketOptions.MaxQueuedMessages"/> calls at once close with 1013.
    /// </summary>
    /// <param name="kind">Text, which must be UTF-8, or binary.</param>
    /// <param name="payload">All of the message.</param>
    public ValueTask<bool> SendAsync(WebSocketMessageKind kind, ReadOnlyMemory<byte> payload) =>
        _output.SendAsync(kind, payload, _input.IsDeliveringHere);

    /// <summary>
    /// Sends a message without waiting: one that the peer is too slow for is queued. False when it was not taken: the
    /// WebSocket closes, the peer has gone, or is <see cref="WebSocketOptions.MaxQueuedMessages"/> behind and so closed with
    /// 1013. <paramref name="payload"/> is kept until it is sent and must never change; many connections may share it.
    /// </summary>
    /// <param name="kind">Text, which must be UTF-8, or binary.</param>
    /// <param name="payload">All of the message.</param>
    public bool TrySend(WebSocketMessageKind kind, ReadOnlyMemory<byte> payload) =>
        _output.TrySend(kind, payload, _input.IsDeliveringHere);

    /// <summary>
    /// Closes: what was sent before leaves first, then the Close frame. A pending receive ends with null, as do later ones;
    /// messages still under way are dropped. The peer's Close frame is awaited when the handler has returned, for at most
    /// <see cref="WebSocketOptions.CloseTimeout"/>. False when it was closed before.
    /// </summary>
    /// <param name="code">See <see cref="WebSocketCloseCode"/>; one that may be sent.</param>
    /// <param name="reason">UTF-8 for the peer's log, at most 123 bytes.</param>
    public bool Close(int code = WebSocketCloseCode.Normal, ReadOnlySpan<byte> reason = default)
    {
        if (!WebSocketCloseCode.IsValid(code)) throw new ArgumentOutOfRangeException(nameof(code), code, "not a code that a Close frame may carry");
        if (reason.Length > FrameHeader.MaxControlBytes - 2) throw new ArgumentException("over 123 bytes", nameof(reason));
        return Close(code, reason, dropsQueue: false);
    }

    /// <summary>Ends the connection at once with a reset, without a Close frame.</summary>
    public void Abort()
    {
        SetClosed(WebSocketCloseCode.Abnormal, default);
        _transport.Abort(EndReason.Aborted);
    }

    void IUpgradedProtocol.Tick(long now)
    {
        if (now >= Volatile.Read(ref _closeDeadline))
        {
            // A peer that takes nothing is reset; one that does not answer is left.
            if (!_output.IsCloseSent) _transport.Abort(EndReason.WriteTimeout);
            _isCloseDue = true;
            _input.Wake();
            return;
        }
        if (_nextPing == Never || _output.IsClosing) return;
        if (IsPongOverdue(now))
        {
            _transport.SetEndReason(EndReason.ReadTimeout);
            Close(WebSocketCloseCode.PolicyViolation, "no pong"u8, dropsQueue: true);
            return;
        }
        if (now < _nextPing) return;
        _nextPing = now + Milliseconds(_options.PingInterval);
        _output.Ping();
    }

    void IUpgradedProtocol.BeginDrain() => Close(WebSocketCloseCode.GoingAway, default, dropsQueue: false);

    async Task IUpgradedProtocol.EndAsync(bool hasFailed)
    {
        Close(hasFailed ? WebSocketCloseCode.InternalError : WebSocketCloseCode.Normal, default, dropsQueue: false);
        Task input = _input.EndAsync();
        await _output.EndAsync().ConfigureAwait(false);
        await input.ConfigureAwait(false);
    }

    internal static WebSocketConnection Start(Exchange exchange, WebSocketOptions options, string? subprotocol, DeflateParameters? deflate)
    {
        WebSocketConnection socket = new(exchange, options, subprotocol, deflate);
        exchange.Connection.Protocol = socket;
        // One that was accepted while the drain began sees it here or is told.
        if (exchange.Server.IsDraining) ((IUpgradedProtocol)socket).BeginDrain();
        return socket;
    }

    internal static bool IsFault(Exception e) =>
        e is IOException or SocketException or ObjectDisposedException or OperationCanceledException;

    /// <summary>Whether nothing more is to be received.</summary>
    /// <param name="awaitsClose">Whether only the peer's Close frame is wanted.</param>
    internal bool IsOver(bool awaitsClose) => _isPeerDone || (awaitsClose ? _isFramingLost || _isCloseDue : _output.IsClosing);

    internal void Pinged(ReadOnlySpan<byte> payload) => _output.Pong(payload);

    internal void Ponged() => Volatile.Write(ref _lastPong, _server.Clock.Now);

    internal void PeerClosed(int code, ReadOnlySpan<byte> reason)
    {
        _isPeerDone = true;
        SetClosed(code, reason);
        // The same back (RFC 6455 §5.5.1).
        Close(code, reason, dropsQueue: false);
    }

    /// <summary>The peer broke a rule: fails the connection (RFC 6455 §7.1.7).</summary>
    internal void Fail(int code)
    {
        _isFramingLost = true;
        Close(code, default, dropsQueue: true);
    }

    /// <summary>The peer ended the connection without a Close frame.</summary>
    internal void PeerLeft()
    {
        _isPeerDone = true;
        Close(WebSocketCloseCode.Abnormal, default, dropsQueue: false);
    }

    internal void PeerReset() => _transport.SetEndReason(EndReason.PeerReset);

    internal void CloseSlowPeer() => Close(WebSocketCloseCode.TryAgainLater, default, dropsQueue: true);

    internal void FlushDeferred() => _output.FlushDeferred();

    // While the handler is away with a message, pongs are not seen: that time is not held against the peer.
    internal void Delivered()
    {
        if (_awaySince == 0) Volatile.Write(ref _awaySince, Math.Max(1, _server.Clock.Now));
    }

    internal void Waiting()
    {
        long since = _awaySince;
        if (since == 0) return;
        Volatile.Write(ref _lastPong, _lastPong + _server.Clock.Now - since);
        Volatile.Write(ref _awaySince, 0);
    }

    internal void BeginWrite() => _connection.BeginWrite();

    internal void EndWrite() => _connection.EndWrite();

    internal void Failed(Exception e)
    {
        _server.Log.ConnectionFailed(_transport.RemoteEndPoint, e);
        _transport.Abort(EndReason.HandlerFault);
    }

    private bool Close(int code, ReadOnlySpan<byte> reason, bool dropsQueue)
    {
        SetClosed(code, reason);
        Interlocked.CompareExchange(ref _closeDeadline, _server.Clock.Now + Milliseconds(_options.CloseTimeout), Never);
        if (!_output.Close(code, reason, dropsQueue)) return false;
        _input.Wake();
        return true;
    }

    private void SetClosed(int code, ReadOnlySpan<byte> reason)
    {
        if (Volatile.Read(ref _closed) is null) Interlocked.CompareExchange(ref _closed, new CloseStatus(code, reason.ToArray()), null);
    }

    private bool IsPongOverdue(long now) =>
        _options.PongTimeout > TimeSpan.Zero && Volatile.Read(ref _awaySince) == 0
        && now - Volatile.Read(ref _lastPong) >= Milliseconds(_options.PongTimeout);

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;

    private sealed record CloseStatus(int Code, ReadOnlyMemory<byte> Reason);
}

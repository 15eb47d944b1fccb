using System.Net;
using Turbo.Net.Http1;

namespace Turbo.Net;

/// <summary>Handles one exchange: read the request, write the response, return when done.</summary>
/// <remarks>
/// Runs on the socket's thread until its first await: it must not block. The exchange and every span taken from it are
/// valid until the returned task completes.
/// </remarks>
public delegate ValueTask RequestHandler(Exchange exchange);

/// <summary>
/// One request and its response (RFC 9110 §3.4). Objects are reset and reused: keep no reference past the handler.
/// </summary>
public sealed class Exchange
{
    private readonly RequestHead _head = new();
    private readonly Lock _closeLock = new();
    private Action<object?, bool>? _clientClosed;
    private object? _clientClosedState;
    private bool _hasClientClosed, _isClientReset;
    private CancellationTokenSource? _aborted;

    internal Exchange(ServerContext server)
    {
        Server = server;
        Body = new BodyReader(this);
        Response = new ResponseWriter(this);
    }

    /// <summary>The method, or <see cref="HttpMethod.Other"/>.</summary>
    public HttpMethod Method => _head.Method;

    /// <summary>The method as sent.</summary>
    public ReadOnlySpan<byte> MethodName => _head.MethodName;

    /// <summary>The request-target as sent (RFC 9112 §3.2).</summary>
    public ReadOnlySpan<byte> Target => _head.Target;

    /// <summary>The target's path as sent, not decoded.</summary>
    public ReadOnlySpan<byte> Path => _head.Path;

    /// <summary>The target's query as sent, without its '?'; empty when there is none.</summary>
    public ReadOnlySpan<byte> Query => _head.Query;

    /// <summary>Whether the request is OPTIONS for the server as a whole: its target is "*" (RFC 9110 §9.3.7).</summary>
    public bool IsForServer => _head.Form == TargetForm.Asterisk;

    /// <summary>11 for HTTP/1.1, 10 for HTTP/1.0.</summary>
    public int Version => _head.Version;

    /// <summary>The request's header section.</summary>
    public HeaderFields Fields => _head.Fields;

    /// <summary>The request's content.</summary>
    public BodyReader Body { get; }

    /// <summary>The response.</summary>
    public ResponseWriter Response { get; }

    /// <summary>The client's socket address; null on a transport without one.</summary>
    public IPEndPoint? RemoteEndPoint => Connection.Transport.RemoteEndPoint;

    /// <summary>Whether the client speaks TLS.</summary>
    public bool IsTls => Connection.Transport.IsTls;

    /// <summary>
    /// A place for the application's own object. It stays when the exchange object is reused, so that what is
    /// allocated for one request serves the next.
    /// </summary>
    public object? ApplicationState { get; set; }

    /// <summary>Why the connection ended, when it has: what a response that the client did not get whole is put down to.</summary>
    public Transport.EndReason EndReason => Connection.Transport.EndReason;

    /// <summary>Whether the connection goes on after this exchange (RFC 9112 §9.3). Set false to close it.</summary>
    public bool IsPersistent { get; set; }

    /// <summary>
    /// Cancelled when the client closes or resets while the handler runs; never afterwards. Watches the connection from
    /// the first use on, which must be after the request's content was read.
    /// </summary>
    public CancellationToken Aborted
    {
        get
        {
            if (_aborted is null)
            {
                _aborted = new CancellationTokenSource();
                OnClientClosed(static (state, _) => ((CancellationTokenSource)state!).Cancel(), _aborted);
            }
            return _aborted.Token;
        }
    }

    /// <summary>
    /// The value of a path parameter of the route that a <see cref="Router"/> found, such as <c>id</c> of
    /// <c>/note/{id}</c>: as sent, not decoded, never empty. False where the route has none of that name.
    /// </summary>
    public bool TryGetPathValue(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        value = default;
        return Pattern is { } pattern && pattern.TryGet(Path, name, out value);
    }

    /// <summary>What the path fitted, where it has parameters.</summary>
    internal RoutePattern? Pattern { get; set; }

    /// <summary>The pool's, while the object is in it.</summary>
    internal Exchange? NextIdle { get; set; }

    internal ServerContext Server { get; }

    internal Http1Connection Connection { get; private set; } = null!;

    internal RequestHead Head => _head;

    internal bool IsUpgraded { get; private set; }

    /// <summary>Whether the watch saw the client close or reset.</summary>
    internal bool HasClientClosed => Volatile.Read(ref _hasClientClosed);

    /// <summary>
    /// Calls back once, on a socket's thread (or at once, when it has happened), if the client closes its side (false) or
    /// resets (true) before the handler completes. A client that closes may only have finished sending (RFC 9112 §9.6):
    /// what it means is the handler's to say. A client that sends 64 KiB of further requests meanwhile is no longer watched.
    /// Throws <see cref="InvalidOperationException"/> while the request's content was not read.
    /// </summary>
    public void OnClientClosed(Action<object?, bool> callback, object? state)
    {
        if (!Body.IsComplete) throw new InvalidOperationException("the request's content must be read first");
        bool hasClosed;
        lock (_closeLock)
        {
            hasClosed = _hasClientClosed;
            if (!hasClosed && _clientClosed is null)
            {
                _clientClosed = callback;
                _clientClosedState = state;
            }
            else if (!hasClosed)
            {
                // One more observer: keep both.
                _clientClosed = Both(_clientClosed!, _clientClosedState, callback, state);
            }
        }
        if (hasClosed) callback(state, _isClientReset);
        else Connection.BeginWatch();
    }

    // Apart from OnClientClosed, whose one observer must not pay for the closure.
    private static Action<object?, bool> Both(Action<object?, bool> first, object? firstState, Action<object?, bool> second, object? secondState) =>
        (_, reset) =>
        {
            first(firstState, reset);
            second(secondState, reset);
        };

    /// <summary>
    /// After the client closed its side: whether it has since refused bytes sent to it, that is, was gone.
    /// </summary>
    public bool HasClientReset => Connection.Transport.HasPeerReset;

    /// <summary>Ends the connection at once with a reset, so that an unfinished response cannot look complete.</summary>
    public void Abort() => Connection.Transport.Abort(Transport.EndReason.Aborted);

    /// <summary>
    /// Hands the connection over after a 101 (RFC 9110 §7.8): the pipes are the caller's until its handler returns,
    /// bytes that came early included. The connection closes then. A read of its input may report IsCanceled without
    /// a cause: read on. Throws <see cref="InvalidOperationException"/> while the client is watched or the request's
    /// content was not read.
    /// </summary>
    public Transport.Connection Upgrade()
    {
        if (Connection.IsWatching || !Body.IsComplete) throw new InvalidOperationException("the connection's input is in use");
        Response.TakeOutput();
        IsUpgraded = true;
        IsPersistent = false;
        Connection.ReleaseInput();
        return Connection.Transport;
    }

    /// <summary>Ends the watch: when it completes, no callback runs any more.</summary>
    internal ValueTask EndWatchAsync() => Connection.EndWatchAsync();

    internal void ClientClosed(bool reset)
    {
        Action<object?, bool>? callback;
        lock (_closeLock)
        {
            _isClientReset = reset;
            _hasClientClosed = true;
            callback = _clientClosed;
        }
        callback?.Invoke(_clientClosedState, reset);
    }

    internal void Attach(Http1Connection connection)
    {
        Connection = connection;
        Response.Attach(connection.Transport.Output);
    }

    /// <summary>Called when the head of the response ends: the last moment to say Connection: close.</summary>
    internal void SettlePersistence()
    {
        if (IsPersistent && (Server.IsDraining || !Body.CanDrain(Server.Limits.MaxDrainBytes, Response.Status))) IsPersistent = false;
    }

    internal void Reset()
    {
        _head.Reset();
        Body.Reset();
        Response.Reset();
        IsUpgraded = false;
        Pattern = null;
        _hasClientClosed = _isClientReset = false;
        _clientClosed = null;
        _clientClosedState = null;
        _aborted?.Dispose();
        _aborted = null;
    }
}

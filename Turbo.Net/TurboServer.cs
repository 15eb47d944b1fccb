using System.Net;
using System.Net.Sockets;
using Turbo.Net.Buffers;
using Turbo.Net.Diagnostics;
using Turbo.Net.Http1;
using Turbo.Net.Transport;
using Turbo.Net.Transport.Epoll;

namespace Turbo.Net;

/// <summary>
/// An HTTP/1.1 server: listeners, the table of open connections, and their orderly end.
/// <code>
/// TurboServer server = new(new() { EndPoints = [new(IPAddress.Loopback, 8080)] }, exchange =>
/// {
///     exchange.Response.Send(200, "text/plain"u8, "Hello, World!"u8);
///     return default;
/// });
/// server.Start();
/// </code>
/// </summary>
public sealed partial class TurboServer : IAsyncDisposable
{
    // Deadlines and the Date line are this exact.
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(250);

    // For what was ended to be gone.
    private static readonly TimeSpan s_lastPatience = TimeSpan.FromSeconds(5);

    private readonly ServerContext _context;
    private readonly ConnectionTable<Http1Connection> _connections = new();
    private readonly ConnectionTable<TlsHandshake> _handshakes = new();
    private readonly List<IListener> _listeners = [];
    private readonly LastWords _lastWords;
    private ITimer? _timer;
    private int _isStopping;

    /// <param name="options">Endpoints, limits, clock, log.</param>
    /// <param name="handler">Handles every request; see <see cref="Router"/>.</param>
    public TurboServer(TurboServerOptions options, RequestHandler handler)
    {
        if (options.TlsEndPoints.Count > 0) ArgumentNullException.ThrowIfNull(options.Tls);
        _context = new ServerContext(options, handler, new ServerMetrics(this));
        _lastWords = new LastWords(options.Limits, options.TimeProvider);
    }

    /// <summary>The bound addresses, ports resolved, those of TLS last; empty before <see cref="Start"/>.</summary>
    public IReadOnlyList<IPEndPoint> EndPoints => [.. _listeners.Select(static l => l.EndPoint)];

    /// <summary>Connections open now.</summary>
    public int ConnectionCount => _connections.Count;

    /// <summary>What it has done so far.</summary>
    public ServerMetrics Metrics => _context.Metrics;

    /// <summary>TLS handshakes under way now.</summary>
    public int HandshakeCount => _handshakes.Count;

    /// <summary>Binds every endpoint and accepts. Throws <see cref="SocketException"/> when one cannot be bound; then none is.</summary>
    public void Start()
    {
        try
        {
            foreach (IPEndPoint endPoint in _context.Options.EndPoints) Listen(endPoint, isTls: false);
            foreach (IPEndPoint endPoint in _context.Options.TlsEndPoints) Listen(endPoint, isTls: true);
        }
        catch
        {
            foreach (IListener listener in _listeners) _ = listener.StopAsync();
            _listeners.Clear();
            throw;
        }
        _timer = _context.Options.TimeProvider.CreateTimer(static state => ((TurboServer)state!).Tick(), this, s_tick, s_tick);
    }

    /// <summary>
    /// Stops accepting, closes idle connections, lets the exchanges in flight finish for at most
    /// <paramref name="timeout"/>, then resets what is left. Returns the number of connections it had to reset.
    /// </summary>
    public async Task<int> StopAsync(TimeSpan timeout)
    {
        if (Interlocked.Exchange(ref _isStopping, 1) != 0) return 0;
        _context.BeginDrain();
        foreach (IListener listener in _listeners) await listener.StopAsync().ConfigureAwait(false);
        // No request is in flight on them. What has just ended its handshake sees the drain as a connection.
        _handshakes.ForEach(static (handshake, _) => handshake.End(EndReason.Draining), 0L);
        await _handshakes.WhenEmpty().WaitAsync(s_lastPatience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _connections.ForEach(static (connection, _) => connection.BeginDrain(), 0L);
        int aborted = 0;
        try
        {
            await _connections.WhenEmpty().WaitAsync(timeout, _context.Options.TimeProvider).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            aborted = _connections.Count;
            _connections.ForEach(static (connection, _) => connection.Transport.Abort(EndReason.Draining), 0L);
            await _connections.WhenEmpty().WaitAsync(s_lastPatience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        if (_timer is not null) await _timer.DisposeAsync().ConfigureAwait(false);
        return aborted;
    }

    /// <summary>Stops at once.</summary>
    public async ValueTask DisposeAsync() => await StopAsync(TimeSpan.Zero).ConfigureAwait(false);

    /// <summary>Counts what the transports have not counted yet.</summary>
    internal void SettleTraffic()
    {
        if (!_context.Options.Transport.IsEpoll()) _connections.ForEach(static (connection, _) => connection.Transport.SettleTraffic(), 0L);
    }

    /// <summary>Serves a connection that did not come from a listener.</summary>
    internal Task ServeAsync(Connection transport) => RunAsync(new Http1Connection(_context, transport));

    private void Listen(IPEndPoint endPoint, bool isTls)
    {
        Action<Connection> accepted = isTls ? AcceptTls : Accept;
        IListener listener = _context.Options.Transport.IsEpoll()
            ? new EpollListener(endPoint, accepted, _context.Log.AcceptFailed, _context.Options.TimeProvider, _context.Metrics.Traffic)
            : new Listener(endPoint, socket => Accept(socket, isTls), _context.Log.AcceptFailed, _context.Options.TimeProvider);
        listener.Start();
        _listeners.Add(listener);
        _context.Log.Listening(listener.EndPoint, isTls);
    }

    private void Accept(Socket socket, bool isTls)
    {
        SocketTransport transport;
        try
        {
            if (!isTls && IsFull)
            {
                _context.Log.RequestRejected(socket.RemoteEndPoint as IPEndPoint, RejectReason.TooManyConnections);
                _lastWords.Say(socket, _context.Options.RefusalResponse.Span);
                return;
            }
            transport = new SocketTransport(socket, PinnedBlockPool.Shared, _context.Metrics.Traffic);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Gone between accept and here.
            socket.Dispose();
            return;
        }
        if (isTls) AcceptTls(transport);
        else _ = RunAsync(new Http1Connection(_context, transport));
    }

    private void Accept(Connection transport)
    {
        if (IsFull) _ = RefuseAsync(transport);
        else _ = RunAsync(new Http1Connection(_context, transport));
    }

    private void AcceptTls(Connection transport)
    {
        if (_handshakes.Count < _context.Limits.MaxHandshakes)
        {
            _ = ShakeHandsAsync(new TlsHandshake(_context, transport, _lastWords));
            return;
        }
        _context.Log.HandshakeFailed(transport.RemoteEndPoint, EndReason.TooManyHandshakes, null);
        transport.Close();
    }

    private async Task ShakeHandsAsync(TlsHandshake handshake)
    {
        _handshakes.Add(handshake);
        try
        {
            // One that was accepted while the drain began sees it here.
            if (_context.IsDraining) handshake.End(EndReason.Draining);
            TlsTransport? transport = await handshake.RunAsync().ConfigureAwait(false);
            if (transport is null) return;
            _context.Metrics.CountHandshake();
            // A refused one keeps the handshake's place, and may be ended with it. Another is in the one table before it
            // leaves the other, so that a stop waits for it.
            if (IsFull) await RefuseAsync(transport).ConfigureAwait(false);
            else if (handshake.TryHandOver()) _ = RunAsync(new Http1Connection(_context, transport));
            else transport.Close();
        }
        finally
        {
            _handshakes.Remove(handshake);
        }
    }

    private bool IsFull => _connections.Count >= _context.Limits.MaxConnections;

    private Task RefuseAsync(Connection transport)
    {
        _context.Log.RequestRejected(transport.RemoteEndPoint, RejectReason.TooManyConnections);
        return _lastWords.SayAsync(transport, _context.Options.RefusalResponse);
    }

    private async Task RunAsync(Http1Connection connection)
    {
        _context.Metrics.CountAccepted();
        _connections.Add(connection);
        try
        {
            // One that was accepted while the drain began sees it here or in its loop.
            if (_context.IsDraining) connection.BeginDrain();
            await connection.RunAsync().ConfigureAwait(false);
        }
        finally
        {
            _connections.Remove(connection);
        }
    }

    private void Tick()
    {
        _context.Clock.Update();
        _handshakes.ForEach(static (handshake, now) => handshake.Tick(now), _context.Clock.Now);
        _connections.ForEach(static (connection, now) => connection.Tick(now), _context.Clock.Now);
    }
}

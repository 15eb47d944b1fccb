using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Turbo.Net.Buffers;
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
public sealed class TurboServer : IAsyncDisposable
{
    // Deadlines and the Date line are this exact.
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(250);

    // Clients over the connection limit that are given time to read their 503; further ones may see a reset.
    private const int MaxRefused = 256;

    private readonly ServerContext _context;
    private readonly ConnectionTable _connections = new();
    private readonly List<IListener> _listeners = [];
    private ITimer? _timer;
    private int _refused;
    private int _isStopping;

    /// <param name="options">Endpoints, limits, clock, log.</param>
    /// <param name="handler">Handles every request; see <see cref="Router"/>.</param>
    public TurboServer(TurboServerOptions options, RequestHandler handler) => _context = new ServerContext(options, handler);

    /// <summary>The bound addresses, ports resolved; empty before <see cref="Start"/>.</summary>
    public IReadOnlyList<IPEndPoint> EndPoints => [.. _listeners.Select(static l => l.EndPoint)];

    /// <summary>Connections open now.</summary>
    public int ConnectionCount => _connections.Count;

    /// <summary>Binds every endpoint and accepts. Throws <see cref="SocketException"/> when one cannot be bound; then none is.</summary>
    public void Start()
    {
        try
        {
            foreach (IPEndPoint endPoint in _context.Options.EndPoints)
            {
                IListener listener = _context.Options.Transport.IsEpoll()
                    ? new EpollListener(endPoint, Accept, _context.Log.AcceptFailed, _context.Options.TimeProvider)
                    : new Listener(endPoint, Accept, _context.Log.AcceptFailed, _context.Options.TimeProvider);
                listener.Start();
                _listeners.Add(listener);
                _context.Log.Listening(listener.EndPoint);
            }
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
            await _connections.WhenEmpty().WaitAsync(TimeSpan.FromSeconds(5)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        if (_timer is not null) await _timer.DisposeAsync().ConfigureAwait(false);
        return aborted;
    }

    /// <summary>Stops at once.</summary>
    public async ValueTask DisposeAsync() => await StopAsync(TimeSpan.Zero).ConfigureAwait(false);

    /// <summary>Serves a connection that did not come from a listener.</summary>
    internal Task ServeAsync(Connection transport) => RunAsync(new Http1Connection(_context, transport));

    private void Accept(Socket socket)
    {
        if (_connections.Count >= _context.Limits.MaxConnections)
        {
            Refuse(socket);
            return;
        }
        SocketTransport transport;
        try
        {
            transport = new SocketTransport(socket, PinnedBlockPool.Shared);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Gone between accept and here.
            socket.Dispose();
            return;
        }
        _ = RunAsync(new Http1Connection(_context, transport));
    }

    private void Accept(Connection transport)
    {
        if (_connections.Count >= _context.Limits.MaxConnections) _ = RefuseAsync(transport);
        else _ = RunAsync(new Http1Connection(_context, transport));
    }

    private async Task RefuseAsync(Connection transport)
    {
        _context.Log.RequestRejected(transport.RemoteEndPoint, RejectReason.TooManyConnections);
        bool lingers = Interlocked.Increment(ref _refused) <= MaxRefused;
        using CancellationTokenSource timeout = new(_context.Limits.LingerTimeout, _context.Options.TimeProvider);
        await using CancellationTokenRegistration cutting = timeout.Token.UnsafeRegister(static state => ((Connection)state!).Abort(EndReason.Rejected), transport);
        try
        {
            transport.Output.Write(_context.Options.RefusalResponse.Span);
            await transport.Output.CompleteAsync().ConfigureAwait(false);
            // The request that the client has sent would turn a close into a reset that overtakes the 503.
            while (lingers && await transport.Input.ReadAsync().ConfigureAwait(false) is { IsCompleted: false } read) transport.Input.AdvanceTo(read.Buffer.End);
        }
        catch (Exception e) when (Http1Connection.IsTransportFault(e))
        {
            // It has reset, or does not close: either way this is the end.
        }
        Interlocked.Decrement(ref _refused);
        transport.Close();
    }

    private async Task RunAsync(Http1Connection connection)
    {
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

    private void Refuse(Socket socket)
    {
        try
        {
            _context.Log.RequestRejected(socket.RemoteEndPoint as IPEndPoint, RejectReason.TooManyConnections);
            // A fresh socket's buffer takes this at once or the client is not worth waiting for.
            socket.Blocking = false;
            socket.Send(_context.Options.RefusalResponse.Span);
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // The client has gone: nobody is left to tell.
            socket.Dispose();
            return;
        }
        _ = LingerAsync(socket);
    }

    // The request that the client has sent would turn a close into a reset that overtakes the 503.
    private async Task LingerAsync(Socket socket)
    {
        if (Interlocked.Increment(ref _refused) <= MaxRefused)
        {
            using CancellationTokenSource timeout = new(_context.Limits.LingerTimeout, _context.Options.TimeProvider);
            byte[] dropped = ArrayPool<byte>.Shared.Rent(4096);
            try
            {
                while (await socket.ReceiveAsync(dropped, timeout.Token).ConfigureAwait(false) > 0) { }
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // It has reset, or does not close: either way this is the end.
            }
            ArrayPool<byte>.Shared.Return(dropped);
        }
        Interlocked.Decrement(ref _refused);
        socket.Dispose();
    }

    private void Tick()
    {
        _context.Clock.Update();
        _connections.ForEach(static (connection, now) => connection.Tick(now), _context.Clock.Now);
    }
}

using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Turbo.Net.Buffers;
using Turbo.Net.Diagnostics;
using Turbo.Net.Transport;
using Turbo.Net.Transport.Epoll;

namespace Turbo.Net.Upstream;

/// <summary>
/// Persistent connections to one origin server. Renting and returning take no lock: a few slots are tried in order, so
/// that the most recently used connections stay busy and the rest age out; what does not fit them waits in a queue.
/// </summary>
public sealed class UpstreamPool : IAsyncDisposable
{
    // Deadlines, and how soon a client that left a waiting request is missed, are this exact.
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(100);

    private readonly UpstreamConnection?[] _slots = new UpstreamConnection?[32];
    private readonly ConcurrentQueue<UpstreamConnection> _overflow = new();
    private readonly Lock _tableLock = new();
    private readonly List<UpstreamConnection> _open = [];
    private readonly UpstreamResolver _resolver;
    private readonly ITimer _timer;
    private readonly long _start;
    private readonly bool _usesEpoll;
    private int _openCount;
    private long _retries;
    private long _now;
    private bool _isDisposed;

    /// <summary>Makes a pool; connections are opened when requests need them.</summary>
    public UpstreamPool(UpstreamOptions options)
    {
        Options = options;
        _usesEpoll = options.Transport.IsEpoll();
        Metrics = new UpstreamMetrics(this, options.TimeProvider);
        if (_usesEpoll && !options.IsTls && options.MaxPipes > 0) Pipes = new KernelPipes(options.MaxPipes);
        _resolver = new UpstreamResolver(options);
        _start = options.TimeProvider.GetTimestamp();
        _timer = options.TimeProvider.CreateTimer(static state => ((UpstreamPool)state!).Tick(), this, s_tick, s_tick);
    }

    /// <summary>What the pool was made with.</summary>
    public UpstreamOptions Options { get; }

    /// <summary>What its connections and exchanges have come to so far.</summary>
    public UpstreamMetrics Metrics { get; }

    /// <summary>Open connections, busy and idle.</summary>
    public int OpenCount => Volatile.Read(ref _openCount);

    /// <summary>Connections that wait for a request.</summary>
    public int IdleCount
    {
        get
        {
            int idle = _overflow.Count;
            foreach (UpstreamConnection? connection in _slots)
            {
                if (connection is not null) idle++;
            }
            return idle;
        }
    }

    /// <summary>Requests sent a second time because a pooled connection was found dead.</summary>
    public long Retries => Volatile.Read(ref _retries);

    /// <summary>What contents are spliced through; null where they are not.</summary>
    internal KernelPipes? Pipes { get; }

    /// <summary>Milliseconds since the pool was made, as of the last tick.</summary>
    internal long Now => Volatile.Read(ref _now);

    /// <summary>An idle connection that is open, silent and current; null when there is none.</summary>
    internal UpstreamConnection? TryRent()
    {
        while (Pop() is { } connection)
        {
            if (IsUsable(connection)) return connection;
            Discard(connection, EndReason.PeerClosed);
        }
        return null;
    }

    /// <summary>Takes back a connection whose exchange ended cleanly.</summary>
    internal void Return(UpstreamConnection connection)
    {
        connection.User = null;
        connection.IdleSince = Now;
        Keep(connection);
    }

    private void Keep(UpstreamConnection connection)
    {
        if (Volatile.Read(ref _isDisposed))
        {
            Discard(connection, EndReason.Draining);
            return;
        }
        for (int i = 0; i < _slots.Length; i++)
        {
            if (_slots[i] is null && Interlocked.CompareExchange(ref _slots[i], connection, null) is null) return;
        }
        _overflow.Enqueue(connection);
    }

    /// <summary>Ends a connection that must not be used again: an idle one politely, a broken exchange with a reset.</summary>
    internal void Discard(UpstreamConnection connection, EndReason reason)
    {
        connection.User = null;
        if (reason is EndReason.IdleTimeout or EndReason.Draining or EndReason.PeerClosed or EndReason.NotPersistent)
        {
            connection.Transport.SetEndReason(reason);
        }
        else
        {
            connection.Transport.Abort(reason);
        }
        connection.Transport.Close();
        lock (_tableLock)
        {
            int at = connection.TableIndex;
            if (at < 0) return;
            connection.TableIndex = -1;
            UpstreamConnection last = _open[^1];
            _open.RemoveAt(_open.Count - 1);
            if (!ReferenceEquals(last, connection))
            {
                _open[at] = last;
                last.TableIndex = at;
            }
        }
        Interlocked.Decrement(ref _openCount);
    }

    internal void CountRetry() => Interlocked.Increment(ref _retries);

    /// <summary>
    /// Opens a connection, trying each address of the name. Throws <see cref="SocketException"/>,
    /// <see cref="AuthenticationException"/> or <see cref="TimeoutException"/>; null when the pool is full, or the process
    /// short of descriptors.
    /// </summary>
    internal async Task<UpstreamConnection?> ConnectAsync()
    {
        if (Interlocked.Increment(ref _openCount) > Options.MaxConnections || Descriptors.AreVeryScarce())
        {
            Interlocked.Decrement(ref _openCount);
            Metrics.CountRefused();
            return null;
        }
        try
        {
            UpstreamConnection connection = new(this, await OpenAsync().ConfigureAwait(false));
            lock (_tableLock)
            {
                connection.TableIndex = _open.Count;
                _open.Add(connection);
            }
            Metrics.CountConnect();
            return connection;
        }
        catch (Exception e)
        {
            Interlocked.Decrement(ref _openCount);
            Metrics.CountConnectFailure();
            Options.ConnectFailed?.Invoke(e);
            throw;
        }
    }

    /// <summary>Closes the idle connections at once and each busy one when its exchange ends.</summary>
    public async ValueTask DisposeAsync()
    {
        Volatile.Write(ref _isDisposed, true);
        await _timer.DisposeAsync().ConfigureAwait(false);
        while (Pop() is { } connection) Discard(connection, EndReason.Draining);
        Pipes?.Close();
    }

    /// <summary>Counts what the transports have not counted yet.</summary>
    internal void SettleTraffic()
    {
        if (_usesEpoll) return;
        UpstreamConnection[] open;
        lock (_tableLock) open = [.. _open];
        foreach (UpstreamConnection connection in open) connection.Transport.SettleTraffic();
    }

    private async Task<Connection> OpenAsync()
    {
        using CancellationTokenSource timeout = new(Options.ConnectTimeout, Options.TimeProvider);
        try
        {
            IPAddress[] addresses = await _resolver.ResolveAsync(timeout.Token).ConfigureAwait(false);
            SocketException? last = null;
            foreach (IPAddress address in addresses)
            {
                try
                {
                    Connection connection = await ConnectAsync(new IPEndPoint(address, Options.Port), timeout.Token).ConfigureAwait(false);
                    return Options.IsTls ? await HandshakeAsync(connection, timeout.Token).ConfigureAwait(false) : connection;
                }
                catch (SocketException e)
                {
                    // The next address may answer.
                    last = e;
                }
            }
            throw last!;
        }
        catch (OperationCanceledException e) when (timeout.IsCancellationRequested)
        {
            throw new TimeoutException("connecting upstream took too long", e);
        }
    }

    private async Task<Connection> ConnectAsync(IPEndPoint endPoint, CancellationToken cancellation)
    {
        if (_usesEpoll) return await EpollTransport.ConnectAsync(endPoint, Metrics.Traffic, cancellation).ConfigureAwait(false);
        Socket socket = new(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(endPoint, cancellation).ConfigureAwait(false);
            return new SocketTransport(socket, PinnedBlockPool.Shared, Metrics.Traffic);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task<Connection> HandshakeAsync(Connection below, CancellationToken cancellation)
    {
        // The handshake judges the origin's certificate, on the thread pool.
        TlsInnerStream inner = new(below, work: null);
        SslStream stream = new(inner);
        SslClientAuthenticationOptions tls = new()
        {
            TargetHost = Options.Host,
            ApplicationProtocols = [SslApplicationProtocol.Http11],
        };
        Options.ConfigureTls?.Invoke(tls);
        try
        {
            await using (cancellation.UnsafeRegister(static state => ((Connection)state!).Abort(EndReason.HandshakeTimeout), below))
                await stream.AuthenticateAsClientAsync(tls, CancellationToken.None).ConfigureAwait(false);
            cancellation.ThrowIfCancellationRequested();
        }
        catch (Exception e)
        {
            await stream.DisposeAsync().ConfigureAwait(false);
            below.Close();
            cancellation.ThrowIfCancellationRequested();
            if (!Http1.Http1Connection.IsTransportFault(e)) throw;
            throw new AuthenticationException("the TLS handshake failed", e);
        }
        return new TlsTransport(below, inner, stream);
    }

    // One on the caller's event loop before any other, so that both sides of an exchange stay on one thread.
    private UpstreamConnection? Pop()
    {
        for (int i = 0; i < _slots.Length; i++)
        {
            if (Volatile.Read(ref _slots[i]) is { } near && near.Transport.IsHere && Interlocked.CompareExchange(ref _slots[i], null, near) == near) return near;
        }
        for (int i = 0; i < _slots.Length; i++)
        {
            if (_slots[i] is not null && Interlocked.Exchange(ref _slots[i], null) is { } connection) return connection;
        }
        return _overflow.TryDequeue(out UpstreamConnection? queued) ? queued : null;
    }

    private bool IsUsable(UpstreamConnection connection) => IsYoung(connection) && connection.IsClean() && IsCurrent(connection);

    private void Tick()
    {
        Volatile.Write(ref _now, (long)Options.TimeProvider.GetElapsedTime(_start).TotalMilliseconds);
        Pipes?.Tick(Now);
        UpstreamConnection[] open;
        int count;
        lock (_tableLock)
        {
            count = _open.Count;
            if (count == 0) return;
            open = ArrayPool<UpstreamConnection>.Shared.Rent(count);
            _open.CopyTo(open);
        }
        _resolver.RefreshIfOld();
        for (int i = 0; i < count; i++) open[i].Tick(Now);
        ArrayPool<UpstreamConnection>.Shared.Return(open, clearArray: true);
        EvictIdle();
    }

    /// <summary>Ends idle connections that are old or dead; each is rented while it is looked at, so nobody else holds it.</summary>
    private void EvictIdle()
    {
        for (int i = 0; i < _slots.Length; i++)
        {
            if (_slots[i] is { } idle && MayBeOver(idle) && Interlocked.Exchange(ref _slots[i], null) is { } connection) KeepOrDiscard(connection);
        }
        for (int i = _overflow.Count; i > 0 && _overflow.TryDequeue(out UpstreamConnection? queued); i--) KeepOrDiscard(queued);
    }

    // A request that comes while a connection is looked at opens another: so only what may be over is.
    private bool MayBeOver(UpstreamConnection idle) => !IsYoung(idle) || idle.Transport.MayHaveInput || !IsCurrent(idle);

    private bool IsYoung(UpstreamConnection idle) => Now - idle.IdleSince < (long)Options.PooledIdleTimeout.TotalMilliseconds;

    private bool IsCurrent(UpstreamConnection idle) => _resolver.IsCurrent(idle.Transport.RemoteEndPoint?.Address);

    private void KeepOrDiscard(UpstreamConnection connection)
    {
        if (!IsUsable(connection))
        {
            Discard(connection, EndReason.IdleTimeout);
            return;
        }
        Keep(connection);
    }
}

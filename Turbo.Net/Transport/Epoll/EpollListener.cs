using System.Net;
using System.Net.Sockets;
using Turbo.Net.Diagnostics;

namespace Turbo.Net.Transport.Epoll;

/// <summary>
/// Accepts connections on an event loop. Outlives descriptor exhaustion and connections that died in the backlog: only
/// <see cref="StopAsync"/> ends it.
/// </summary>
internal sealed class EpollListener(IPEndPoint endPoint, Action<Connection> accepted, Action<Exception> failed, TimeProvider time, Traffic traffic) : IListener, IEpollHandler
{
    // Connections taken for one event, before other descriptors of the loop have their turn.
    private const int BatchSize = 64;

    // How long to wait when the process is short of descriptors; connections wait in the backlog meanwhile.
    private static readonly TimeSpan s_exhaustedPause = TimeSpan.FromMilliseconds(100);

    private readonly EventLoop _loop = EventLoops.Next();
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private Socket? _socket;
    private SocketAddress? _peer;
    private ITimer? _pause;
    private int _fd;
    private bool _isStopping;
    private bool _hasStopped;

    public IPEndPoint EndPoint { get; private set; } = endPoint;

    public void Start()
    {
        Socket socket = Listener.Bind(EndPoint);
        try
        {
            // What is accepted has the option as well.
            socket.NoDelay = true;
            socket.Blocking = false;
            EndPoint = (IPEndPoint)socket.LocalEndPoint!;
            _peer = new SocketAddress(EndPoint.AddressFamily);
            _fd = (int)socket.SafeHandle.DangerousGetHandle();
            _pause = time.CreateTimer(static state => ((EpollListener)state!).Resume(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _socket = socket;
            _loop.Register(_fd, Libc.In, this);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public Task StopAsync()
    {
        if (_socket is null) return Task.CompletedTask;
        Volatile.Write(ref _isStopping, true);
        _loop.Post(this);
        return _stopped.Task;
    }

    public void OnEvents(uint events)
    {
        for (int i = 0; i < BatchSize && !Volatile.Read(ref _isStopping); i++)
        {
            int fd = Libc.Accept(_fd, _peer!);
            if (fd >= 0)
            {
                Take(fd);
                if (!Descriptors.IsScarce(fd) || !Descriptors.AreScarce()) continue;
                failed(Descriptors.ToException());
                Pause();
                return;
            }
            int errno = Libc.Errno;
            if (errno == Libc.Again) return;
            // One connection's own failure: the next may be sound (accept(2)).
            if (errno is Libc.Interrupted or Libc.ConnectionAborted or Libc.ProtocolError) continue;
            failed(Libc.ToException(errno));
            // Any other failure would come again at once.
            Pause();
            return;
        }
    }

    public void OnPosted()
    {
        lock (_gate)
        {
            if (_hasStopped) return;
            _hasStopped = true;
            _pause!.Dispose();
            _loop.Replace(_fd, null);
            _socket!.Dispose();
        }
        _stopped.SetResult();
    }

    private void Take(int fd)
    {
        IPEndPoint remote = (IPEndPoint)EndPoint.Create(_peer!);
        EpollTransport transport;
        try
        {
            transport = EpollTransport.Adopt(fd, remote, traffic);
        }
        catch (SocketException e)
        {
            failed(e);
            return;
        }
        accepted(transport);
    }

    private void Pause()
    {
        _loop.Modify(_fd, 0);
        _pause!.Change(s_exhaustedPause, Timeout.InfiniteTimeSpan);
    }

    private void Resume()
    {
        lock (_gate)
        {
            if (_hasStopped) return;
            if (Descriptors.AreScarce()) _pause!.Change(s_exhaustedPause, Timeout.InfiniteTimeSpan);
            else _loop.Modify(_fd, Libc.In);
        }
    }
}

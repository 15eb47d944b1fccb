using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Turbo.Net.Transport.Epoll;

namespace Turbo.Bench.Load;

/// <summary>
/// One thread, one epoll, all connections: whatever a client costs beyond a system call for each read and write would be
/// taken from the server it measures. Linux only, as the measures of /proc are.
/// </summary>
internal sealed unsafe class LoadLoop : IDisposable
{
    private const int MaxEvents = 512;

    private readonly int _epoll;
    private readonly byte[] _events = GC.AllocateUninitializedArray<byte>(MaxEvents * Libc.EventBytes, pinned: true);
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(256 * 1024, pinned: true);
    private readonly IPEndPoint _server;
    private LoadConnection?[] _byDescriptor = new LoadConnection?[1024];

    public LoadLoop(IPEndPoint server)
    {
        if (!Libc.IsSupported) throw new BenchException("the load client needs Linux on x86-64 or arm64");
        _server = server;
        _epoll = Libc.EpollCreate(Libc.CloseOnExec);
        if (_epoll < 0) throw Libc.ToException(Libc.Errno);
    }

    /// <summary>Answers that were not what was asked for, and connections that ended.</summary>
    public long Failures { get; private set; }

    public string? FirstFailure { get; private set; }

    /// <summary>Connections that are open.</summary>
    public int Open { get; private set; }

    /// <summary>Connects; what comes is the connection's from now on.</summary>
    public void Add(LoadConnection connection)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(_server);
        socket.Blocking = false;
        // A reset leaves no port behind in TIME_WAIT: thousands of connections come and go in a run.
        socket.LingerState = new LingerOption(true, 0);
        int fd = (int)socket.Handle;
        if (fd >= _byDescriptor.Length) Array.Resize(ref _byDescriptor, Math.Max(fd + 1, 2 * _byDescriptor.Length));
        _byDescriptor[fd] = connection;
        connection.Attach(this, socket, fd);
        if (Libc.EpollControl(_epoll, Libc.CtlAdd, fd, Libc.In) != 0) throw Libc.ToException(Libc.Errno);
        Open++;
    }

    /// <summary>Waits for what comes, so many milliseconds at most, and handles it.</summary>
    public void Wait(int timeout)
    {
        fixed (byte* events = _events)
        {
            int count = Libc.EpollWait(_epoll, events, MaxEvents, timeout);
            for (int i = 0; i < count; i++)
            {
                byte* one = events + i * Libc.EventBytes;
                uint mask = *(uint*)one;
                if (_byDescriptor[*(int*)(one + Libc.EventDataAt)] is not { } connection) continue;
                if ((mask & Libc.Out) != 0) connection.Continue();
                if ((mask & ~Libc.Out) != 0) Receive(connection);
            }
        }
    }

    /// <summary>How much of the bytes the socket took; the connection keeps the rest.</summary>
    internal int Send(LoadConnection connection, ReadOnlySpan<byte> bytes)
    {
        nint sent;
        fixed (byte* first = bytes) sent = Libc.Send(connection.Descriptor, (nint)first, bytes.Length, Libc.NoSignal);
        if (sent >= 0) return (int)sent;
        if (Libc.Errno is Libc.Again or Libc.Interrupted) return 0;
        Fail(connection, $"send: {Libc.ToException(Libc.Errno).SocketErrorCode}");
        return bytes.Length;
    }

    /// <summary>Whether the connection is to be told when there is room to send.</summary>
    internal void AwaitRoom(LoadConnection connection, bool waits) => _ = Libc.EpollControl(_epoll, Libc.CtlModify, connection.Descriptor, waits ? Libc.In | Libc.Out : Libc.In);

    /// <summary>Counts a failure and ends the connection.</summary>
    internal void Fail(LoadConnection connection, string what)
    {
        Failures++;
        FirstFailure ??= what;
        Close(connection);
    }

    internal void Close(LoadConnection connection)
    {
        if (_byDescriptor[connection.Descriptor] != connection) return;
        _byDescriptor[connection.Descriptor] = null;
        connection.Socket.Dispose();
        connection.IsClosed = true;
        Open--;
    }

    public void Dispose()
    {
        foreach (LoadConnection? connection in _byDescriptor) if (connection is not null) Close(connection);
        _ = Libc.Close(_epoll);
    }

    private void Receive(LoadConnection connection)
    {
        nint received;
        fixed (byte* first = _buffer) received = Libc.Receive(connection.Descriptor, (nint)first, _buffer.Length, 0);
        if (received < 0 && Libc.Errno is Libc.Again or Libc.Interrupted) return;
        if (received <= 0)
        {
            Fail(connection, received == 0 ? "the server ended a connection" : $"receive: {Libc.ToException(Libc.Errno).SocketErrorCode}");
            return;
        }
        try
        {
            connection.OnReceived(_buffer.AsSpan(0, (int)received), Stopwatch.GetTimestamp());
        }
        catch (InvalidDataException e)
        {
            Fail(connection, e.Message);
        }
    }
}

using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Turbo.Net.Buffers;
using Turbo.Net.Diagnostics;

namespace Turbo.Net.Transport.Epoll;

/// <summary>
/// A socket on an <see cref="EventLoop"/>: reads and writes are tried at once, on whatever thread asks for them; what the
/// kernel cannot do now goes on, inline, on the loop's thread when it can. Nothing is read that nobody asked for, so
/// that a connection which waits holds no block. The descriptor is closed on the loop's thread alone, when its owner is
/// done; an abort of another thread resets the connection but leaves the descriptor open.
/// </summary>
internal sealed partial class EpollTransport : Connection, IEpollHandler
{
    private const uint Events = Libc.In | Libc.Out | Libc.ReadHangUp | Libc.EdgeTriggered;

    private readonly EpollInput _input;
    private readonly EpollOutput _output;
    private readonly Lock _gate = new();
    private TaskCompletionSource? _connecting;
    private TaskCompletionSource? _outputEnded;
    private IPEndPoint? _local;
    private bool _hasOutputEnded;
    private bool _isClosing;
    private bool _isClosed;
    private bool _hasPeerReset;

    private EpollTransport(int fd, EventLoop loop, IPEndPoint? remote, Traffic traffic)
    {
        Fd = fd;
        Loop = loop;
        RemoteEndPoint = remote;
        _input = new EpollInput(this, PinnedBlockPool.Shared, traffic);
        _output = new EpollOutput(this, PinnedBlockPool.Shared, traffic);
    }

    /// <summary>The descriptor: open until the loop has closed it, which is after its owner's last read and write.</summary>
    public int Fd { get; }

    public EventLoop Loop { get; }

    /// <summary>Whether the descriptor was closed. Exact on the loop's thread.</summary>
    public bool IsClosed => Volatile.Read(ref _isClosed);

    public override PipeReader Input => _input;

    public override PipeWriter Output => _output;

    public override IPEndPoint? RemoteEndPoint { get; }

    public override IPEndPoint? LocalEndPoint
    {
        get
        {
            lock (_gate)
            {
                if (_local is not null || _isClosed || RemoteEndPoint is not { } remote) return _local;
                return _local = Libc.LocalAddress(Fd, remote.AddressFamily) is { } address ? (IPEndPoint)remote.Create(address) : null;
            }
        }
    }

    public override Task OutputEnded
    {
        get
        {
            lock (_gate)
            {
                if (_hasOutputEnded) return Task.CompletedTask;
                _outputEnded ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                return _outputEnded.Task;
            }
        }
    }

    public override bool HasPeerReset
    {
        get
        {
            lock (_gate)
            {
                if (_isClosed || Libc.TakeError(Fd) != 0) _hasPeerReset = true;
                return _hasPeerReset;
            }
        }
    }

    public override bool HasArrived
    {
        get
        {
            lock (_gate) return _isClosed || Libc.HasArrived(Fd);
        }
    }

    internal override bool MayHaveInput => _input.MayHaveInput;

    internal override bool IsHere => Loop.IsCurrent;

    public override long BytesTaken
    {
        get
        {
            lock (_gate) return _isClosed ? -1 : Libc.BytesAcknowledged(Fd);
        }
    }

    /// <summary>Takes a connected socket over.</summary>
    /// <param name="fd">Non-blocking, with NoDelay set; it is this object's from now on, also when it throws.</param>
    /// <param name="remote">The peer's address.</param>
    /// <param name="traffic">Counts its bytes.</param>
    /// <exception cref="SocketException">The kernel refuses.</exception>
    public static EpollTransport Adopt(int fd, IPEndPoint remote, Traffic traffic)
    {
        EpollTransport transport = new(fd, EventLoops.Next(), remote, traffic);
        transport.Register();
        return transport;
    }

    /// <summary>Connects.</summary>
    /// <exception cref="SocketException">It cannot.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static async Task<EpollTransport> ConnectAsync(IPEndPoint peer, Traffic traffic, CancellationToken cancellation)
    {
        int fd = Libc.Socket(NativeFamily(peer), Libc.Stream | Libc.NonBlocking | Libc.CloseOnExec, 0);
        if (fd < 0) throw Libc.ToException(Libc.Errno);
        Libc.SetNoDelay(fd);
        EpollTransport transport = new(fd, EventLoops.Here(), peer, traffic);
        TaskCompletionSource connecting = new(TaskCreationOptions.RunContinuationsAsynchronously);
        transport._connecting = connecting;
        // Registered only then: a socket that nobody connects looks hung up.
        int errno = Libc.Connect(fd, peer.Serialize()) == 0 ? 0 : Libc.Errno;
        if (errno is not (0 or Libc.InProgress))
        {
            _ = Libc.Close(fd);
            throw Libc.ToException(errno);
        }
        transport.Register();
        try
        {
            await using (cancellation.UnsafeRegister(static (state, token) => ((TaskCompletionSource)state!).TrySetCanceled(token), connecting))
                await connecting.Task.ConfigureAwait(false);
        }
        catch
        {
            transport.Close();
            throw;
        }
        return transport;
    }

    internal override long SendThrough(in ReadOnlySequence<byte> content, ReadOnlySpan<byte> end) => _output.SendThrough(content, end);

    public override void Abort(EndReason reason)
    {
        if (!BeginAbort(reason)) return;
        lock (_gate)
        {
            // Its events wake whoever waits to read or write.
            if (!_isClosed) Libc.Disconnect(Fd);
        }
        EndOutput();
    }

    public override void Close()
    {
        lock (_gate)
        {
            if (_isClosing) return;
            _isClosing = true;
        }
        if (Loop.IsCurrent) FinishClose();
        else Loop.Post(this);
    }

    public void OnEvents(uint events)
    {
        if ((events & (Libc.Error | Libc.HangUp)) != 0) events |= Libc.In | Libc.Out;
        if ((events & Libc.Out) != 0)
        {
            if (_connecting is not null) Connected();
            _output.OnWritable();
        }
        if (!IsClosed && (events & (Libc.In | Libc.ReadHangUp)) != 0) _input.OnReadable((events & (Libc.ReadHangUp | Libc.Error | Libc.HangUp)) != 0);
    }

    public void OnPosted()
    {
        if (Volatile.Read(ref _isClosing))
        {
            if (!_isClosed) FinishClose();
            return;
        }
        _output.OnTurn();
        if (!IsClosed) _input.OnTurn();
    }

    /// <summary>Everything was handed to the peer's side, or cannot be.</summary>
    public void EndOutput()
    {
        TaskCompletionSource? ended;
        lock (_gate)
        {
            if (_hasOutputEnded) return;
            _hasOutputEnded = true;
            ended = _outputEnded;
        }
        ended?.TrySetResult();
    }

    /// <summary>The peer refused bytes.</summary>
    public void PeerReset()
    {
        lock (_gate) _hasPeerReset = true;
    }

    private static int NativeFamily(IPEndPoint peer) => peer.AddressFamily == AddressFamily.InterNetworkV6 ? 10 : 2;

    private void Register()
    {
        try
        {
            Loop.Register(Fd, Events, this);
        }
        catch
        {
            _ = Libc.Close(Fd);
            throw;
        }
    }

    private void Connected()
    {
        TaskCompletionSource connecting = _connecting!;
        _connecting = null;
        int errno = Libc.TakeError(Fd);
        if (errno == 0) connecting.TrySetResult();
        else connecting.TrySetException(Libc.ToException(errno));
    }

    // On the loop's thread, so that it is in none of its own reads and writes of this descriptor.
    private void FinishClose()
    {
        lock (_gate)
        {
            _isClosed = true;
            // Bytes not sent are lost, and the peer is to see that.
            if (_output.HasUnsent && !IsAborted) Libc.SetResetOnClose(Fd);
            Loop.Close(Fd);
        }
        _output.Closed();
        _input.Closed();
        EndOutput();
    }
}

using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Turbo.Net.Transport.Epoll;

/// <summary>
/// The system calls of the epoll transport, as Linux on x86-64 and arm64 has them. None blocks but
/// <see cref="EpollWait"/>; those that fail return -1 and leave <see cref="Errno"/>.
/// </summary>
internal static unsafe partial class Libc
{
    public const uint In = 0x001, Out = 0x004, Error = 0x008, HangUp = 0x010, ReadHangUp = 0x2000, EdgeTriggered = 1u << 31;

    public const int CtlAdd = 1, CtlDelete = 2, CtlModify = 3;

    public const int Interrupted = 4, Again = 11, NoMemory = 12, SystemFiles = 23, ProcessFiles = 24, ProtocolError = 71, ConnectionAborted = 103, NoBuffers = 105, InProgress = 115;

    public const int NotPermitted = 1, Invalid = 22, NoSystemCall = 38, NotSupported = 95;

    public const int SetPipeBytes = 1031, GetPipeBytes = 1032;

    public const uint SpliceMove = 1, SpliceNonBlocking = 2;

    public const int Stream = 1, NonBlocking = 0x800, CloseOnExec = 0x80000, NoSignal = 0x4000, Peek = 2, ShutWrite = 1;

    private const int SocketLevel = 1, SocketError = 4, SocketLinger = 13, TcpLevel = 6, TcpNoDelay = 1, TcpInfo = 11;
    private const int BytesAckedAt = 120;

    /// <summary>The error number of the last call on this thread. Read it right after the call.</summary>
    public static int Errno => Marshal.GetLastSystemError();

    /// <summary>One event of epoll: packed on x86-64 alone.</summary>
    public static int EventBytes { get; } = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;

    /// <summary>Where in an event its data is.</summary>
    public static int EventDataAt { get; } = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;

    public static bool IsSupported { get; } =
        OperatingSystem.IsLinux() && BitConverter.IsLittleEndian && RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.Arm64;

    [StructLayout(LayoutKind.Sequential)]
    public struct IoVector
    {
        public nint Base;
        public nint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct Message
    {
        public nint Name;
        public uint NameLength;
        public IoVector* Vectors;
        public nint VectorCount;
        public nint Control;
        public nint ControlLength;
        public int Flags;
    }

    [LibraryImport("libc", EntryPoint = "epoll_create1")]
    public static partial int EpollCreate(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_wait")]
    public static partial int EpollWait(int epoll, byte* events, int maxEvents, int timeout);

    [LibraryImport("libc", EntryPoint = "eventfd")]
    public static partial int EventFd(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "recv")]
    public static partial nint Receive(int fd, nint buffer, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "recvmsg")]
    public static partial nint ReceiveMessage(int fd, Message* message, int flags);

    [LibraryImport("libc", EntryPoint = "send")]
    public static partial nint Send(int fd, nint buffer, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "sendmsg")]
    public static partial nint SendMessage(int fd, Message* message, int flags);

    [LibraryImport("libc", EntryPoint = "read")]
    public static partial nint Read(int fd, byte* buffer, nint length);

    [LibraryImport("libc", EntryPoint = "write")]
    public static partial nint Write(int fd, byte* buffer, nint length);

    [LibraryImport("libc", EntryPoint = "pipe2")]
    public static partial int Pipe(int* ends, int flags);

    [LibraryImport("libc", EntryPoint = "fcntl")]
    public static partial int Control(int fd, int command, int argument);

    [LibraryImport("libc", EntryPoint = "splice")]
    public static partial nint Splice(int from, nint fromOffset, int to, nint toOffset, nint length, uint flags);

    [LibraryImport("libc", EntryPoint = "close")]
    public static partial int Close(int fd);

    [LibraryImport("libc", EntryPoint = "shutdown")]
    public static partial int Shutdown(int fd, int how);

    [LibraryImport("libc", EntryPoint = "socket")]
    public static partial int Socket(int family, int type, int protocol);

    /// <summary>Registers, changes or removes a descriptor; its events carry its number.</summary>
    public static int EpollControl(int epoll, int operation, int fd, uint events)
    {
        byte* data = stackalloc byte[16];
        *(uint*)data = events;
        *(long*)(data + EventDataAt) = fd;
        return EpollCtl(epoll, operation, fd, data);
    }

    /// <summary>Takes a connection off the backlog, non-blocking; <paramref name="peer"/> is filled.</summary>
    public static int Accept(int fd, SocketAddress peer)
    {
        uint length = (uint)peer.Buffer.Length;
        int accepted;
        fixed (byte* address = peer.Buffer.Span) accepted = Accept4(fd, address, &length, NonBlocking | CloseOnExec);
        if (accepted >= 0) peer.Size = (int)Math.Min(length, (uint)peer.Buffer.Length);
        return accepted;
    }

    public static int Connect(int fd, SocketAddress peer)
    {
        fixed (byte* address = peer.Buffer.Span) return Connect(fd, address, (uint)peer.Size);
    }

    /// <summary>Resets a connection while its descriptor stays open: nobody's read or write meets another socket's.</summary>
    public static void Disconnect(int fd)
    {
        byte* unspecified = stackalloc byte[16];
        new Span<byte>(unspecified, 16).Clear();
        _ = Connect(fd, unspecified, 16);
    }

    public static void SetNoDelay(int fd)
    {
        int on = 1;
        _ = SetOption(fd, TcpLevel, TcpNoDelay, (byte*)&on, sizeof(int));
    }

    /// <summary>Closing sends a reset.</summary>
    public static void SetResetOnClose(int fd)
    {
        long linger = 1;
        _ = SetOption(fd, SocketLevel, SocketLinger, (byte*)&linger, sizeof(long));
    }

    /// <summary>The error that waits on a socket, which it then forgets; 0 when there is none.</summary>
    public static int TakeError(int fd)
    {
        int error = 0;
        uint length = sizeof(int);
        return GetOption(fd, SocketLevel, SocketError, (byte*)&error, &length) == 0 ? error : Errno;
    }

    /// <summary>Whether there is something to receive: bytes, FIN or a reset.</summary>
    public static bool HasArrived(int fd)
    {
        byte first;
        return Receive(fd, (nint)(&first), 1, Peek) >= 0 || Errno != Again;
    }

    /// <summary>Bytes that the peer's side has acknowledged; -1 where the kernel does not tell.</summary>
    public static long BytesAcknowledged(int fd)
    {
        byte* info = stackalloc byte[BytesAckedAt + sizeof(long)];
        uint length = BytesAckedAt + sizeof(long);
        return GetOption(fd, TcpLevel, TcpInfo, info, &length) == 0 && length == BytesAckedAt + sizeof(long) ? *(long*)(info + BytesAckedAt) : -1;
    }

    /// <summary>This side's address, or null where it has none any more.</summary>
    public static SocketAddress? LocalAddress(int fd, AddressFamily family)
    {
        SocketAddress local = new(family);
        uint length = (uint)local.Buffer.Length;
        fixed (byte* address = local.Buffer.Span)
        {
            if (GetSockName(fd, address, &length) != 0) return null;
        }
        local.Size = (int)Math.Min(length, (uint)local.Buffer.Length);
        return local;
    }

    /// <summary>The exception of an error number, as the runtime's sockets would throw it.</summary>
    public static SocketException ToException(int errno) => new((int)(errno switch
    {
        1 or 13 => System.Net.Sockets.SocketError.AccessDenied,
        Again => System.Net.Sockets.SocketError.WouldBlock,
        ProcessFiles or SystemFiles => System.Net.Sockets.SocketError.TooManyOpenSockets,
        NoBuffers or NoMemory => System.Net.Sockets.SocketError.NoBufferSpaceAvailable,
        32 => System.Net.Sockets.SocketError.Shutdown,
        97 => System.Net.Sockets.SocketError.AddressFamilyNotSupported,
        98 => System.Net.Sockets.SocketError.AddressAlreadyInUse,
        99 => System.Net.Sockets.SocketError.AddressNotAvailable,
        100 => System.Net.Sockets.SocketError.NetworkDown,
        101 => System.Net.Sockets.SocketError.NetworkUnreachable,
        103 => System.Net.Sockets.SocketError.ConnectionAborted,
        104 => System.Net.Sockets.SocketError.ConnectionReset,
        107 => System.Net.Sockets.SocketError.NotConnected,
        110 => System.Net.Sockets.SocketError.TimedOut,
        111 => System.Net.Sockets.SocketError.ConnectionRefused,
        112 => System.Net.Sockets.SocketError.HostDown,
        113 => System.Net.Sockets.SocketError.HostUnreachable,
        125 => System.Net.Sockets.SocketError.OperationAborted,
        _ => System.Net.Sockets.SocketError.SocketError,
    }));

    [LibraryImport("libc", EntryPoint = "epoll_ctl")]
    private static partial int EpollCtl(int epoll, int operation, int fd, byte* data);

    [LibraryImport("libc", EntryPoint = "accept4")]
    private static partial int Accept4(int fd, byte* address, uint* length, int flags);

    [LibraryImport("libc", EntryPoint = "connect")]
    private static partial int Connect(int fd, byte* address, uint length);

    [LibraryImport("libc", EntryPoint = "getsockname")]
    private static partial int GetSockName(int fd, byte* address, uint* length);

    [LibraryImport("libc", EntryPoint = "setsockopt")]
    private static partial int SetOption(int fd, int level, int name, byte* value, uint length);

    [LibraryImport("libc", EntryPoint = "getsockopt")]
    private static partial int GetOption(int fd, int level, int name, byte* value, uint* length);
}

using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Turbo.Net.Transport;

/// <summary>What the kernel knows of a connection's progress.</summary>
internal static class TcpProgress
{
    // struct tcp_info of Linux: tcpi_bytes_acked.
    private const int TcpLevel = 6;
    private const int TcpInfo = 11;
    private const int BytesAckedAt = 120;

    /// <summary>Whether there is something to receive: bytes, FIN or a reset.</summary>
    public static bool HasArrived(Socket socket)
    {
        try
        {
            return socket.Poll(0, SelectMode.SelectRead);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return true;
        }
    }

    /// <summary>Bytes that the peer has acknowledged; negative where the kernel does not tell.</summary>
    public static long BytesAcknowledged(Socket socket)
    {
        if (!OperatingSystem.IsLinux()) return -1;
        try
        {
            Span<byte> info = stackalloc byte[BytesAckedAt + sizeof(long)];
            return socket.GetRawSocketOption(TcpLevel, TcpInfo, info) < info.Length ? -1 : MemoryMarshal.Read<long>(info[BytesAckedAt..]);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return -1;
        }
    }
}

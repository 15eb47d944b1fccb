using System.Net;
using System.Net.Sockets;

namespace Turbo.Net.Transport;

/// <summary>
/// Accepts connections on one endpoint. Outlives descriptor exhaustion and connections that died in the backlog:
/// only <see cref="StopAsync"/> ends it.
/// </summary>
internal sealed class Listener(IPEndPoint endPoint, Action<Socket> accepted, Action<Exception> failed, TimeProvider time) : IListener
{
    private const int Backlog = 4096;

    // How long to wait when the process is short of descriptors; connections wait in the backlog meanwhile.
    private static readonly TimeSpan s_exhaustedPause = TimeSpan.FromMilliseconds(100);

    private readonly CancellationTokenSource _stop = new();
    private Socket? _socket;
    private Task _loop = Task.CompletedTask;

    public IPEndPoint EndPoint { get; private set; } = endPoint;

    public void Start()
    {
        Socket socket = Bind(EndPoint);
        EndPoint = (IPEndPoint)socket.LocalEndPoint!;
        _socket = socket;
        _loop = Task.Run(() => AcceptAsync(socket));
    }

    /// <summary>A socket that listens.</summary>
    /// <exception cref="SocketException">It cannot be bound.</exception>
    public static Socket Bind(IPEndPoint endPoint)
    {
        Socket socket = new(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (endPoint.Address.Equals(IPAddress.IPv6Any)) socket.DualMode = true;
            socket.Bind(endPoint);
            socket.Listen(Backlog);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        return socket;
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _socket?.Dispose();
        await _loop.ConfigureAwait(false);
    }

    private async Task AcceptAsync(Socket socket)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                Socket peer = await socket.AcceptAsync(_stop.Token).ConfigureAwait(false);
                bool isScarce = Descriptors.IsScarce(peer.SafeHandle.DangerousGetHandle());
                accepted(peer);
                if (isScarce) await WaitForDescriptorsAsync().ConfigureAwait(false);
            }
            catch (Exception) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                failed(e);
                // Any failure but that of one connection would come again at once.
                if (e is SocketException { SocketErrorCode: SocketError.ConnectionReset or SocketError.ConnectionAborted }) continue;
                await Task.Delay(s_exhaustedPause, time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task WaitForDescriptorsAsync()
    {
        if (!Descriptors.AreScarce()) return;
        failed(Descriptors.ToException());
        while (Descriptors.AreScarce()) await Task.Delay(s_exhaustedPause, time, _stop.Token).ConfigureAwait(false);
    }
}

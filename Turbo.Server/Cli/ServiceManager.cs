using System.Net.Sockets;
using System.Text;

namespace Turbo.Server.Cli;

/// <summary>
/// Tells systemd how far the process is (sd_notify(3)): a unit of <c>Type=notify</c> counts as started when the server
/// serves. Without NOTIFY_SOCKET in the environment nobody asked.
/// </summary>
internal static class ServiceManager
{
    public static void Ready() => Notify("READY=1");

    public static void Stopping() => Notify("STOPPING=1");

    private static void Notify(string state)
    {
        if (Environment.GetEnvironmentVariable("NOTIFY_SOCKET") is not { Length: > 1 } address) return;
        try
        {
            using Socket socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            // A leading @ stands for the NUL of a name outside the file system (unix(7)).
            socket.Connect(new UnixDomainSocketEndPoint(address[0] == '@' ? '\0' + address[1..] : address));
            socket.Send(Encoding.ASCII.GetBytes(state));
        }
        catch (Exception e) when (e is SocketException or ArgumentException or PlatformNotSupportedException)
        {
            // The server serves all the same; who waits for this is told by the unit's own time-out.
            Console.Error.WriteLine($"turbo: NOTIFY_SOCKET: {OptionMask.Printable(e.Message)}");
        }
    }
}

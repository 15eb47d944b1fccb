using System.Net;

namespace Turbo.Net.Transport;

/// <summary>Accepts connections on one endpoint until it is stopped.</summary>
internal interface IListener
{
    /// <summary>The bound address, its port resolved.</summary>
    IPEndPoint EndPoint { get; }

    /// <summary>Binds and accepts.</summary>
    /// <exception cref="System.Net.Sockets.SocketException">The endpoint cannot be bound.</exception>
    void Start();

    /// <summary>Stops listening; connections in the backlog are refused.</summary>
    Task StopAsync();
}

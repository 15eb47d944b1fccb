using System.Net;
using Turbo.Net.Transport;

namespace Turbo.Net.Diagnostics;

/// <summary>What the server tells: one method per event, silent by default. Called on socket threads: return at once.</summary>
public interface IServerLog
{
    /// <summary>An endpoint is bound.</summary>
    void Listening(IPEndPoint endPoint) { }

    /// <summary>accept() failed; the listener goes on.</summary>
    void AcceptFailed(Exception error) { }

    /// <summary>A handler threw; the client got 500 or, when the response had begun, a reset.</summary>
    void HandlerFailed(Exchange exchange, Exception error) { }

    /// <summary>A request was refused before any handler saw it.</summary>
    void RequestRejected(IPEndPoint? client, RejectReason reason) { }

    /// <summary>A connection ended.</summary>
    void ConnectionEnded(IPEndPoint? client, EndReason reason) { }

    /// <summary>The server itself failed on a connection: a bug.</summary>
    void ConnectionFailed(IPEndPoint? client, Exception error) { }
}

internal sealed class SilentLog : IServerLog
{
    public static readonly SilentLog Instance = new();
}

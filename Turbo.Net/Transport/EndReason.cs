namespace Turbo.Net.Transport;

/// <summary>Why a connection ended; the first cause wins. The name is the metric's.</summary>
public enum EndReason : byte
{
    /// <summary>Still open.</summary>
    None,
    /// <summary>The peer closed an idle connection.</summary>
    PeerClosed,
    /// <summary>The peer reset the connection, or sending to it failed.</summary>
    PeerReset,
    /// <summary>A response said Connection: close, or the request did.</summary>
    NotPersistent,
    /// <summary>A request was refused.</summary>
    Rejected,
    /// <summary>No new request came within <see cref="ServerLimits.KeepAliveTimeout"/>.</summary>
    IdleTimeout,
    /// <summary>A head or body stalled.</summary>
    ReadTimeout,
    /// <summary>The peer took no bytes within <see cref="ServerLimits.WriteTimeout"/>.</summary>
    WriteTimeout,
    /// <summary>The server is stopping.</summary>
    Draining,
    /// <summary>A handler failed, or left its response short of its Content-Length.</summary>
    HandlerFault,
    /// <summary>The connection was taken over by another protocol, which has ended.</summary>
    Upgraded,
    /// <summary>Ended by the application.</summary>
    Aborted,
    /// <summary>A TLS handshake failed: the peer left, speaks another TLS, or refused the certificate.</summary>
    HandshakeFailed,
    /// <summary>A TLS handshake took longer than <see cref="ServerLimits.HandshakeTimeout"/>.</summary>
    HandshakeTimeout,
    /// <summary>The client speaks HTTP without TLS on a TLS endpoint.</summary>
    PlainText,
    /// <summary>Over <see cref="ServerLimits.MaxHandshakes"/>.</summary>
    TooManyHandshakes,
}

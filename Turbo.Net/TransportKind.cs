using Turbo.Net.Transport.Epoll;

namespace Turbo.Net;

/// <summary>How sockets are read and written.</summary>
public enum TransportKind
{
    /// <summary><see cref="Epoll"/> where it runs, else <see cref="Sockets"/>.</summary>
    Auto,

    /// <summary>The runtime's sockets as pipes, by Pipelines.Sockets.Unofficial: on every platform.</summary>
    Sockets,

    /// <summary>
    /// Event loops of this library on Linux's epoll, one for each processor: handlers run on them, so that none may
    /// block. Linux on x86-64 and arm64.
    /// </summary>
    Epoll,
}

internal static class TransportKinds
{
    /// <summary>What <see cref="TransportKind.Auto"/> is; tests try each.</summary>
    public static TransportKind Auto { get; set; } = Libc.IsSupported ? TransportKind.Epoll : TransportKind.Sockets;

    /// <summary>Whether to use epoll.</summary>
    /// <exception cref="PlatformNotSupportedException">It was asked for and does not run here.</exception>
    public static bool IsEpoll(this TransportKind kind)
    {
        if (kind == TransportKind.Auto) kind = Auto;
        if (kind == TransportKind.Epoll && !Libc.IsSupported) throw new PlatformNotSupportedException("the epoll transport needs Linux on x86-64 or arm64");
        return kind == TransportKind.Epoll;
    }
}

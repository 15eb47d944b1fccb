namespace Turbo.Net;

/// <summary>
/// Every bound of the server: its unit, its default and what a client is told when it is passed.
/// Frozen when the server starts.
/// </summary>
public sealed record ServerLimits
{
    /// <summary>Open connections. Default 10,000. One more is answered 503 and closed.</summary>
    public int MaxConnections { get; init; } = 10_000;

    /// <summary>TLS handshakes under way, beside the open connections. Default 1,024. One more connection is closed without a word.</summary>
    public int MaxHandshakes { get; init; } = 1024;

    /// <summary>Bytes of a request-line without its CRLF. Default 16 KiB. More is answered 414.</summary>
    public int MaxRequestLineBytes { get; init; } = 16 * 1024;

    /// <summary>Bytes of a whole head: start-line, field lines and the empty line. Default 32 KiB. More is answered 431.</summary>
    public int MaxHeaderBytes { get; init; } = 32 * 1024;

    /// <summary>Field lines in a header section. Default 128. More is answered 431.</summary>
    public int MaxHeaderFields { get; init; } = 128;

    /// <summary>Bytes of a trailer section. Default 8 KiB. More is answered 431.</summary>
    public int MaxTrailerBytes { get; init; } = 8 * 1024;

    /// <summary>Bytes of chunk extensions in one message body, all chunks together. Default 4 KiB. More is answered 400.</summary>
    public int MaxChunkExtensionBytes { get; init; } = 4 * 1024;

    /// <summary>
    /// Bytes of a request's content, unless the handler sets <see cref="BodyReader.MaxBytes"/>.
    /// Default 16 MiB. More is answered 413.
    /// </summary>
    public long MaxBodyBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>Bytes of a body that the handler left unread which are drained to keep the connection. Default 64 KiB; beyond, it is closed.</summary>
    public int MaxDrainBytes { get; init; } = 64 * 1024;

    /// <summary>Requests on one connection, after which it is closed; 0, the default, is no limit.</summary>
    public int MaxRequestsPerConnection { get; init; }

    /// <summary>From accepting a connection on a TLS endpoint to the end of its handshake. Default 10 s, then it is closed.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>From a head's first byte to its last. Default 10 s. Passing it is answered 408.</summary>
    public TimeSpan HeaderTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Between two reads of a request's body. Default 30 s. Passing it is answered 408.</summary>
    public TimeSpan BodyTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>An idle persistent connection. Default 75 s, then it is closed.</summary>
    public TimeSpan KeepAliveTimeout { get; init; } = TimeSpan.FromSeconds(75);

    /// <summary>A response write that makes no progress. Default 60 s, then the connection is aborted.</summary>
    public TimeSpan WriteTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Bytes a second that a client must send of a request's head or body, counted over the time that the server waits for
    /// it, beyond <see cref="RateGrace"/>. Default 240; 0 is no minimum. Slower is answered 408.
    /// </summary>
    public int MinRequestBytesPerSecond { get; init; } = 240;

    /// <summary>
    /// Bytes a second that a client must take while a write waits for it, beyond <see cref="RateGrace"/>. Default 240;
    /// 0 is no minimum. Slower, the connection is aborted. Not on a transport that cannot tell.
    /// </summary>
    public int MinResponseBytesPerSecond { get; init; } = 240;

    /// <summary>
    /// How long a client may keep the server waiting, in a head, in a body and in a write, before its bytes are held
    /// against the time. Default 60 s.
    /// </summary>
    public TimeSpan RateGrace { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// After the last response of a connection that closes early: how long the client's remaining bytes are read
    /// and dropped, so that a reset does not overtake the response (RFC 9112 §9.6). Default 2 s.
    /// </summary>
    public TimeSpan LingerTimeout { get; init; } = TimeSpan.FromSeconds(2);
}

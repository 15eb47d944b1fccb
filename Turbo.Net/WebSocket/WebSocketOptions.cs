using System.IO.Compression;

namespace Turbo.Net.WebSocket;

/// <summary>How a WebSocket is accepted and what bounds it. Frozen once a connection uses it.</summary>
public sealed record WebSocketOptions
{
    /// <summary>The defaults: no subprotocol, no compression.</summary>
    public static WebSocketOptions Default { get; } = new();

    /// <summary>Bytes of a message, decompressed. Default 1 MiB. One more closes with 1009.</summary>
    public long MaxMessageBytes { get; init; } = 1024 * 1024;

    /// <summary>
    /// Messages that wait to be sent because the peer is slow. Default 1,024. One more closes with 1013
    /// (<see cref="WebSocketCloseCode.TryAgainLater"/>); none is skipped.
    /// </summary>
    public int MaxQueuedMessages { get; init; } = 1024;

    /// <summary>Bytes of the messages that wait to be sent. Default 4 MiB. More closes with 1013; a single message may be larger.</summary>
    public long MaxQueuedBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>Between two pings to the peer (RFC 6455 §5.5.2). Default 15 s; zero sends none.</summary>
    public TimeSpan PingInterval { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// How long the peer may send no pong, while the handler receives and pings are sent. Default 60 s, then it is closed
    /// with 1008; zero waits for ever.
    /// </summary>
    public TimeSpan PongTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The closing handshake: to send the Close frame and receive the peer's (RFC 6455 §7.1). Default 10 s, then the connection ends without.</summary>
    public TimeSpan CloseTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The subprotocols that the handler speaks: the first that the client offered of them is accepted (RFC 6455 §4.2.2). Default none.</summary>
    public IReadOnlyList<string> Subprotocols { get; init; } = [];

    /// <summary>Whether the first subprotocol that the client offers is accepted, whatever it is. Default no.</summary>
    public bool AcceptsAnySubprotocol { get; init; }

    /// <summary>Accepts offers of permessage-deflate (RFC 7692); null, the default, declines them.</summary>
    public WebSocketCompression? Compression { get; init; }
}

/// <summary>
/// permessage-deflate (RFC 7692). A connection that keeps its context between messages costs memory for as long as it is
/// open, from its first compressed message on: some 300 KiB to send, up to 64 KiB to receive.
/// </summary>
public sealed record WebSocketCompression
{
    /// <summary>Bytes below which a message is sent uncompressed. Default 256.</summary>
    public int MinMessageBytes { get; init; } = 256;

    /// <summary>How hard to compress. Default <see cref="CompressionLevel.Fastest"/>.</summary>
    public CompressionLevel Level { get; init; } = CompressionLevel.Fastest;

    /// <summary>Compress each message on its own (RFC 7692 §7.1.1.1): less memory for a worse ratio. Default no, unless the client asks.</summary>
    public bool ServerNoContextTakeover { get; init; }

    /// <summary>Have the client compress each message on its own (RFC 7692 §7.1.1.2). Default no.</summary>
    public bool ClientNoContextTakeover { get; init; }

    /// <summary>
    /// The base-2 logarithm of the client's window, 8–15 (RFC 7692 §7.1.2.2). Default 15. Only a client that offers
    /// client_max_window_bits can be held to less.
    /// </summary>
    public int ClientMaxWindowBits
    {
        get;
        init => field = value is >= 8 and <= 15 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "8 to 15");
    } = 15;
}

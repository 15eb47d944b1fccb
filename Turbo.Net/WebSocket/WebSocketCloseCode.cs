namespace Turbo.Net.WebSocket;

/// <summary>Why a WebSocket closes (RFC 6455 §7.4.1 and the IANA registry). 3000–3999 are registered by others, 4000–4999 are private.</summary>
public static class WebSocketCloseCode
{
    /// <summary>Done.</summary>
    public const int Normal = 1000;
    /// <summary>The server stops, or the page is left.</summary>
    public const int GoingAway = 1001;
    /// <summary>The peer broke the protocol.</summary>
    public const int ProtocolError = 1002;
    /// <summary>A kind of message that is not accepted.</summary>
    public const int UnsupportedData = 1003;
    /// <summary>Never sent: a Close frame without a code.</summary>
    public const int NoCode = 1005;
    /// <summary>Never sent: the connection ended without a Close frame.</summary>
    public const int Abnormal = 1006;
    /// <summary>Text that is not UTF-8, or data that cannot be decompressed.</summary>
    public const int InvalidPayload = 1007;
    /// <summary>Against a rule of the application.</summary>
    public const int PolicyViolation = 1008;
    /// <summary>A message larger than is taken.</summary>
    public const int MessageTooBig = 1009;
    /// <summary>From a client: an extension that it needs was not negotiated.</summary>
    public const int MandatoryExtension = 1010;
    /// <summary>The server failed.</summary>
    public const int InternalError = 1011;
    /// <summary>The peer is too slow, or the server too busy: try again later.</summary>
    public const int TryAgainLater = 1013;

    /// <summary>Whether a Close frame may carry <paramref name="code"/>.</summary>
    public static bool IsValid(int code) => code is (>= 1000 and <= 1003) or (>= 1007 and <= 1014) or (>= 3000 and <= 4999);
}

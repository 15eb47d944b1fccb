namespace Turbo.Net;

/// <summary>Why a message was refused. One name from parser to status, log line and metric.</summary>
public enum RejectReason : byte
{
    /// <summary>Not refused.</summary>
    None,
    /// <summary>The request-line does not match RFC 9112 §3.</summary>
    InvalidRequestLine,
    /// <summary>The request-target has a forbidden byte or form (RFC 9112 §3.2).</summary>
    InvalidRequestTarget,
    /// <summary>The request-line is over <see cref="ServerLimits.MaxRequestLineBytes"/>.</summary>
    RequestLineTooLong,
    /// <summary>Not HTTP/1.0 or HTTP/1.1.</summary>
    UnsupportedVersion,
    /// <summary>The status-line does not match RFC 9112 §4.</summary>
    InvalidStatusLine,
    /// <summary>A field line does not match RFC 9112 §5, or is folded.</summary>
    InvalidFieldLine,
    /// <summary>A line ends in a bare LF or holds a bare CR (RFC 9112 §2.2).</summary>
    InvalidLineEnd,
    /// <summary>The head is over <see cref="ServerLimits.MaxHeaderBytes"/>.</summary>
    HeadTooLarge,
    /// <summary>More field lines than <see cref="ServerLimits.MaxHeaderFields"/>.</summary>
    TooManyFields,
    /// <summary>Host is missing, repeated, malformed, or disagrees with the request-target (RFC 9112 §3.2).</summary>
    InvalidHost,
    /// <summary>Content-Length is repeated or not 1*DIGIT (RFC 9110 §8.6).</summary>
    InvalidContentLength,
    /// <summary>Transfer-Encoding is malformed, on HTTP/1.0, or beside Content-Length (RFC 9112 §6.1).</summary>
    InvalidTransferEncoding,
    /// <summary>A transfer coding other than chunked.</summary>
    UnknownTransferCoding,
    /// <summary>The chunked coding is broken (RFC 9112 §7.1).</summary>
    InvalidChunk,
    /// <summary>Chunk extensions are over <see cref="ServerLimits.MaxChunkExtensionBytes"/>.</summary>
    ChunkExtensionsTooLarge,
    /// <summary>The trailer section is over <see cref="ServerLimits.MaxTrailerBytes"/> or has too many fields.</summary>
    TrailersTooLarge,
    /// <summary>A trailer section has a field of framing, routing, authentication or content handling (RFC 9110 §6.5.1).</summary>
    ForbiddenTrailer,
    /// <summary>The content is over the limit of its route.</summary>
    BodyTooLarge,
    /// <summary>The message ended before its framing said so.</summary>
    TruncatedBody,
    /// <summary>An expectation other than 100-continue (RFC 9110 §10.1.1).</summary>
    UnknownExpectation,
    /// <summary>CONNECT, which this server does not offer.</summary>
    ConnectNotSupported,
    /// <summary>The head or body did not arrive in time.</summary>
    RequestTimeout,
    /// <summary>More connections than <see cref="ServerLimits.MaxConnections"/>.</summary>
    TooManyConnections,
}

/// <summary>The one table from <see cref="RejectReason"/> to status code and words.</summary>
public static class RejectReasons
{
    /// <summary>The status code (RFC 9110 §15) a request refused for <paramref name="reason"/> is answered with.</summary>
    public static int Status(this RejectReason reason) => reason switch
    {
        RejectReason.RequestLineTooLong => 414,
        RejectReason.UnsupportedVersion => 505,
        RejectReason.HeadTooLarge or RejectReason.TooManyFields or RejectReason.TrailersTooLarge => 431,
        RejectReason.UnknownTransferCoding or RejectReason.ConnectNotSupported => 501,
        RejectReason.BodyTooLarge => 413,
        RejectReason.UnknownExpectation => 417,
        RejectReason.RequestTimeout => 408,
        RejectReason.TooManyConnections => 503,
        _ => 400,
    };

    /// <summary>A sentence for the client; constant, so it can hold nothing of the request.</summary>
    public static string Message(this RejectReason reason) => reason switch
    {
        RejectReason.InvalidRequestLine => "malformed request line",
        RejectReason.InvalidRequestTarget => "malformed request target",
        RejectReason.RequestLineTooLong => "request line too long",
        RejectReason.UnsupportedVersion => "HTTP version not supported",
        RejectReason.InvalidStatusLine => "malformed status line",
        RejectReason.InvalidFieldLine => "malformed header field",
        RejectReason.InvalidLineEnd => "malformed line end",
        RejectReason.HeadTooLarge => "request header section too large",
        RejectReason.TooManyFields => "too many header fields",
        RejectReason.InvalidHost => "missing or malformed Host",
        RejectReason.InvalidContentLength => "malformed Content-Length",
        RejectReason.InvalidTransferEncoding => "malformed Transfer-Encoding",
        RejectReason.UnknownTransferCoding => "transfer coding not supported",
        RejectReason.InvalidChunk => "malformed chunked body",
        RejectReason.ChunkExtensionsTooLarge => "chunk extensions too large",
        RejectReason.TrailersTooLarge => "trailer section too large",
        RejectReason.ForbiddenTrailer => "field not allowed in a trailer section",
        RejectReason.BodyTooLarge => "request body too large",
        RejectReason.TruncatedBody => "request body ended early",
        RejectReason.UnknownExpectation => "expectation not supported",
        RejectReason.ConnectNotSupported => "CONNECT is not supported",
        RejectReason.RequestTimeout => "request timed out",
        RejectReason.TooManyConnections => "too many connections",
        _ => "",
    };
}

namespace Turbo.Net.WebSocket;

/// <summary>What a message's payload is (RFC 6455 §5.6).</summary>
public enum WebSocketMessageKind : byte
{
    /// <summary>UTF-8 text; checked when received, the sender's to keep when sent.</summary>
    Text = 1,
    /// <summary>Any bytes.</summary>
    Binary = 2,
}

/// <summary>A whole message.</summary>
/// <param name="Kind">Text or binary.</param>
/// <param name="Payload">The bytes, unmasked and decompressed. Valid until the next receive on the connection.</param>
public readonly record struct WebSocketMessage(WebSocketMessageKind Kind, ReadOnlyMemory<byte> Payload);

/// <summary>A piece of a message, as it arrived. Where a message is cut has no meaning: not at characters, not at frames.</summary>
/// <param name="Kind">Text or binary, the same in each piece of a message.</param>
/// <param name="Payload">The bytes, unmasked and decompressed, possibly none. Valid until the next receive on the connection.</param>
/// <param name="IsEnd">Whether the message ends with this piece.</param>
public readonly record struct WebSocketFragment(WebSocketMessageKind Kind, ReadOnlyMemory<byte> Payload, bool IsEnd);

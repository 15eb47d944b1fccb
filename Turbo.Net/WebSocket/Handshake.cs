using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Turbo.Net.WebSocket;

/// <summary>
/// The server's side of the opening handshake (RFC 6455 §4.2).
/// <code>
/// routes.Get("/ws"u8, static async exchange =>
/// {
///     WebSocketConnection? socket = await WebSocketHandshake.AcceptAsync(exchange, WebSocketOptions.Default);
///     if (socket is null) return;
///     while (await socket.ReceiveAsync() is { } message) await socket.SendAsync(message.Kind, message.Payload);
/// });
/// </code>
/// </summary>
public static class WebSocketHandshake
{
    private const int KeyLength = 24;
    private const int AcceptLength = 28;

    private static readonly SearchValues<byte> s_token =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    // RFC 9110 §7.8, §15.5.22; RFC 6455 §4.4
    private static readonly byte[] s_upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"u8.ToArray();

    private static readonly byte[] s_allow = "Allow: GET\r\n"u8.ToArray();

    /// <summary>
    /// Whether the client asks for a WebSocket, well or badly: its Upgrade field has `websocket`. A handler that serves
    /// the same path otherwise, too, decides by it.
    /// </summary>
    public static bool IsRequested(Exchange exchange) =>
        exchange.Fields.HasToken(KnownField.Upgrade, "websocket"u8) && exchange.Fields.HasToken(KnownField.Connection, "upgrade"u8);

    /// <summary>
    /// Answers the opening handshake. Null when it was refused or the client has gone: a response is written then, and
    /// the handler returns. The server's error writer answers 405 for a method other than GET; 426 when the request is not
    /// for a WebSocket, or for another version than 13; 400 for anything malformed. Which Origin may connect is the
    /// handler's to check before. Throws <see cref="InvalidOperationException"/> where <see cref="Exchange.Aborted"/> or
    /// <see cref="Exchange.OnClientClosed"/> was used before: a WebSocket tells by its receives that the client has left.
    /// </summary>
    /// <param name="exchange">The request; nothing of its response may be written.</param>
    /// <param name="options">Bounds, subprotocols, compression; see <see cref="WebSocketOptions.Default"/>.</param>
    public static async ValueTask<WebSocketConnection?> AcceptAsync(Exchange exchange, WebSocketOptions options)
    {
        if (!TryAccept(exchange, options, out string? subprotocol, out DeflateParameters? deflate)) return null;
        exchange.IsPersistent = false;
        if (!await exchange.Response.FlushAsync().ConfigureAwait(false)) return null;
        return WebSocketConnection.Start(exchange, options, subprotocol, deflate);
    }

    private static bool TryAccept(Exchange exchange, WebSocketOptions options, out string? subprotocol, out DeflateParameters? deflate)
    {
        subprotocol = null;
        deflate = null;
        // Before the client is told that it may speak.
        if (exchange.Connection.IsWatching) throw new InvalidOperationException("the client is watched already: its input is in use");
        HeaderFields fields = exchange.Fields;
        if (exchange.Method != HttpMethod.Get) return Refuse(exchange, 405, "an opening handshake is a GET request", s_allow);
        // An HTTP/1.0 request's Upgrade is ignored (RFC 9110 §7.8).
        if (exchange.Version != 11 || !IsRequested(exchange)) return Refuse(exchange, 426, "a WebSocket opening handshake is needed", s_upgrade);
        if (!exchange.Body.IsEmpty) return Refuse(exchange, "an opening handshake has no content");
        if (fields.CountOf(KnownField.SecWebSocketVersion) != 1) return Refuse(exchange, "one Sec-WebSocket-Version is needed");
        fields.TryGet(KnownField.SecWebSocketVersion, out ReadOnlySpan<byte> version);
        if (!version.SequenceEqual("13"u8)) return Refuse(exchange, 426, "Sec-WebSocket-Version 13 is needed", s_upgrade);
        if (fields.CountOf(KnownField.SecWebSocketKey) != 1) return Refuse(exchange, "one Sec-WebSocket-Key is needed");
        fields.TryGet(KnownField.SecWebSocketKey, out ReadOnlySpan<byte> key);
        if (!IsKey(key)) return Refuse(exchange, "Sec-WebSocket-Key is not the base64 of 16 bytes");
        if (!TrySelectSubprotocol(fields, options, out ReadOnlySpan<byte> selected)) return Refuse(exchange, "malformed Sec-WebSocket-Protocol");
        if (!TryNegotiate(fields, options, out deflate)) return Refuse(exchange, "malformed Sec-WebSocket-Extensions");

        ResponseWriter response = exchange.Response;
        response.Start(101);
        response.Field("Upgrade"u8, "websocket"u8);
        response.Field("Connection"u8, "Upgrade"u8);
        Span<byte> accept = stackalloc byte[AcceptLength];
        WriteAccept(key, accept);
        response.Field("Sec-WebSocket-Accept"u8, accept);
        if (!selected.IsEmpty)
        {
            subprotocol = Encoding.ASCII.GetString(selected);
            response.Field("Sec-WebSocket-Protocol"u8, selected);
        }
        if (deflate is { } parameters)
        {
            Span<byte> extension = stackalloc byte[160];
            response.Field("Sec-WebSocket-Extensions"u8, extension[..parameters.Write(extension)]);
        }
        response.EndHead(0);
        return true;
    }

    /// <summary>The value of Sec-WebSocket-Accept for a key (RFC 6455 §4.2.2).</summary>
    internal static void WriteAccept(ReadOnlySpan<byte> key, Span<byte> accept)
    {
        Span<byte> keyAndGuid = stackalloc byte[KeyLength + 36];
        key.CopyTo(keyAndGuid);
        "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"u8.CopyTo(keyAndGuid[KeyLength..]);
        Span<byte> hash = stackalloc byte[SHA1.HashSizeInBytes];
        // SHA-1 shows that the peer speaks WebSocket; nothing is kept secret by it.
        SHA1.HashData(keyAndGuid, hash);
        Base64.EncodeToUtf8(hash, accept, out _, out _);
    }

    // 16 bytes in base64, its 24 characters exactly (RFC 6455 §4.2.1).
    private static bool IsKey(ReadOnlySpan<byte> key)
    {
        Span<byte> bytes = stackalloc byte[18];
        return key.Length == KeyLength && !key.ContainsAny(" \t"u8)
            && Base64.DecodeFromUtf8(key, bytes, out _, out int written) == OperationStatus.Done && written == 16;
    }

    // 1#token without repetition, in order of preference, over all lines of the field.
    private static bool TrySelectSubprotocol(HeaderFields fields, WebSocketOptions options, out ReadOnlySpan<byte> selected)
    {
        selected = default;
        if (!fields.Has(KnownField.SecWebSocketProtocol)) return true;
        int offered = 0;
        for (int i = 0; i < fields.Count; i++)
        {
            HeaderField field = fields[i];
            if (field.Known != KnownField.SecWebSocketProtocol) continue;
            foreach (Range range in field.Value.Split((byte)','))
            {
                ReadOnlySpan<byte> name = field.Value[range].Trim(" \t"u8);
                if (name.IsEmpty) continue;
                if (name.ContainsAnyExcept(s_token)) return false;
                offered++;
                if (selected.IsEmpty && IsSpoken(name, options)) selected = name;
            }
        }
        return offered > 0;
    }

    private static bool IsSpoken(ReadOnlySpan<byte> name, WebSocketOptions options)
    {
        if (options.AcceptsAnySubprotocol) return true;
        foreach (string spoken in options.Subprotocols)
        {
            if (Ascii.Equals(name, spoken)) return true;
        }
        return false;
    }

    private static bool TryNegotiate(HeaderFields fields, WebSocketOptions options, out DeflateParameters? accepted)
    {
        accepted = null;
        if (!fields.Has(KnownField.SecWebSocketExtensions)) return true;
        for (int i = 0; i < fields.Count; i++)
        {
            HeaderField field = fields[i];
            if (field.Known != KnownField.SecWebSocketExtensions) continue;
            switch (DeflateOffer.Read(field.Value, options.Compression, out DeflateParameters parameters))
            {
                case OfferResult.Malformed: return false;
                case OfferResult.Accepted: accepted ??= parameters; break;
            }
        }
        return true;
    }

    private static bool Refuse(Exchange exchange, string why) => Refuse(exchange, 400, why, default);

    private static bool Refuse(Exchange exchange, int status, string why, ReadOnlyMemory<byte> lines)
    {
        exchange.Response.PresetLines = lines;
        exchange.Server.Options.WriteError(exchange, status, why);
        return false;
    }
}

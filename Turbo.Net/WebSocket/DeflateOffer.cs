using System.Buffers;
using System.Text;

namespace Turbo.Net.WebSocket;

/// <summary>What both sides of permessage-deflate keep to (RFC 7692 §7.1).</summary>
/// <param name="ServerNoContextTakeover">The server compresses each message on its own.</param>
/// <param name="ClientNoContextTakeover">The client does.</param>
/// <param name="ServerMaxWindowBits">The base-2 logarithm of the window that the server compresses with, 8–15.</param>
/// <param name="ClientMaxWindowBits">Of the client's.</param>
/// <param name="IsServerWindowNamed">Whether the offer had server_max_window_bits: then its acceptance has it (RFC 7692 §7.1.2.1).</param>
internal readonly record struct DeflateParameters(
    bool ServerNoContextTakeover, bool ClientNoContextTakeover, int ServerMaxWindowBits, int ClientMaxWindowBits, bool IsServerWindowNamed)
{
    public const int MaxWindowBits = 15;

    /// <summary>The value of Sec-WebSocket-Extensions that accepts them; gives its length.</summary>
    public int Write(Span<byte> to)
    {
        int at = 0;
        Append(to, ref at, "permessage-deflate"u8);
        if (ServerNoContextTakeover) Append(to, ref at, "; server_no_context_takeover"u8);
        if (ClientNoContextTakeover) Append(to, ref at, "; client_no_context_takeover"u8);
        if (IsServerWindowNamed) AppendBits(to, ref at, "; server_max_window_bits="u8, ServerMaxWindowBits);
        // Less than 15 only where the offer has client_max_window_bits (RFC 7692 §7.1.2.2).
        if (ClientMaxWindowBits < MaxWindowBits) AppendBits(to, ref at, "; client_max_window_bits="u8, ClientMaxWindowBits);
        return at;
    }

    private static void Append(Span<byte> to, ref int at, ReadOnlySpan<byte> text)
    {
        text.CopyTo(to[at..]);
        at += text.Length;
    }

    private static void AppendBits(Span<byte> to, ref int at, ReadOnlySpan<byte> name, int bits)
    {
        Append(to, ref at, name);
        if (bits >= 10) to[at++] = (byte)'1';
        to[at++] = (byte)('0' + (bits % 10));
    }
}

internal enum OfferResult : byte
{
    /// <summary>No offer that can be accepted.</summary>
    Declined,
    Accepted,
    /// <summary>The field does not match the grammar: the handshake fails (RFC 6455 §9.1).</summary>
    Malformed,
}

/// <summary>
/// Reads Sec-WebSocket-Extensions (RFC 6455 §9.1) and takes the first offer of permessage-deflate that can be accepted as
/// it stands. An offer with an unknown, repeated or invalid parameter is declined, the next one considered
/// (RFC 7692 §5.1, §7.1); it is never accepted in part.
/// </summary>
internal static class DeflateOffer
{
    private static readonly SearchValues<byte> s_token =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    /// <summary>Reads the next line of the field; offers of a later line come after those of an earlier one.</summary>
    public static OfferResult Read(ReadOnlySpan<byte> value, WebSocketCompression? options, out DeflateParameters accepted)
    {
        accepted = default;
        OfferResult result = OfferResult.Declined;
        while (true)
        {
            SkipSpace(ref value);
            // Empty list elements are allowed (RFC 9110 §5.6.1.2).
            if (value.IsEmpty) return result;
            if (value[0] == ',')
            {
                value = value[1..];
                continue;
            }
            if (!TryReadOffer(ref value, out Offer offer)) return OfferResult.Malformed;
            if (result == OfferResult.Accepted || options is null || !offer.IsAcceptable) continue;
            result = OfferResult.Accepted;
            accepted = offer.Answer(options);
        }
    }

    private struct Offer
    {
        private bool _isOurs, _isBad, _serverNoTakeover, _clientNoTakeover, _hasServerBits, _hasClientBits;
        private int _serverBits, _clientBits;

        public Offer(ReadOnlySpan<byte> name)
        {
            this = default;
            _isOurs = Ascii.EqualsIgnoreCase(name, "permessage-deflate"u8);
        }

        public readonly bool IsAcceptable => _isOurs && !_isBad;

        public void Parameter(ReadOnlySpan<byte> name, bool hasValue, ReadOnlySpan<byte> value)
        {
            if (!_isOurs || _isBad) return;
            bool isTaken = false;
            if (Ascii.EqualsIgnoreCase(name, "server_no_context_takeover"u8)) isTaken = !hasValue && Once(ref _serverNoTakeover);
            else if (Ascii.EqualsIgnoreCase(name, "client_no_context_takeover"u8)) isTaken = !hasValue && Once(ref _clientNoTakeover);
            else if (Ascii.EqualsIgnoreCase(name, "server_max_window_bits"u8)) isTaken = hasValue && TryReadBits(value, out _serverBits) && Once(ref _hasServerBits);
            else if (Ascii.EqualsIgnoreCase(name, "client_max_window_bits"u8))
            {
                _clientBits = DeflateParameters.MaxWindowBits;
                isTaken = (!hasValue || TryReadBits(value, out _clientBits)) && Once(ref _hasClientBits);
            }
            _isBad = !isTaken;
        }

        public readonly DeflateParameters Answer(WebSocketCompression options) => new(
            _serverNoTakeover || options.ServerNoContextTakeover,
            _clientNoTakeover || options.ClientNoContextTakeover,
            _hasServerBits ? _serverBits : DeflateParameters.MaxWindowBits,
            _hasClientBits ? Math.Min(_clientBits, options.ClientMaxWindowBits) : DeflateParameters.MaxWindowBits,
            _hasServerBits);

        private static bool Once(ref bool seen) => !seen && (seen = true);

        // 8 to 15, decimal, without leading zeros (RFC 7692 §7.1.2)
        private static bool TryReadBits(ReadOnlySpan<byte> value, out int bits)
        {
            bits = value switch
            {
                [>= (byte)'8' and <= (byte)'9'] => value[0] - '0',
                [(byte)'1', >= (byte)'0' and <= (byte)'5'] => 10 + value[1] - '0',
                _ => 0,
            };
            return bits > 0;
        }
    }

    // extension = token *( OWS ";" OWS token [ "=" ( token / quoted-string ) ] )
    private static bool TryReadOffer(ref ReadOnlySpan<byte> value, out Offer offer)
    {
        offer = default;
        if (!TryReadToken(ref value, out ReadOnlySpan<byte> name)) return false;
        offer = new Offer(name);
        Span<byte> unquoted = stackalloc byte[64];
        while (true)
        {
            SkipSpace(ref value);
            if (value.IsEmpty || value[0] == ',') return true;
            if (value[0] != ';') return false;
            value = value[1..];
            SkipSpace(ref value);
            if (!TryReadToken(ref value, out ReadOnlySpan<byte> parameter)) return false;
            SkipSpace(ref value);
            if (value.IsEmpty || value[0] != '=')
            {
                offer.Parameter(parameter, false, default);
                continue;
            }
            value = value[1..];
            SkipSpace(ref value);
            scoped ReadOnlySpan<byte> argument;
            if (!value.IsEmpty && value[0] == '"')
            {
                if (!TryReadQuoted(ref value, unquoted, out int length)) return false;
                argument = unquoted[..length];
            }
            else if (!TryReadToken(ref value, out argument))
            {
                return false;
            }
            offer.Parameter(parameter, true, argument);
        }
    }

    private static bool TryReadToken(ref ReadOnlySpan<byte> value, out ReadOnlySpan<byte> token)
    {
        int length = value.IndexOfAnyExcept(s_token);
        if (length < 0) length = value.Length;
        token = value[..length];
        value = value[length..];
        return length > 0;
    }

    // After unquoting the value must be a token (RFC 6455 §9.1). One longer than the space given is no value we know: it
    // is read to its end and comes back cut.
    private static bool TryReadQuoted(ref ReadOnlySpan<byte> value, scoped Span<byte> unquoted, out int length)
    {
        length = 0;
        for (int i = 1; i < value.Length; i++)
        {
            byte b = value[i];
            if (b == '"')
            {
                value = value[(i + 1)..];
                return length > 0;
            }
            if (b == '\\' && ++i < value.Length) b = value[i];
            if (i == value.Length || !s_token.Contains(b)) return false;
            if (length < unquoted.Length) unquoted[length++] = b;
        }
        return false;
    }

    private static void SkipSpace(ref ReadOnlySpan<byte> value) => value = value.TrimStart(" \t"u8);
}

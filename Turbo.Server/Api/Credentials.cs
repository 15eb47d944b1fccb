using System.Buffers;
using System.Buffers.Text;
using System.Text;
using Turbo.Net;
using Turbo.Net.Content;
using Turbo.Server.Auth;

namespace Turbo.Server.Api;

/// <summary>Finds the token that a request presents, in the order of contract section 3. The first one present counts.</summary>
internal static class Credentials
{
    /// <summary>A buffer for <see cref="Find"/> of this size takes any token that may exist.</summary>
    public const int BufferBytes = 1024;

    /// <summary>
    /// The token, in the request's own bytes or in <paramref name="buffer"/>; empty when there is none, or none that
    /// could be one of ours.
    /// </summary>
    /// <param name="exchange">The request.</param>
    /// <param name="takesParameter">Whether the query's <c>token</c> counts: browsers' EventSource and WebSocket can send no field.</param>
    /// <param name="buffer">For what must be decoded.</param>
    public static ReadOnlySpan<byte> Find(Exchange exchange, bool takesParameter, Span<byte> buffer)
    {
        bool hasAuthorization = exchange.Fields.TryGet(KnownField.Authorization, out ReadOnlySpan<byte> authorization);
        if (hasAuthorization && Scheme(authorization, "bearer"u8, out ReadOnlySpan<byte> token) && !token.IsEmpty) return token;
        if (takesParameter && Parameter(exchange.Query, buffer, out token)) return token;
        if (exchange.Fields.Has(KnownField.Cookie) && Cookie(exchange.Fields, out token)) return token;
        return hasAuthorization && Scheme(authorization, "basic"u8, out ReadOnlySpan<byte> basic) ? Password(basic, buffer) : default;
    }

    /// <summary>
    /// Whether a browser may have sent the credential by itself, whatever page asked: a cookie, or Basic authentication.
    /// </summary>
    /// <param name="exchange">The request.</param>
    /// <param name="takesParameter">As for <see cref="Find"/>: where the query's <c>token</c> does not count, it vouches for nothing.</param>
    public static bool AreAmbient(Exchange exchange, bool takesParameter)
    {
        Span<byte> buffer = stackalloc byte[BufferBytes];
        return !Bearer(exchange.Fields, out _) && !(takesParameter && Parameter(exchange.Query, buffer, out _));
    }

    /// <summary>The token of an Authorization: Bearer; false when there is none.</summary>
    public static bool Bearer(HeaderFields fields, out ReadOnlySpan<byte> token)
    {
        token = default;
        return fields.TryGet(KnownField.Authorization, out ReadOnlySpan<byte> value) && Scheme(value, "bearer"u8, out token) && !token.IsEmpty;
    }

    /// <summary>The value of the cookie <c>sess</c> (RFC 6265 §4.2); false when there is none or it is empty.</summary>
    public static bool Cookie(HeaderFields fields, out ReadOnlySpan<byte> token)
    {
        for (int i = 0; i < fields.Count; i++)
        {
            if (fields[i].Known != KnownField.Cookie) continue;
            ReadOnlySpan<byte> rest = fields[i].Value;
            while (!rest.IsEmpty)
            {
                int end = rest.IndexOf((byte)';');
                ReadOnlySpan<byte> pair = (end < 0 ? rest : rest[..end]).Trim(" \t"u8);
                rest = end < 0 ? default : rest[(end + 1)..];
                if (!pair.StartsWith("sess="u8)) continue;
                token = pair["sess="u8.Length..];
                if (token is [(byte)'"', .., (byte)'"']) token = token[1..^1];
                if (!token.IsEmpty) return true;
            }
        }
        token = default;
        return false;
    }

    // RFC 9110 §11.4: the scheme in any case, then blanks.
    private static bool Scheme(ReadOnlySpan<byte> authorization, ReadOnlySpan<byte> lower, out ReadOnlySpan<byte> credentials)
    {
        credentials = default;
        if (authorization.Length <= lower.Length || authorization[lower.Length] != ' ' || !Ascii.EqualsIgnoreCase(authorization[..lower.Length], lower)) return false;
        credentials = authorization[(lower.Length + 1)..].Trim(" \t"u8);
        return true;
    }

    private static bool Parameter(ReadOnlySpan<byte> query, Span<byte> buffer, out ReadOnlySpan<byte> token)
    {
        FormReader reader = new(query);
        while (reader.Read(out FormField field))
        {
            if (!field.Name.SequenceEqual("token"u8) || field.Value.IsEmpty) continue;
            if (field.Value.Length > buffer.Length || !FormReader.TryDecode(field.Value, buffer, out int length)) break;
            token = buffer[..length];
            // A token is base64, whose plus signs many a client sends as they are, and a form reads as blanks.
            buffer[..length].Replace((byte)' ', (byte)'+');
            return true;
        }
        token = default;
        return false;
    }

    // user-id ":" password in base64 (RFC 7617 §2).
    private static ReadOnlySpan<byte> Password(ReadOnlySpan<byte> basic, Span<byte> buffer)
    {
        if (basic.Length > buffer.Length / 3 * 4 || Base64.DecodeFromUtf8(basic, buffer, out _, out int length) != OperationStatus.Done) return default;
        int colon = buffer[..length].IndexOf((byte)':');
        return colon < 0 ? default : buffer[(colon + 1)..length];
    }
}

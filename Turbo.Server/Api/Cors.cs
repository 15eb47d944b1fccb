using System.Collections.Frozen;
using System.Text;
using Turbo.Net;
using HttpMethod = Turbo.Net.HttpMethod;

namespace Turbo.Server.Api;

/// <summary>
/// The CORS fields that every response carries (contract section 3; Fetch §3.2), as bytes made once.
/// </summary>
internal sealed class Cors
{
    private const string Methods = "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n";

    // What browsers do not allow by themselves and Turbo's clients send.
    private const string Headers = "Access-Control-Allow-Headers: Authorization, Content-Type, X-Requested-With, OpenAI-Organization, OpenAI-Project, OpenAI-Beta, Idempotency-Key\r\n";

    // One more than a sensible origin; a longer one is not repeated.
    private const int LongestOrigin = 512;

    private readonly bool _allowsAny;
    private readonly FrozenSet<string> _origins;
    private readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> _lookup;

    /// <param name="origins">One <c>*</c>, or the origins allowed by name.</param>
    public Cors(IReadOnlyCollection<string> origins)
    {
        _allowsAny = origins.Contains("*");
        _origins = origins.ToFrozenSet(StringComparer.Ordinal);
        _lookup = _origins.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    private static ReadOnlySpan<byte> AllowAny => "Access-Control-Allow-Origin: *\r\n"u8;

    private static readonly byte[] s_methods = Encoding.ASCII.GetBytes(Methods);
    private static readonly byte[] s_rest = Encoding.ASCII.GetBytes("Vary: Origin\r\n" + Methods + Headers);

    /// <summary>The field lines for a client whose request was not read.</summary>
    public ReadOnlyMemory<byte> Unasked => _allowsAny ? (byte[])[.. AllowAny, .. s_rest] : s_rest;

    /// <summary>Writes the fields within a response's head.</summary>
    public void Write(Exchange exchange, ResponseWriter response)
    {
        WriteOrigin(exchange, response);
        if (IsPreflight(exchange) && exchange.Fields.TryGet("Access-Control-Request-Headers"u8, out ReadOnlySpan<byte> asked) && asked.Length is > 0 and <= 1024)
        {
            // Clients' SDKs send fields of their own; each may be sent.
            response.RawFields("Vary: Origin, Access-Control-Request-Headers\r\n"u8);
            response.RawFields(s_methods);
            response.Field("Access-Control-Allow-Headers"u8, asked);
            return;
        }
        response.RawFields(s_rest);
    }

    /// <summary>
    /// Whether a browser asks for leave (Fetch §3.2.2): OPTIONS with an origin and the method it means to use.
    /// </summary>
    public static bool IsPreflight(Exchange exchange) =>
        exchange.Method == HttpMethod.Options && exchange.Fields.Has(KnownField.Origin) && exchange.Fields.Has(KnownField.AccessControlRequestMethod);

    /// <summary>
    /// Whether a page of another origin that is not allowed by name opens a WebSocket in its visitor's name. The browser
    /// lets it (RFC 6455 §10.2), unlike requests whose answers it then keeps from the page.
    /// </summary>
    public bool IsForeignPage(Exchange exchange)
    {
        if (!exchange.Fields.TryGet(KnownField.Origin, out ReadOnlySpan<byte> origin) || !Credentials.AreAmbient(exchange, takesParameter: true)) return false;
        if (IsNamed(exchange)) return false;
        int scheme = origin.IndexOf("://"u8);
        return scheme < 0 || !exchange.Fields.TryGet(KnownField.Host, out ReadOnlySpan<byte> host) || !Ascii.EqualsIgnoreCase(origin[(scheme + 3)..], host);
    }

    /// <summary>
    /// Whether a browser says that a page of another origin, one that is not allowed by name, asks for a change. SameSite=Lax
    /// keeps the cookie from other sites, but neither from other ports of this host nor from its sister hosts, and lets them
    /// set it. What the browser says of it (Fetch Metadata) holds behind a proxy too, which may change the Host. It says so
    /// only to https and to localhost.
    /// </summary>
    public bool IsForeignWrite(Exchange exchange)
    {
        HeaderFields fields = exchange.Fields;
        if (!fields.Has(KnownField.Origin) || exchange.Method is HttpMethod.Get or HttpMethod.Head) return false;
        if (!fields.TryGet("Sec-Fetch-Site"u8, out ReadOnlySpan<byte> site) || !(site.SequenceEqual("same-site"u8) || site.SequenceEqual("cross-site"u8))) return false;
        return !IsNamed(exchange);
    }

    /// <summary>The same, in its visitor's name.</summary>
    /// <param name="exchange">The request.</param>
    /// <param name="takesParameter">Whether its route takes the token from the query.</param>
    public bool IsForeignWriteOnBehalf(Exchange exchange, bool takesParameter) => IsForeignWrite(exchange) && Credentials.AreAmbient(exchange, takesParameter);

    private bool IsNamed(Exchange exchange)
    {
        if (!exchange.Fields.TryGet(KnownField.Origin, out ReadOnlySpan<byte> origin) || origin.Length > LongestOrigin) return false;
        Span<char> chars = stackalloc char[LongestOrigin];
        return _lookup.Contains(chars[..Encoding.Latin1.GetChars(origin, chars)]);
    }

    private void WriteOrigin(Exchange exchange, ResponseWriter response)
    {
        if (!exchange.Fields.TryGet(KnownField.Origin, out ReadOnlySpan<byte> origin) || origin.Length is 0 or > LongestOrigin)
        {
            if (_allowsAny) response.RawFields(AllowAny);
            return;
        }
        if (_allowsAny)
        {
            response.Field("Access-Control-Allow-Origin"u8, origin);
            return;
        }
        Span<char> chars = stackalloc char[LongestOrigin];
        int length = Encoding.Latin1.GetChars(origin, chars);
        if (!_lookup.Contains(chars[..length])) return;
        response.Field("Access-Control-Allow-Origin"u8, origin);
        response.RawFields("Access-Control-Allow-Credentials: true\r\n"u8);
    }
}

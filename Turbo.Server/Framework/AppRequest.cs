using System.Buffers;
using System.Text;
using Turbo.Net;
using Turbo.Server.Api;
using HttpMethod = Turbo.Net.HttpMethod;

namespace Turbo.Server;

/// <summary>
/// One request to an application's endpoint, and its answer. Used by its handler, one call at a time; when that returns,
/// the request is over and its members throw <see cref="ObjectDisposedException"/>.
/// </summary>
public sealed partial class AppRequest
{
    private readonly RequestContext _context;
    private readonly long _started;
    private AppSession? _session;
    private Dictionary<string, object?>? _items;
    private bool _isOver;
    private bool _isWatched;
    private bool _isClientGone;

    internal AppRequest(TurboApp app, RequestContext context)
    {
        App = app;
        _context = context;
        _started = context.Started;
    }

    /// <summary>The application: its database, cache, events and model.</summary>
    public TurboApp App { get; }

    /// <summary>The method as sent, such as <c>GET</c>.</summary>
    public string Method => Exchange.Method switch
    {
        HttpMethod.Get => "GET",
        HttpMethod.Post => "POST",
        _ => Encoding.ASCII.GetString(Exchange.MethodName),
    };

    /// <summary>The path as sent, not decoded.</summary>
    public string Path => Encoding.ASCII.GetString(Exchange.Path);

    /// <summary>The query as sent, without its '?'; empty when there is none.</summary>
    public string Query => Encoding.ASCII.GetString(Exchange.Query);

    /// <summary>The session that was presented; on a private endpoint never null.</summary>
    public AppSession? Session => Context.Session is { } live ? _session ??= new AppSession(live.UserId, live.Username) : null;

    /// <summary>The session of a private endpoint. Throws <see cref="InvalidOperationException"/> where there is none.</summary>
    public AppSession User => Session ?? throw new InvalidOperationException("the request has no session: is the endpoint private?");

    /// <summary>The client's address; what <c>X-Forwarded-For</c> says counts from TRUSTED_PROXIES alone.</summary>
    public string ClientAddress => Encoding.ASCII.GetString(Context.Client.Text);

    /// <summary>Whether the client speaks TLS with this server.</summary>
    public bool IsTls => Exchange.IsTls;

    /// <summary>How long ago the request came.</summary>
    public TimeSpan Elapsed => App.Host.Time.GetElapsedTime(_started);

    /// <summary>
    /// Cancelled when the client leaves. From the first use on the connection is watched, which is not to be had before the
    /// request's content was read, where it has any.
    /// </summary>
    public CancellationToken Aborted
    {
        get
        {
            CancellationToken aborted = Exchange.Aborted;
            _isWatched = true;
            return aborted;
        }
    }

    /// <summary>What hooks and handler hand each other.</summary>
    public IDictionary<string, object?> Items => _items ??= new(StringComparer.Ordinal);

    /// <summary>The value of a header field, its first line; null when there is none.</summary>
    public string? Header(string name) =>
        Exchange.Fields.TryGet(Encoding.ASCII.GetBytes(name), out ReadOnlySpan<byte> value) ? Encoding.UTF8.GetString(value) : null;

    /// <summary>
    /// The value of a parameter in the path, decoded: <c>id</c> of <c>/note/{id}</c>. One that is not UTF-8 is answered 400.
    /// </summary>
    /// <exception cref="ArgumentException">The endpoint's path has no such parameter.</exception>
    public string PathValue(string name)
    {
        ReadOnlySpan<byte> value = default;
        if (Context.Pattern?.TryGet(Exchange.Path, Encoding.ASCII.GetBytes(name), out value) is not true) throw new ArgumentException($"the path has no parameter {name}", nameof(name));
        byte[] decoded = ArrayPool<byte>.Shared.Rent(value.Length);
        try
        {
            if (TryDecode(value, decoded, out int length)) return Encoding.UTF8.GetString(decoded.AsSpan(0, length));
            throw new AppException(400, $"{name} in the path is not text in UTF-8, percent-encoded", name, "invalid_parameter");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(decoded);
        }
    }

    internal Exchange Exchange => Context.Exchange;

    private RequestContext Context
    {
        get
        {
            CheckIsOpen();
            return _context;
        }
    }

    internal void CheckIsOpen() => ObjectDisposedException.ThrowIf(_isOver, this);

    /// <summary>Whether a failure comes of a client that has left, or of a stream that was ended: nothing for the log.</summary>
    internal bool HasLost(Exception e) =>
        e is OperationCanceledException or IOException
        && (_isClientGone || _events is { IsOver: true } || _context.Exchange.EndReason != Net.Transport.EndReason.None || (_isWatched && _context.Exchange.Aborted.IsCancellationRequested));

    // In a path a plus sign is one (RFC 3986 §2.1), unlike in a form.
    private static bool TryDecode(ReadOnlySpan<byte> value, Span<byte> decoded, out int length)
    {
        length = 0;
        for (int i = 0; i < value.Length; i++)
        {
            byte b = value[i];
            if (b == '%')
            {
                if (i + 2 >= value.Length || !char.IsAsciiHexDigit((char)value[i + 1]) || !char.IsAsciiHexDigit((char)value[i + 2])) return false;
                b = (byte)(Digit(value[i + 1]) << 4 | Digit(value[i + 2]));
                i += 2;
            }
            decoded[length++] = b;
        }
        return System.Text.Unicode.Utf8.IsValid(decoded[..length]) && !decoded[..length].Contains((byte)0);
    }

    private static int Digit(byte hex) => hex <= '9' ? hex - '0' : (hex | 0x20) - 'a' + 10;
}

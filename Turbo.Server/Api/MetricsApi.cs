using System.Net;
using System.Security.Cryptography;
using System.Text;
using Turbo.Net;
using Turbo.Server.Metrics;

namespace Turbo.Server.Api;

/// <summary>
/// <c>/metrics</c>: to loopback clients, or with METRICS_TOKEN as Bearer. The page is rendered on the thread pool, one at a
/// time for all who ask meanwhile, so that no socket's thread waits and no number of scrapers costs more than one.
/// </summary>
internal sealed class MetricsApi(AppHost app)
{
    private readonly MetricsPage _page = new(app);
    private readonly byte[]? _token = app.Options.MetricsToken.Length > 0 ? SHA256.HashData(Encoding.UTF8.GetBytes(app.Options.MetricsToken)) : null;
    private readonly Lock _gate = new();
    private Task<byte[]>? _rendering;

    public ValueTask HandleAsync(RequestContext context)
    {
        if (IsLoopback(context.Exchange) || HasToken(context.Exchange)) return AnswerAsync(context);
        context.Fail(_token is null
            ? new ApiError(403, "metrics are for clients on this machine; METRICS_TOKEN opens them to others", Code: "loopback_only")
            : new ApiError(401, "send METRICS_TOKEN as Authorization: Bearer", Code: "invalid_token"));
        return default;
    }

    private async ValueTask AnswerAsync(RequestContext context)
    {
        byte[] page = await RenderAsync();
        ResponseWriter response = context.Exchange.Response;
        response.Start(200);
        response.RawFields("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\nCache-Control: no-store\r\n"u8);
        response.EndHead(page.Length);
        response.Write(page);
    }

    private Task<byte[]> RenderAsync()
    {
        lock (_gate)
        {
            if (_rendering is null || _rendering.IsCompleted) _rendering = Task.Run(_page.Render);
            return _rendering;
        }
    }

    // The socket's peer alone counts. Where a proxy on this machine passes another's request on, or a browser a page's, the
    // peer is not who asks.
    private static bool IsLoopback(Exchange exchange) =>
        exchange.RemoteEndPoint?.Address is { } peer && IPAddress.IsLoopback(peer.IsIPv4MappedToIPv6 ? peer.MapToIPv4() : peer)
        && !exchange.Fields.Has(KnownField.XForwardedFor) && !exchange.Fields.TryGet("forwarded"u8, out _) && !exchange.Fields.Has(KnownField.Origin);

    // Hashed first, so that the comparison tells nothing of the length either.
    private bool HasToken(Exchange exchange)
    {
        if (_token is null || !Credentials.Bearer(exchange.Fields, out ReadOnlySpan<byte> token)) return false;
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(token, hash);
        return CryptographicOperations.FixedTimeEquals(hash, _token);
    }
}

using System.Runtime.CompilerServices;
using Turbo.Net;
using Turbo.Net.Upstream;
using Turbo.Server.Ai;

namespace Turbo.Server.Api;

/// <summary>
/// <c>/v1/*</c>: any method, passed on to OpenAI byte for byte (contract section 8), its usage recorded. What is under way
/// when its session ends is cut off.
/// </summary>
internal sealed class ProxyApi(AppHost app)
{
    /// <summary>Relays the request; a failure that left the client without a response is answered as <c>upstream_error</c>.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder))]
    public async ValueTask HandleAsync(RequestContext context)
    {
        Exchange exchange = context.Exchange;
        if (ProxyPath.Climbs(exchange.Path["/v1/".Length..]))
        {
            context.Fail(ApiError.PathClimbs);
            return;
        }
        // Uploads may be of any size: they stream.
        exchange.Body.MaxBytes = long.MaxValue;
        UsageTap tap = context.Tap;
        tap.Begin(exchange, context.Session, context.Event, app.Events.BodyBytes, context.Started, app.Time);
        try
        {
            RelayResult result = await app.Gateway.RelayAsync(exchange, tap, context.Started).ConfigureAwait(false);
            if (tap.HasCodedReply)
            {
                // The client has its last byte before its copy is decoded.
                await exchange.Response.FlushAsync().ConfigureAwait(false);
                await tap.DecodeAsync().ConfigureAwait(false);
            }
            Settle(context, result);
        }
        finally
        {
            tap.End();
        }
    }

    private static void Settle(RequestContext context, RelayResult result)
    {
        switch (result)
        {
            case RelayResult.Unreachable:
                context.Fail(ApiError.Upstream(502, "the upstream server could not be reached or ended without an answer"));
                break;
            case RelayResult.MalformedResponse:
                context.Fail(ApiError.Upstream(502, "the upstream server's answer was malformed"));
                break;
            case RelayResult.Timeout:
                context.Fail(ApiError.Upstream(504, "the upstream server did not answer in time"));
                break;
            case RelayResult.Overloaded:
                context.Fail(ApiError.Overloaded);
                break;
            case RelayResult.ClientGone:
                context.HasClientLeft = true;
                context.NoteCutOff();
                break;
            case RelayResult.Truncated:
                context.Event.Message.Set("the upstream server broke off its response"u8);
                break;
            case RelayResult.CutOff when context.Exchange.Response.HasStarted:
                context.Event.Message.Set("cut off: the session ended"u8);
                break;
            case RelayResult.CutOff:
                context.Fail(ApiError.InvalidSession);
                break;
            case RelayResult.Tunnelled when context.Exchange.EndReason == Net.Transport.EndReason.Draining:
                context.NoteCutOff();
                break;
        }
    }
}

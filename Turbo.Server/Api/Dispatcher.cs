using System.Runtime.CompilerServices;
using Turbo.Net;
using HttpMethod = Turbo.Net.HttpMethod;
using Turbo.Net.Http1;
using Turbo.Server.Auth;
using Turbo.Server.Events;
using Turbo.Server.Cache;
using Turbo.Server.Logging;
using Turbo.Server.Model;
using Turbo.Server.Storage;

namespace Turbo.Server.Api;

/// <summary>
/// The one handler that the HTTP server calls. Each request passes: route, preflight, authentication, the route's
/// handler, and, whatever became of it, its log line and its event row. Where all of that completes at once nothing is
/// allocated.
/// </summary>
internal sealed class Dispatcher(AppHost app, RouteTable<Route> routes, Cors cors, RequestLog log)
{
    // The status that log and event rows have for a request whose client left before an answer was begun.
    private const int ClientClosedRequest = 499;

    /// <summary>What the event row keeps of a path or query, in bytes: a request-line may be longer.</summary>
    private const int MaxTargetBytes = 4096;

    private long _withoutRow;

    /// <summary>Requests that have a log line and no event row.</summary>
    public long RequestsWithoutRow => Volatile.Read(ref _withoutRow);

    public ValueTask HandleAsync(Exchange exchange)
    {
        RequestContext context = ContextOf(exchange);
        RouteMatch<Route> match = routes.Match(exchange.Method, exchange.Path);
        context.Begin(app.Events.Rent(), match);
        app.Requests.Begin(context.RouteClass);
        ValueTask handling;
        try
        {
            handling = app.Events.HasRoom || match.Target is { IsProbe: true } ? Dispatch(context, match) : AwaitRoomAsync(context, match);
        }
        catch (Exception e)
        {
            handling = ValueTask.FromException(e);
        }
        if (!handling.IsCompletedSuccessfully) return AwaitAsync(context, handling);
        handling.GetAwaiter().GetResult();
        Complete(context);
        return default;
    }

    /// <summary>
    /// Answers a request that the server refused. One that it refused before it had a handler has no event row: what there
    /// is of its head may be anything.
    /// </summary>
    public void WriteError(Exchange exchange, int status, string message)
    {
        RequestContext context = ContextOf(exchange);
        if (context.HasBegun)
        {
            // An opening handshake that is none: the handler's request goes on to its end.
            context.Fail(new ApiError(status, message));
            return;
        }
        long started = app.Time.GetTimestamp();
        context.Client.Set(exchange, app.Options);
        context.Fail(new ApiError(status, message));
        Interlocked.Increment(ref _withoutRow);
        app.Requests.Reject(status);
        WriteLine(context, status, app.Time.GetElapsedTime(started), userId: "");
        context.End();
    }

    private RequestContext ContextOf(Exchange exchange)
    {
        if (exchange.ApplicationState is RequestContext known) return known;
        RequestContext made = new(app, exchange);
        exchange.ApplicationState = made;
        return made;
    }

    // The database takes event rows slower than requests come: none is dropped, so requests wait. One that has waited long
    // enough is not done, and has no row, for which there is no room.
    private async ValueTask AwaitRoomAsync(RequestContext context, RouteMatch<Route> match)
    {
        if (await app.Events.WaitForRoomAsync(CancellationToken.None))
        {
            await Dispatch(context, match);
            return;
        }
        context.IsTurnedAway = true;
        context.Fail(ApiError.NoRoomForEvents);
    }

    private ValueTask Dispatch(RequestContext context, RouteMatch<Route> match)
    {
        Exchange exchange = context.Exchange;
        if (exchange.Method == HttpMethod.Options && (Cors.IsPreflight(exchange) || (match.IsKnownPath && match.Target is null)))
        {
            AnswerOptions(exchange, match);
            return default;
        }
        if (match.Target is not { } route)
        {
            if (exchange.IsForServer) AnswerOptions(exchange, match);
            else if (match.IsKnownPath) context.FailMethod(match.Allow.Span);
            else context.Fail(ApiError.NotFound);
            return default;
        }
        bool needsSession = route.Access == Access.Session || (route.Access == Access.Proxy && app.Options.ProxyAuth == ProxyAuth.Session);
        return needsSession || route.Access == Access.Optional ? Authenticate(context, route) : Handle(context, route);
    }

    private ValueTask Handle(RequestContext context, Route route) =>
        app.Extension is { HasHooks: true } extension ? extension.RunHookedAsync(app, context, route) : route.Handler(app, context);

    // RFC 9110 §9.3.7; a preflight's CORS fields are those of every response.
    private static void AnswerOptions(Exchange exchange, RouteMatch<Route> match)
    {
        ResponseWriter response = exchange.Response;
        response.Start(204);
        if (!match.Allow.IsEmpty) response.Field("Allow"u8, match.Allow.Span);
        if (Cors.IsPreflight(exchange)) response.RawFields("Access-Control-Max-Age: 600\r\n"u8);
        response.EndHead(0);
    }

    private ValueTask Authenticate(RequestContext context, Route route)
    {
        Exchange exchange = context.Exchange;
        if (cors.IsForeignWriteOnBehalf(exchange, route.TakesTokenParameter))
        {
            if (route.Access == Access.Optional) return Handle(context, route);
            context.Fail(ApiError.ForeignPage);
            return default;
        }
        if (route.TakesTokenParameter && !exchange.Body.IsEmpty && !Credentials.Bearer(exchange.Fields, out _)) return AuthenticateByBodyAsync(context, route);
        Span<byte> buffer = stackalloc byte[Credentials.BufferBytes];
        return Authenticate(context, route, Credentials.Find(exchange, route.TakesTokenParameter, buffer));
    }

    // A parameter may come in the body too, and wins there over the query.
    private async ValueTask AuthenticateByBodyAsync(RequestContext context, Route route)
    {
        if (!await context.ReadParametersAsync()) return;
        ReadOnlySpan<byte> token = context.Parameters.Token("token"u8);
        if (context.RefusesParameters()) return;
        await (token.IsEmpty ? AuthenticateByFields(context, route) : Authenticate(context, route, token));
    }

    private ValueTask AuthenticateByFields(RequestContext context, Route route)
    {
        Span<byte> buffer = stackalloc byte[Credentials.BufferBytes];
        return Authenticate(context, route, Credentials.Find(context.Exchange, takesParameter: false, buffer));
    }

    private ValueTask Authenticate(RequestContext context, Route route, ReadOnlySpan<byte> token)
    {
        if (token.IsEmpty)
        {
            if (route.Access == Access.Optional) return Handle(context, route);
            context.Fail(new ApiError(401, "this path needs a session: log in and send its token as Authorization: Bearer", Code: "missing_session"));
            return default;
        }
        ValueTask<LiveSession?> lookup = app.Sessions.AuthenticateAsync(token);
        return lookup.IsCompletedSuccessfully ? Admit(context, route, lookup.Result) : AwaitSessionAsync(context, route, lookup);
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder))]
    private async ValueTask AwaitSessionAsync(RequestContext context, Route route, ValueTask<LiveSession?> lookup) =>
        await Admit(context, route, await lookup);

    private ValueTask Admit(RequestContext context, Route route, LiveSession? session)
    {
        if (session is null && route.Access != Access.Optional)
        {
            context.Fail(ApiError.InvalidSession);
            return default;
        }
        context.Session = session;
        return Handle(context, route);
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder))]
    private async ValueTask AwaitAsync(RequestContext context, ValueTask handling)
    {
        try
        {
            await handling;
        }
        catch (Exception e)
        {
            if (context.Exchange.Response.HasStarted)
            {
                // Half an answer is out: the server cuts the connection and logs why.
                context.Event.Message.Set("the response broke off"u8);
                Complete(context);
                throw;
            }
            context.Fail(ErrorOf(e));
        }
        Complete(context);
    }

    /// <summary>What a client is told of a failure; the log is told what it was, where that is for us to know.</summary>
    public ApiError ErrorOf(Exception failure)
    {
        switch (failure)
        {
            case AppException e:
                return new ApiError(e.Status, e.Message, e.Param, e.Code);
            case AiException e:
                return ApiError.Upstream(e.Failure);
            case OperationCanceledException when app.Stopping.IsCancellationRequested:
                return ApiError.Stopping;
            case StorageException { Failure: StorageFailure.Busy }:
                return ApiError.Overloaded;
            case CacheException:
                app.Log.Error("handling a request", failure);
                return ApiError.CacheAway;
            case StorageException { Failure: StorageFailure.Unavailable or StorageFailure.Closed }:
                app.Log.Error("handling a request", failure);
                return ApiError.Unavailable;
            default:
                app.Log.Error("handling a request", failure);
                return ApiError.Internal;
        }
    }

    /// <summary>Every request passes here once, its response written as far as it ever will be by its handler.</summary>
    private void Complete(RequestContext context)
    {
        Exchange exchange = context.Exchange;
        if (!exchange.Response.HasStarted) AnswerForHandler(context);
        int status = exchange.Response.HasStarted ? exchange.Response.Status : exchange.EndReason == Net.Transport.EndReason.Draining ? 503 : ClientClosedRequest;
        long ended = app.Time.GetTimestamp();
        TimeSpan duration = app.Time.GetElapsedTime(context.Started, ended);
        app.Requests.End(context.RouteClass, status, ended - context.Started);
        EventRow row = context.Event;
        row.Status = status;
        row.Duration = duration.Ticks * 100;
        row.CreatedAt = row.Timestamp + duration;
        row.ClientIp.Set(context.Client.Text);
        row.Method.Set(exchange.MethodName);
        row.Endpoint.AppendUpTo(exchange.Path, MaxTargetBytes);
        row.Params.AppendUpTo(exchange.Query, MaxTargetBytes);
        if (context.Session is { } session) row.UserId = session.UserId;
        WriteLine(context, status, duration, row.UserId);
        bool hasNoRow = context.IsTurnedAway || (context.Route is { IsProbe: true } && !app.Events.HasRoom);
        HeldEvent? held = context.HeldEvent;
        context.End();
        if (!hasNoRow)
        {
            if (held is not null) held.Release();
            else app.Events.Submit(row);
            return;
        }
        Interlocked.Increment(ref _withoutRow);
        app.Events.Discard(row);
    }

    // The handler returned without an answer: because the body was refused, the client left, or of a bug of ours.
    private void AnswerForHandler(RequestContext context)
    {
        Exchange exchange = context.Exchange;
        RejectReason reject = exchange.Body.Reject;
        if (context.HasClientLeft)
        {
            context.NoteCutOff();
            exchange.Abort();
        }
        else if (reject != RejectReason.None)
        {
            exchange.IsPersistent = false;
            context.Fail(new ApiError(reject.Status(), reject.Message()));
        }
        else
        {
            app.Log.Error($"no handler answered {System.Text.Encoding.ASCII.GetString(exchange.Path)}");
            context.Fail(ApiError.Internal);
        }
    }

    private void WriteLine(RequestContext context, int status, TimeSpan duration, string userId)
    {
        if (!log.IsOn(status)) return;
        Exchange exchange = context.Exchange;
        log.Write(new RequestLine
        {
            Method = exchange.MethodName,
            Path = exchange.Path,
            Status = status,
            Duration = duration,
            BytesIn = exchange.Body.BytesRead,
            BytesOut = exchange.Response.ContentBytes,
            Client = context.Client.Text,
            UserId = userId.Length > 0 ? userId : null,
        });
    }
}

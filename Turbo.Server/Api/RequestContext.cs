using System.Buffers;
using System.Runtime.CompilerServices;
using Turbo.Net;
using Turbo.Server.Ai;
using Turbo.Server.Auth;
using Turbo.Server.Events;
using Turbo.Server.Metrics;
using Turbo.Server.Model;

namespace Turbo.Server.Api;

/// <summary>
/// One request as Turbo's handlers see it: the exchange, who sent it, its parameters, and how to answer. Kept in
/// <see cref="Exchange.ApplicationState"/> and reused with the exchange.
/// </summary>
internal sealed class RequestContext(AppHost app, Exchange exchange)
{
    // A content buffer up to this size stays for the next request.
    private const int KeptBytes = 64 * 1024;

    private UsageTap? _tap;
    private bool _hasParameters;
    private bool _hasKeptRequest;
    private ArrayBufferWriter<byte> _content = new(1024);

    public AppHost App => app;

    public Exchange Exchange => exchange;

    /// <summary>Filled by <see cref="ReadParametersAsync"/>.</summary>
    public Parameters Parameters { get; } = new();

    /// <summary>Sees a proxied exchange pass; made when the first one does.</summary>
    public UsageTap Tap => _tap ??= new UsageTap(app.Sessions);

    /// <summary>The session; null on a route that needs none.</summary>
    public LiveSession? Session { get; set; }

    /// <summary>The session of a route that needs one.</summary>
    public LiveSession RequiredSession => Session ?? throw new InvalidOperationException("the route needs no session");

    public ClientAddress Client { get; } = new();

    /// <summary>The route; null where none matched.</summary>
    public Route? Route { get; private set; }

    /// <summary>What the request is counted under.</summary>
    public RouteClass RouteClass => Route?.Class ?? RouteClass.None;

    /// <summary>The request's event row, for what only the handler knows of it: model, usage, content.</summary>
    public EventRow Event { get; private set; } = null!;

    /// <summary>Whether the dispatcher has the request.</summary>
    public bool HasBegun => Event is not null;

    /// <summary>The arrival, a timestamp of the application's clock.</summary>
    public long Started { get; private set; }

    /// <summary>Set by a handler that saw the client leave before its response was complete.</summary>
    public bool HasClientLeft { get; set; }

    /// <summary>Set where no room was found for the request's event row: it is answered without having been done.</summary>
    public bool IsTurnedAway { get; set; }

    /// <summary>Takes what the handler is to answer with, before <see cref="Send"/>.</summary>
    public IBufferWriter<byte> Content => _content;

    /// <summary>Reads the path's parameters; null where the route has none.</summary>
    public RoutePattern? Pattern { get; private set; }

    public void Begin(EventRow row, RouteMatch<Route> match)
    {
        Event = row;
        Route = match.Target;
        Pattern = match.Pattern;
        Started = app.Time.GetTimestamp();
        row.Timestamp = app.Time.GetUtcNow().UtcDateTime;
        Client.Set(exchange, app.Options);
    }

    /// <summary>Set where another than the dispatcher has still to fill the event row.</summary>
    public HeldEvent? HeldEvent { get; private set; }

    /// <summary>Keeps the event row from being handed in until the caller has released it, too.</summary>
    public HeldEvent HoldEvent() => HeldEvent = new HeldEvent(app.Events, Event);

    public void End()
    {
        Event = null!;
        HeldEvent = null;
        Route = null;
        Pattern = null;
        Session = null;
        HasClientLeft = false;
        IsTurnedAway = false;
        Parameters.Reset();
        _hasParameters = false;
        _hasKeptRequest = false;
        if (_content.Capacity > KeptBytes) _content = new ArrayBufferWriter<byte>(1024);
        else _content.ResetWrittenCount();
    }

    /// <summary>
    /// Reads query and body, once. False when they are refused: the answer is then given and the handler returns.
    /// </summary>
    /// <param name="answersRefusal">Whether it answers where they are refused; else <see cref="Parameters.Error"/> says why, or the body's rejection.</param>
    public ValueTask<bool> ReadParametersAsync(bool answersRefusal = true) =>
        _hasParameters ? new ValueTask<bool>(true) : exchange.Body.IsEmpty ? new ValueTask<bool>(TakeParameters(default, answersRefusal)) : ReadBodyAsync(answersRefusal);

    /// <summary>Answers 400 if a parameter that was asked for was bad or missing.</summary>
    public bool RefusesParameters()
    {
        if (!Parameters.HasError) return false;
        Fail(Parameters.Error);
        return true;
    }

    /// <summary>Sends <see cref="Content"/> as JSON.</summary>
    public void Send(int status = 200)
    {
        exchange.Response.Start(status);
        SendStarted();
    }

    /// <summary>As <see cref="Send"/>, after the caller's Start and fields of its own.</summary>
    public void SendStarted()
    {
        ReadOnlySpan<byte> content = _content.WrittenSpan;
        ResponseWriter response = exchange.Response;
        response.Field("Content-Type"u8, "application/json"u8);
        response.EndHead(content.Length);
        response.Write(content);
        KeepResponse(content);
    }

    /// <summary>Keeps content of the request in its event row, once, as much as EVENT_BODIES says.</summary>
    public void KeepRequest(ReadOnlySpan<byte> content)
    {
        if (_hasKeptRequest) return;
        _hasKeptRequest = true;
        // As it was sent: the event writer takes the secrets out.
        Event.Request.AppendUpTo(content, app.Events.BodyBytes);
    }

    /// <summary>Keeps content of the response in the request's event row, as much as EVENT_BODIES says.</summary>
    public void KeepResponse(ReadOnlySpan<byte> content)
    {
        if (HasBegun) Event.Response.AppendUpTo(content, app.Events.BodyBytes);
    }

    /// <summary>Answers 200 with <c>{}</c>.</summary>
    public void SendEmptyObject()
    {
        _content.Write("{}"u8);
        Send();
    }

    /// <summary>Answers with an error, if nothing was answered yet.</summary>
    public void Fail(ApiError error) => Fail(error, default);

    /// <summary>Answers 405 with the methods that the path takes.</summary>
    public void FailMethod(ReadOnlySpan<byte> allow) => Fail(ApiError.MethodNotAllowed, allow);

    private void Fail(ApiError error, ReadOnlySpan<byte> allow)
    {
        ResponseWriter response = exchange.Response;
        if (response.HasStarted) return;
        _content.ResetWrittenCount();
        error.WriteContent(_content);
        response.Start(error.Status);
        if (!allow.IsEmpty) response.Field("Allow"u8, allow);
        if (error.Status == 401) response.Field("WWW-Authenticate"u8, "Bearer"u8);
        if (error.HasRetryAfter) response.Field("Retry-After"u8, error.RetryAfterSeconds);
        SendStarted();
        if (HasBegun) Event.Message.Set(error.Message);
    }

    /// <summary>Records why the client did not get its response whole: it left, stopped reading, or was cut off by us.</summary>
    public void NoteCutOff() => Event.Message.Set(exchange.EndReason switch
    {
        Net.Transport.EndReason.Draining => "cut off by the server's stop: SHUTDOWN_TIMEOUT had passed"u8,
        Net.Transport.EndReason.WriteTimeout => "cut off: the client took its response too slowly"u8,
        _ => "the client left"u8,
    });

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<bool> ReadBodyAsync(bool answersRefusal)
    {
        BodyContent content = await exchange.Body.ReadAllAsync();
        // Refused: the dispatcher says why.
        return content.IsComplete && TakeParameters(content.Bytes.Span, answersRefusal);
    }

    private bool TakeParameters(ReadOnlySpan<byte> body, bool answersRefusal)
    {
        KeepRequest(body);
        ReadOnlySpan<byte> text = body.TrimStart(" \t\r\n"u8);
        if (!text.IsEmpty) TakeBody(text);
        if (!Parameters.HasError) Parameters.ReadQuery(exchange.Query);
        return _hasParameters = !(answersRefusal ? RefusesParameters() : Parameters.HasError);
    }

    private void TakeBody(ReadOnlySpan<byte> text)
    {
        bool hasType = exchange.Fields.TryGet(KnownField.ContentType, out ReadOnlySpan<byte> type);
        if (exchange.Fields.TryGet(KnownField.ContentEncoding, out ReadOnlySpan<byte> coding) && !Is(coding, "identity"u8))
        {
            Parameters.Refuse(new ApiError(415, "the body must come without a Content-Encoding", Code: "unsupported_media_type"));
        }
        else if (text[0] == '{' || (hasType && IsJson(type))) Parameters.ReadJson(text);
        else if (!hasType || Is(type, "application/x-www-form-urlencoded"u8)) Parameters.ReadForm(text);
        else
        {
            string message = Is(type, "multipart/form-data"u8)
                ? "multipart/form-data is not taken here; send application/x-www-form-urlencoded or JSON"
                : "the body must be application/x-www-form-urlencoded or JSON";
            Parameters.Refuse(new ApiError(415, message, Code: "unsupported_media_type"));
        }
    }

    private static bool IsJson(ReadOnlySpan<byte> type)
    {
        ReadOnlySpan<byte> essence = Essence(type);
        return Is(essence, "application/json"u8) || Is(essence, "text/json"u8) || (essence.Length > 5 && Is(essence[^5..], "+json"u8));
    }

    private static bool Is(ReadOnlySpan<byte> type, ReadOnlySpan<byte> lower) => System.Text.Ascii.EqualsIgnoreCase(Essence(type), lower);

    // The media type without its parameters (RFC 9110 §8.3.1).
    private static ReadOnlySpan<byte> Essence(ReadOnlySpan<byte> type)
    {
        int end = type.IndexOf((byte)';');
        return (end < 0 ? type : type[..end]).Trim(" \t"u8);
    }
}

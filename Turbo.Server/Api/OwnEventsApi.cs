using Turbo.Server.Json;

namespace Turbo.Server.Api;

/// <summary>What users are shown of the event rows: their own, by an index, and no more than a page at a time.</summary>
internal sealed class OwnEventsApi(AppHost app)
{
    private const int DefaultLimit = 50;
    private const int MaxLimit = 200;

    private static readonly TimeSpan s_defaultSince = TimeSpan.FromDays(30);
    private static readonly TimeSpan s_maxSince = TimeSpan.FromDays(366);

    /// <summary>Calls that cost tokens and requests that failed, newest first; <c>before</c> is the last id of the page before.</summary>
    public async ValueTask IndexAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        Parameters parameters = context.Parameters;
        int limit = parameters.Number("limit"u8, 1, MaxLimit) ?? DefaultLimit;
        string? before = parameters.Text("before"u8, RecordAccess.MaxId);
        if (context.RefusesParameters()) return;
        EventJson.WriteIndex(context.Content, await app.Db.Events.NotableAsync(context.RequiredSession.UserId, before is { Length: > 0 } ? before : null, limit));
        context.Send();
    }

    /// <summary>Tokens by model, over the time <c>since</c>.</summary>
    public async ValueTask UsageAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        Parameters parameters = context.Parameters;
        TimeSpan since = s_defaultSince;
        if (parameters.Text("since"u8, 16) is { Length: > 0 } text && (!OptionParser.TryDuration(text, out since) || since <= TimeSpan.Zero || since > s_maxSince))
            parameters.Refuse("since"u8, "is not a duration up to 366d, such as 24h or 30d");
        if (context.RefusesParameters()) return;
        EventJson.WriteUsage(context.Content, await app.Db.Events.UsageOfAsync(context.RequiredSession.UserId, app.Time.GetUtcNow().UtcDateTime - since));
        context.Send();
    }
}

using Turbo.Net.WebSocket;
using Turbo.Server.Chats;
using Turbo.Server.Storage;
using Turbo.Server.Streams;

namespace Turbo.Server.Api;

/// <summary>Contract section 7: a chat's messages as they come, as server-sent events or over a WebSocket.</summary>
internal sealed class StreamApi(AppHost app, Cors cors)
{
    public async ValueTask SubscribeAsync(RequestContext context)
    {
        if (RefusesPage(context, cors) || !await context.ReadParametersAsync()) return;
        string id = RecordAccess.Id(context.Parameters, "id"u8, "chat_id"u8);
        if (context.RefusesParameters()) return;

        Membership membership = new(id, context.RequiredSession.UserId);
        await app.Streams.ServeAsync(context, Prompts.Topic(id), new StreamAccess(AccessScope.Chat, membership), async () =>
        {
            if (await app.Db.Chats.MayReadAsync([membership]) is [true]) return true;
            RecordAccess.Refuses(context, AccessStatus.NotFound, "chat");
            return false;
        });
    }

    /// <summary>Refuses a WebSocket that a foreign page opens with its visitor's cookie.</summary>
    public static bool RefusesPage(RequestContext context, Cors cors)
    {
        if (!WebSocketHandshake.IsRequested(context.Exchange) || !cors.IsForeignPage(context.Exchange)) return false;
        context.Fail(ApiError.ForeignPage);
        return true;
    }
}

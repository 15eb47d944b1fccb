using Turbo.Server.Ai;
using Turbo.Server.Chats;
using Turbo.Server.Json;
using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Server.Streams;

namespace Turbo.Server.Api;

/// <summary>Contract section 6: chats, which their users may read and prompt and their owners may change.</summary>
internal sealed class ChatApi(AppHost app)
{
    private const int MaxName = 256;
    private const int MaxModel = 128;

    public async ValueTask CreateAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        Parameters parameters = context.Parameters;
        string? name = parameters.Text("name"u8, MaxName);
        string? model = parameters.Text("model"u8, MaxModel);
        string? group = parameters.Text("group_id"u8, RecordAccess.MaxId);
        if (context.RefusesParameters()) return;

        if (string.IsNullOrEmpty(name)) name = "general";
        if (string.IsNullOrEmpty(model)) model = "gpt-3";
        if (string.IsNullOrEmpty(group)) group = null;
        Chat? chat = await app.Db.Chats.CreateAsync(new NewChat(name, model, context.RequiredSession.UserId, group));
        if (chat is not null) Answer(context, chat);
        else context.Fail(ApiError.NoRecord("group", "group_id"));
    }

    public async ValueTask ReadAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        string id = ChatId(context.Parameters);
        int limit = context.Parameters.Number("limit"u8, 0, app.Options.ChatMessages) ?? app.Options.ChatMessages;
        if (context.RefusesParameters()) return;
        if (await app.Db.Chats.ReadAsync(id, context.RequiredSession.UserId, limit) is not { } reading)
        {
            RecordAccess.Refuses(context, AccessStatus.NotFound, "chat");
            return;
        }
        ChatJson.WriteReading(context.Content, reading.Chat, reading.Messages, reading.Users);
        context.Send();
    }

    public async ValueTask UpdateAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        Parameters parameters = context.Parameters;
        string id = ChatId(parameters);
        string? name = parameters.Text("name"u8, MaxName);
        if (name is { Length: 0 }) parameters.Refuse("name"u8, "is empty");
        string? model = parameters.Text("model"u8, MaxModel);
        if (model is { Length: 0 }) parameters.Refuse("model"u8, "is empty");
        if (context.RefusesParameters()) return;

        ChatAnswer answer = await app.Db.Chats.UpdateAsync(id, context.RequiredSession.UserId, name, model);
        if (!RecordAccess.Refuses(context, answer.Status, "chat")) Answer(context, answer.Chat!);
    }

    public async ValueTask DeleteAsync(RequestContext context)
    {
        if (await ChatIdAsync(context) is not { } id) return;
        AccessStatus status = await app.Db.Chats.DeleteAsync(id, context.RequiredSession.UserId);
        if (RecordAccess.Refuses(context, status, "chat")) return;
        app.Access.Revoke(AccessScope.Chat, id);
        context.SendEmptyObject();
    }

    public async ValueTask IndexAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        ChatJson.WriteIndex(context.Content, await app.Db.Chats.OfUserAsync(context.RequiredSession.UserId));
        context.Send();
    }

    public async ValueTask AddUserAsync(RequestContext context)
    {
        if (await UserOfCallAsync(context) is not { } call) return;
        AccessStatus status = await app.Db.Chats.AddUserAsync(call.Chat, context.RequiredSession.UserId, call.User);
        if (!RecordAccess.Refuses(context, status, "chat", call.User, "user_id")) context.SendEmptyObject();
    }

    public async ValueTask RemoveUserAsync(RequestContext context)
    {
        if (await UserOfCallAsync(context) is not { } call) return;
        AccessStatus status = await app.Db.Chats.RemoveUserAsync(call.Chat, context.RequiredSession.UserId, call.User);
        if (RecordAccess.Refuses(context, status, "chat", call.User, "user_id")) return;
        app.Access.Revoke(AccessScope.Chat, call.Chat, call.User);
        context.SendEmptyObject();
    }

    public async ValueTask PromptAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        Parameters parameters = context.Parameters;
        string id = ChatId(parameters);
        // MAX_BODY bounds it.
        string text = parameters.Text("prompt"u8, int.MaxValue) ?? "";
        string? saved = parameters.Text("prompt_id"u8, RecordAccess.MaxId);
        if (text.Length == 0 && string.IsNullOrEmpty(saved)) parameters.Miss("prompt"u8);
        int most = app.Options.ChatContext;
        int exchanges = Math.Min(parameters.Number("context"u8, 0, int.MaxValue) ?? most, most);
        bool streams = parameters.Flag("stream"u8);
        bool isOtr = parameters.Flag("otr"u8);
        if (context.RefusesParameters()) return;

        if (!string.IsNullOrEmpty(saved))
        {
            if (await app.SavedPrompts.ComposeAsync(context, saved, text) is not { } composed) return;
            text = composed;
        }
        NewPrompt prompt = new(id, context.RequiredSession.UserId, text, exchanges, isOtr);
        if (streams && !isOtr)
        {
            AnswerPrompt(context, await app.Prompts.StartAsync(prompt, context.HoldEvent()));
            return;
        }
        CancellationToken aborted = context.Exchange.Aborted;
        try
        {
            AnswerPrompt(context, await app.Prompts.AskAsync(prompt, aborted));
        }
        catch (OperationCanceledException) when (aborted.IsCancellationRequested)
        {
            context.HasClientLeft = true;
        }
    }

    private static void AnswerPrompt(RequestContext context, PromptAnswer answer)
    {
        switch (answer.Status)
        {
            case PromptStatus.Done:
                // Where the reply comes later, so does this.
                if (context.HeldEvent is null) answer.Usage.CopyTo(context.Event);
                MessageJson.WriteReply(context.Content, answer.Message!);
                context.Send();
                break;
            case PromptStatus.NotFound:
                RecordAccess.Refuses(context, AccessStatus.NotFound, "chat");
                break;
            case PromptStatus.UpstreamFailed:
                context.Fail(ApiError.Upstream(answer.Failure!));
                break;
            case PromptStatus.Busy:
                context.Fail(ApiError.Overloaded);
                break;
            default:
                context.Fail(new ApiError(503, "the server is stopping", Code: "stopping"));
                break;
        }
    }

    private static void Answer(RequestContext context, Chat chat)
    {
        ChatJson.Write(context.Content, chat);
        context.Send();
    }

    private static string ChatId(Parameters parameters) => RecordAccess.Id(parameters, "id"u8, "chat_id"u8);

    private static async ValueTask<string?> ChatIdAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return null;
        string id = ChatId(context.Parameters);
        return context.RefusesParameters() ? null : id;
    }

    private static async ValueTask<(string Chat, string User)?> UserOfCallAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return null;
        Parameters parameters = context.Parameters;
        string chat = RecordAccess.Id(parameters, "chat_id"u8, "id"u8);
        string user = parameters.RequiredText("user_id"u8, RecordAccess.MaxId);
        return context.RefusesParameters() ? null : (chat, user);
    }
}

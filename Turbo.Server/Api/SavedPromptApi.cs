using System.Text;
using Turbo.Server.Json;
using Turbo.Server.Model;
using Turbo.Server.Storage;

namespace Turbo.Server.Api;

/// <summary>Prompts that are kept, which their owners may change and the members of the group they are shared with may use.</summary>
internal sealed class SavedPromptApi(AppHost app)
{
    private const int MaxName = 256;

    public async ValueTask CreateAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        Parameters parameters = context.Parameters;
        string name = parameters.RequiredText("name"u8, MaxName);
        string? text = Text(parameters);
        if (string.IsNullOrEmpty(text)) parameters.Miss("text"u8);
        string group = parameters.Text("group_id"u8, RecordAccess.MaxId) ?? "";
        if (context.RefusesParameters()) return;

        SavedPrompt? prompt = await app.Db.SavedPrompts.CreateAsync(name, text!, context.RequiredSession.UserId, group);
        if (prompt is not null) Answer(context, prompt);
        else context.Fail(ApiError.NoRecord("group", "group_id"));
    }

    public async ValueTask ReadAsync(RequestContext context)
    {
        if (await PromptIdAsync(context) is not { } id) return;
        if (await app.Db.SavedPrompts.ReadAsync(id, context.RequiredSession.UserId) is { } prompt) Answer(context, prompt);
        else RecordAccess.Refuses(context, AccessStatus.NotFound, "prompt");
    }

    public async ValueTask UpdateAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        Parameters parameters = context.Parameters;
        string id = PromptId(parameters);
        string? name = parameters.Text("name"u8, MaxName);
        if (name is { Length: 0 }) parameters.Refuse("name"u8, "is empty");
        string? text = Text(parameters);
        if (text is { Length: 0 }) parameters.Refuse("text"u8, "is empty");
        string? group = parameters.Text("group_id"u8, RecordAccess.MaxId);
        if (context.RefusesParameters()) return;

        SavedPromptAnswer answer = await app.Db.SavedPrompts.UpdateAsync(id, context.RequiredSession.UserId, new SavedPromptChange(name, text, group));
        if (answer.IsGroupUnknown) context.Fail(ApiError.NoRecord("group", "group_id"));
        else if (!RecordAccess.Refuses(context, answer.Status, "prompt")) Answer(context, answer.Prompt!);
    }

    public async ValueTask DeleteAsync(RequestContext context)
    {
        if (await PromptIdAsync(context) is not { } id) return;
        AccessStatus status = await app.Db.SavedPrompts.DeleteAsync(id, context.RequiredSession.UserId);
        if (!RecordAccess.Refuses(context, status, "prompt")) context.SendEmptyObject();
    }

    public async ValueTask IndexAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        SavedPromptJson.WriteIndex(context.Content, await app.Db.SavedPrompts.OfUserAsync(context.RequiredSession.UserId, app.Options.PromptIndex));
        context.Send();
    }

    /// <summary>
    /// What to prompt with: the saved prompt's text with <paramref name="input"/> in it or after it. Null when refused: the
    /// answer is then given.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="id">The saved prompt's.</param>
    /// <param name="input">The request's own prompt; may be empty where the text asks for none.</param>
    public async ValueTask<string?> ComposeAsync(RequestContext context, string id, string input)
    {
        if (await app.Db.SavedPrompts.ReadAsync(id, context.RequiredSession.UserId) is not { } saved)
        {
            context.Fail(ApiError.NoRecord("prompt", "prompt_id"));
            return null;
        }
        long most = app.Options.Limits.MaxBodyBytes;
        string? text = input.Length == 0 && saved.NeedsInput ? null : saved.With(input, most);
        if (text is null)
        {
            context.Fail(input.Length == 0
                ? ApiError.MissingParameter("prompt")
                : ApiError.InvalidParameter("prompt", $"is longer than {most} bytes together with the saved prompt"));
        }
        return text;
    }

    private static void Answer(RequestContext context, SavedPrompt prompt)
    {
        SavedPromptJson.Write(context.Content, prompt);
        context.Send();
    }

    private string? Text(Parameters parameters)
    {
        ReadOnlySpan<byte> text = parameters.Bytes("text"u8, out bool isPresent);
        if (!isPresent) return null;
        if (text.Length > app.Options.PromptBytes) parameters.Refuse("text"u8, $"is longer than {app.Options.PromptBytes} bytes");
        return Encoding.UTF8.GetString(text);
    }

    private static string PromptId(Parameters parameters) => RecordAccess.Id(parameters, "id"u8, "prompt_id"u8);

    private static async ValueTask<string?> PromptIdAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return null;
        string id = PromptId(context.Parameters);
        return context.RefusesParameters() ? null : id;
    }
}

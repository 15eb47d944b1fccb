using Turbo.Server.Json;
using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Server.Streams;

namespace Turbo.Server.Api;

/// <summary>Contract section 5: groups, which members may read and owners may change.</summary>
internal sealed class GroupApi(AppHost app)
{
    private const int MaxName = 30;
    private const int MaxDescription = 256;

    public async ValueTask CreateAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        Parameters parameters = context.Parameters;
        string name = parameters.RequiredText("name"u8, MaxName);
        string description = parameters.Text("description"u8, MaxDescription) ?? "";
        List<string> members = parameters.List("members"u8, app.Options.UsersPerCall) ?? [];
        if (context.RefusesParameters()) return;

        GroupCreation creation = await app.Db.Groups.CreateAsync(name, description, context.RequiredSession.UserId, members);
        if (creation.Group is { } group) Answer(context, group);
        else context.Fail(RecordAccess.NoUser(creation.UnknownMember, "members"));
    }

    public async ValueTask ReadAsync(RequestContext context)
    {
        if (await GroupIdAsync(context) is not { } id) return;
        if (await app.Db.Groups.ReadAsync(id, context.RequiredSession.UserId) is { } group) Answer(context, group);
        else RecordAccess.Refuses(context, AccessStatus.NotFound, "group");
    }

    public async ValueTask UpdateAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        Parameters parameters = context.Parameters;
        string id = GroupId(parameters);
        string? name = parameters.Text("name"u8, MaxName);
        if (name is { Length: 0 }) parameters.Refuse("name"u8, "is empty");
        string? description = parameters.Text("description"u8, MaxDescription);
        if (context.RefusesParameters()) return;

        GroupAnswer answer = await app.Db.Groups.UpdateAsync(id, context.RequiredSession.UserId, name, description);
        if (!RecordAccess.Refuses(context, answer.Status, "group")) Answer(context, answer.Group!);
    }

    public async ValueTask DeleteAsync(RequestContext context)
    {
        if (await GroupIdAsync(context) is not { } id) return;
        GroupAnswer answer = await app.Db.Groups.DeleteAsync(id, context.RequiredSession.UserId);
        if (RecordAccess.Refuses(context, answer.Status, "group")) return;
        app.Access.Revoke(AccessScope.Group, id);
        GroupJson.WriteWrapped(context.Content, answer.Group!);
        context.Send();
    }

    public async ValueTask IndexAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        GroupJson.WriteIndex(context.Content, await app.Db.Groups.OfUserAsync(context.RequiredSession.UserId));
        context.Send();
    }

    public async ValueTask MembersAsync(RequestContext context)
    {
        if (await GroupIdAsync(context) is not { } id) return;
        if (await app.Db.Groups.MembersAsync(id, context.RequiredSession.UserId) is not { } users)
        {
            RecordAccess.Refuses(context, AccessStatus.NotFound, "group");
            return;
        }
        UserJson.WriteIndex(context.Content, users);
        context.Send();
    }

    public async ValueTask AddMembersAsync(RequestContext context)
    {
        if (await MembersOfCallAsync(context) is not { } call) return;
        MemberChange change = await app.Db.Groups.AddMembersAsync(call.Group, context.RequiredSession.UserId, call.Users);
        if (!RecordAccess.Refuses(context, change.Status, "group", change.UnknownUser, "user_ids")) context.SendEmptyObject();
    }

    public async ValueTask RemoveMembersAsync(RequestContext context)
    {
        if (await MembersOfCallAsync(context) is not { } call) return;
        MemberChange change = await app.Db.Groups.RemoveMembersAsync(call.Group, context.RequiredSession.UserId, call.Users);
        if (RecordAccess.Refuses(context, change.Status, "group", change.UnknownUser, "user_ids")) return;
        foreach (string user in call.Users) app.Access.Revoke(AccessScope.Group, call.Group, user);
        context.SendEmptyObject();
    }

    private static void Answer(RequestContext context, Group group)
    {
        GroupJson.Write(context.Content, group);
        context.Send();
    }

    private static string GroupId(Parameters parameters) => RecordAccess.Id(parameters, "id"u8, "group_id"u8);

    private static async ValueTask<string?> GroupIdAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return null;
        string id = GroupId(context.Parameters);
        return context.RefusesParameters() ? null : id;
    }

    private async ValueTask<(string Group, List<string> Users)?> MembersOfCallAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return null;
        Parameters parameters = context.Parameters;
        string id = GroupId(parameters);
        List<string> users = parameters.List("user_ids"u8, app.Options.UsersPerCall) ?? [];
        if (parameters.Text("user_id"u8, RecordAccess.MaxId) is { Length: > 0 } user) users.Add(user);
        if (users.Count == 0) parameters.Miss("user_ids"u8);
        return context.RefusesParameters() ? null : (id, users);
    }
}

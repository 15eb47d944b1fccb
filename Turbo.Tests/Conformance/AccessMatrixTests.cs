using System.Text.RegularExpressions;
using Turbo.Server.Events;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>
/// Who may do what: every route against who owns the group {G}, the chat {C}, the prompt {P} of that group and {Q} of its own, who is in them, who was removed from
/// them, who never was, and nobody. {O}, {M}, {R} and {S} are their ids. What is refused leaves nothing behind.
/// </summary>
internal sealed partial class AccessMatrixTests(DatabaseKind kind) : StreamFixture(kind)
{
    // SSE and WS are the two ways to subscribe: a stream that opens is 200.
    private static readonly (string Route, string Fields, int[] Statuses)[] s_matrix =
    [
        //                                                                                 owner member removed stranger nobody
        ("GET  /healthz",              "",                                                  [200,  200,   200,    200,   200]),
        ("GET  /readyz",               "",                                                  [200,  200,   200,    200,   200]),
        ("GET  /metrics",              "",                                                  [200,  200,   200,    200,   200]),
        ("GET  /openapi.json",         "",                                                  [200,  200,   200,    200,   200]),
        ("GET  /docs",                 "",                                                  [200,  200,   200,    200,   200]),
        ("GET  /",                     "",                                                  [200,  200,   200,    200,   200]),
        ("GET  /nowhere",              "",                                                  [404,  404,   404,    404,   404]),

        ("POST /user/signup",          "username=new-{role}&password=x",                    [200,  200,   200,    200,   200]),
        ("POST /user/signup",          "username=owner&password=x",                         [409,  409,   409,    409,   409]),
        ("POST /user/login",           "username=owner&password=correct+horse",             [200,  200,   200,    200,   200]),
        ("POST /user/login",           "username=owner&password=x",                         [401,  401,   401,    401,   401]),
        ("POST /user/logout",          "",                                                  [200,  200,   200,    200,   401]),
        ("GET  /user/session",         "",                                                  [200,  200,   200,    200,   401]),
        ("GET  /user/read",            "",                                                  [200,  200,   200,    200,   401]),
        ("GET  /user/read",            "id={O}",                                            [200,  403,   403,    403,   401]),
        ("GET  /user/find",            "username=stranger",                                 [200,  200,   200,    200,   401]),
        ("GET  /user/find",            "username=none",                                     [404,  404,   404,    404,   401]),
        ("POST /user/update",          "first_name=x",                                      [200,  200,   200,    200,   401]),
        ("POST /user/update",          "id={O}&first_name=x",                               [200,  403,   403,    403,   401]),
        ("POST /user/update",          "username=stranger",                                 [409,  409,   409,    200,   401]),
        ("POST /user/password/update", "old_password=correct+horse&new_password=x",         [200,  200,   200,    200,   401]),
        ("POST /user/password/update", "old_password=x&new_password=y",                     [403,  403,   403,    403,   401]),

        ("POST /group/create",         "name=x&members={S}",                                [200,  200,   200,    200,   401]),
        ("POST /group/create",         "name=x&members={S},none",                           [404,  404,   404,    404,   401]),
        ("GET  /group/read",           "id={G}",                                            [200,  200,   404,    404,   401]),
        ("GET  /group/read",           "id=none",                                           [404,  404,   404,    404,   401]),
        ("POST /group/update",         "id={G}&name=x",                                     [200,  403,   404,    404,   401]),
        ("POST /group/delete",         "id={G}",                                            [200,  403,   404,    404,   401]),
        ("GET  /group/index",          "",                                                  [200,  200,   200,    200,   401]),
        ("GET  /group/members",        "id={G}",                                            [200,  200,   404,    404,   401]),
        ("POST /group/members/add",    "id={G}&user_ids={S}",                               [200,  403,   404,    404,   401]),
        ("POST /group/members/add",    "id={G}&user_ids={S},none",                          [404,  403,   404,    404,   401]),
        ("POST /group/members/remove", "id={G}&user_ids={M}",                               [200,  200,   404,    404,   401]),
        ("POST /group/members/remove", "id={G}&user_ids={R}",                               [200,  403,   404,    404,   401]),
        ("POST /group/members/remove", "id={G}&user_ids={O}",                               [403,  403,   404,    404,   401]),
        ("POST /group/members/remove", "id={G}&user_ids={M},{O}",                           [403,  403,   404,    404,   401]),
        ("POST /group/members/remove", "id={G}&user_ids={M},none",                          [404,  403,   404,    404,   401]),

        ("POST /chat/create",          "",                                                  [200,  200,   200,    200,   401]),
        ("POST /chat/create",          "group_id={G}",                                      [200,  200,   404,    404,   401]),
        ("GET  /chat/read",            "id={C}",                                            [200,  200,   404,    404,   401]),
        ("GET  /chat/read",            "id=none",                                           [404,  404,   404,    404,   401]),
        ("POST /chat/update",          "id={C}&name=x",                                     [200,  403,   404,    404,   401]),
        ("POST /chat/delete",          "id={C}",                                            [200,  403,   404,    404,   401]),
        ("GET  /chat/index",           "",                                                  [200,  200,   200,    200,   401]),
        ("POST /chat/prompt",          "id={C}&prompt=x",                                   [200,  200,   404,    404,   401]),
        ("POST /chat/prompt",          "id={C}&prompt=x&otr=true",                          [200,  200,   404,    404,   401]),
        ("POST /chat/prompt",          "id={C}&prompt=x&stream=true",                       [200,  200,   404,    404,   401]),
        ("POST /chat/user/add",        "chat_id={C}&user_id={S}",                           [200,  403,   404,    404,   401]),
        ("POST /chat/user/add",        "chat_id={C}&user_id=none",                          [404,  403,   404,    404,   401]),
        ("POST /chat/user/remove",     "chat_id={C}&user_id={M}",                           [200,  403,   404,    404,   401]),
        ("POST /chat/user/remove",     "chat_id={C}&user_id={O}",                           [403,  403,   404,    404,   401]),
        ("POST /chat/user/remove",     "chat_id={C}&user_id=none",                          [404,  403,   404,    404,   401]),

        ("POST /chat/prompt",          "id={C}&prompt_id={P}",                              [200,  200,   404,    404,   401]),
        ("POST /chat/prompt",          "id={C}&prompt_id={P}&prompt=x",                     [200,  200,   404,    404,   401]),
        ("POST /chat/prompt",          "id={C}&prompt_id=none",                             [404,  404,   404,    404,   401]),

        ("POST /prompt/create",        "name=x&text=y",                                     [200,  200,   200,    200,   401]),
        ("POST /prompt/create",        "name=x&text=y&group_id={G}",                        [200,  200,   404,    404,   401]),
        ("GET  /prompt/read",          "id={P}",                                            [200,  200,   404,    404,   401]),
        ("GET  /prompt/read",          "id={Q}",                                            [200,  404,   404,    404,   401]),
        ("GET  /prompt/read",          "id=none",                                           [404,  404,   404,    404,   401]),
        ("POST /prompt/update",        "id={P}&text=x",                                     [200,  403,   404,    404,   401]),
        ("POST /prompt/update",        "id={P}&group_id=",                                  [200,  403,   404,    404,   401]),
        ("POST /prompt/update",        "id={P}&group_id=none",                              [404,  403,   404,    404,   401]),
        ("POST /prompt/delete",        "id={P}",                                            [200,  403,   404,    404,   401]),
        ("POST /prompt/delete",        "id={Q}",                                            [200,  404,   404,    404,   401]),
        ("GET  /prompt/index",         "",                                                  [200,  200,   200,    200,   401]),

        ("SSE  /chat/stream",          "id={C}",                                            [200,  200,   404,    404,   401]),
        ("WS   /chat/stream",          "id={C}",                                            [200,  200,   404,    404,   401]),
        ("SSE  /chat/stream",          "id=none",                                           [404,  404,   404,    404,   401]),

        ("POST /event/publish",        "topic=t&data=x",                                    [200,  200,   200,    200,   401]),
        ("POST /event/publish",        "topic=t&data=x&group_id={G}",                       [200,  200,   404,    404,   401]),
        ("SSE  /event/subscribe",      "topic=t",                                           [200,  200,   200,    200,   401]),
        ("WS   /event/subscribe",      "topic=t",                                           [200,  200,   200,    200,   401]),
        ("SSE  /event/subscribe",      "topic=t&group_id={G}",                              [200,  200,   404,    404,   401]),
        ("WS   /event/subscribe",      "topic=t&group_id={G}",                              [200,  200,   404,    404,   401]),

        ("GET  /event/index",          "",                                                  [200,  200,   200,    200,   401]),
        ("GET  /usage/index",          "",                                                  [200,  200,   200,    200,   401]),

        ("GET  /v1/models",            "",                                                  [200,  200,   200,    200,   401]),
    ];

    private string _group = "", _chat = "", _prompt = "", _ownPrompt = "";

    private static IEnumerable<TestCaseData> Matrix =>
        s_matrix.Select(static line => new TestCaseData(line.Route, line.Fields, line.Statuses)
            .SetArgDisplayNames(line.Route, line.Fields, string.Join(' ', line.Statuses)));

    [TestCaseSource(nameof(Matrix))]
    public async Task Who_may_do_what(string route, string fields, int[] statuses)
    {
        await StartWorldAsync();
        (string Role, int Status)[] all = [.. Roles.Zip(statuses)];
        string before = await RowsAsync();
        using ISubscription ofChat = App.App.EventBus.Subscribe("chat:" + _chat), ofGroup = App.App.EventBus.Subscribe($"event:group:{_group}:t");
        Task heard = Task.WhenAny(ofChat.NextAsync(default).AsTask(), ofGroup.NextAsync(default).AsTask());
        foreach ((string role, int status) in all.Where(static one => one.Status != 200))
            await IsRefusedAsync(route, fields, Person(role), status);
        await App.App.EventBus.SettleAsync(Until.Deadline);
        Assert.That((heard.IsCompleted, Sent.Length), Is.EqualTo((false, 0)), "published, or sent upstream");
        Assert.That(await RowsAsync(), Is.EqualTo(before));

        // The owner's may be the end of it.
        foreach ((string role, _) in all.Reverse().Where(static one => one.Status == 200))
            Assert.That(await StatusAsync(route, Filled(fields, Person(role)), Person(role)), Is.EqualTo(200), role);
    }

    [Test]
    public async Task A_session_that_has_ended_is_nobodys()
    {
        await StartWorldAsync();
        await App.PostAsync("/user/logout", Owner.Token);
        foreach ((string route, string fields, int[] statuses) in s_matrix)
        {
            // Ending it again is no failure, and logging in needs none.
            if (statuses[^1] != 401 || route is "POST /user/logout" or "POST /user/login") continue;
            Reply? reply = await SendAsync(route, Filled(fields, Owner), Owner);
            if (reply is null) Assert.That(await StatusAsync(route, Filled(fields, Owner), Owner), Is.EqualTo(401), route);
            else reply.IsError(401, "authentication_error", "invalid_session");
        }
    }

    [Test]
    public void Every_route_is_in_the_table()
    {
        string source = Repository.Read("Turbo.Server/Routes.cs");
        string[] routes = [.. PathOfRoute().Matches(source).Select(static match => match.Groups[1].Value)];
        Assert.That(routes, Has.Length.GreaterThan(20));
        Assert.That(routes.Except(s_matrix.Select(static line => PathOf(line.Route))).Except(["/v1/*", "/web/*", "/web/"]), Is.Empty);
    }

    private async Task StartWorldAsync()
    {
        await StartAsync();
        _group = Text(await DoneAsync(Owner, "/group/create", $"name=team&members={Member.Id},{Removed.Id}"), "id");
        await DoneAsync(Owner, "/group/members/remove", $"id={_group}&user_ids={Removed.Id}");
        _chat = await ChatAsync($"group_id={_group}");
        _prompt = Text(await DoneAsync(Owner, "/prompt/create", $"name=ours&text=x&group_id={_group}"), "id");
        _ownPrompt = Text(await DoneAsync(Owner, "/prompt/create", "name=own&text=x"), "id");
    }

    private Task<string> RowsAsync() => App.Database.RowsAsync([.. TestDatabase.Tables.Except(["events"]), "prompts"]);

    private async Task IsRefusedAsync(string route, string fields, Caller caller, int status)
    {
        Reply? reply = await SendAsync(route, Filled(fields, caller), caller);
        if (reply is null)
        {
            Assert.That(await StatusAsync(route, Filled(fields, caller), caller), Is.EqualTo(status), caller.Name);
            return;
        }
        Assert.That(reply.Status, Is.EqualTo(status), $"{caller.Name}: {reply.Content}");
        string type = status switch { 401 => "authentication_error", 403 => "permission_error", 404 => "not_found_error", _ => "conflict_error" };
        reply.IsError(status, type, Text(reply.Json.GetProperty("error"), "code"), reply.Json.GetProperty("error").GetProperty("param").GetString());
    }

    /// <summary>The answer of what is no WebSocket, to one who may not open a stream.</summary>
    private async Task<Reply?> SendAsync(string route, string fields, Caller caller) => route.Split(' ')[0] switch
    {
        "POST" => await App.FormAsync(PathOf(route), fields, caller.Token),
        "WS" => null,
        _ => await App.GetAsync($"{PathOf(route)}?{fields}", caller.Token),
    };

    private async Task<int> StatusAsync(string route, string fields, Caller caller)
    {
        string target = $"{PathOf(route)}?{fields}";
        switch (route.Split(' ')[0])
        {
            case "SSE":
                await using (await StreamClient.OpenAsync(StreamKind.Sse, App, target, caller.Token)) return 200;
            case "WS":
                int status = await RefusedAsync(target, caller.Token);
                return status == 101 ? 200 : status;
            default:
                return (await SendAsync(route, fields, caller))!.Status;
        }
    }

    private string Filled(string fields, Caller caller) => fields
        .Replace("{G}", _group).Replace("{C}", _chat).Replace("{P}", _prompt).Replace("{Q}", _ownPrompt).Replace("{role}", caller.Name)
        .Replace("{O}", Owner.Id).Replace("{M}", Member.Id).Replace("{R}", Removed.Id).Replace("{S}", Stranger.Id);

    private static string PathOf(string route) => route[(route.LastIndexOf(' ') + 1)..];

    [GeneratedRegex("\"(/[^\"]+)\"u8")]
    private static partial Regex PathOfRoute();
}

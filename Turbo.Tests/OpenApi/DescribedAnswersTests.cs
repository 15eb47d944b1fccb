using System.Text;
using System.Text.Json;
using Turbo.Server;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.OpenApi;

/// <summary>
/// Every operation of <c>/openapi.json</c> called as it says, in each way that its parameters may come, and what came back
/// held to what it says: by an unmodified validator, which the document itself must please too.
/// </summary>
[TestFixture]
internal sealed class DescribedAnswersTests
{
    private static readonly string[] s_checks = ["document", "ids", "path parameters", "security", "schemas", "answers"];

    private readonly List<Answer> _answers = [];
    private OrderedDictionary<string, CheckResult> _results = [];
    private TestApp _app = null!;
    private int _users;

    private sealed record Answer(string Name, DescribedOperation Operation, int Status, string Type, string Body, bool IsEvent = false);

    /// <summary>A user with a friend, a group, a chat and a saved prompt that both may use: what an operation needs, and may spoil.</summary>
    private sealed record World(string Name, string Token, string Id, string FriendToken, Dictionary<string, string> Values);

    [OneTimeSetUp]
    public async Task CallAll()
    {
        await using MockServer mock = new();
        mock.Start();
        await using TestApp app = _app = await TestApp.StartAsync(options => options with { Upstream = UpstreamTarget.At(mock.EndPoints[0]), LoginAttempts = 1000 });
        Reply document = await app.GetAsync("/openapi.json");
        Assert.That(document.Status, Is.EqualTo(200));
        foreach (DescribedOperation operation in DescribedOperation.All(document.Json))
        {
            if (operation.Path == "/v1/{path}") await ProxyAsync(operation);
            else if (operation.IsStream) await ListenAsync(operation);
            else await CallAsync(operation);
        }
        using TempFolder folder = new();
        await File.WriteAllTextAsync(folder.File("openapi.json"), document.Content);
        await File.WriteAllTextAsync(folder.File("answers.json"), JsonSerializer.Serialize(_answers.Select(static answer => new
        {
            name = answer.Name, path = answer.Operation.Path, method = answer.Operation.Method, status = answer.Status, type = answer.Type, body = answer.Body, @event = answer.IsEvent,
        })));
        _results = await NodeChecks.RunAsync("OpenApi", "@seriousme/openapi-schema-validator", ("DOCUMENT", folder.File("openapi.json")), ("ANSWERS", folder.File("answers.json")));
    }

    [Test]
    public void Every_check_ran()
    {
        Assert.That(_results.Keys, Is.EqualTo(s_checks));
        Assert.That(_answers, Has.Count.GreaterThan(200));
    }

    [TestCaseSource(nameof(s_checks))]
    public void Check(string name) => Assert.That(_results[name].Error, Is.Null);

    private async Task CallAsync(DescribedOperation operation)
    {
        World world = await WorldAsync();
        List<(string, string)> all = [.. operation.Parameters.Where(static p => p.AliasOf is null && p.Name != "redirect_url").Select(p => (p.Name, ValueOf(operation, p, world)))];
        if (operation.NeedsSession)
        {
            Keep("no session", operation, await SendAsync(operation, all, null, asJson: false), 401);
            await RefuseForeignPageAsync(operation, operation.Path, world);
        }
        await RefuseAsync(operation, all, world);

        Keep("all parameters", operation, await SendAsync(operation, all, world.Token, asJson: false), 200);
        if (operation.Parameters.Count == 0) return;
        world = await WorldAsync();
        List<(string, string)> others = [.. operation.Parameters.Where(p => p.Name != "redirect_url" && operation.Parameters.All(other => other.AliasOf != p.Name)).Select(p => (p.Name, ValueOf(operation, p, world)))];
        Keep("other names", operation, await SendAsync(operation, others, world.Token, asJson: operation.HasBody), 200);
        world = await WorldAsync();
        List<(string, string)> least = [.. operation.Parameters.Where(p => IsNeeded(operation, p)).Select(p => (p.Name, ValueOf(operation, p, world)))];
        Keep("least", operation, await SendAsync(operation, least, world.Token, asJson: operation.HasBody), 200);
        if (operation.HasResponse(302))
        {
            world = await WorldAsync();
            all = [.. operation.Parameters.Select(p => (p.Name, ValueOf(operation, p, world)))];
            Keep("redirected", operation, await SendAsync(operation, all, world.Token, asJson: false), 302);
        }
    }

    /// <summary>A browser sends its visitor's cookie along with what a page of another origin asks for.</summary>
    private async Task RefuseForeignPageAsync(DescribedOperation operation, string target, World world)
    {
        if (operation.Method == "get") return;
        Reply reply = await _app.SendAsync(
            new HttpMethod(operation.Method.ToUpperInvariant()), target, null, null,
            ("Cookie", $"sess={world.Token}"), ("Origin", "https://foreign.example"), ("Sec-Fetch-Site", "cross-site"));
        Keep("foreign page", operation, reply, 403);
        Assert.That(operation.HasResponse(403), operation.ToString());
        Assert.That(operation.Json.GetProperty("responses").GetProperty("403").GetRawText(), Does.Contain("`origin_not_allowed`").Or.Contain("ForeignPage"), operation.ToString());
    }

    // A handler that does not read a parameter takes any value of it.
    private async Task RefuseAsync(DescribedOperation operation, List<(string Name, string Value)> good, World world)
    {
        foreach (DescribedParameter parameter in operation.Parameters)
        {
            string bad = parameter.Type is "integer" or "boolean" ? "x" : "a\0b";
            List<(string, string)> fields = [.. good.Where(field => field.Name != parameter.Name && field.Name != parameter.AliasOf), (parameter.Name, bad)];
            Reply reply = await SendAsync(operation, fields, world.Token, asJson: false);
            Keep($"bad {parameter.Name}", operation, reply, 400);
            Assert.That(reply.Json.GetProperty("error").GetProperty("param").GetString(), Is.EqualTo(parameter.Name), $"{operation}: {reply.Content}");

            if (!parameter.Example.EndsWith("_ID", StringComparison.Ordinal)) continue;
            // A record that there is not: the code of it is told of.
            fields[^1] = (parameter.Name, "none");
            Reply unknown = await SendAsync(operation, fields, world.Token, asJson: operation.HasBody);
            Keep($"unknown {parameter.Name}", operation, unknown, parameter.Example == "USER_ID" && operation.Path.StartsWith("/user/", StringComparison.Ordinal) ? 403 : 404);
            string code = unknown.Json.GetProperty("error").GetProperty("code").GetString()!;
            Assert.That(operation.Json.GetProperty("responses").GetProperty($"{unknown.Status}").GetProperty("description").GetString(), Does.Contain($"`{code}`"), operation.ToString());
        }
        foreach (DescribedParameter parameter in operation.Parameters.Where(p => IsNeeded(operation, p)))
        {
            Reply reply = await SendAsync(operation, [.. good.Where(field => field.Name != parameter.Name)], world.Token, asJson: operation.HasBody);
            Keep($"no {parameter.Name}", operation, reply, 400);
            Assert.That(reply.Json.GetProperty("error").GetProperty("param").GetString(), Is.EqualTo(parameter.Name), $"{operation}: {reply.Content}");
        }
    }

    private async Task ListenAsync(DescribedOperation operation)
    {
        World world = await WorldAsync();
        List<(string Name, string Value)> all = [.. operation.Parameters.Where(static p => p.AliasOf is null).Select(p => (p.Name, ValueOf(operation, p, world)))];
        Keep("no session", operation, await SendAsync(operation, all, null, asJson: false), 401);
        await RefuseForeignPageAsync(operation, operation.Path, world);
        await RefuseAsync(operation, all, world);
        string target = $"{operation.Path}?{Form(all)}";
        foreach (StreamKind kind in (StreamKind[])[StreamKind.Sse, StreamKind.WebSocket])
        {
            if (operation.HasBody && kind == StreamKind.WebSocket) continue;
            await using StreamClient stream = operation.HasBody
                ? await SseClient.OpenAsync(_app, operation.Path, world.Token, new StringContent(Form(all), Encoding.UTF8, "application/x-www-form-urlencoded"))
                : await StreamClient.OpenAsync(kind, _app, target, world.Token);
            if (operation.Path == "/chat/stream") await _app.FormAsync("/chat/prompt", $"id={world.Values["CHAT_ID"]}&prompt=hi&stream=true", world.FriendToken);
            else await _app.FormAsync("/event/publish", $"{Form(all)}&data=x", world.FriendToken);
            for (int i = 0; i < (operation.Path == "/chat/stream" ? 3 : 1); i++)
                _answers.Add(new Answer($"{kind}", operation, 200, "text/event-stream", (await stream.NextAsync()).GetRawText(), IsEvent: true));
        }
        Assert.That(operation.HasResponse(101), operation.ToString());
        // The credential of streams alone.
        string[] schemes = [.. operation.Json.GetProperty("security").EnumerateArray().Select(static one => one.EnumerateObject().Single().Name)];
        Assert.That(schemes, Is.EqualTo(new[] { "bearer", "token", "cookie", "basic" }));
        await using (await StreamClient.OpenAsync(StreamKind.Sse, _app, $"{target}&token={Uri.EscapeDataString(world.Token)}", null)) { }
    }

    private async Task ProxyAsync(DescribedOperation operation)
    {
        World world = await WorldAsync();
        HttpMethod method = new(operation.Method.ToUpperInvariant());
        Keep("no session", operation, await _app.SendAsync(method, "/v1/models", null), 401);
        await RefuseForeignPageAsync(operation, "/v1/models", world);
        Reply reply = await _app.SendAsync(method, "/v1/models", null, world.Token);
        // Whatever the upstream says to it.
        Assert.That(reply.Status, method == HttpMethod.Get ? Is.EqualTo(200) : Is.EqualTo(404).Or.EqualTo(405).Or.EqualTo(200), reply.Content);
        _answers.Add(new Answer("proxied", operation, 200, reply.Message.Content.Headers.ContentType?.MediaType ?? "", reply.Content));
    }

    private async Task<World> WorldAsync()
    {
        string name = $"user{++_users}";
        (string token, string id) = await _app.SignUpAsync(name);
        (string friendToken, string friend) = await _app.SignUpAsync($"friend{_users}");
        string group = await MadeAsync("/group/create", $"name=team&members={friend}", token);
        string chat = await MadeAsync("/chat/create", $"group_id={group}", token);
        await _app.FormAsync("/chat/user/add", $"chat_id={chat}&user_id={friend}", token);
        string prompt = await MadeAsync("/prompt/create", $"name=saved&text=Say+%7B%7Binput%7D%7D&group_id={group}", token);
        return new World(name, token, id, friendToken, new() { ["USER_ID"] = friend, ["GROUP_ID"] = group, ["CHAT_ID"] = chat, ["PROMPT_ID"] = prompt, ["TOKEN"] = token });
    }

    private async Task<string> MadeAsync(string target, string form, string token)
    {
        Reply reply = await _app.FormAsync(target, form, token);
        Assert.That(reply.Status, Is.EqualTo(200), reply.Content);
        return reply.Json.GetProperty("id").GetString()!;
    }

    /// <summary>The document's example, or what stands for it here.</summary>
    private static string ValueOf(DescribedOperation operation, DescribedParameter parameter, World world) => (operation.Path, parameter.Name) switch
    {
        ("/user/login" or "/user/find", "username") => world.Name,
        (_, "username") => $"new-{world.Name}",
        ("/user/read" or "/user/update", "id") => world.Id,
        _ => world.Values.GetValueOrDefault(parameter.Example, parameter.Example),
    };

    // One of two names is needed though neither alone is; a prompt is, since nothing is saved in its place.
    private static bool IsNeeded(DescribedOperation operation, DescribedParameter parameter) =>
        parameter.IsRequired || operation.Parameters.Any(other => other.AliasOf == parameter.Name) || (operation.Path, parameter.Name) == ("/chat/prompt", "prompt");

    private Task<Reply> SendAsync(DescribedOperation operation, List<(string Name, string Value)> fields, string? token, bool asJson)
    {
        HttpMethod method = new(operation.Method.ToUpperInvariant());
        if (!operation.HasBody) return _app.SendAsync(method, fields.Count == 0 ? operation.Path : $"{operation.Path}?{Form(fields)}", null, token);
        if (!asJson) return _app.FormAsync(operation.Path, Form(fields), token);
        return _app.JsonAsync(operation.Path, "{" + string.Join(",", fields.Select(field => $"{JsonSerializer.Serialize(field.Name)}:{Json(operation, field)}")) + "}", token);
    }

    private static string Json(DescribedOperation operation, (string Name, string Value) field) => operation.Parameters.Single(p => p.Name == field.Name).Type switch
    {
        "integer" or "boolean" => field.Value,
        "array" => JsonSerializer.Serialize((string[])[field.Value]),
        _ => JsonSerializer.Serialize(field.Value),
    };

    private static string Form(List<(string Name, string Value)> fields) => string.Join('&', fields.Select(static field => $"{field.Name}={Uri.EscapeDataString(field.Value)}"));

    private void Keep(string name, DescribedOperation operation, Reply reply, int status)
    {
        Assert.That(reply.Status, Is.EqualTo(status), $"{operation}, {name}: {reply.Content}");
        _answers.Add(new Answer(name, operation, reply.Status, reply.Message.Content.Headers.ContentType?.MediaType ?? "", reply.Content));
    }
}

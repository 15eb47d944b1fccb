using System.Diagnostics;
using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Turbo.Net;
using Turbo.Server;
using Turbo.Server.Api;
using Turbo.Server.Metrics;
using Turbo.Server.Mock;
using Turbo.Server.OpenApi;
using Turbo.Tests.Server.Framework;
using Turbo.Tests.Support;
using HttpMethod = System.Net.Http.HttpMethod;

namespace Turbo.Tests.OpenApi;

/// <summary>/openapi.json and /docs: that they tell of every route, all that it reads, and how they are served.</summary>
[TestFixture]
internal sealed partial class DescriptionTests
{
    private static RouteTable<Route> Table => Turbo.Server.Routes.Build(AppOptions.Defaults);

    [Test]
    public void Every_route_of_Turbos_is_described()
    {
        foreach (RegisteredRoute<Route> route in Table.Registered.Where(static one => !one.Target.IsPartOfPage))
        {
            Assert.That(route.Target.Description, Is.Not.Null, $"{route.Path}: say beside its handler what it does");
            Assert.That(route.Target.Description!.Summary, Is.Not.Empty.And.Not.EndWith("."), route.Path);
        }
    }

    /// <summary>The other way round is tested by calling: a parameter that is told of and not read takes any value.</summary>
    [Test]
    public void Every_parameter_that_a_handler_reads_is_told_of()
    {
        HashSet<string> told = [.. Table.Registered.Where(static one => !one.Target.IsPartOfPage).SelectMany(static route => route.Target.Description!.Parameters).SelectMany(static p => (string[])[p.Name, p.Alias ?? p.Name])];
        int read = 0;
        foreach (string file in Directory.GetFiles(Path.Combine(Repository.Root, "Turbo.Server", "Api"), "*Api.cs"))
        {
            foreach (Match match in ReadParameter().Matches(File.ReadAllText(file)))
            {
                read++;
                Assert.That(told, Does.Contain(match.Groups[1].Value), Path.GetFileName(file));
            }
        }
        Assert.That(read, Is.GreaterThan(40));
    }

    [TestCase(ProxyAuth.Session, "bearer cookie basic")]
    [TestCase(ProxyAuth.Passthrough, "upstream")]
    [TestCase(ProxyAuth.None, "")]
    public void The_proxys_security_is_what_the_configuration_says(ProxyAuth auth, string schemes)
    {
        using JsonDocument document = Document(new ApiSurface(Table, auth));
        JsonElement security = document.RootElement.GetProperty("paths").GetProperty("/v1/{path}").GetProperty("post").GetProperty("security");
        Assert.That(string.Join(' ', security.EnumerateArray().Select(static one => one.EnumerateObject().Single().Name)), Is.EqualTo(schemes));
    }

    [Test]
    public void Routes_that_are_not_there_are_not_told_of()
    {
        using JsonDocument document = Document(new ApiSurface(Turbo.Server.Routes.Build(AppOptions.Defaults with { Metrics = false }), ProxyAuth.Session));
        Assert.That(document.RootElement.GetProperty("paths").TryGetProperty("/metrics", out _), Is.False);
    }

    [Test]
    public async Task An_applications_own_endpoints_are_told_of()
    {
        await using AppFixture app = await AppFixture.StartAsync(static app => app
            .Register("/", static request => request.Text("x"), isPrivate: false)
            .Get("/note/{id}", static request => request.Text("x")).Put("/note/{id}", static request => request.Text("x"))
            .Get("/note-id", static request => request.Text("x")).Get("/users", static request => request.Text("x")).Get("/users/*", static request => request.Text("x"), isPrivate: false));
        Reply document = await app.GetAsync("/openapi.json");
        JsonElement paths = document.Json.GetProperty("paths");
        Assert.That(Reply.Names(paths.GetProperty("/")), Is.EqualTo("get post put patch delete"));
        JsonElement note = paths.GetProperty("/note/{id}");
        Assert.That(Reply.Names(note), Is.EqualTo("get put"));
        Assert.That(note.GetProperty("get").GetProperty("parameters")[0].GetProperty("name").GetString(), Is.EqualTo("id"));
        Assert.That(note.GetProperty("get").GetProperty("security").GetArrayLength(), Is.EqualTo(3));
        Assert.That(note.GetProperty("get").GetProperty("tags")[0].GetString(), Is.EqualTo("Application"));
        JsonElement below = paths.GetProperty("/users/{path}").GetProperty("get");
        Assert.That(below.GetProperty("security")[0].EnumerateObject(), Is.Empty, "a session may be left out");
        string page = (await app.GetAsync("/docs")).Content;
        Assert.That(page, Does.Contain("<code>/note/{id}</code></a> <small>GET PUT</small>").And.Contain("<h2 id=\"application\">"));

        using TempFolder folder = new();
        await File.WriteAllTextAsync(folder.File("openapi.json"), document.Content);
        await File.WriteAllTextAsync(folder.File("answers.json"), "[]");
        OrderedDictionary<string, CheckResult> results = await NodeChecks.RunAsync("OpenApi", "@seriousme/openapi-schema-validator", ("DOCUMENT", folder.File("openapi.json")), ("ANSWERS", folder.File("answers.json")));
        Assert.That(results.Where(static one => one.Value.Error is not null), Is.Empty);
        Links(page);
    }

    [TestCase("/openapi.json", "application/json")]
    [TestCase("/docs", "text/html; charset=utf-8")]
    public async Task It_is_public_and_served_with_an_etag_and_compressed(string path, string type)
    {
        await using TestApp app = await TestApp.StartAsync();
        Reply plain = await app.GetAsync(path);
        Assert.That((plain.Status, plain.Field("Content-Type"), plain.Field("Cache-Control")), Is.EqualTo((200, type, "no-cache")));
        Reply again = await app.SendAsync(HttpMethod.Get, path, null, null, ("If-None-Match", plain.Field("ETag")!));
        Assert.That((again.Status, again.Content, again.Field("ETag")), Is.EqualTo((304, "", plain.Field("ETag"))));
        Reply head = await app.SendAsync(HttpMethod.Head, path, null);
        Assert.That((head.Status, head.Field("Content-Length")), Is.EqualTo((200, plain.Field("Content-Length"))));
        Assert.That((await app.PostAsync(path)).Status, Is.EqualTo(405));
        Reply coded = await app.SendAsync(HttpMethod.Get, path, null, null, ("Accept-Encoding", "br"));
        Assert.That(coded.Field("Content-Encoding"), Is.EqualTo("br"));
        await using BrotliStream brotli = new(await coded.Message.Content.ReadAsStreamAsync(), CompressionMode.Decompress);
        Assert.That(await new StreamReader(brotli).ReadToEndAsync(), Is.EqualTo(plain.Content));
        Assert.That(plain.Content.Length, Is.GreaterThan(4 * coded.Message.Content.Headers.ContentLength!.Value));
    }

    [Test]
    public async Task The_page_needs_nothing_from_elsewhere_and_its_policy_lets_nothing_in()
    {
        await using TestApp app = await TestApp.StartAsync();
        Reply page = await app.GetAsync("/docs");
        string style = Style().Match(page.Content).Groups[1].Value;
        string digest = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(style)));
        Assert.That(page.Field("Content-Security-Policy"), Is.EqualTo($"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"));
        Assert.That(page.Content, Does.Not.Contain("<script").And.Not.Contain(" style=").And.Not.Contain("src=").And.Not.Contain("@import").And.Not.Contain("url("));
        Assert.That(style, Does.Contain("prefers-color-scheme:dark"));
        Assert.That(page.Content, Does.StartWith("<!doctype html>\n<html lang=\"en\">").And.Contain("name=\"viewport\""));

        Links(page.Content);
        foreach (ApiPath path in new ApiSurface(Table, ProxyAuth.Session).Paths)
            Assert.That(page.Content, Does.Contain($"<code>{WebUtility.HtmlEncode(path.Template)}</code></a> <small>"));
    }

    [Test]
    public async Task Each_example_of_the_page_runs_as_printed()
    {
        await using MockServer mock = new();
        mock.Start();
        await using TestApp app = await TestApp.StartAsync(options => options with { Upstream = UpstreamTarget.At(mock.EndPoints[0]) });
        string[] printed = [.. Example().Matches((await app.GetAsync("/docs")).Content).Select(static match => WebUtility.HtmlDecode(match.Groups[1].Value))];
        string basics = printed[0].Replace("http://localhost:8080", app.Origin());
        // Streams do not end, and what ends something comes after what needs it.
        string[] examples = [.. printed.Skip(1).Where(static example => !example.Contains("-sN")).OrderBy(static example =>
            example.Contains("/logout") ? 5 : example.Contains("/password/") ? 4 : example.Contains("/group/delete") ? 3 : example.Contains("/delete") ? 2 : example.Contains("/remove") ? 1 : 0)];
        Assert.That(examples, Has.Length.GreaterThan(30));
        (string token, _) = await app.SignUpAsync("ann@example.com");
        (_, string friend) = await app.SignUpAsync("friend");
        Dictionary<string, string> ids = new() { ["USER_ID"] = friend };
        ids["GROUP_ID"] = (await app.FormAsync("/group/create", "name=x", token)).Json.GetProperty("id").GetString()!;
        ids["CHAT_ID"] = (await app.FormAsync("/chat/create", "", token)).Json.GetProperty("id").GetString()!;
        ids["PROMPT_ID"] = (await app.FormAsync("/prompt/create", "name=x&text=x", token)).Json.GetProperty("id").GetString()!;
        StringBuilder script = new(basics + "\ncurl() { command curl -k -o answer --max-time 20 -w '%{http_code}\\n' \"$@\"; }\n");
        foreach (string example in examples) script.Append(example.Contains("/user/signup") ? example.Replace("ann@", "bob@") : example).Append('\n');
        foreach ((string name, string id) in ids) script.Replace(name, id);

        using TempFolder folder = new();
        using Process bash = Process.Start(new ProcessStartInfo("bash", ["-c", script.ToString()]) { WorkingDirectory = folder.Path, RedirectStandardOutput = true })!;
        string[] statuses = (await Until.DoneAsync(bash.StandardOutput.ReadToEndAsync())).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(examples.Zip(statuses).Where(static one => one.Second != "200"), Is.Empty);
        Assert.That(statuses, Has.Length.EqualTo(examples.Length));
    }

    /// <summary>That each anchor is there once, and each link within the page leads to one.</summary>
    private static void Links(string page)
    {
        HashSet<string> ids = [];
        foreach (Match id in Id().Matches(page)) Assert.That(ids.Add(id.Groups[1].Value), $"{id.Groups[1].Value} twice");
        foreach (Match link in Link().Matches(page)) Assert.That(ids, Does.Contain(link.Groups[1].Value));
    }

    private static JsonDocument Document(ApiSurface surface) => JsonDocument.Parse(OpenApiWriter.Write(surface, "1"));

    // Every way in which a handler asks for one.
    [GeneratedRegex("(?:[pP]arameters\\.(?:Text|RequiredText|Bytes|Token|Flag|Number|List|Miss|Refuse)\\(|RecordAccess\\.Id\\(\\w+(?:\\.Parameters)?, |Password\\()\"(\\w+)\"u8")]
    private static partial Regex ReadParameter();

    [GeneratedRegex("<style>(.*?)</style>", RegexOptions.Singleline)]
    private static partial Regex Style();

    [GeneratedRegex("<pre><code>(.*?)</code></pre>", RegexOptions.Singleline)]
    private static partial Regex Example();

    [GeneratedRegex(" id=\"([^\"]*)\"")]
    private static partial Regex Id();

    [GeneratedRegex(" (?:href=\"#|aria-labelledby=\")([^\"]*)\"")]
    private static partial Regex Link();
}

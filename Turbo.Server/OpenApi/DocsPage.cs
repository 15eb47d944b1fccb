using System.Net;
using System.Security.Cryptography;
using System.Text;
using Turbo.Net;
using Turbo.Server.Api;
using HttpMethod = Turbo.Net.HttpMethod;

namespace Turbo.Server.OpenApi;

/// <summary>Renders a surface as one page of HTML that needs no script: every route under an anchor of its own, with an example.</summary>
internal sealed partial class DocsPage
{
    private readonly StringBuilder _html = new();
    private readonly Dictionary<string, Shape> _named = [];
    private readonly Dictionary<string, string> _anchors = [];
    private readonly ApiSurface _surface;

    private DocsPage(ApiSurface surface)
    {
        _surface = surface;
        HashSet<string> taken = ["basics", "routes", "shapes", .. Tags().Select(static tag => Anchor(tag.Key))];
        foreach (ApiPath path in surface.Paths)
        {
            string anchor = Anchor(path.Template);
            while (!taken.Add(anchor)) anchor += "-";
            _anchors.Add(path.Template, anchor);
        }
    }

    /// <summary>What the page's own style is known by: a source of its Content-Security-Policy.</summary>
    public static string StyleDigest { get; } = "sha256-" + Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Style)));

    /// <param name="surface">What to tell of.</param>
    /// <param name="version">Turbo's.</param>
    public static byte[] Render(ApiSurface surface, string version)
    {
        DocsPage page = new(surface);
        page.Write(version);
        return Encoding.UTF8.GetBytes(page._html.ToString());
    }

    private void Write(string version)
    {
        _html.Append($"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>Turbo: the API</title>
            <style>{Style}</style>
            </head>
            <body>
            <a class="skip" href="#routes">To the routes</a>
            <header>
            <h1>Turbo</h1>
            <p>An OpenAI proxy with users, groups and chats. Version {WebUtility.HtmlEncode(version)}. This page as <a href="/openapi.json">OpenAPI 3.1</a>.</p>
            </header>

            """);
        WriteContents();
        _html.Append("<main id=\"routes\">\n");
        WriteIntroduction();
        foreach (IGrouping<string, ApiPath> tag in Tags())
        {
            _html.Append($"<section aria-labelledby=\"{Anchor(tag.Key)}\">\n<h2 id=\"{Anchor(tag.Key)}\">{tag.Key}</h2>\n");
            foreach (ApiPath path in tag) WritePath(path);
            _html.Append("</section>\n");
        }
        WriteShapes();
        _html.Append("</main>\n</body>\n</html>\n");
    }

    private IEnumerable<IGrouping<string, ApiPath>> Tags() => _surface.Paths.GroupBy(static path => path.Tag);

    private void WriteContents()
    {
        _html.Append("<nav aria-label=\"Contents\">\n<ul>\n<li><a href=\"#basics\">Basics</a></li>\n");
        foreach (IGrouping<string, ApiPath> tag in Tags())
        {
            _html.Append($"<li><a href=\"#{Anchor(tag.Key)}\">{tag.Key}</a>\n<ul>\n");
            foreach (ApiPath path in tag) _html.Append($"<li><a href=\"#{_anchors[path.Template]}\"><code>{WebUtility.HtmlEncode(path.Template)}</code></a></li>\n");
            _html.Append("</ul>\n</li>\n");
        }
        _html.Append("<li><a href=\"#shapes\">Shapes</a></li>\n</ul>\n</nav>\n");
    }

    private void WriteIntroduction() => _html.Append("""
        <section aria-labelledby="basics">
        <h2 id="basics">Basics</h2>
        <p>Parameters come from the query string, a form or a JSON object; of a name that is in both, the body's counts.
        Unknown ones are ignored; one of a wrong type is 400 and named. Lists are JSON arrays, repeated fields or separated by
        commas. Reads take GET, HEAD and POST, writes POST.</p>
        <p>A session is presented as <code>Authorization: Bearer</code>, as the cookie <code>sess</code> that login sets, as
        the password of Basic authentication or, to a stream, as the parameter <code>token</code>. The examples have both the
        server and the token in the shell's variables:</p>
        <pre><code>TURBO=http://localhost:8080
        TOKEN=$(curl -s $TURBO/user/login -d username=ann@example.com -d password='correct horse' |
          sed 's/.*"Token":"\([^"]*\)".*/\1/')</code></pre>
        <p>Every error has <a href="#shape-Error">one shape</a>. Besides those told with a route there are 400 for a parameter,
        401 without a session where one is needed, 403 for a change that a page of another origin asks for with its visitor's
        cookie, 405 with <code>Allow</code>, 413 for a body that is too large, 415 for one that
        is neither a form nor JSON, 429 and 503 with <code>Retry-After</code>, and 500 where something of the server's failed.</p>
        </section>

        """);

    private void WritePath(ApiPath path)
    {
        Route route = path.Operations[0].Route;
        RouteDescription description = route.Description ?? new RouteDescription("An endpoint of the application") { Answer = null, MediaType = "*/*" };
        string anchor = _anchors[path.Template];
        string methods = string.Join(' ', path.Operations.Select(static operation => operation.Name));
        _html.Append($"<article aria-labelledby=\"{anchor}\">\n<h3 id=\"{anchor}\"><a href=\"#{anchor}\"><code>{WebUtility.HtmlEncode(path.Template)}</code></a> ");
        _html.Append($"<small>{methods}{(_surface.NeedsSession(route) ? "" : " · no session needed")}</small></h3>\n");
        _html.Append($"<p><strong>{Marked(description.Summary)}.</strong> {Marked(description.Details)}</p>\n");
        if (description.Parameters.Length > 0) WriteParameters(description.Parameters);
        WriteAnswer(description);
        if (description.Errors.Length > 0) WriteErrors(description.Errors);
        if (route.Description is not null) WriteExample(path, description);
        _html.Append("</article>\n");
    }

    private void WriteParameters(ParameterDescription[] parameters)
    {
        _html.Append("<h4>Parameters</h4>\n<dl>\n");
        foreach (ParameterDescription parameter in parameters)
        {
            _html.Append($"<dt><code>{parameter.Name}</code>");
            if (parameter.Alias is not null) _html.Append($" or <code>{parameter.Alias}</code>");
            _html.Append($"{(parameter.IsRequired ? " <em>required</em>" : "")}</dt>\n<dd>{Marked(parameter.Meaning)}{KindOf(parameter.Kind)}</dd>\n");
        }
        _html.Append("</dl>\n");
    }

    private void WriteAnswer(RouteDescription description)
    {
        _html.Append("<h4>Answer</h4>\n");
        if (description.Streamed is { } streamed) _html.Append($"<p>A stream, each event or message <code>{Typed(streamed)}</code></p>\n");
        else if (description.Answer is { } answer) _html.Append($"<p><code>{Typed(answer)}</code></p>\n");
        else _html.Append($"<p>{(description.MediaType == "*/*" ? "What the handler of it answers." : $"<code>{description.MediaType}</code>")}</p>\n");
    }

    private void WriteErrors(ErrorDescription[] errors)
    {
        _html.Append("<h4>Errors</h4>\n<dl>\n");
        foreach (ErrorDescription error in errors) _html.Append($"<dt>{error.Status} <code>{error.Code}</code></dt>\n<dd>{Marked(error.When)}</dd>\n");
        _html.Append("</dl>\n");
    }

    private void WriteExample(ApiPath path, RouteDescription description)
    {
        Route route = path.Operations[0].Route;
        ParameterDescription[] shown = [.. description.Parameters.Where(static parameter => parameter.IsRequired || parameter.IsTypical)];
        bool isPost = path.Operations[0].Method == HttpMethod.Post;
        StringBuilder curl = new("curl -s");
        if (description.Streamed is not null) curl.Append('N');
        string target = path.Template.Replace("{path}", "models", StringComparison.Ordinal);
        if (!isPost && shown.Length > 0) curl.Append(" -G");
        curl.Append($" $TURBO{target}");
        if (_surface.NeedsSession(route) || description.TakesSession) curl.Append(" -H \"Authorization: Bearer $TOKEN\"");
        if (isPost && shown.Length == 0) curl.Append(" -X POST");
        foreach (ParameterDescription parameter in shown) curl.Append($" \\\n  -d {parameter.Name}={Quoted(parameter.Example)}");
        _html.Append($"<h4>Example</h4>\n<pre><code>{WebUtility.HtmlEncode(curl.ToString())}</code></pre>\n");
    }

    private void WriteShapes()
    {
        _html.Append("<section aria-labelledby=\"shapes\">\n<h2 id=\"shapes\">Shapes</h2>\n");
        Typed(Shapes.Error);
        // Rendering one may name others.
        HashSet<string> written = [];
        while (_named.FirstOrDefault(one => !written.Contains(one.Key)) is { Key: { } name, Value: { } shape })
        {
            written.Add(name);
            _html.Append($"<article aria-labelledby=\"shape-{name}\">\n<h3 id=\"shape-{name}\">{name}</h3>\n<p>{Marked(shape.Meaning)}</p>\n<dl>\n");
            foreach (Shape.Property property in shape.Properties)
            {
                string meaning = property.Meaning.Length > 0 ? ": " + Marked(property.Meaning) : "";
                _html.Append($"<dt><code>{property.Name}</code>{(property.IsOptional ? " <em>optional</em>" : "")}</dt>\n<dd>{Typed(property.Shape)}{meaning}</dd>\n");
            }
            _html.Append("</dl>\n</article>\n");
        }
        _html.Append("</section>\n");
    }

    /// <summary>A shape in short, as HTML: names where it has one, which are then told of below.</summary>
    private string Typed(Shape shape)
    {
        if (shape.Name is { } name)
        {
            _named.TryAdd(name, shape);
            return $"<a href=\"#shape-{name}\">{name}</a>";
        }
        string text = shape switch
        {
            { Items: { } items } => $"[{Typed(items)}, …]",
            { Type: "object", Properties.Length: > 0 } => $"{{{string.Join(", ", shape.Properties.Select(property => $"\"{property.Name}\": {Typed(property.Shape)}"))}}}",
            { Type: "object", Meaning.Length: > 0 } => Marked(shape.Meaning),
            { Type: "object" } => "{}",
            { Format: "date-time" } => "time",
            { Type: "" } => "any",
            _ => shape.Type,
        };
        return shape.IsNullable ? text + " or null" : text;
    }

    private static string KindOf(ParameterKind kind) => kind switch
    {
        ParameterKind.Integer => " (a whole number)",
        ParameterKind.Flag => " (true or false)",
        ParameterKind.List => " (a list)",
        _ => "",
    };

    private static string Anchor(string text) => text == "/" ? "page" : text.Trim('/').ToLowerInvariant().Replace('/', '-').Replace(' ', '-').Replace("{", "").Replace("}", "");

    // For a shell.
    private static string Quoted(string value) => value.All(static c => char.IsAsciiLetterOrDigit(c) || "_-./@".Contains(c)) ? value : $"'{value}'";

    // HTML of a text with `code` in it.
    private static string Marked(string text)
    {
        string[] parts = WebUtility.HtmlEncode(text).Split('`');
        StringBuilder marked = new(parts[0]);
        for (int i = 1; i < parts.Length; i++) marked.Append(i % 2 == 1 ? "<code>" : "</code>").Append(parts[i]);
        return marked.ToString();
    }
}

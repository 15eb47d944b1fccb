using System.Text;
using Turbo.Net;
using Turbo.Server.Api;
using HttpMethod = Turbo.Net.HttpMethod;

namespace Turbo.Server.OpenApi;

/// <summary>A method of a path, and where it leads.</summary>
/// <param name="Method">The method.</param>
/// <param name="Id">A name for it, unlike any other's.</param>
/// <param name="Route">Where it leads.</param>
internal sealed record ApiOperation(HttpMethod Method, string Id, Route Route)
{
    /// <summary>Whether its parameters come in a body rather than the query; the other way works as well.</summary>
    public bool HasBody => Method is HttpMethod.Post or HttpMethod.Put or HttpMethod.Patch;

    public string Name => Method.ToString().ToUpperInvariant();
}

/// <summary>A path with its operations.</summary>
/// <param name="Template">As OpenAPI writes it: <c>/v1/{path}</c>.</param>
/// <param name="Operations">Those that it has, GET before POST.</param>
internal sealed record ApiPath(string Template, List<ApiOperation> Operations)
{
    /// <summary>What it is told under.</summary>
    public string Tag => Operations[0].Route.Description is null ? "Application" : Template.Split('/')[1] switch
    {
        "user" => "Users",
        "group" => "Groups",
        "chat" => "Chats",
        "prompt" => "Saved prompts",
        "event" or "usage" => "Events",
        "v1" => "Proxy",
        _ => "Server",
    };

    /// <summary>The names in braces, which stand for a segment.</summary>
    public IEnumerable<string> PathParameters =>
        Template.Split('{').Skip(1).Select(static part => part[..part.IndexOf('}')]);
}

/// <summary>The routes of the table that routes, in the order in which they stand there, by path.</summary>
internal sealed class ApiSurface
{
    // CONNECT and TRACE are none that a proxied API has.
    private static readonly HttpMethod[] s_any = [HttpMethod.Get, HttpMethod.Post, HttpMethod.Put, HttpMethod.Patch, HttpMethod.Delete];

    public ApiSurface(RouteTable<Route> routes, ProxyAuth proxyAuth)
    {
        ProxyAuth = proxyAuth;
        Dictionary<string, ApiPath> paths = [];
        HashSet<string> ids = [];
        foreach (RegisteredRoute<Route> route in routes.Registered)
        {
            if (route.Target.IsPartOfPage) continue;
            string template = Template(route.Path);
            if (!paths.TryGetValue(template, out ApiPath? path))
            {
                Paths.Add(path = new ApiPath(template, []));
                paths.Add(template, path);
            }
            foreach (HttpMethod method in route.Method is { } one ? [one] : s_any)
            {
                string id = Id(template, method, path.Operations.Count > 0 || route.Method is null);
                while (!ids.Add(id)) id += "_";
                path.Operations.Add(new ApiOperation(method, id, route.Target));
            }
        }
    }

    public List<ApiPath> Paths { get; } = [];

    public ProxyAuth ProxyAuth { get; }

    /// <summary>Whether only holders of a session are let in.</summary>
    public bool NeedsSession(Route route) => route.Access == Access.Session || (route.Access == Access.Proxy && ProxyAuth == ProxyAuth.Session);

    private static string Template(string path) => path.EndsWith('*') ? path[..^1] + "{path}" : path;

    // user/password/update is userPasswordUpdate; a second method of a path has its name after that.
    private static string Id(string template, HttpMethod method, bool hasOthers)
    {
        StringBuilder id = new();
        string words = template == "/" ? "root" : template;
        foreach (string word in words.Split(['/', '.', '-', '{', '}', '_'], StringSplitOptions.RemoveEmptyEntries))
            id.Append(id.Length == 0 ? word : char.ToUpperInvariant(word[0]) + word[1..]);
        return hasOthers ? id.Append(method).ToString() : id.ToString();
    }
}

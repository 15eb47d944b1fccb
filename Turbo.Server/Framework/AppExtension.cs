using System.Runtime.ExceptionServices;
using System.Text;
using Turbo.Net;
using Turbo.Server.Api;
using Turbo.Server.Metrics;
using HttpMethod = Turbo.Net.HttpMethod;

namespace Turbo.Server;

/// <summary>What an application adds to Turbo: its endpoints and hooks, and how they are run.</summary>
internal sealed class AppExtension(TurboApp app)
{
    // Tells at once what is Turbo's, whatever of it the options leave out.
    private static readonly RouteTable<Route> s_own = Routes.Own(AppOptions.Defaults);

    // Tells at once what is malformed or taken.
    private readonly RouteTable<Route> _check = new();
    private readonly List<(HttpMethod Method, byte[] Path, Route Route)> _routes = [];

    public List<Func<AppRequest, Task>> Before { get; } = [];

    public List<Func<AppRequest, Task>> After { get; } = [];

    /// <summary>Whether Turbo's own routes have hooks to run.</summary>
    public bool HasHooks => Before.Count + After.Count > 0;

    public void Add(HttpMethod[] methods, byte[] path, Func<AppRequest, Task> handler, bool isPrivate, bool isInline)
    {
        if (s_own.Has(path)) throw new ArgumentException($"{Encoding.UTF8.GetString(path)} is Turbo's own", nameof(path));
        Route route = new(isPrivate ? Access.Session : Access.Optional, (_, context) => RunAsync(context, handler, isInline)) { Class = RouteClass.App };
        foreach (HttpMethod method in methods)
        {
            _check.Map(method, path, route);
            _routes.Add((method, path, route));
        }
    }

    public void AddTo(RouteTable<Route> routes)
    {
        foreach ((HttpMethod method, byte[] path, Route route) in _routes) routes.Map(method, path, route);
    }

    public Task StartingAsync(AppHost host) => app.StartingAsync(host);

    /// <summary>Runs the hooks around one of Turbo's own handlers.</summary>
    public ValueTask RunHookedAsync(AppHost host, RequestContext context, Route route) =>
        route.Class == RouteClass.App || route.IsProbe ? route.Handler(host, context) : RunAsync(context, _ => route.Handler(host, context).AsTask(), isInline: false);

    private async ValueTask RunAsync(RequestContext context, Func<AppRequest, Task> handler, bool isInline)
    {
        AppRequest request = new(app, context);
        ExceptionDispatchInfo? broken = null;
        if (!isInline) await Task.Yield();
        try
        {
            await HandleAsync(request, handler);
        }
        catch (Exception e) when (request.HasLost(e))
        {
            context.HasClientLeft = !context.Exchange.Response.HasStarted;
            if (!context.HasClientLeft) context.NoteCutOff();
        }
        catch (Exception e) when (!context.Exchange.Response.HasStarted)
        {
            context.Fail(app.Host.ErrorOf(e));
        }
        catch (Exception e)
        {
            // Half an answer is out: the dispatcher cuts it off, after the hooks.
            broken = ExceptionDispatchInfo.Capture(e);
        }
        await request.CloseStreamAsync();
        foreach (Func<AppRequest, Task> hook in After) await RunAfterAsync(hook, request);
        request.Finish();
        broken?.Throw();
    }

    private async ValueTask HandleAsync(AppRequest request, Func<AppRequest, Task> handler)
    {
        foreach (Func<AppRequest, Task> hook in Before)
        {
            await hook(request);
            if (request.HasAnswered) return;
        }
        await handler(request);
    }

    private async ValueTask RunAfterAsync(Func<AppRequest, Task> hook, AppRequest request)
    {
        try
        {
            await hook(request);
        }
        catch (Exception e)
        {
            app.Host.Log.Error("a hook after a request", e);
        }
    }
}

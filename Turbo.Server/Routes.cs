using Turbo.Net;
using Turbo.Server.Api;
using Turbo.Server.Metrics;
using Turbo.Server.OpenApi;
using HttpMethod = Turbo.Net.HttpMethod;

namespace Turbo.Server;

/// <summary>The whole URL surface.</summary>
internal static class Routes
{
    /// <summary>Turbo's own, what an application built on it adds, and the page where that has left its place free.</summary>
    /// <param name="options">Which of Turbo's own there are.</param>
    /// <param name="extension">The endpoints of an application built on Turbo; null without one.</param>
    public static RouteTable<Route> Build(AppOptions options, AppExtension? extension = null)
    {
        RouteTable<Route> routes = Own(options);
        extension?.AddTo(routes);
        if (routes.Match(HttpMethod.Get, "/"u8).IsKnownPath || routes.Match(HttpMethod.Get, "/web/"u8).IsKnownPath) return routes;
        Page(routes, "/"u8, new(Access.Public, static (app, context) => app.Web.SendPageAsync(context), ServerDescriptions.WebPage));
        Page(routes, "/web/*"u8, new(Access.Public, static (app, context) => app.Web.SendFileAsync(context)) { IsPartOfPage = true });
        return routes;
    }

    /// <summary>The routes that no application can take the place of.</summary>
    public static RouteTable<Route> Own(AppOptions options)
    {
        RouteTable<Route> routes = new();

        Read(routes, "/healthz"u8, new(Access.Public, static (_, context) => HealthApi.Alive(context), ServerDescriptions.Alive) { IsProbe = true });
        Read(routes, "/readyz"u8, new(Access.Public, static (app, context) => app.Health.ReadyAsync(context), ServerDescriptions.Ready) { IsProbe = true });
        if (options.Metrics) routes.Get("/metrics"u8, new(Access.Public, static (app, context) => app.MetricsPage.HandleAsync(context), ServerDescriptions.Metrics) { IsProbe = true, Class = RouteClass.Metrics });

        Page(routes, "/openapi.json"u8, new(Access.Public, static (app, context) => app.Description.SendOpenApiAsync(context), ServerDescriptions.OpenApi));
        Page(routes, "/docs"u8, new(Access.Public, static (app, context) => app.Description.SendDocsAsync(context), ServerDescriptions.Docs));

        Write(routes, "/user/signup"u8, new(Access.Public, static (app, context) => app.Users.SignUpAsync(context), UserDescriptions.SignUp));
        Write(routes, "/user/login"u8, new(Access.Public, static (app, context) => app.Users.LogInAsync(context), UserDescriptions.LogIn));
        Read(routes, "/user/logout"u8, new(Access.Public, static (app, context) => app.Users.LogOutAsync(context), UserDescriptions.LogOut));
        Read(routes, "/user/read"u8, new(Access.Session, static (app, context) => app.Users.ReadAsync(context), UserDescriptions.Read));
        Read(routes, "/user/find"u8, new(Access.Session, static (app, context) => app.Users.FindAsync(context), UserDescriptions.Find));
        Write(routes, "/user/update"u8, new(Access.Session, static (app, context) => app.Users.UpdateAsync(context), UserDescriptions.Update));
        Read(routes, "/user/session"u8, new(Access.Session, static (app, context) => app.Users.SessionAsync(context), UserDescriptions.Session));
        Write(routes, "/user/password/update"u8, new(Access.Session, static (app, context) => app.Users.UpdatePasswordAsync(context), UserDescriptions.UpdatePassword));

        Write(routes, "/group/create"u8, new(Access.Session, static (app, context) => app.Groups.CreateAsync(context), GroupDescriptions.Create));
        Read(routes, "/group/read"u8, new(Access.Session, static (app, context) => app.Groups.ReadAsync(context), GroupDescriptions.Read));
        Write(routes, "/group/update"u8, new(Access.Session, static (app, context) => app.Groups.UpdateAsync(context), GroupDescriptions.Update));
        Write(routes, "/group/delete"u8, new(Access.Session, static (app, context) => app.Groups.DeleteAsync(context), GroupDescriptions.Delete));
        Read(routes, "/group/index"u8, new(Access.Session, static (app, context) => app.Groups.IndexAsync(context), GroupDescriptions.Index));
        Read(routes, "/group/members"u8, new(Access.Session, static (app, context) => app.Groups.MembersAsync(context), GroupDescriptions.Members));
        Write(routes, "/group/members/add"u8, new(Access.Session, static (app, context) => app.Groups.AddMembersAsync(context), GroupDescriptions.AddMembers));
        Write(routes, "/group/members/remove"u8, new(Access.Session, static (app, context) => app.Groups.RemoveMembersAsync(context), GroupDescriptions.RemoveMembers));

        Write(routes, "/chat/create"u8, new(Access.Session, static (app, context) => app.Chats.CreateAsync(context), ChatDescriptions.Create));
        Read(routes, "/chat/read"u8, new(Access.Session, static (app, context) => app.Chats.ReadAsync(context), ChatDescriptions.Read));
        Write(routes, "/chat/update"u8, new(Access.Session, static (app, context) => app.Chats.UpdateAsync(context), ChatDescriptions.Update));
        Write(routes, "/chat/delete"u8, new(Access.Session, static (app, context) => app.Chats.DeleteAsync(context), ChatDescriptions.Delete));
        Read(routes, "/chat/index"u8, new(Access.Session, static (app, context) => app.Chats.IndexAsync(context), ChatDescriptions.Index));
        Write(routes, "/chat/user/add"u8, new(Access.Session, static (app, context) => app.Chats.AddUserAsync(context), ChatDescriptions.AddUser));
        Write(routes, "/chat/user/remove"u8, new(Access.Session, static (app, context) => app.Chats.RemoveUserAsync(context), ChatDescriptions.RemoveUser));

        Write(routes, "/chat/prompt"u8, new(Access.Session, static (app, context) => app.Chats.PromptAsync(context), ChatDescriptions.Prompt));
        Read(routes, "/chat/stream"u8, new(Access.Session, static (app, context) => app.ChatStreams.SubscribeAsync(context), ChatDescriptions.Stream) { TakesTokenParameter = true });

        Write(routes, "/prompt/create"u8, new(Access.Session, static (app, context) => app.SavedPrompts.CreateAsync(context), PromptDescriptions.Create));
        Read(routes, "/prompt/read"u8, new(Access.Session, static (app, context) => app.SavedPrompts.ReadAsync(context), PromptDescriptions.Read));
        Write(routes, "/prompt/update"u8, new(Access.Session, static (app, context) => app.SavedPrompts.UpdateAsync(context), PromptDescriptions.Update));
        Write(routes, "/prompt/delete"u8, new(Access.Session, static (app, context) => app.SavedPrompts.DeleteAsync(context), PromptDescriptions.Delete));
        Read(routes, "/prompt/index"u8, new(Access.Session, static (app, context) => app.SavedPrompts.IndexAsync(context), PromptDescriptions.Index));

        Write(routes, "/event/publish"u8, new(Access.Session, static (app, context) => app.PublishedEvents.PublishAsync(context), EventDescriptions.Publish));
        Read(routes, "/event/subscribe"u8, new(Access.Session, static (app, context) => app.PublishedEvents.SubscribeAsync(context), EventDescriptions.Subscribe) { TakesTokenParameter = true });
        Read(routes, "/event/index"u8, new(Access.Session, static (app, context) => app.OwnEvents.IndexAsync(context), EventDescriptions.Index));
        Read(routes, "/usage/index"u8, new(Access.Session, static (app, context) => app.OwnEvents.UsageAsync(context), EventDescriptions.Usage));

        routes.Any("/v1/*"u8, new(Access.Proxy, static (app, context) => app.Proxy.HandleAsync(context), ServerDescriptions.Proxy) { Class = RouteClass.Proxy });

        return routes;
    }

    // GET, and with it HEAD, and POST.
    private static void Read(RouteTable<Route> routes, ReadOnlySpan<byte> path, Route route)
    {
        route = route with { Class = ClassOf(path, route) };
        routes.Get(path, route);
        routes.Post(path, route);
    }

    private static void Write(RouteTable<Route> routes, ReadOnlySpan<byte> path, Route route) => routes.Post(path, route with { Class = ClassOf(path, route) });

    private static void Page(RouteTable<Route> routes, ReadOnlySpan<byte> path, Route route) => routes.Get(path, route with { Class = RouteClass.Page });

    private static RouteClass ClassOf(ReadOnlySpan<byte> path, Route route) =>
        route.IsProbe ? RouteClass.Probe
        : route.TakesTokenParameter ? RouteClass.Stream
        : path[1..].StartsWith("chat/prompt"u8) ? RouteClass.Prompt
        : path[1..].StartsWith("chat/"u8) ? RouteClass.Chat
        : path[1..].StartsWith("user/"u8) ? RouteClass.User
        : path[1..].StartsWith("group/"u8) ? RouteClass.Group
        : path[1..].StartsWith("event/"u8) || path[1..].StartsWith("usage/"u8) ? RouteClass.Event
        : path[1..].StartsWith("prompt/"u8) ? RouteClass.SavedPrompt
        : throw new ArgumentException("a route of no class");
}

using Turbo.Server.Metrics;
using Turbo.Server.OpenApi;

namespace Turbo.Server.Api;

/// <summary>Handles one request; returns when its response is written.</summary>
internal delegate ValueTask RouteHandler(AppHost app, RequestContext context);

/// <summary>Whom a route admits.</summary>
internal enum Access : byte
{
    /// <summary>Anyone; the session is not looked up.</summary>
    Public,

    /// <summary>Anyone; a session that is presented and good is there.</summary>
    Optional,

    /// <summary>Holders of a session.</summary>
    Session,

    /// <summary>As PROXY_AUTH says: holders of a session, or anyone.</summary>
    Proxy,
}

/// <summary>What a path and method lead to.</summary>
/// <param name="Access">Whom it admits.</param>
/// <param name="Handler">Handles a request.</param>
/// <param name="Description">What it does, for its caller; null for an application's own.</param>
internal sealed record Route(Access Access, RouteHandler Handler, RouteDescription? Description = null)
{
    /// <summary>What its requests are counted under.</summary>
    public RouteClass Class { get; init; }

    /// <summary>Whether the route answers at once even while others wait for the database to take their event rows; it then leaves none.</summary>
    public bool IsProbe { get; init; }

    /// <summary>Whether the <c>token</c> parameter is a credential: the two stream routes.</summary>
    public bool TakesTokenParameter { get; init; }

    /// <summary>Whether it is a file of a page, of which no caller needs a description.</summary>
    public bool IsPartOfPage { get; init; }
}

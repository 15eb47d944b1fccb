namespace Turbo.Server.Metrics;

/// <summary>What a request is counted under: few, so that a client cannot make series.</summary>
internal enum RouteClass : byte
{
    /// <summary>No route: 404, 405, and OPTIONS.</summary>
    None,
    /// <summary>/healthz and /readyz.</summary>
    Probe,
    /// <summary>/metrics.</summary>
    Metrics,
    User,
    Group,
    Chat,
    /// <summary>/chat/prompt, which waits for the upstream.</summary>
    Prompt,
    /// <summary>The two subscriptions.</summary>
    Stream,
    /// <summary>Events and usage.</summary>
    Event,
    /// <summary>/prompt/…, the prompts that are kept.</summary>
    SavedPrompt,
    /// <summary>What a browser shows, and the description of the routes.</summary>
    Page,
    /// <summary>/v1/*</summary>
    Proxy,
    /// <summary>The endpoints of an application built on Turbo.</summary>
    App,
    /// <summary>Refused before there was a route: what was sent is not HTTP, or over a limit.</summary>
    Rejected,
}

namespace Turbo.Server.OpenApi;

internal static class ServerDescriptions
{
    public static readonly RouteDescription Alive = new("Whether the process lives") { Answer = Shapes.Status };

    public static readonly RouteDescription Ready = new("Whether the server can do its work")
    {
        Answer = Shapes.Status,
        Errors = [new(503, "draining", "the server is stopping"), new(503, "unavailable", "the database or Redis does not answer")],
    };

    public static readonly RouteDescription Metrics = new("What the server does, in Prometheus's text format")
    {
        Details = "For clients on the same machine, and for those who send METRICS_TOKEN as Bearer.",
        Answer = null,
        MediaType = "text/plain",
        Errors = [new(401, "invalid_token", "METRICS_TOKEN is set, and was not sent"), new(403, "loopback_only", "it is not set, and the client is elsewhere")],
    };

    public static readonly RouteDescription OpenApi = new("This description, for programs")
    {
        Details = "OpenAPI 3.1, with an ETag.", Answer = new Shape("object") { Meaning = "an OpenAPI 3.1 document" },
    };

    public static readonly RouteDescription Docs = new("This description, for people") { Answer = null, MediaType = "text/html" };

    public static readonly RouteDescription WebPage = new("The web page, for people")
    {
        Details = "Sign up, chats, groups and usage, in a browser. Its scripts and styles lie below `/web/`. Where an application registers something here, that is there instead.",
        Answer = null,
        MediaType = "text/html",
    };

    public static readonly RouteDescription Proxy = new("Anything of OpenAI's API")
    {
        Details = "Goes to OPENAI_API_URL and comes back byte for byte as it arrives, event streams and WebSockets (`Upgrade: websocket`) included; `Host` and `Authorization` are replaced, `Cookie` and hop-by-hop fields left out. Errors of the upstream are the upstream's own. Below `/v1` the path may have any number of segments. PROXY_AUTH says who may: holders of a session, or anyone.",
        Answer = null,
        MediaType = "*/*",
        Errors =
        [
            new(502, "upstream_error", "the upstream could not be reached, or its answer was malformed"),
            new(504, "upstream_error", "the upstream did not answer in time"),
        ],
    };
}

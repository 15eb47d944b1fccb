namespace Turbo.Server.OpenApi;

internal static class EventDescriptions
{
    private static readonly ParameterDescription s_topic = new("topic", "1 to 256 characters, no control characters") { MaxLength = 256, Example = "rain", IsRequired = true };
    private static readonly ParameterDescription s_group = new("group_id", "a group of the caller's, whose members share the topic; without it the topic is the caller's alone") { MaxLength = 64, Example = "GROUP_ID" };
    private static readonly ErrorDescription s_noGroup = new(404, "group_not_found", "there is no such group, or the caller is no member");

    public static readonly RouteDescription Publish = new("Publish an event")
    {
        Parameters = [s_topic, new("data", "any JSON, or text; at most EVENT_DATA_BYTES", ParameterKind.Any) { Example = "7 mm", IsRequired = true }, s_group],
        Errors = [s_noGroup],
    };

    public static readonly RouteDescription Subscribe = new("Listen to a topic")
    {
        Details = "Server-sent events or, where the request asks for an upgrade, a WebSocket. It ends when the session or the membership does.",
        Parameters = [s_topic, s_group],
        Answer = null,
        MediaType = "text/event-stream",
        Streamed = Shapes.PublishedEvent,
        Errors = [s_noGroup, new(403, "origin_not_allowed", "a page of an origin that CORS_ORIGINS does not name opens a WebSocket with its visitor's cookie")],
    };

    public static readonly RouteDescription Index = new("List one's calls that used tokens, and requests that failed")
    {
        Details = "The caller's own, newest first, without their bodies. They are stored in the background, within a second or so.",
        Parameters =
        [
            new("limit", "1 to 200; by default 50", ParameterKind.Integer) { Min = 1, Example = "50" },
            new("before", "the last `ID` of the page before") { MaxLength = 64, Example = "01a22957-4a75-7c63-bdce-d770a4815078" },
        ],
        Answer = Shapes.Events,
    };

    public static readonly RouteDescription Usage = new("Sum one's tokens by model")
    {
        Parameters = [new("since", "how far back, at most `366d`; by default `30d`") { MaxLength = 16, Example = "30d" }],
        Answer = Shapes.Usage,
    };
}

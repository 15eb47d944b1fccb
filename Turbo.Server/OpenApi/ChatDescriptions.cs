namespace Turbo.Server.OpenApi;

internal static class ChatDescriptions
{
    private static readonly ParameterDescription s_id = new("id", "the chat") { MaxLength = 64, Example = "CHAT_ID", Alias = "chat_id", IsRequired = true };

    private static readonly ParameterDescription[] s_user =
    [
        new("chat_id", "the chat") { MaxLength = 64, Example = "CHAT_ID", Alias = "id", IsRequired = true },
        new("user_id", "the user") { MaxLength = 64, Example = "USER_ID", IsRequired = true },
    ];

    private static readonly ErrorDescription s_unknown = new(404, "chat_not_found", "there is no such chat, or the caller is not in it");
    private static readonly ErrorDescription s_notOwner = new(403, "not_allowed", "the caller is in the chat, not its owner");
    private static readonly ErrorDescription s_noUser = new(404, "user_not_found", "there is no such user");

    public static readonly RouteDescription Create = new("Begin a chat")
    {
        Parameters =
        [
            new("name", "by default `general`") { MaxLength = 256, Example = "watering", IsTypical = true },
            new("model", "the upstream's name of it, or one of MODEL_ALIASES; by default `gpt-3`, which is `gpt-3.5-turbo`") { MaxLength = 128, Example = "gpt-4o-mini" },
            new("group_id", "a group of the caller's; by default the first") { MaxLength = 64, Example = "GROUP_ID" },
        ],
        Answer = Shapes.Chat,
        Errors = [new(404, "group_not_found", "there is no such group, or the caller is no member")],
    };

    public static readonly RouteDescription Read = new("Read a chat and what was said in it")
    {
        Details = "The newest messages, oldest first. Users who were removed have the time of that as `DeletedAt`.",
        Parameters = [s_id, new("limit", "messages at most; by default, and no more than, CHAT_MESSAGES; 0 leaves chat and users", ParameterKind.Integer) { Min = 0, Example = "50" }],
        Answer = Shape.Object(
            new("chat", Shapes.Chat), new("messages", Shape.ArrayOf(Shapes.Message)), new("users", Shape.ArrayOf(Shapes.User))),
        Errors = [s_unknown],
    };

    public static readonly RouteDescription Update = new("Change a chat, as its owner")
    {
        Details = "What is not given stays.",
        Parameters =
        [
            s_id, new("name", "1 to 256 characters") { MaxLength = 256, Example = "watering", IsTypical = true },
            new("model", "1 to 128 characters") { MaxLength = 128, Example = "gpt-4o-mini" },
        ],
        Answer = Shapes.Chat,
        Errors = [s_unknown, s_notOwner],
    };

    public static readonly RouteDescription Delete = new("Delete a chat, as its owner")
    {
        Details = "Everyone loses access at once, open streams too.", Parameters = [s_id], Errors = [s_unknown, s_notOwner],
    };

    public static readonly RouteDescription Index = new("List the chats that one owns or is in")
    {
        Details = "The one last used first.", Answer = Shape.Object(new Shape.Property("chats", Shape.ArrayOf(Shapes.Chat))),
    };

    public static readonly RouteDescription AddUser = new("Add a user to a chat, as its owner")
    {
        Details = "Who is in it already stays in it.", Parameters = s_user, Errors = [s_unknown, s_notOwner, s_noUser],
    };

    public static readonly RouteDescription RemoveUser = new("Remove a user from a chat, as its owner")
    {
        Details = "The user, who is not the owner, loses access at once, open streams too.", Parameters = s_user,
        Errors = [s_unknown, new(403, "not_allowed", "the caller is not the chat's owner, or the user is"), s_noUser],
    };

    public static readonly RouteDescription Prompt = new("Prompt a chat's model")
    {
        Details = "Earlier exchanges go along, oldest first, as far as CHAT_CONTEXT_BYTES lets them. With `stream` the answer comes at once with an empty reply, which then comes to those at `/chat/stream`. What the upstream refuses is answered with its status and words, and nothing is kept.",
        Parameters =
        [
            s_id,
            new("prompt", "what to say; with a `prompt_id` whose text asks for no input it may be left out") { Example = "Say hello", IsTypical = true },
            new("prompt_id", "a saved prompt, which `prompt` goes into at `{{input}}`, or else follows after an empty line") { MaxLength = 64, Example = "PROMPT_ID" },
            new("context", "how many earlier exchanges to send, at most and by default CHAT_CONTEXT", ParameterKind.Integer) { Min = 0, Example = "3" },
            new("stream", "whether the reply comes over the chat's stream", ParameterKind.Flag) { Example = "false" },
            new("otr", "off the record: kept and shown in the chat, never sent upstream, not as context either", ParameterKind.Flag) { Example = "false" },
        ],
        Answer = Shape.Object(new("message", Shapes.Message), new("reply", Shape.Text)),
        Errors =
        [
            s_unknown, new(404, "prompt_not_found", "there is no such saved prompt, or it is not shared with the caller"),
            new(502, "upstream_error", "the upstream could not be reached, or its answer was malformed or too long; its own errors have their own status"),
            new(504, "upstream_error", "the upstream did not answer in time"),
        ],
    };

    public static readonly RouteDescription Stream = new("Listen to a chat")
    {
        Details = "Server-sent events or, where the request asks for an upgrade, a WebSocket: each message of the chat as it comes. It ends when the session or the access to the chat does.",
        Parameters = [s_id],
        Answer = null,
        MediaType = "text/event-stream",
        Streamed = Shapes.StreamedMessage,
        Errors = [s_unknown, new(403, "origin_not_allowed", "a page of an origin that CORS_ORIGINS does not name opens a WebSocket with its visitor's cookie")],
    };
}

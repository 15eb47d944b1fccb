namespace Turbo.Server.OpenApi;

using static Shape;

/// <summary>The JSON that Turbo answers with, as the writers in Json write it: names, order and types.</summary>
internal static class Shapes
{
    private static readonly Property[] s_times =
    [
        new("CreatedAt", Time), new("UpdatedAt", Time), new("DeletedAt", Time with { IsNullable = true }, "null unless it is gone"),
    ];

    private static readonly Shape s_count = Integer with { IsNullable = true };

    public static readonly Shape Empty = Object();

    public static readonly Shape Error = Named("Error", "What every error of Turbo's own is; the one shape that OpenAI's libraries read.",
        new Property("error", Object(
            new("message", Text, "a sentence for whoever wrote the client"),
            new("type", Text with { Values = ["invalid_request_error", "authentication_error", "permission_error", "not_found_error", "conflict_error", "rate_limit_error", "server_error", "upstream_error"] }),
            new("param", Text with { IsNullable = true }, "the parameter at fault"),
            new("code", Text with { IsNullable = true }, "a word for programs"))));

    public static readonly Shape Group = Named("Group", "Users who share chats, prompts and events.",
        [.. s_times, new("id", Text), new("name", Text), new("description", Text), new("owner_id", Text, "the user who may change it")]);

    public static readonly Shape User = Named("User", "Someone who signed up.",
        [.. s_times, new("id", Text), new("first_name", Text), new("last_name", Text), new("username", Text), new("groups", ArrayOf(Group), "empty where users are listed")]);

    public static readonly Shape Chat = Named("Chat", "A conversation with a model.",
        [.. s_times, new("id", Text), new("name", Text), new("model", Text), new("user_id", Text, "its owner"), new("group_id", Text)]);

    public static readonly Shape Message = Named("Message", "A prompt and its reply.",
        [
            .. s_times, new("id", Text), new("chat_id", Text), new("user_id", Text, "who prompted"), new("group_id", Text), new("prompt", Text),
            new("reply", Text), new("model", Text), new("otr", Flag, "off the record: never sent upstream"),
        ]);

    public static readonly Shape Prompt = Named("Prompt", "A prompt that is kept.",
        [
            .. s_times, new("id", Text), new("name", Text), new("text", Text, "with {{input}} where what is asked goes"),
            new("user_id", Text, "its owner"), new("group_id", Text, "the group it is shared with, or empty"),
        ]);

    public static readonly Shape LogIn = Named("LogIn", "A session that has begun.",
        new("Token", Text, "what the session is presented with"), new("User", User), new("password", Text, "where it was made for the user", IsOptional: true));

    public static readonly Shape StreamedMessage = Named("StreamedMessage", "What a chat's stream carries.",
        new("message", Message, "as it stands; while partial, `reply` is what was added"), new("partial", Flag, "false: the message is whole, and kept"),
        new("error", Text, "why it broke off", IsOptional: true));

    public static readonly Shape PublishedEvent = Named("PublishedEvent", "What a topic's stream carries.",
        new("topic", Text), new("data", new Shape("")), new("user_id", Text, "who published it"), new("group_id", Text));

    public static readonly Shape Event = Named("Event", "A request, as it was recorded, without its bodies.",
        [
            new("ID", Text), new("Timestamp", Time), new("ClientIP", Text), new("Endpoint", Text, "the path"), new("Status", Integer),
            new("Message", Text, "what went wrong, where something did"), new("Duration", Integer, "nanoseconds"), new("Method", Text), new("Params", Text), new("UserID", Text),
            new("model", Text), new("prompt_tokens", s_count), new("completion_tokens", s_count), new("total_tokens", s_count), new("ttfb", s_count, "nanoseconds to the upstream's first byte"),
        ]);

    public static readonly Shape Events = Object(new Property("events", ArrayOf(Event)));

    public static readonly Shape Usage = Object(new Property("usage", ArrayOf(Object(
        new("model", Text), new("calls", Integer), new("prompt_tokens", Integer), new("completion_tokens", Integer), new("total_tokens", Integer)))));

    public static readonly Shape OneUser = Object(new Property("user", User));

    public static readonly Shape Users = Object(new Property("users", ArrayOf(User)));

    public static readonly Shape Status = Object(new Property("status", Text));
}

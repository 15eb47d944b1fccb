namespace Turbo.Server.OpenApi;

internal static class PromptDescriptions
{
    private static readonly ParameterDescription s_id = new("id", "the saved prompt") { MaxLength = 64, Example = "PROMPT_ID", Alias = "prompt_id", IsRequired = true };
    private static readonly ParameterDescription s_name = new("name", "1 to 256 characters") { MaxLength = 256, Example = "French" };
    private static readonly ParameterDescription s_text = new("text", "at most PROMPT_BYTES; `{{input}}` in it is where `prompt` of `/chat/prompt` goes") { Example = "Say \"{{input}}\" in French", IsTypical = true };

    private static readonly ErrorDescription s_unknown = new(404, "prompt_not_found", "there is no such prompt, or it is not shared with the caller");
    private static readonly ErrorDescription s_notOwner = new(403, "not_allowed", "the prompt is shared with the caller, who is not its owner");
    private static readonly ErrorDescription s_noGroup = new(404, "group_not_found", "there is no such group, or the caller is no member");

    public static readonly RouteDescription Create = new("Keep a prompt")
    {
        Details = "With a group its members read it and prompt with it, as long as the caller is one of them.",
        Parameters = [s_name.Required(), s_text.Required(), new("group_id", "a group of the caller's to share it with") { MaxLength = 64, Example = "GROUP_ID" }],
        Answer = Shapes.Prompt,
        Errors = [s_noGroup],
    };

    public static readonly RouteDescription Read = new("Read a saved prompt") { Parameters = [s_id], Answer = Shapes.Prompt, Errors = [s_unknown] };

    public static readonly RouteDescription Update = new("Change a saved prompt, as its owner")
    {
        Details = "What is not given stays.",
        Parameters = [s_id, s_name, s_text, new("group_id", "a group of the caller's to share it with; empty to share it no longer") { MaxLength = 64, Example = "GROUP_ID" }],
        Answer = Shapes.Prompt,
        Errors = [s_unknown, s_notOwner, s_noGroup],
    };

    public static readonly RouteDescription Delete = new("Delete a saved prompt, as its owner") { Parameters = [s_id], Errors = [s_unknown, s_notOwner] };

    public static readonly RouteDescription Index = new("List the saved prompts that one may use")
    {
        Details = "The caller's own and those shared with it: PROMPT_INDEX of them, the last changed first.",
        Answer = Shape.Object(new Shape.Property("prompts", Shape.ArrayOf(Shapes.Prompt))),
    };
}

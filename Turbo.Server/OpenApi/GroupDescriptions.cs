namespace Turbo.Server.OpenApi;

internal static class GroupDescriptions
{
    private static readonly ParameterDescription s_id = new("id", "the group") { MaxLength = 64, Example = "GROUP_ID", Alias = "group_id", IsRequired = true };
    private static readonly ParameterDescription s_name = new("name", "1 to 30 characters") { MaxLength = 30, Example = "Garden", IsTypical = true };
    private static readonly ParameterDescription s_text = new("description", "at most 256 characters") { MaxLength = 256, Example = "Who waters what" };

    private static readonly ParameterDescription[] s_members =
    [
        s_id,
        new("user_ids", "users, at most USERS_PER_CALL", ParameterKind.List) { Example = "USER_ID", Alias = "user_id", AliasKind = ParameterKind.Text, IsRequired = true },
    ];

    private static readonly ErrorDescription s_unknown = new(404, "group_not_found", "there is no such group, or the caller is no member");
    private static readonly ErrorDescription s_notOwner = new(403, "not_allowed", "the caller is a member, not the owner");
    private static readonly ErrorDescription s_noUser = new(404, "user_not_found", "one of the users does not exist; nothing was done");

    public static readonly RouteDescription Create = new("Make a group")
    {
        Details = "The caller owns it and is its first member. Where a member does not exist nothing is made.",
        Parameters = [s_name.Required(), s_text, new("members", "further members, at most USERS_PER_CALL", ParameterKind.List) { Example = "USER_ID" }],
        Answer = Shapes.Group,
        Errors = [s_noUser],
    };

    public static readonly RouteDescription Read = new("Read a group, as a member") { Parameters = [s_id], Answer = Shapes.Group, Errors = [s_unknown] };

    public static readonly RouteDescription Update = new("Change a group, as its owner")
    {
        Details = "What is not given stays.",
        Parameters = [s_id, s_name, s_text], Answer = Shapes.Group, Errors = [s_unknown, s_notOwner],
    };

    public static readonly RouteDescription Delete = new("Delete a group, as its owner")
    {
        Details = "Its memberships, and what was shared by them, end with it.",
        Parameters = [s_id], Answer = Shape.Object(new Shape.Property("group", Shapes.Group)), Errors = [s_unknown, s_notOwner],
    };

    public static readonly RouteDescription Index = new("List the groups that one is a member of")
    {
        Details = "Oldest first.", Answer = Shape.Object(new Shape.Property("groups", Shape.ArrayOf(Shapes.Group))),
    };

    public static readonly RouteDescription Members = new("List a group's members, as one of them")
    {
        Details = "Oldest first; their own groups are not shown.", Parameters = [s_id], Answer = Shapes.Users, Errors = [s_unknown],
    };

    public static readonly RouteDescription AddMembers = new("Add members, as the owner")
    {
        Details = "Who is a member already stays one.", Parameters = s_members, Errors = [s_unknown, s_notOwner, s_noUser],
    };

    public static readonly RouteDescription RemoveMembers = new("Remove members, or leave")
    {
        Details = "The owner removes any but itself; a member removes itself alone. Who is removed loses access at once, open streams too.",
        Parameters = s_members,
        Errors = [s_unknown, new(403, "not_allowed", "one of the users is not the caller's to remove"), s_noUser],
    };
}

namespace Turbo.Server.OpenApi;

internal static class UserDescriptions
{
    private static readonly ParameterDescription s_username = new("username", "what the user logs in with, 1 to 254 characters; often an address")
    {
        MaxLength = 254, Example = "ann@example.com",
    };

    private static readonly ParameterDescription s_redirect = new("redirect_url", "a path on this host, to which the answer redirects (302) in place of JSON: for forms of a page")
    {
        MaxLength = 2048, Example = "/",
    };

    private static readonly ParameterDescription s_id = new("id", "the caller's own id, which is also the default") { MaxLength = 64, Example = "USER_ID" };

    private static readonly ErrorDescription s_taken = new(409, "username_taken", "the username is another's");
    private static readonly ErrorDescription s_blocked = new(429, "too_many_logins", "LOGIN_ATTEMPTS failed in the last minute, for the username or the client's address; `Retry-After` says how long");
    private static readonly ErrorDescription s_notOwn = new(403, "not_allowed", "the id is another user's");
    private static readonly ErrorDescription s_gone = new(404, "user_not_found", "the user has been deleted");

    public static readonly RouteDescription SignUp = new("Sign up")
    {
        Details = "Makes a user and a group of its own, begins a session and sets it as the cookie `sess` as a login does. A password that was made is in the answer, once, and then nothing redirects.",
        Parameters =
        [
            s_username.Required(),
            Password("password", "at most 72 bytes; where it is empty one is made") with { IsSecret = true, IsTypical = true, Example = "correct horse" },
            new("first_name", "by default the username up to an `@`") { MaxLength = 254, Example = "Ann" },
            new("last_name", "by default empty") { MaxLength = 254, Example = "Arbor" },
            new("group_name", "the name of the user's own group; by default `Personal`") { MaxLength = 30, Example = "Personal" },
            s_redirect,
        ],
        Answer = Shapes.LogIn,
        Redirects = true,
        Errors = [s_taken],
    };

    public static readonly RouteDescription LogIn = new("Log in")
    {
        Details = "Begins a session of 365 days and sets it as the cookie `sess`, unless a page of an origin asks that CORS_ORIGINS does not name.",
        Parameters = [s_username.Required(), Password("password", "the user's").Required() with { Example = "correct horse" }, s_redirect],
        Answer = Shapes.LogIn,
        Redirects = true,
        Errors = [new(401, "invalid_credentials", "no such user, or not its password; which of them is not told"), s_blocked],
    };

    public static readonly RouteDescription LogOut = new("Log out")
    {
        Details = "Ends the session everywhere, its open streams too, and clears the cookie. Without `token` it is the session that the request presents as Bearer or cookie; a page of an origin that CORS_ORIGINS does not name neither ends nor clears the cookie's.",
        Parameters = [new("token", "the session to end") { IsSecret = true, Example = "TOKEN" }],
        TakesSession = true,
        Errors = [new(401, "missing_session", "no session was presented")],
    };

    public static readonly RouteDescription Read = new("Read a user: oneself")
    {
        Parameters = [s_id], Answer = Shapes.OneUser, Errors = [s_notOwn, s_gone],
    };

    public static readonly RouteDescription Find = new("Whose a username is")
    {
        Details = "For people who add each other to groups and chats: the one user of exactly that name, without its groups.",
        Parameters = [s_username.Required()],
        Answer = Shapes.OneUser,
        Errors = [new(404, "user_not_found", "nobody has that username")],
    };

    public static readonly RouteDescription Session = new("Whose session this is") { Answer = Shapes.OneUser, Errors = [s_gone] };

    public static readonly RouteDescription Update = new("Change one's name")
    {
        Details = "What is not given stays.",
        Parameters =
        [
            s_id, new("first_name", "at most 254 characters") { MaxLength = 254, Example = "Ann" },
            new("last_name", "at most 254 characters") { MaxLength = 254, Example = "Arbor", IsTypical = true }, s_username,
        ],
        Answer = Shapes.OneUser,
        Errors = [s_notOwn, s_gone, s_taken],
    };

    public static readonly RouteDescription UpdatePassword = new("Change one's password")
    {
        Details = "Ends the user's other sessions, their open streams too.",
        Parameters =
        [
            Password("old_password", "the password so far").Required() with { Example = "correct horse" },
            Password("new_password", "1 to 72 bytes").Required() with { Example = "battery staple" },
        ],
        Errors = [new(403, "wrong_password", "`old_password` is not the user's"), s_blocked],
    };

    private static ParameterDescription Password(string name, string meaning) => new(name, meaning) { IsSecret = true };
}

using System.Buffers;
using System.Globalization;
using System.Text;
using Turbo.Net;
using Turbo.Server.Auth;
using Turbo.Server.Json;
using Turbo.Server.Model;
using Turbo.Server.Storage;

namespace Turbo.Server.Api;

/// <summary>Contract section 4: signing up, logging in and out, and what a user may change of its own.</summary>
internal sealed class UserApi(AppHost app)
{
    private const int MaxName = 254;
    private const int MaxGroupName = 30;
    private const int MaxId = 64;
    private const int MaxRedirect = 2048;

    public async ValueTask SignUpAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        Parameters parameters = context.Parameters;
        string username = Username(parameters.RequiredText("username"u8, MaxName), parameters);
        string? password = Password("password"u8, parameters);
        string? firstName = parameters.Text("first_name"u8, MaxName);
        string lastName = parameters.Text("last_name"u8, MaxName) ?? "";
        string? groupName = parameters.Text("group_name"u8, MaxGroupName);
        string? redirect = Redirect(parameters);
        if (context.RefusesParameters()) return;

        string? generated = string.IsNullOrEmpty(password) ? Passwords.Generate() : null;
        if (string.IsNullOrEmpty(firstName)) firstName = username.Split('@', 2)[0];
        if (string.IsNullOrEmpty(groupName)) groupName = "Personal";
        LogIn made = await app.Accounts.SignUpAsync(username, generated ?? password!, firstName, lastName, groupName);
        AnswerLogIn(context, made, redirect, generated);
    }

    public async ValueTask LogInAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        Parameters parameters = context.Parameters;
        string username = parameters.RequiredText("username"u8, MaxName);
        string? password = Password("password"u8, parameters);
        if (string.IsNullOrEmpty(password)) parameters.Miss("password"u8);
        string? redirect = Redirect(parameters);
        if (context.RefusesParameters()) return;

        LogIn logIn = await app.Accounts.LogInAsync(username, password!, context.Client.Address);
        AnswerLogIn(context, logIn, redirect, generated: null);
    }

    public async ValueTask LogOutAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        Task<bool>? ending = EndPresented(context);
        if (context.RefusesParameters()) return;
        if (ending is null)
        {
            context.Fail(new ApiError(401, "no session to end: send its token", Code: "missing_session"));
            return;
        }
        // One that is unknown has ended already.
        await ending;
        ResponseWriter response = context.Exchange.Response;
        response.Start(200);
        WriteCookie(context, "", DateTime.UnixEpoch);
        context.Content.Write("{}"u8);
        context.SendStarted();
    }

    public async ValueTask ReadAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync() || RefusesOthers(context)) return;
        AnswerUser(context, await app.Db.Users.FindAsync(context.RequiredSession.UserId));
    }

    public async ValueTask SessionAsync(RequestContext context) =>
        AnswerUser(context, await app.Db.Users.FindAsync(context.RequiredSession.UserId));

    /// <summary>
    /// Whom a username belongs to, so that people can add each other to groups and chats without knowing ids. One exact
    /// name, for holders of a session: no more than signing up tells anyone.
    /// </summary>
    public async ValueTask FindAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        string username = context.Parameters.RequiredText("username"u8, MaxName);
        if (context.RefusesParameters()) return;
        if (await app.Db.Users.FindByUsernameAsync(username) is { } user) AnswerUser(context, user with { Groups = [] });
        else context.Fail(ApiError.NoRecord("user", "username"));
    }

    public async ValueTask UpdateAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync() || RefusesOthers(context)) return;
        Parameters parameters = context.Parameters;
        string? firstName = parameters.Text("first_name"u8, MaxName);
        string? lastName = parameters.Text("last_name"u8, MaxName);
        string? username = parameters.Text("username"u8, MaxName);
        if (username is { Length: 0 }) parameters.Refuse("username"u8, "is empty");
        if (username is not null) username = Username(username, parameters);
        if (context.RefusesParameters()) return;

        UserUpdate update = await app.Db.Users.UpdateAsync(context.RequiredSession.UserId, firstName, lastName, username);
        if (update.Status == UserUpdateStatus.UsernameTaken) FailTaken(context);
        else AnswerUser(context, update.User);
    }

    public async ValueTask UpdatePasswordAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        Parameters parameters = context.Parameters;
        string? oldPassword = Password("old_password"u8, parameters);
        if (string.IsNullOrEmpty(oldPassword)) parameters.Miss("old_password"u8);
        string? newPassword = Password("new_password"u8, parameters);
        if (string.IsNullOrEmpty(newPassword)) parameters.Miss("new_password"u8);
        if (context.RefusesParameters()) return;

        PasswordChange change = await app.Accounts.ChangePasswordAsync(context.RequiredSession, oldPassword!, newPassword!, context.Client.Address);
        switch (change.Status)
        {
            case AccountStatus.Done:
                context.SendEmptyObject();
                break;
            case AccountStatus.Blocked:
                FailBlocked(context, change.RetryAfter);
                break;
            case AccountStatus.Busy:
                context.Fail(ApiError.Overloaded);
                break;
            default:
                context.Fail(new ApiError(403, "old_password is not the user's password", "old_password", "wrong_password"));
                break;
        }
    }

    private void AnswerLogIn(RequestContext context, LogIn logIn, string? redirect, string? generated)
    {
        switch (logIn.Status)
        {
            case AccountStatus.Taken:
                FailTaken(context);
                return;
            case AccountStatus.Refused:
                context.Fail(new ApiError(401, "wrong username or password", Code: "invalid_credentials"));
                return;
            case AccountStatus.Blocked:
                FailBlocked(context, logIn.RetryAfter);
                return;
            case AccountStatus.Busy:
                context.Fail(ApiError.Overloaded);
                return;
        }
        context.Event.UserId = logIn.User!.Id;
        ResponseWriter response = context.Exchange.Response;
        // A generated password is told once and nowhere else, so that answer has precedence over a redirect.
        bool redirects = redirect is not null && generated is null;
        response.Start(redirects ? 302 : 200);
        WriteCookie(context, logIn.Token, logIn.Session!.ExpiresAt);
        response.RawFields("Cache-Control: no-store\r\n"u8);
        if (redirects)
        {
            response.Field("Location"u8, Encoding.ASCII.GetBytes(redirect!));
            response.EndHead(0);
            return;
        }
        UserJson.WriteLogIn(context.Content, logIn.Token, logIn.User, generated);
        context.SendStarted();
    }

    private static void AnswerUser(RequestContext context, User? user)
    {
        if (user is null)
        {
            // Deleted since its session was looked up.
            context.Fail(new ApiError(404, "no such user", Code: "user_not_found"));
            return;
        }
        UserJson.WriteWrapped(context.Content, user);
        context.Send();
    }

    private static void FailTaken(RequestContext context) =>
        context.Fail(new ApiError(409, "the username is taken", "username", "username_taken"));

    private static void FailBlocked(RequestContext context, TimeSpan retryAfter) =>
        context.Fail(new ApiError(429, "too many failed logins; try again later", Code: "too_many_logins") { RetryAfter = retryAfter });

    /// <summary>A user reads and changes itself alone; whether another exists is not told.</summary>
    private static bool RefusesOthers(RequestContext context)
    {
        string? id = context.Parameters.Text("id"u8, MaxId);
        if (context.RefusesParameters()) return true;
        if (string.IsNullOrEmpty(id) || id == context.RequiredSession.UserId) return false;
        context.Fail(new ApiError(403, "another user is not yours to see or change", "id", "not_allowed"));
        return true;
    }

    private Task<bool>? EndPresented(RequestContext context)
    {
        ReadOnlySpan<byte> token = context.Parameters.Token("token"u8);
        if (context.Parameters.HasError) return null;
        HeaderFields fields = context.Exchange.Fields;
        if (!token.IsEmpty || Credentials.Bearer(fields, out token)) return app.Sessions.EndAsync(token);
        // A page of another origin has none of its own to present.
        if (app.Cors.IsForeignWrite(context.Exchange) || !Credentials.Cookie(fields, out token)) return null;
        return app.Sessions.EndAsync(token);
    }

    private static string Username(string username, Parameters parameters)
    {
        // They would forge lines and columns wherever a name is shown.
        if (username.AsSpan().IndexOfAnyInRange('\u0000', '\u001f') >= 0 || username.Contains('\u007f')) parameters.Refuse("username"u8, "has a control character");
        return username;
    }

    private static string? Password(ReadOnlySpan<byte> name, Parameters parameters)
    {
        string? password = parameters.Text(name, int.MaxValue);
        // bcrypt would ignore the rest.
        if (password is not null && Passwords.IsTooLong(password)) parameters.Refuse(name, $"is longer than {Passwords.MaxBytes} bytes");
        return password;
    }

    /// <summary>
    /// A path on this host. Browsers read <c>//x</c> and <c>/\x</c> as another host, and drop tabs and line ends before
    /// they look.
    /// </summary>
    private static string? Redirect(Parameters parameters)
    {
        string? url = parameters.Text("redirect_url"u8, MaxRedirect);
        if (string.IsNullOrEmpty(url)) return null;
        bool isPath = url[0] == '/' && (url.Length == 1 || url[1] is not ('/' or '\\')) && url.AsSpan().IndexOfAnyExceptInRange('\u0021', '\u007e') < 0;
        if (!isPath) parameters.Refuse("redirect_url"u8, "is not a path on this host");
        return url;
    }

    /// <summary>
    /// Sets the cookie, unless a page of another origin asks: it would log its visitor in as somebody else, who then reads
    /// what the visitor writes, or out.
    /// </summary>
    private void WriteCookie(RequestContext context, string token, DateTime expires)
    {
        if (app.Cors.IsForeignWrite(context.Exchange)) return;
        context.Exchange.Response.Field("Set-Cookie"u8, Encoding.ASCII.GetBytes(string.Create(
            CultureInfo.InvariantCulture,
            $"sess={token}; Path=/; HttpOnly; SameSite=Lax; Expires={expires:R}{(context.Exchange.IsTls ? "; Secure" : "")}")));
    }
}

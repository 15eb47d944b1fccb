using System.Text;
using Turbo.Server.Auth;
using Turbo.Server.Model;

namespace Turbo.Server.Admin;

/// <summary>sessions, revoke. Tokens are never shown.</summary>
internal static class SessionCommands
{
    public static AdminEntry[] Entries =>
    [
        new("sessions", ["USERNAME"], [], "the user's sessions, oldest first", "id, username, created_at, expires_at", ListAsync),
        new("revoke", ["TOKEN|USERNAME"], [], "ends one session by its token, or all of a user", "id, of each session ended", RevokeAsync),
    ];

    private static async Task ListAsync(AdminSession session)
    {
        User user = await UserCommands.ByNameAsync(session, session.Word(0));
        foreach (Session one in await session.Db.Users.SessionsOfAsync(user.Id))
        {
            session.Output.Row(("id", one.Id), ("username", one.Username), ("created_at", one.CreatedAt), ("expires_at", one.ExpiresAt));
        }
    }

    private static async Task RevokeAsync(AdminSession session)
    {
        string word = session.Word(0);
        if (await session.Db.Users.FindByUsernameAsync(word) is { } user)
        {
            foreach (long id in await session.Db.Users.EndSessionsAsync(user.Id, keepSession: null)) session.Output.Row(("id", id));
            return;
        }
        // Not said back: it may be a token.
        bool mayExist = SessionTokens.MayExist(Encoding.UTF8.GetBytes(word));
        if (!mayExist || await session.Db.Users.FindSessionAsync(SessionTokens.Stored(word), word) is not { } found || !await session.Db.Users.EndSessionAsync(found.Id))
        {
            throw AdminException.Failed("no such user or session");
        }
        session.Output.Row(("id", found.Id));
    }
}

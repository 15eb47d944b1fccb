using Turbo.Server.Model;

namespace Turbo.Server.Storage;

/// <summary>A user to create; a group of that name with the user as owner and member is made too, unless null.</summary>
internal sealed record NewUser(
    string Username, string PasswordHash, string FirstName, string LastName, string? GroupName);

/// <summary>A session to store: <see cref="Session.StoredToken"/> and its end.</summary>
internal readonly record struct NewSession(string StoredToken, DateTime ExpiresAt);

/// <summary>What a sign-up stored. <see cref="Session"/> is null where none was asked for.</summary>
internal sealed record SignUp(User User, Session? Session);

internal enum UserUpdateStatus { Updated, NotFound, UsernameTaken }

/// <summary>The user as it now stands, where it was updated.</summary>
internal readonly record struct UserUpdate(UserUpdateStatus Status, User? User);

/// <summary>
/// Users and their sessions. Deleted rows are as if absent. Users found come with their groups, oldest first.
/// </summary>
internal interface IUserStore
{
    /// <summary>Stores user, group, membership and session at once, or nothing: null when the username is taken.</summary>
    Task<SignUp?> CreateAsync(NewUser user, NewSession? session);

    Task<User?> FindAsync(string id);

    Task<User?> FindByUsernameAsync(string username);

    /// <summary>Up to <paramref name="limit"/> users without their groups, oldest first, those after <paramref name="after"/>.</summary>
    Task<IReadOnlyList<User>> ListAsync(User? after, int limit);

    /// <summary>Changes the fields that are not null.</summary>
    Task<UserUpdate> UpdateAsync(string id, string? firstName, string? lastName, string? username);

    /// <summary>
    /// Sets the password and ends the user's sessions but <paramref name="keepSession"/>, at once. Where
    /// <paramref name="expectedHash"/> is given and is no longer the stored one, or the user is gone, nothing
    /// happens and the answer is null; otherwise the ids of the ended sessions.
    /// </summary>
    Task<IReadOnlyList<long>?> ChangePasswordAsync(
        string userId, string? expectedHash, string newHash, long? keepSession);

    /// <summary>
    /// Stores a session of <paramref name="user"/>, and <paramref name="newHash"/> where given, if the stored hash
    /// still is the one that was verified; null if it is not or the user is gone.
    /// </summary>
    Task<Session?> AddSessionAsync(User user, NewSession session, string? newHash);

    /// <summary>The live session whose stored token is either form; an expired one is found too.</summary>
    Task<Session?> FindSessionAsync(string hashedToken, string plainToken);

    /// <summary>Of these sessions, those that have not been ended and whose user still exists.</summary>
    Task<IReadOnlyList<long>> LiveSessionsAsync(IReadOnlyList<long> ids);

    /// <summary>The user's sessions that were not ended, oldest first.</summary>
    Task<IReadOnlyList<Session>> SessionsOfAsync(string userId);

    /// <summary>False when there was none to end.</summary>
    Task<bool> EndSessionAsync(long id);

    /// <summary>Ends the user's sessions but <paramref name="keepSession"/>; the ids of those ended.</summary>
    Task<IReadOnlyList<long>> EndSessionsAsync(string userId, long? keepSession);
}

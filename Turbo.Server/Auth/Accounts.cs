using System.Net;
using Turbo.Server.Model;
using Turbo.Server.Storage;

namespace Turbo.Server.Auth;

internal enum AccountStatus
{
    Done,

    /// <summary>The username is taken (409).</summary>
    Taken,

    /// <summary>No such user or another password (401): which of them is not said.</summary>
    Refused,

    /// <summary>Too many failures; <see cref="LogIn.RetryAfter"/> (429).</summary>
    Blocked,

    /// <summary>Too many passwords wait to be hashed (503).</summary>
    Busy,
}

/// <summary>The outcome of a sign-up or login. <see cref="Token"/>, <see cref="User"/> and <see cref="Session"/> are there when done.</summary>
internal readonly record struct LogIn(
    AccountStatus Status, string Token = "", User? User = null, Session? Session = null, TimeSpan RetryAfter = default)
{
    public override string ToString() => Status.ToString();
}

/// <summary>The outcome of a password change.</summary>
internal readonly record struct PasswordChange(AccountStatus Status, TimeSpan RetryAfter = default);

/// <summary>
/// Sign-up, login and password change: joins stores, hashing, the limiter and the sessions. Every password must be
/// at most <see cref="Passwords.MaxBytes"/>; the caller has answered 400 otherwise.
/// </summary>
internal sealed class Accounts(IUserStore users, Passwords passwords, LoginLimiter limiter, Sessions sessions, TimeProvider time)
{
    private readonly long[] _logIns = new long[(int)AccountStatus.Busy + 1];

    /// <summary>Makes the user, a group of that name with the user as its owner and member, and a session.</summary>
    public async Task<LogIn> SignUpAsync(
        string username, string password, string firstName, string lastName, string? groupName)
    {
        // Asked first only to spare the hashing; storing is what decides.
        if (await users.FindByUsernameAsync(username) is not null)
            return new LogIn(AccountStatus.Taken);
        if (await passwords.HashAsync(password) is not { } hash)
            return new LogIn(AccountStatus.Busy);
        (string token, NewSession session) = NewSession();
        SignUp? made = await users.CreateAsync(new NewUser(username, hash, firstName, lastName, groupName), session);
        return made is null
            ? new LogIn(AccountStatus.Taken)
            : new LogIn(AccountStatus.Done, token, made.User, made.Session);
    }

    public async Task<LogIn> LogInAsync(string username, string password, IPAddress client)
    {
        LogIn outcome = await TryLogInAsync(username, password, client);
        Interlocked.Increment(ref _logIns[(int)outcome.Status]);
        return outcome;
    }

    /// <summary>Logins that ended that way.</summary>
    public long LogIns(AccountStatus status) => Volatile.Read(ref _logIns[(int)status]);

    private async Task<LogIn> TryLogInAsync(string username, string password, IPAddress client)
    {
        // A second round only when the stored hash changed between reading and storing: another login may have
        // strengthened it, or the password is no longer the one that was verified.
        for (int round = 0; round < 2; round++)
        {
            if (limiter.IsBlocked(username, client, out TimeSpan retryAfter))
                return new LogIn(AccountStatus.Blocked, RetryAfter: retryAfter);
            User? user = await users.FindByUsernameAsync(username);
            PasswordVerdict verdict = await passwords.VerifyAsync(password, user?.PasswordHash);
            if (verdict == PasswordVerdict.Busy)
                return new LogIn(AccountStatus.Busy);
            if (limiter.IsBlocked(username, client, out retryAfter))
                return new LogIn(AccountStatus.Blocked, RetryAfter: retryAfter);
            if (verdict == PasswordVerdict.Mismatch || user is null)
                break;
            string? stronger = verdict == PasswordVerdict.WeakMatch ? await passwords.HashAsync(password) : null;
            (string token, NewSession session) = NewSession();
            if (await users.AddSessionAsync(user, session, stronger) is { } stored)
                return new LogIn(AccountStatus.Done, token, user, stored);
        }
        limiter.Failed(username, client);
        return new LogIn(AccountStatus.Refused);
    }

    /// <summary>Changes the password of the session's user and ends the user's other sessions.</summary>
    public async Task<PasswordChange> ChangePasswordAsync(
        LiveSession session, string oldPassword, string newPassword, IPAddress client)
    {
        // A second round only when the stored hash changed in between: a login may have strengthened it.
        for (int round = 0; round < 2; round++)
        {
            if (await users.FindAsync(session.UserId) is not { } user)
                break;
            if (limiter.IsBlocked(user.Username, client, out TimeSpan retryAfter))
                return new PasswordChange(AccountStatus.Blocked, retryAfter);
            PasswordVerdict verdict = await passwords.VerifyAsync(oldPassword, user.PasswordHash);
            if (verdict == PasswordVerdict.Busy)
                return new PasswordChange(AccountStatus.Busy);
            if (limiter.IsBlocked(user.Username, client, out retryAfter))
                return new PasswordChange(AccountStatus.Blocked, retryAfter);
            if (verdict == PasswordVerdict.Mismatch)
            {
                limiter.Failed(user.Username, client);
                break;
            }
            if (await passwords.HashAsync(newPassword) is not { } hash)
                return new PasswordChange(AccountStatus.Busy);
            if (await users.ChangePasswordAsync(user.Id, user.PasswordHash, hash, session.Id) is not { } ended)
                continue;
            sessions.Forget(ended);
            return new PasswordChange(AccountStatus.Done);
        }
        return new PasswordChange(AccountStatus.Refused);
    }

    private (string Token, NewSession Session) NewSession()
    {
        string token = SessionTokens.Create();
        return (token, new NewSession(
            SessionTokens.Stored(token), time.GetUtcNow().UtcDateTime + SessionTokens.Lifetime));
    }
}

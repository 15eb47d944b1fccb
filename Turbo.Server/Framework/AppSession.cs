namespace Turbo.Server;

/// <summary>Who sent a request: the user whose session it presented.</summary>
/// <param name="UserId">The user's id, which does not change.</param>
/// <param name="Username">The name that the user had when the session was last read: it may be changed.</param>
public sealed record AppSession(string UserId, string Username);

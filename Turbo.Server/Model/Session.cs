namespace Turbo.Server.Model;

/// <summary>
/// A row of <c>sessions</c>. <see cref="StoredToken"/> is the column <c>token</c>: <c>sha256:</c> and the hex
/// digest, or, in rows of the Go program, the token itself.
/// </summary>
internal sealed record Session
{
    /// <summary>Set by the database; 0 before the row is stored.</summary>
    public long Id { get; init; }
    public DateTime CreatedAt { get; init; }
    public DateTime UpdatedAt { get; init; }
    public DateTime? DeletedAt { get; init; }
    public required string StoredToken { get; init; }
    public required DateTime ExpiresAt { get; init; }
    public required string Username { get; init; }
    public required string UserId { get; init; }

    public override string ToString() => $"Session {Id}";
}

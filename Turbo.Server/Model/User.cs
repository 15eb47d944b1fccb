namespace Turbo.Server.Model;

/// <summary>A row of <c>users</c>, with the groups the user is a member of where a query asks for them.</summary>
internal sealed record User
{
    public required string Id { get; init; }
    public DateTime CreatedAt { get; init; }
    public DateTime UpdatedAt { get; init; }
    public DateTime? DeletedAt { get; init; }
    public string FirstName { get; init; } = "";
    public string LastName { get; init; } = "";
    public required string Username { get; init; }

    /// <summary>bcrypt, column <c>password</c>. Never shown: not in JSON, not by <see cref="ToString"/>.</summary>
    public string PasswordHash { get; init; } = "";

    public IReadOnlyList<Group> Groups { get; init; } = [];

    public override string ToString() => $"User {Id}";
}

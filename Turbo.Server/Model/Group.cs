namespace Turbo.Server.Model;

/// <summary>A row of <c>groups</c>.</summary>
internal sealed record Group
{
    public required string Id { get; init; }
    public DateTime CreatedAt { get; init; }
    public DateTime UpdatedAt { get; init; }
    public DateTime? DeletedAt { get; init; }
    public string Name { get; init; } = "";
    public string Description { get; init; } = "";
    public string OwnerId { get; init; } = "";

    /// <summary>Who may end whose membership: the owner anyone's but its own, a member its own alone.</summary>
    public bool MayRemove(string callerId, string userId) =>
        userId != OwnerId && (callerId == OwnerId || callerId == userId);
}

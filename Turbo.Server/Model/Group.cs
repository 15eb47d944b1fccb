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
}

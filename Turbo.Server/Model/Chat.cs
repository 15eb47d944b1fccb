namespace Turbo.Server.Model;

/// <summary>A row of <c>chats</c>. The column of <see cref="Model"/> is <c>llm</c>.</summary>
internal sealed record Chat
{
    public required string Id { get; init; }
    public DateTime CreatedAt { get; init; }
    public DateTime UpdatedAt { get; init; }
    public DateTime? DeletedAt { get; init; }
    public string Name { get; init; } = "";
    public string Model { get; init; } = "";
    public string UserId { get; init; } = "";
    public string GroupId { get; init; } = "";
}

/// <summary>A row of <c>messages</c>: one prompt and its reply. The column of <see cref="Model"/> is <c>llm</c>.</summary>
internal sealed record ChatMessage
{
    public required string Id { get; init; }
    public DateTime CreatedAt { get; init; }
    public DateTime UpdatedAt { get; init; }
    public DateTime? DeletedAt { get; init; }
    public string ChatId { get; init; } = "";
    public string UserId { get; init; } = "";
    public string GroupId { get; init; } = "";
    public string Prompt { get; init; } = "";
    public string Reply { get; init; } = "";
    public string Model { get; init; } = "";

    /// <summary>Off the record: stored and published, never sent upstream, never context.</summary>
    public bool Otr { get; init; }

    public override string ToString() => $"ChatMessage {Id}";
}

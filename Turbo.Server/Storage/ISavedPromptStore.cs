using Turbo.Server.Model;

namespace Turbo.Server.Storage;

/// <summary>The fields to change, where they are not null; an empty <paramref name="GroupId"/> ends the sharing.</summary>
internal sealed record SavedPromptChange(string? Name, string? Text, string? GroupId)
{
    /// <summary>No text: it is nobody's but its users'.</summary>
    public override string ToString() => nameof(SavedPromptChange);
}

/// <summary>The prompt as it now stands, where the call was done.</summary>
/// <param name="Status">What became of the call.</param>
/// <param name="Prompt">The prompt, or null.</param>
/// <param name="IsGroupUnknown">That it is the group which the caller may not share with, with <see cref="AccessStatus.NotFound"/>.</param>
internal readonly record struct SavedPromptAnswer(AccessStatus Status, SavedPrompt? Prompt, bool IsGroupUnknown = false);

/// <summary>
/// Saved prompts. Deleted rows are as if absent. Each call is one transaction that checks what the caller may do: the owner
/// may all; the members of the prompt's group, while the owner is one, may read; to anyone else a prompt does not exist.
/// </summary>
internal interface ISavedPromptStore
{
    /// <summary>Keeps a prompt, for its owner alone or, with a group, its members. Null where the owner is no member of the group.</summary>
    Task<SavedPrompt?> CreateAsync(string name, string text, string ownerId, string groupId);

    /// <summary>Null where the prompt does not exist or the caller may not know of it.</summary>
    Task<SavedPrompt?> ReadAsync(string id, string callerId);

    /// <summary>The owner changes what is not null; nothing where it is no member of the group to share with.</summary>
    Task<SavedPromptAnswer> UpdateAsync(string id, string callerId, SavedPromptChange change);

    /// <summary>The owner deletes the prompt.</summary>
    Task<AccessStatus> DeleteAsync(string id, string callerId);

    /// <summary>The prompts that the user may read, at most <paramref name="most"/>, the last changed first.</summary>
    Task<IReadOnlyList<SavedPrompt>> OfUserAsync(string userId, int most);
}

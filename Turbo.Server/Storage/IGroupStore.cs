using Turbo.Server.Model;

namespace Turbo.Server.Storage;

/// <summary>The group made, or the first member that does not exist (then nothing was made).</summary>
internal readonly record struct GroupCreation(Group? Group, string? UnknownMember);

/// <summary>Groups and their members. Deleted rows are as if absent.</summary>
internal interface IGroupStore
{
    /// <summary>Makes a group with its owner and <paramref name="members"/> (user ids; repeats are one) as members.</summary>
    Task<GroupCreation> CreateAsync(string name, string description, string ownerId, IReadOnlyList<string> members);

    Task<Group?> FindAsync(string id);

    Task<bool> IsMemberAsync(string groupId, string userId);

    /// <summary>The groups that the user is a member of, oldest first.</summary>
    Task<IReadOnlyList<Group>> OfUserAsync(string userId);
}

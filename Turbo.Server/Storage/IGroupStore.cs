using Turbo.Server.Model;

namespace Turbo.Server.Storage;

/// <summary>The group made, or the first member that does not exist (then nothing was made).</summary>
internal readonly record struct GroupCreation(Group? Group, string? UnknownMember);

/// <summary>The group as it now stands, where the call was done.</summary>
internal readonly record struct GroupAnswer(AccessStatus Status, Group? Group);

/// <summary>Whether members were added or removed, and the first user that does not exist where that is why not.</summary>
internal readonly record struct MemberChange(AccessStatus Status, string? UnknownUser);

/// <summary>
/// Groups and their members. Deleted rows are as if absent. Each call is one transaction that checks what the caller may
/// do: members may read, the owner may all; to anyone else a group does not exist.
/// </summary>
internal interface IGroupStore
{
    /// <summary>Makes a group with its owner and <paramref name="members"/> (user ids; repeats are one) as members.</summary>
    Task<GroupCreation> CreateAsync(string name, string description, string ownerId, IReadOnlyList<string> members);

    /// <summary>Null where the group does not exist or the caller is no member.</summary>
    Task<Group?> ReadAsync(string id, string callerId);

    /// <summary>The owner changes the fields that are not null.</summary>
    Task<GroupAnswer> UpdateAsync(string id, string callerId, string? name, string? description);

    /// <summary>The owner deletes the group and its memberships; the group comes back with its time of deletion.</summary>
    Task<GroupAnswer> DeleteAsync(string id, string callerId);

    /// <summary>The groups that the user is a member of, oldest first.</summary>
    Task<IReadOnlyList<Group>> OfUserAsync(string userId);

    /// <summary>
    /// The members, without their groups and password hashes, oldest user first. Null where the group does not exist or
    /// the caller is no member.
    /// </summary>
    Task<IReadOnlyList<User>?> MembersAsync(string id, string callerId);

    /// <summary>The owner adds users; who is a member already stays one. Where one does not exist none is added.</summary>
    Task<MemberChange> AddMembersAsync(string id, string callerId, IReadOnlyList<string> userIds);

    /// <summary>
    /// The owner removes any but the owner, a member removes itself. Users who are no members are passed over; one who
    /// does not exist at all is unknown, and then none is removed.
    /// </summary>
    Task<MemberChange> RemoveMembersAsync(string id, string callerId, IReadOnlyList<string> userIds);

    Task<bool> IsMemberAsync(string groupId, string userId);

    /// <summary>Which of these are members still, in the order asked: for streams that stay open.</summary>
    Task<IReadOnlyList<bool>> AreMembersAsync(IReadOnlyList<Membership> memberships);
}

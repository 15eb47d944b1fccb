using Turbo.Server.Model;

namespace Turbo.Server.Storage;

/// <summary>A chat to make; without <paramref name="GroupId"/> it is in the first of its owner's groups.</summary>
internal sealed record NewChat(string Name, string Model, string OwnerId, string? GroupId);

/// <summary>The chat as it now stands, where the call was done.</summary>
internal readonly record struct ChatAnswer(AccessStatus Status, Chat? Chat);

/// <summary>
/// A chat with its messages, oldest first, and its users, longest in it first, without their groups and password hashes.
/// A user who was removed from the chat has the time of that as <see cref="User.DeletedAt"/>.
/// </summary>
internal sealed record ChatReading(Chat Chat, IReadOnlyList<ChatMessage> Messages, IReadOnlyList<User> Users);

/// <summary>A chat that the caller may use, and its last exchanges, oldest first, none of them off the record.</summary>
internal sealed record ChatOpening(Chat Chat, IReadOnlyList<ChatMessage> Exchanges);

/// <summary>A chat that the caller may use, and which its last exchanges are, oldest first.</summary>
internal sealed record ChatRecall(Chat Chat, IReadOnlyList<string> ExchangeIds);

/// <summary>
/// Chats, their users and messages. Deleted rows are as if absent. Each call is one transaction that checks what the
/// caller may do: the owner may all, a user of the chat may read and prompt; to anyone else a chat does not exist.
/// Messages come in the order of their <see cref="ChatMessage.CreatedAt"/>.
/// </summary>
internal interface IChatStore
{
    /// <summary>Makes a chat whose owner is also its first user. Null where the owner is no member of the group.</summary>
    Task<Chat?> CreateAsync(NewChat chat);

    /// <summary>The chat with its newest <paramref name="messages"/> messages; null where the caller may not know of it.</summary>
    Task<ChatReading?> ReadAsync(string id, string callerId, int messages);

    /// <summary>The chat with its last <paramref name="exchanges"/> exchanges (0: none); null where the caller may not know of it.</summary>
    Task<ChatOpening?> OpenAsync(string id, string callerId, int exchanges);

    /// <summary>As <see cref="OpenAsync"/>, with the exchanges' ids in their place: for one who has their text already.</summary>
    Task<ChatRecall?> RecallAsync(string id, string callerId, int exchanges);

    /// <summary>The owner changes the fields that are not null.</summary>
    Task<ChatAnswer> UpdateAsync(string id, string callerId, string? name, string? model);

    /// <summary>The owner deletes the chat, and every user's access with it.</summary>
    Task<AccessStatus> DeleteAsync(string id, string callerId);

    /// <summary>The chats that the user owns or was added to, newest <see cref="Chat.UpdatedAt"/> first.</summary>
    Task<IReadOnlyList<Chat>> OfUserAsync(string userId);

    /// <summary>The owner adds a user; one who is in the chat stays in it.</summary>
    Task<AccessStatus> AddUserAsync(string id, string callerId, string userId);

    /// <summary>The owner removes a user, never the owner; one who is not in the chat is passed over.</summary>
    Task<AccessStatus> RemoveUserAsync(string id, string callerId, string userId);

    /// <summary>Which of these may read their chat still, in the order asked: for streams that stay open.</summary>
    Task<IReadOnlyList<bool>> MayReadAsync(IReadOnlyList<Membership> memberships);

    /// <summary>
    /// Stores a message and marks its chat as updated. False, and nothing stored, where the chat is gone or
    /// <see cref="ChatMessage.UserId"/> is no longer in it. A message of that id that is stored already stays as it is.
    /// </summary>
    Task<bool> AppendAsync(ChatMessage message);

    /// <summary>For administration, whoever asks: as <see cref="ReadAsync"/>.</summary>
    Task<ChatReading?> InspectAsync(string id, int messages);

    /// <summary>Deletes a message, for administration; what was deleted, or null where there is none.</summary>
    Task<ChatMessage?> DeleteMessageAsync(string messageId);
}

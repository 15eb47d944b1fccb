using Turbo.Server.Events;
using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Server.Streams;

namespace Turbo.Server.Chats;

/// <summary>A reply that comes in the background, for as long as its user has access to the chat.</summary>
internal sealed class ComingReply : IAccessHolder, IDisposable
{
    public const string NoAccess = "the user is no longer in the chat";

    private readonly AccessWatch _access;
    private readonly CancellationTokenSource _cutting = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string? _reason;

    public ComingReply(ChatMessage message, AccessWatch access, HeldEvent held)
    {
        Message = message;
        Held = held;
        _access = access;
        access.Add(this);
    }

    /// <summary>The message as it was when it was asked, without its reply.</summary>
    public ChatMessage Message { get; }

    /// <summary>The event row of the request that asked.</summary>
    public HeldEvent Held { get; }

    /// <summary>Cancelled when the reply is cut off.</summary>
    public CancellationToken Cancellation => _cutting.Token;

    /// <summary>Why the reply was cut off; null where it was not.</summary>
    public string? Reason => Volatile.Read(ref _reason);

    /// <summary>Completes when its last word was published.</summary>
    public Task Ended => _ended.Task;

    AccessScope IAccessHolder.Scope => AccessScope.Chat;

    Membership IAccessHolder.Membership => new(Message.ChatId, Message.UserId);

    void IAccessHolder.LoseAccess() => CutOff(NoAccess);

    /// <summary>Ends the reply, for the first reason that is given.</summary>
    public void CutOff(string reason)
    {
        // Not on this thread: whoever cuts it off does not wait for what that ends.
        if (Interlocked.CompareExchange(ref _reason, reason, null) is null) _ = _cutting.CancelAsync();
    }

    public void End() => _ended.SetResult();

    /// <summary>Leaves the watch. The source of the token is left to the collector: somebody may be cancelling it.</summary>
    public void Dispose() => _access.Remove(this);
}

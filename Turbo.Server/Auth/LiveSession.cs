using Turbo.Server.Model;

namespace Turbo.Server.Auth;

/// <summary>
/// A session as requests see it: one object for all its requests while it is cached. <see cref="Ended"/> tells
/// open streams when to close.
/// </summary>
internal sealed class LiveSession
{
    private CancellationTokenSource? _ending;
    private int _ended;
    private int _holds;
    private long _freshUntil;

    public LiveSession(byte[] token, Session row)
    {
        Token = token;
        Id = row.Id;
        UserId = row.UserId;
        Username = row.Username;
        ExpiresAt = row.ExpiresAt;
    }

    public long Id { get; }
    public string UserId { get; }

    /// <summary>The name the user had when this session was last read from the database.</summary>
    public string Username { get; }
    public DateTime ExpiresAt { get; }

    /// <summary>Cancelled when the session ends or expires, as long as somebody holds it: see <see cref="Sessions.Hold"/>.</summary>
    public CancellationToken Ended
    {
        get
        {
            CancellationTokenSource ending = Volatile.Read(ref _ending) ?? CreateEnding();
            return ending.Token;
        }
    }

    public bool IsEnded => Volatile.Read(ref _ended) != 0;

    public override string ToString() => $"LiveSession {Id}";

    internal byte[] Token { get; }

    /// <summary>The timestamp up to which the last look into the database counts.</summary>
    internal long FreshUntil
    {
        get => Volatile.Read(ref _freshUntil);
        set => Volatile.Write(ref _freshUntil, value);
    }

    /// <summary>The sweep during which a request last used it.</summary>
    internal int LastSweep;

    /// <summary>Place in the cache's ring; -1 when not cached. Guarded by the cache.</summary>
    internal int Slot = -1;

    internal bool IsHeld => Volatile.Read(ref _holds) > 0;

    internal void AddHold() => Interlocked.Increment(ref _holds);

    internal void ReleaseHold() => Interlocked.Decrement(ref _holds);

    /// <summary>An ended session stays ended, whatever a look into the database from before its end says.</summary>
    internal void Refresh(long freshUntil)
    {
        FreshUntil = freshUntil;
        Interlocked.MemoryBarrier();
        if (IsEnded)
            FreshUntil = 0;
    }

    internal void End()
    {
        if (Interlocked.Exchange(ref _ended, 1) == 0)
            Cancel(Volatile.Read(ref _ending));
        FreshUntil = 0;
    }

    private CancellationTokenSource CreateEnding()
    {
        var created = new CancellationTokenSource();
        CancellationTokenSource ending = Interlocked.CompareExchange(ref _ending, created, null) ?? created;
        // End may have looked for it just before it was there.
        if (IsEnded)
            Cancel(ending);
        return ending;
    }

    // The streams' callbacks run on the thread pool; whoever ends a session does not wait for them.
    private static void Cancel(CancellationTokenSource? ending) => ending?.CancelAsync();
}

/// <summary>Keeps a session watched for as long as a stream is open; dispose exactly once.</summary>
internal readonly struct SessionHold(LiveSession session) : IDisposable
{
    /// <summary>The session that is watched: equal to, though perhaps not the same object as, the one that was asked for.</summary>
    public LiveSession Session { get; } = session;

    public void Dispose() => Session.ReleaseHold();
}

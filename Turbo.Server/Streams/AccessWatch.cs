using System.Collections.Concurrent;
using Turbo.Server.Storage;

namespace Turbo.Server.Streams;

/// <summary>The kind of record that access is to.</summary>
internal enum AccessScope : byte { Chat, Group }

/// <summary>Something that stays open only as long as its user has access to a record.</summary>
internal interface IAccessHolder
{
    AccessScope Scope { get; }

    Membership Membership { get; }

    /// <summary>Ends it. From any thread, perhaps more than once; it must not wait.</summary>
    void LoseAccess();
}

/// <summary>Asks a store which of these users have access to their records still, in the order asked.</summary>
internal delegate Task<IReadOnlyList<bool>> AccessQuery(IReadOnlyList<Membership> memberships);

/// <summary>
/// Ends what is open when its user loses access: at once where this node took it away, else when the database is asked
/// again, so that it holds for what other nodes and programs do.
/// </summary>
internal sealed class AccessWatch : IAsyncDisposable
{
    // Well under the second within which access ends everywhere.
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(500);

    /// <summary>Memberships asked for by one read, so that requests' reads get their turn.</summary>
    private const int SweepChunk = 1024;

    /// <summary>Of sweeps that fail one after another, the first and then every so many is reported.</summary>
    private const int ReportEvery = 120;

    private readonly AccessQuery _chats;
    private readonly AccessQuery _groups;
    private readonly Action<string, Exception?> _report;
    private readonly ConcurrentDictionary<IAccessHolder, AccessScope> _holders = new(ReferenceEqualityComparer.Instance);
    private readonly Lock _gate = new();
    private readonly ITimer _timer;
    private Task _sweeping = Task.CompletedTask;
    private bool _isStopped;
    private int _failedSweeps;

    /// <param name="chats">Who may read a chat.</param>
    /// <param name="groups">Who is a member of a group.</param>
    /// <param name="time">The clock.</param>
    /// <param name="report">Told what failed in the background, for the log.</param>
    public AccessWatch(AccessQuery chats, AccessQuery groups, TimeProvider time, Action<string, Exception?> report)
    {
        _chats = chats;
        _groups = groups;
        _report = report;
        _timer = time.CreateTimer(static state => ((AccessWatch)state!).StartSweep(), this, s_interval, s_interval);
    }

    /// <summary>Watches from now on. Check the access after this, so that no moment is missed.</summary>
    public void Add(IAccessHolder holder) => _holders.TryAdd(holder, holder.Scope);

    public void Remove(IAccessHolder holder) => _holders.TryRemove(holder, out _);

    /// <summary>A user has just lost access to a record; without <paramref name="userId"/> all have.</summary>
    public void Revoke(AccessScope scope, string recordId, string? userId = null)
    {
        foreach ((IAccessHolder holder, AccessScope held) in _holders)
        {
            if (held == scope && holder.Membership.RecordId == recordId && (userId is null || holder.Membership.UserId == userId)) holder.LoseAccess();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync();
        Task sweeping;
        lock (_gate)
        {
            _isStopped = true;
            sweeping = _sweeping;
        }
        await sweeping;
    }

    private void StartSweep()
    {
        if (_holders.IsEmpty) return;
        lock (_gate)
        {
            if (!_isStopped && _sweeping.IsCompleted) _sweeping = SweepAsync();
        }
    }

    /// <summary>Never throws: a failed sweep is reported, and the next one asks again.</summary>
    private async Task SweepAsync()
    {
        try
        {
            await SweepAsync(AccessScope.Chat, _chats);
            await SweepAsync(AccessScope.Group, _groups);
            _failedSweeps = 0;
        }
        catch (Exception e)
        {
            if (_failedSweeps++ % ReportEvery == 0) _report("asking again who may read open streams", e);
        }
    }

    private async Task SweepAsync(AccessScope scope, AccessQuery query)
    {
        // Many streams may be one user's on one chat.
        Dictionary<Membership, List<IAccessHolder>> asked = [];
        foreach ((IAccessHolder holder, AccessScope held) in _holders)
        {
            if (held != scope) continue;
            if (!asked.TryGetValue(holder.Membership, out List<IAccessHolder>? same)) asked.Add(holder.Membership, same = []);
            same.Add(holder);
        }
        foreach (Membership[] chunk in asked.Keys.Chunk(SweepChunk))
        {
            IReadOnlyList<bool> answers = await query(chunk);
            for (int i = 0; i < chunk.Length; i++)
            {
                if (answers[i]) continue;
                foreach (IAccessHolder holder in asked[chunk[i]]) holder.LoseAccess();
            }
        }
    }
}

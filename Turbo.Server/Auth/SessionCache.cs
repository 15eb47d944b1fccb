using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Turbo.Server.Auth;

/// <summary>
/// Sessions by token, bounded. A hit takes no lock and allocates nothing; everything else happens under one lock, off
/// the hit path. The ring gives eviction an order: of the next few unheld entries, the one longest unused goes.
/// </summary>
internal sealed class SessionCache
{
    private const int EvictionSample = 16;

    private readonly Lock _gate = new();
    private readonly int _capacity;
    private readonly ConcurrentDictionary<byte[], LiveSession> _byToken = new(TokenComparer.Instance);
    private readonly ConcurrentDictionary<byte[], LiveSession>.AlternateLookup<ReadOnlySpan<byte>> _byPresented;
    private readonly Dictionary<long, LiveSession> _byId = [];
    private readonly List<LiveSession> _ring = [];
    private int _hand;
    private int _sweep;
    private long _endings;

    public SessionCache(int capacity)
    {
        _capacity = capacity;
        _byPresented = _byToken.GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    /// <summary>How many times sessions were ended here: a row read before the latest of them may be out of date.</summary>
    public long Endings => Volatile.Read(ref _endings);

    public int Count
    {
        get
        {
            lock (_gate)
                return _ring.Count;
        }
    }

    /// <summary>The cached session of a token, if the last look into the database still counts at <paramref name="now"/>.</summary>
    public bool TryGet(ReadOnlySpan<byte> token, long now, [NotNullWhen(true)] out LiveSession? session)
    {
        if (!_byPresented.TryGetValue(token, out session) || now >= session.FreshUntil)
        {
            session = null;
            return false;
        }
        int sweep = Volatile.Read(ref _sweep);
        // Written once a sweep at most: a line that every core reads stays shared.
        if (session.LastSweep != sweep)
            session.LastSweep = sweep;
        return true;
    }

    /// <summary>
    /// Caches what was read from the database while <see cref="Endings"/> was <paramref name="endings"/>; null when
    /// that is no longer so, and the row has to be read again.
    /// </summary>
    public LiveSession? Admit(LiveSession read, long freshUntil, long endings)
    {
        lock (_gate)
        {
            if (_endings != endings)
                return null;
            if (_byId.TryGetValue(read.Id, out LiveSession? known))
            {
                known.FreshUntil = freshUntil;
                known.LastSweep = _sweep;
                return known;
            }
            read.FreshUntil = freshUntil;
            Add(read);
            return read;
        }
    }

    /// <summary>Ends these sessions: removed, their streams told.</summary>
    public void End(IReadOnlyList<long> ids)
    {
        lock (_gate)
        {
            _endings++;
            foreach (long id in ids)
                if (_byId.TryGetValue(id, out LiveSession? session))
                {
                    Remove(session);
                    session.End();
                }
        }
    }

    /// <summary>Removes and ends the session of a token that the database no longer knows.</summary>
    public void EndToken(byte[] token)
    {
        lock (_gate)
        {
            if (!_byToken.TryGetValue(token, out LiveSession? session))
                return;
            Remove(session);
            session.End();
        }
    }

    /// <summary>Counts a hold on the session, or on its successor where it was evicted meanwhile.</summary>
    public LiveSession Hold(LiveSession session)
    {
        session.AddHold();
        // Eviction looks at the holds under the lock before it clears the slot, so whoever still sees a slot here
        // was seen there.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref session.Slot) >= 0)
            return session;
        lock (_gate)
        {
            if (session.Slot >= 0 || session.IsEnded)
                return session;
            if (_byId.TryGetValue(session.Id, out LiveSession? successor))
            {
                session.ReleaseHold();
                successor.AddHold();
                return successor;
            }
            Add(session);
            return session;
        }
    }

    /// <summary>
    /// Whether the session has ended. Where not, it counts as used, so that the next sweep looks it up; where it was
    /// evicted meanwhile, it is cached again, or its successor counts.
    /// </summary>
    public bool HasEnded(LiveSession session)
    {
        if (session.IsEnded)
            return true;
        if (Volatile.Read(ref session.Slot) < 0)
        {
            lock (_gate)
            {
                if (session.IsEnded)
                    return true;
                if (session.Slot < 0 && _byId.TryGetValue(session.Id, out LiveSession? successor))
                    session = successor;
                else if (session.Slot < 0)
                    Add(session);
            }
        }
        session.LastSweep = Volatile.Read(ref _sweep);
        return false;
    }

    /// <summary>
    /// Begins a sweep: the sessions that were used since the last one or are held, to be looked up in the database.
    /// </summary>
    public void TakeActive(List<LiveSession> into)
    {
        lock (_gate)
        {
            int sweep = _sweep;
            foreach (LiveSession session in _ring)
                if (session.LastSweep == sweep || session.IsHeld)
                    into.Add(session);
            Volatile.Write(ref _sweep, sweep + 1);
        }
    }

    private void Add(LiveSession session)
    {
        if (_ring.Count >= _capacity)
            EvictOne();
        session.LastSweep = _sweep;
        session.Slot = _ring.Count;
        _ring.Add(session);
        _byId.Add(session.Id, session);
        _byToken[session.Token] = session;
    }

    private void EvictOne()
    {
        LiveSession? victim = null;
        int sampled = 0;
        for (int looked = 0; looked < _ring.Count && sampled < EvictionSample; looked++)
        {
            if (++_hand >= _ring.Count)
                _hand = 0;
            LiveSession candidate = _ring[_hand];
            if (candidate.IsHeld)
                continue;
            sampled++;
            if (victim is null || candidate.LastSweep < victim.LastSweep)
                victim = candidate;
        }
        // All held: every one of them has an open stream, and connections are bounded.
        if (victim is null)
            return;
        Remove(victim);
        Interlocked.MemoryBarrier();
        if (victim.IsHeld)
            Add(victim);
    }

    private void Remove(LiveSession session)
    {
        int slot = session.Slot;
        if (slot < 0)
            return;
        LiveSession last = _ring[^1];
        _ring[slot] = last;
        last.Slot = slot;
        _ring.RemoveAt(_ring.Count - 1);
        Volatile.Write(ref session.Slot, -1);
        _byId.Remove(session.Id);
        _byToken.TryRemove(session.Token, out _);
    }
}

using System.Diagnostics.CodeAnalysis;
using System.Text;
using Turbo.Server.Model;
using Turbo.Server.Storage;

namespace Turbo.Server.Auth;

/// <summary>Bounds of the session cache.</summary>
internal sealed record SessionOptions
{
    /// <summary>Sessions kept in memory. Default 65536.</summary>
    public int Capacity { get; init; } = 65_536;

    /// <summary>
    /// How often the sessions in use are looked up again, so that one ended by another process ends here. One that
    /// was not looked up for two intervals is looked up before its next request goes on: what ended elsewhere has ended
    /// here within that. Default 500 ms, for the second that the contract gives.
    /// </summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Tokens being looked up at once; one more is <see cref="StorageBusyException"/>. Default 4096.</summary>
    public int Lookups { get; init; } = 4096;
}

/// <summary>
/// Token → session. A session in use is answered from memory without a lock or an allocation; the database is asked
/// once for all who wait for the same token, and again in the background as long as the session is in use. An unknown
/// token is never remembered, so no flood of them costs memory.
/// </summary>
internal sealed class Sessions : IAsyncDisposable
{
    /// <summary>Ids looked up by one read while sweeping, so that requests' reads get their turn.</summary>
    private const int SweepChunk = 1024;

    /// <summary>Of sweeps that fail one after another, the first and then every so many is reported.</summary>
    private const int ReportEvery = 120;

    private readonly IUserStore _users;
    private readonly SessionOptions _options;
    private readonly TimeProvider _time;
    private readonly Action<string, Exception> _failed;
    private readonly SessionCache _cache;
    private readonly Lock _gate = new();
    private readonly Dictionary<byte[], Task<LiveSession?>> _lookups = new(TokenComparer.Instance);
    private readonly ITimer _timer;
    private long _missed;
    private Task _sweeping = Task.CompletedTask;
    private bool _stopped;
    private int _failedSweeps;

    /// <param name="users">Where sessions are stored.</param>
    /// <param name="options">Bounds.</param>
    /// <param name="time">The clock.</param>
    /// <param name="failed">Told what failed in the background, for the log.</param>
    public Sessions(IUserStore users, SessionOptions options, TimeProvider time, Action<string, Exception> failed)
    {
        _users = users;
        _options = options;
        _time = time;
        _failed = failed;
        _cache = new SessionCache(options.Capacity);
        _timer = time.CreateTimer(static state => ((Sessions)state!).StartSweep(), this, options.Interval, options.Interval);
    }

    internal int Cached => _cache.Count;

    /// <summary>Tokens presented that memory could not tell about.</summary>
    internal long Lookups => Volatile.Read(ref _missed);

    /// <summary>The hot path: true where the session is in memory and was looked up lately enough.</summary>
    public bool TryGet(ReadOnlySpan<byte> token, [NotNullWhen(true)] out LiveSession? session) =>
        _cache.TryGet(token, _time.GetTimestamp(), out session);

    /// <summary>
    /// The session of a token, or null. Completes at once on a hit. Fails with <see cref="StorageException"/> when
    /// the database cannot say.
    /// </summary>
    public ValueTask<LiveSession?> AuthenticateAsync(ReadOnlySpan<byte> token)
    {
        if (TryGet(token, out LiveSession? session))
            return new ValueTask<LiveSession?>(session);
        Interlocked.Increment(ref _missed);
        return SessionTokens.MayExist(token) ? new ValueTask<LiveSession?>(LookUpOnceAsync(token)) : default;
    }

    /// <summary>Watches the session until the hold is disposed: its <see cref="LiveSession.Ended"/> is then to be relied on.</summary>
    public SessionHold Hold(LiveSession session) => new(_cache.Hold(session));

    /// <summary>
    /// Whether the session has ended, for something long that asks again and again: at least once in an interval, which
    /// keeps the session watched without a hold.
    /// </summary>
    public bool HasEnded(LiveSession session) => _cache.HasEnded(session);

    /// <summary>Ends one session, here and in the database.</summary>
    public async Task EndAsync(LiveSession session)
    {
        await _users.EndSessionAsync(session.Id);
        _cache.End([session.Id]);
    }

    /// <summary>Ends the session of a token; false when there is none.</summary>
    public Task<bool> EndAsync(ReadOnlySpan<byte> token)
    {
        ValueTask<LiveSession?> found = AuthenticateAsync(token);
        return EndFoundAsync(found);
    }

    /// <summary>Ends all sessions of a user but <paramref name="keepSession"/>; how many.</summary>
    public async Task<int> EndAllAsync(string userId, long? keepSession)
    {
        IReadOnlyList<long> ended = await _users.EndSessionsAsync(userId, keepSession);
        _cache.End(ended);
        return ended.Count;
    }

    /// <summary>What the database has just ended ends here too.</summary>
    public void Forget(IReadOnlyList<long> ended) => _cache.End(ended);

    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync();
        Task sweeping;
        lock (_gate)
        {
            _stopped = true;
            sweeping = _sweeping;
        }
        await sweeping;
    }

    /// <summary>Looks up every session in use, now; the timer does this every interval.</summary>
    internal Task SweepAsync()
    {
        StartSweep();
        lock (_gate)
            return _sweeping;
    }

    private async Task<bool> EndFoundAsync(ValueTask<LiveSession?> lookup)
    {
        if (await lookup is not { } session)
            return false;
        await EndAsync(session);
        return true;
    }

    private Task<LiveSession?> LookUpOnceAsync(ReadOnlySpan<byte> token)
    {
        byte[] key;
        var answer = new TaskCompletionSource<LiveSession?>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_lookups.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(token, out Task<LiveSession?>? running))
                return running;
            if (_lookups.Count >= _options.Lookups)
                return Task.FromException<LiveSession?>(new StorageBusyException("too many sessions are being looked up"));
            key = token.ToArray();
            _lookups.Add(key, answer.Task);
        }
        _ = LookUpAsync(key, answer);
        return answer.Task;
    }

    /// <summary>Never throws: what fails is the answer of those who wait.</summary>
    private async Task LookUpAsync(byte[] token, TaskCompletionSource<LiveSession?> answer)
    {
        try
        {
            LiveSession? session = await ReadAsync(token);
            RemoveLookup(token);
            answer.SetResult(session);
        }
        catch (Exception e)
        {
            RemoveLookup(token);
            answer.SetException(e);
        }
    }

    private void RemoveLookup(byte[] token)
    {
        lock (_gate)
            _lookups.Remove(token);
    }

    private async Task<LiveSession?> ReadAsync(byte[] token)
    {
        string stored = SessionTokens.Stored(token), plain = Encoding.ASCII.GetString(token);
        while (true)
        {
            long endings = _cache.Endings, asked = _time.GetTimestamp();
            Session? row = await _users.FindSessionAsync(stored, plain);
            if (row is null || row.ExpiresAt <= _time.GetUtcNow().UtcDateTime)
            {
                _cache.EndToken(token);
                return null;
            }
            // Read again where a session was ended in between: this row may be from before that.
            if (_cache.Admit(new LiveSession(token, row), FreshUntil(row.ExpiresAt, asked), endings) is { } session)
                return session;
        }
    }

    /// <summary>Two intervals after the database was asked, or the session's end if that is sooner.</summary>
    private long FreshUntil(DateTime expiresAt, long asked)
    {
        TimeSpan fresh = 2 * _options.Interval, left = expiresAt - _time.GetUtcNow().UtcDateTime;
        TimeSpan counted = left < fresh ? left : fresh;
        return asked + (long)(counted.TotalSeconds * _time.TimestampFrequency);
    }

    private void StartSweep()
    {
        lock (_gate)
        {
            if (!_stopped && _sweeping.IsCompleted)
                _sweeping = SweepOnceAsync();
        }
    }

    /// <summary>Never throws: a failed sweep is reported, and what it did not reach goes stale by itself.</summary>
    private async Task SweepOnceAsync()
    {
        try
        {
            var active = new List<LiveSession>();
            _cache.TakeActive(active);
            for (int start = 0; start < active.Count; start += SweepChunk)
                await SweepAsync(active.GetRange(start, Math.Min(SweepChunk, active.Count - start)));
            if (active.Count > 0)
                _failedSweeps = 0;
        }
        catch (Exception e)
        {
            if (_failedSweeps++ % ReportEvery == 0)
                _failed("looking sessions up again", e);
        }
    }

    private async Task SweepAsync(List<LiveSession> sessions)
    {
        long asked = _time.GetTimestamp();
        var live = new HashSet<long>(await _users.LiveSessionsAsync(sessions.ConvertAll(session => session.Id)));
        DateTime now = _time.GetUtcNow().UtcDateTime;
        var ended = new List<long>();
        foreach (LiveSession session in sessions)
        {
            if (live.Contains(session.Id) && session.ExpiresAt > now)
                session.Refresh(FreshUntil(session.ExpiresAt, asked));
            else
                ended.Add(session.Id);
        }
        if (ended.Count > 0)
            _cache.End(ended);
    }
}

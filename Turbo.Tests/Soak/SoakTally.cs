using System.Collections.Concurrent;

namespace Turbo.Tests.Soak;

/// <summary>What the clients of a soak saw. Each request that was sent whole, and whose client stayed, is one of answered, broken and hung.</summary>
internal sealed class SoakTally
{
    // Enough to see what is wrong.
    private const int MaxWrongs = 20;

    private readonly ConcurrentDictionary<string, int> _actions = [];
    private int _answered, _broken, _abandoned, _hung, _wrong, _retried, _mistaken, _handshakes, _uncleanEnds;

    public int Answered => _answered;

    /// <summary>Cut off where that could be seen, through the proxy alone: the origin broke off.</summary>
    public int Broken => _broken;

    /// <summary>Left by the client itself at some moment, or never sent whole.</summary>
    public int Abandoned => _abandoned;

    /// <summary>Neither answered nor broken in time.</summary>
    public int Hung => _hung;

    /// <summary>Sent again, since the server had closed the idle connection meanwhile (RFC 9110 §9.2.2).</summary>
    public int Retried => _retried;

    /// <summary>Logged-out streams that got the answer to another request, which the upstream had sent unasked.</summary>
    public int Mistaken => _mistaken;

    /// <summary>Connections in TLS.</summary>
    public int Handshakes => _handshakes;

    /// <summary>Of those, which the client ends without a close_notify.</summary>
    public int UncleanEnds => _uncleanEnds;

    public int WrongCount => _wrong;

    /// <summary>What should never be, in words.</summary>
    public ConcurrentQueue<string> Wrongs { get; } = [];

    public IEnumerable<(string Action, int Times)> Actions => _actions.OrderBy(static a => a.Key, StringComparer.Ordinal).Select(static a => (a.Key, a.Value));

    public int Total => _actions.Values.Sum();

    public void Did(string action) => _actions.AddOrUpdate(action, 1, static (_, n) => n + 1);

    public void Answer() => Interlocked.Increment(ref _answered);

    public void Break() => Interlocked.Increment(ref _broken);

    public void Abandon() => Interlocked.Increment(ref _abandoned);

    public void Mistake() => Interlocked.Increment(ref _mistaken);

    public void Retry() => Interlocked.Increment(ref _retried);

    public void ShakeHands(bool endsCleanly)
    {
        Interlocked.Increment(ref _handshakes);
        if (!endsCleanly) Interlocked.Increment(ref _uncleanEnds);
    }

    public void Hang(string what)
    {
        Interlocked.Increment(ref _hung);
        Wrong("hung: " + what);
    }

    public void Wrong(string what)
    {
        if (Interlocked.Increment(ref _wrong) <= MaxWrongs) Wrongs.Enqueue(what);
    }
}

using Turbo.Net.Diagnostics;

namespace Turbo.Server.Metrics;

/// <summary>Requests by route class and status, and how long they took. Counting is as <see cref="MetricCells.Add"/>.</summary>
internal sealed class RequestMetrics
{
    /// <summary>How many route classes there are.</summary>
    public const int Classes = (int)RouteClass.Rejected + 1;

    // Those that have a series of their own. Any other, which only an upstream can send, is one of its hundred.
    private static readonly int[] s_known =
    [
        101, 200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412,
        413, 414, 415, 416, 417, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 508, 511, 520, 521, 522,
        523, 524, 525, 529, 530,
    ];

    private static readonly byte[][] s_labels =
        [.. s_known.Select(static code => System.Text.Encoding.ASCII.GetBytes($"{code}")), .. Enumerable.Range(0, 10).Select(static i => System.Text.Encoding.ASCII.GetBytes($"{i}xx"))];

    private static readonly byte[] s_labelOf = LabelOfEach();

    private readonly MetricCells _begun = new(Classes);
    private readonly MetricCells _ended = new(Classes * s_labels.Length);
    private readonly LatencyHistogram[] _durations = new LatencyHistogram[Classes];

    /// <param name="time">The clock of the requests' timestamps.</param>
    public RequestMetrics(TimeProvider time)
    {
        for (int i = 0; i < Classes; i++) _durations[i] = new LatencyHistogram(LatencyHistogram.Coarse, time);
    }

    /// <summary>A request's handling begins.</summary>
    public void Begin(RouteClass route) => _begun.Add((int)route);

    /// <summary>It has ended.</summary>
    /// <param name="route">As it began.</param>
    /// <param name="status">Of the response, or 499 where the client left before there was one.</param>
    /// <param name="elapsed">Difference of two timestamps.</param>
    public void End(RouteClass route, int status, long elapsed)
    {
        Count(route, status);
        _durations[(int)route].Record(elapsed);
    }

    /// <summary>A request was refused before there was a route.</summary>
    public void Reject(int status)
    {
        Begin(RouteClass.Rejected);
        Count(RouteClass.Rejected, status);
    }

    /// <summary>How long the requests of a class took, as their log lines tell.</summary>
    public LatencyHistogram DurationOf(RouteClass route) => _durations[(int)route];

    /// <summary>Requests of a class whose handling has begun and not ended.</summary>
    public long InFlight(RouteClass route)
    {
        // What has ended was begun before: never below zero.
        long ended = 0;
        for (int label = 0; label < s_labels.Length; label++) ended += _ended.Read((int)route * s_labels.Length + label);
        return _begun.Read((int)route) - ended;
    }

    /// <summary>Calls back for each status that a class has had.</summary>
    public void ForEachStatus<TState>(RouteClass route, TState state, Action<TState, ReadOnlyMemory<byte>, long> action)
    {
        for (int label = 0; label < s_labels.Length; label++)
        {
            long count = _ended.Read((int)route * s_labels.Length + label);
            if (count > 0) action(state, s_labels[label], count);
        }
    }

    private void Count(RouteClass route, int status) =>
        _ended.Add((int)route * s_labels.Length + s_labelOf[(uint)status < (uint)s_labelOf.Length ? status : 0]);

    private static byte[] LabelOfEach()
    {
        byte[] labels = new byte[1000];
        for (int status = 0; status < labels.Length; status++)
        {
            int known = Array.IndexOf(s_known, status);
            labels[status] = (byte)(known >= 0 ? known : s_known.Length + status / 100);
        }
        return labels;
    }
}

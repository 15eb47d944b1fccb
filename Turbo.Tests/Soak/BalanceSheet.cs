using System.Globalization;
using System.Text;

namespace Turbo.Tests.Soak;

/// <summary>What is held at one moment.</summary>
internal sealed record SoakState
{
    public int Connections { get; init; }
    public int Handshakes { get; init; }
    public int Streams { get; init; }
    public int UpstreamConnections { get; init; }
    public int OriginConnections { get; init; }
    public int QueuedRows { get; init; }
    public int Blocks { get; init; }
    public int FreeBlocks { get; init; }
    public long Managed { get; init; }
    public long Resident { get; init; }
    public int Handles { get; init; }
    public int Threads { get; init; }

    public bool IsQuiet => Connections == 0 && Handshakes == 0 && Streams == 0 && UpstreamConnections == 0 && OriginConnections == 0 && QueuedRows == 0 && Blocks == 0;

    public override string ToString() =>
        $"{Connections} connections, {Streams} streams, {UpstreamConnections} upstream, {OriginConnections} at its side, {QueuedRows} rows, {Blocks} blocks, {Handles} handles, {Threads} threads, {Managed >> 10} KiB managed, {Resident >> 20} MiB resident";
}

/// <summary>A soak's end: what was taken and given back, asked and answered.</summary>
internal sealed class BalanceSheet
{
    // What a collector and caches that fill within their bounds may add.
    private const long ManagedSlack = 8 << 20, ResidentSlack = 64 << 20;
    private const int HandleSlack = 4;

    private SoakState _warm = new(), _end = new();

    public TimeSpan Elapsed { get; set; }

    public SoakTally Tally { get; set; } = new();

    public (int Spoilt, int All) Faults { get; set; }

    public IReadOnlyList<string> Complaints { get; set; } = [];

    /// <summary>Upstream connections that could not be made, and those that the faults reset as they were made; of these some fail later, at their first use.</summary>
    public (long Failed, int Refused) Connects { get; set; }

    /// <summary>Request lines of the log.</summary>
    public long Logged { get; set; }

    /// <summary>Requests refused before they had a handler: a line, and no row.</summary>
    public long Rowless { get; set; }

    public long Rows { get; set; }

    public long StoredRows { get; set; }

    public long LostRows { get; set; }

    public void Set(SoakState warm, SoakState end) => (_warm, _end) = (warm, end);

    /// <summary>What does not balance; empty when all does.</summary>
    /// <param name="countsMemory">Whether memory and handles count too: they do where the process is the soak's alone.</param>
    public List<string> Faulty(bool countsMemory)
    {
        List<string> faulty = [];
        void Unless(bool holds, string what)
        {
            if (!holds) faulty.Add(what);
        }
        foreach ((SoakState state, string when) in ((SoakState, string)[])[(_warm, "after warming up"), (_end, "at the end")])
        {
            Unless(state.Connections == 0, $"{state.Connections} connections {when}");
            Unless(state.Handshakes == 0, $"{state.Handshakes} TLS handshakes {when}");
            Unless(state.Streams == 0, $"{state.Streams} streams {when}");
            Unless(state.UpstreamConnections == 0, $"{state.UpstreamConnections} upstream connections {when}");
            Unless(state.OriginConnections == 0, $"{state.OriginConnections} connections at the upstream's side {when}");
            Unless(state.QueuedRows == 0, $"{state.QueuedRows} event rows not stored {when}");
            Unless(state.Blocks == 0, $"{state.Blocks} blocks not given back {when}");
        }
        Unless(Logged == Rows + Rowless, $"{Logged} requests logged, but {Rows} rows and {Rowless} requests that have none");
        Unless(Rows == StoredRows && LostRows == 0, $"{Rows} rows in the table, {StoredRows} stored, {LostRows} lost");
        Unless(Tally.Answered <= Logged, $"{Tally.Answered} answers to {Logged} requests");
        Unless(Logged <= Tally.Answered + Tally.Broken + Tally.Abandoned, $"{Logged} requests logged of {Tally.Answered + Tally.Broken + Tally.Abandoned} made");
        Unless(Tally.WrongCount == 0, $"{Tally.WrongCount} things went wrong");
        Unless(Complaints.Count == 0, $"{Complaints.Count} warnings and errors in the log");
        Unless(Connects.Failed <= Connects.Refused, $"{Connects.Failed} upstream connections not made, {Connects.Refused} of them by the faults");
        if (!countsMemory) return faulty;
        Unless(_end.Managed <= _warm.Managed + ManagedSlack, $"managed memory grew from {Mega(_warm.Managed)} to {Mega(_end.Managed)}");
        Unless(_end.Resident <= _warm.Resident + ResidentSlack, $"resident memory grew from {Mega(_warm.Resident)} to {Mega(_end.Resident)}");
        Unless(_end.Handles <= _warm.Handles + HandleSlack, $"handles grew from {_warm.Handles} to {_end.Handles}");
        return faulty;
    }

    public override string ToString()
    {
        StringBuilder text = new();
        void Line(string what, object warm, object end) => text.Append(CultureInfo.InvariantCulture, $"| {what} | {warm} | {end} |\n");
        text.Append(CultureInfo.InvariantCulture, $"{Elapsed:hh\\:mm\\:ss}, {Tally.Total:N0} actions, {Faults.Spoilt:N0} of {Faults.All:N0} upstream connections spoilt\n\n");
        text.Append("| held, when the crowd has gone | after warming up | at the end |\n|---|---|---|\n");
        Line("client connections", _warm.Connections, _end.Connections);
        Line("TLS handshakes under way", _warm.Handshakes, _end.Handshakes);
        Line("streams", _warm.Streams, _end.Streams);
        Line("upstream connections", _warm.UpstreamConnections, _end.UpstreamConnections);
        Line("pooled blocks rented and not returned", _warm.Blocks, _end.Blocks);
        Line("pooled blocks free", _warm.FreeBlocks, _end.FreeBlocks);
        Line("event rows not stored", _warm.QueuedRows, _end.QueuedRows);
        Line("handles (/proc/self/fd)", _warm.Handles, _end.Handles);
        Line("threads of the pool", _warm.Threads, _end.Threads);
        Line("managed memory", Mega(_warm.Managed), Mega(_end.Managed));
        Line("resident memory", Mega(_warm.Resident), Mega(_end.Resident));
        text.Append("\n| requests | |\n|---|---|\n");
        text.Append(CultureInfo.InvariantCulture, $"| logged | {Logged:N0} |\n| event rows in the table | {Rows:N0} |\n| refused before a handler: a line, no row | {Rowless:N0} |\n| event rows lost | {LostRows:N0} |\n");
        text.Append(CultureInfo.InvariantCulture, $"| answered whole | {Tally.Answered:N0} |\n| broken off visibly, through the proxy | {Tally.Broken:N0} |\n| left by the client, streams and bad bytes included | {Tally.Abandoned:N0} |\n| sent again, the idle connection having been closed | {Tally.Retried:N0} |\n| upstream connections not made; reset at once by the faults | {Connects.Failed:N0}; {Connects.Refused:N0} |\n| logged-out streams answered by what the upstream said unasked | {Tally.Mistaken:N0} |\n| hung | {Tally.Hung:N0} |\n| TLS handshakes done | {Tally.Handshakes:N0} |\n| of these ended by the client without close_notify | {Tally.UncleanEnds:N0} |\n");
        text.Append("\n| what the crowd did | times |\n|---|---|\n");
        foreach ((string action, int times) in Tally.Actions) text.Append(CultureInfo.InvariantCulture, $"| {action} | {times:N0} |\n");
        return text.ToString();
    }

    private static string Mega(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:0.0} MiB");
}

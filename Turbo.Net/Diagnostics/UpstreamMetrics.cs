using System.Diagnostics.Metrics;
using Turbo.Net.Upstream;

namespace Turbo.Net.Diagnostics;

/// <summary>
/// What the connections of one pool, and the exchanges relayed over them, have come to.
/// </summary>
public sealed class UpstreamMetrics
{
    private const int ConnectsCell = 0, ConnectFailuresCell = 1, RefusedCell = 2, TunnelsBegunCell = 3, TunnelsEndedCell = 4, ResultCell = 5;

    private static readonly int s_results = Enum.GetValues<RelayResult>().Length;

    private readonly MetricCells _cells = new(ResultCell + s_results);
    private readonly UpstreamPool _pool;
    private readonly TimeProvider _time;

    internal UpstreamMetrics(UpstreamPool pool, TimeProvider time)
    {
        _pool = pool;
        _time = time;
        AddedTime = new LatencyHistogram(LatencyHistogram.Fine, time);
        FirstByteTime = new LatencyHistogram(LatencyHistogram.Coarse, time);
    }

    /// <summary>
    /// The time that the relay itself added until the first byte of a response was on its way: from the request's arrival
    /// until then, less the time spent waiting for the origin. It waits while it connects, and from when the head of the
    /// request (with what of its content was there) was given to the system until the read that completed the head of the
    /// final response. What an upload or an informational response takes meanwhile is waiting too; so is an attempt on a
    /// connection that was dead, but sending the request again is not. Only exchanges whose response was begun count.
    /// </summary>
    public LatencyHistogram AddedTime { get; }

    /// <summary>From a request's arrival until the first byte of its response was given to the system, for the same exchanges.</summary>
    public LatencyHistogram FirstByteTime { get; }

    /// <summary>Connections opened.</summary>
    public long Connects => _cells.Read(ConnectsCell);

    /// <summary>Attempts to open one that failed or took too long.</summary>
    public long ConnectFailures => _cells.Read(ConnectFailuresCell);

    /// <summary>Requests turned away since the pool was full, or the process short of descriptors.</summary>
    public long Refused => _cells.Read(RefusedCell);

    /// <summary>Tunnels (RFC 9110 §7.8) open now.</summary>
    public long Tunnels
    {
        get
        {
            // What has ended was begun before: never below zero.
            long ended = _cells.Read(TunnelsEndedCell);
            return _cells.Read(TunnelsBegunCell) - ended;
        }
    }

    /// <summary>Bytes received from the origin, TLS included.</summary>
    public long ReceivedBytes
    {
        get
        {
            _pool.SettleTraffic();
            return Traffic.ReceivedBytes;
        }
    }

    /// <summary>Bytes that the system took for the origin, TLS included.</summary>
    public long SentBytes
    {
        get
        {
            _pool.SettleTraffic();
            return Traffic.SentBytes;
        }
    }

    internal Traffic Traffic { get; } = new();

    internal long Timestamp => _time.GetTimestamp();

    /// <summary>Relayed exchanges that ended that way.</summary>
    public long Relayed(RelayResult result) => _cells.Read(ResultCell + (int)result);

    /// <summary>Publishes these figures as <see cref="ServerMetrics.CreateMeter"/> does a server's, under the same name.</summary>
    public Meter CreateMeter()
    {
        Meter meter = new(ServerMetrics.MeterName);
        meter.CreateObservableUpDownCounter("turbo.upstream.connections.open", () => _pool.OpenCount, "{connection}", "Open connections to the origin.");
        meter.CreateObservableUpDownCounter("turbo.upstream.connections.idle", () => _pool.IdleCount, "{connection}", "Those that wait for a request.");
        meter.CreateObservableCounter("turbo.upstream.connects", () => Connects, "{connection}", "Connections opened.");
        meter.CreateObservableCounter("turbo.upstream.connect_failures", () => ConnectFailures, "{failure}", "Connections that could not be opened.");
        meter.CreateObservableCounter("turbo.upstream.refused", () => Refused, "{request}", "Requests for which the pool had no room.");
        meter.CreateObservableCounter("turbo.upstream.retries", () => _pool.Retries, "{request}", "Requests sent a second time.");
        meter.CreateObservableUpDownCounter("turbo.relay.tunnels.open", () => Tunnels, "{tunnel}", "Open tunnels.");
        meter.CreateObservableCounter("turbo.relay.exchanges", ByResult, "{request}", "Relayed exchanges.");
        meter.CreateObservableCounter("turbo.relay.responses", () => AddedTime.Read().Count, "{response}", "Relayed responses whose first byte went out.");
        meter.CreateObservableCounter("turbo.relay.added_time", () => AddedTime.Read().Sum, "s", "Time that the relay added to these.");
        meter.CreateObservableCounter("turbo.relay.first_byte_time", () => FirstByteTime.Read().Sum, "s", "Time to the first byte of these.");
        meter.CreateObservableCounter("turbo.upstream.io.received", () => ReceivedBytes, "By", "Bytes received from the origin.");
        meter.CreateObservableCounter("turbo.upstream.io.sent", () => SentBytes, "By", "Bytes sent to the origin.");
        return meter;
    }

    internal void CountConnect() => _cells.Add(ConnectsCell);

    internal void CountConnectFailure() => _cells.Add(ConnectFailuresCell);

    internal void CountRefused() => _cells.Add(RefusedCell);

    internal void CountTunnel(bool hasEnded) => _cells.Add(hasEnded ? TunnelsEndedCell : TunnelsBegunCell);

    internal void Count(RelayResult result) => _cells.Add(ResultCell + (int)result);

    private IEnumerable<Measurement<long>> ByResult()
    {
        foreach (RelayResult result in Enum.GetValues<RelayResult>()) yield return new(Relayed(result), new KeyValuePair<string, object?>("result", result.ToString()));
    }
}

/// <summary>When the next flush of a relayed response is to be recorded, and less how much.</summary>
internal struct FirstByteTimer
{
    private UpstreamMetrics? _metrics;
    private long _start;
    private long _waited;

    public readonly bool IsRunning => _metrics is not null;

    public void Start(UpstreamMetrics metrics, long start, long waited)
    {
        _metrics = metrics;
        _start = start;
        _waited = waited;
    }

    public void Stop()
    {
        long took = _metrics!.Timestamp - _start;
        _metrics.FirstByteTime.Record(took);
        _metrics.AddedTime.Record(took - _waited);
        _metrics = null;
    }
}

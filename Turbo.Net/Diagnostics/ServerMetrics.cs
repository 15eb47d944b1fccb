using System.Diagnostics.Metrics;
using System.Net;
using Turbo.Net.Tls;
using Turbo.Net.Transport;

namespace Turbo.Net.Diagnostics;

/// <summary>
/// What one server has done since it was made. Counting costs some nanoseconds a request and is always on.
/// </summary>
public sealed class ServerMetrics
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "Turbo.Net";

    private const int AcceptedCell = 0, HandshakesCell = 1, AcceptFailuresCell = 2, HandlerFailuresCell = 3, ConnectionFailuresCell = 4, StatusCell = 5;
    private const int StatusClasses = 6;
    private const int EndedCell = StatusCell + StatusClasses;

    private static readonly int s_endReasons = Enum.GetValues<EndReason>().Length;
    private static readonly int s_rejectReasons = Enum.GetValues<RejectReason>().Length;
    private static readonly int s_failedHandshakesCell = EndedCell + s_endReasons;
    private static readonly int s_rejectedCell = s_failedHandshakesCell + s_endReasons;

    private readonly MetricCells _cells = new(s_rejectedCell + s_rejectReasons);
    private readonly TurboServer _server;

    internal ServerMetrics(TurboServer server) => _server = server;

    /// <summary>Connections that were served: not those over <see cref="ServerLimits.MaxConnections"/>, nor those whose TLS handshake failed.</summary>
    public long Accepted => _cells.Read(AcceptedCell);

    /// <summary>TLS handshakes completed.</summary>
    public long Handshakes => _cells.Read(HandshakesCell);

    /// <summary>Times that accept() failed.</summary>
    public long AcceptFailures => _cells.Read(AcceptFailuresCell);

    /// <summary>Handlers that threw.</summary>
    public long HandlerFailures => _cells.Read(HandlerFailuresCell);

    /// <summary>Connections on which the server itself failed.</summary>
    public long ConnectionFailures => _cells.Read(ConnectionFailuresCell);

    /// <summary>Bytes received from clients, TLS included.</summary>
    public long ReceivedBytes
    {
        get
        {
            _server.SettleTraffic();
            return Traffic.ReceivedBytes;
        }
    }

    /// <summary>Bytes that the system took for clients, TLS included.</summary>
    public long SentBytes
    {
        get
        {
            _server.SettleTraffic();
            return Traffic.SentBytes;
        }
    }

    internal Traffic Traffic { get; } = new();

    /// <summary>Responses written whole, by the first digit of their status, 1 to 5; 0 counts any other.</summary>
    public long Responded(int statusClass) => _cells.Read(StatusCell + statusClass);

    /// <summary>Connections that ended for that reason.</summary>
    public long Ended(EndReason reason) => _cells.Read(EndedCell + (int)reason);

    /// <summary>TLS handshakes that ended for that reason.</summary>
    public long FailedHandshakes(EndReason reason) => _cells.Read(s_failedHandshakesCell + (int)reason);

    /// <summary>Requests, or connections where there are too many, refused for that reason before a handler saw them.</summary>
    public long Rejected(RejectReason reason) => _cells.Read(s_rejectedCell + (int)reason);

    /// <summary>
    /// Publishes these figures as instruments of the meter <see cref="MeterName"/>, for dotnet-counters, OpenTelemetry and the
    /// like, until what is returned is disposed. They cost nothing until somebody looks. A server does not do so by itself,
    /// since a process's first meter takes tens of milliseconds of its start.
    /// </summary>
    public Meter CreateMeter()
    {
        Meter meter = new(MeterName);
        meter.CreateObservableUpDownCounter("turbo.server.connections.open", () => _server.ConnectionCount, "{connection}", "Open connections.");
        meter.CreateObservableCounter("turbo.server.connections.accepted", () => Accepted, "{connection}", "Connections accepted.");
        meter.CreateObservableCounter("turbo.server.connections.ended", () => ByName<EndReason>("reason", Ended), "{connection}", "Connections ended.");
        meter.CreateObservableCounter("turbo.server.responses", Responses, "{response}", "Responses written whole.");
        meter.CreateObservableCounter("turbo.server.requests.rejected", () => ByName<RejectReason>("reason", Rejected), "{request}", "Requests refused before a handler saw them.");
        meter.CreateObservableCounter("turbo.server.handler_failures", () => HandlerFailures, "{failure}", "Handlers that threw.");
        meter.CreateObservableCounter("turbo.server.tls.handshakes", () => Handshakes, "{handshake}", "TLS handshakes completed.");
        meter.CreateObservableCounter("turbo.server.tls.handshakes.failed", () => ByName<EndReason>("reason", FailedHandshakes), "{handshake}", "TLS handshakes failed.");
        meter.CreateObservableCounter("turbo.server.io.received", () => ReceivedBytes, "By", "Bytes received.");
        meter.CreateObservableCounter("turbo.server.io.sent", () => SentBytes, "By", "Bytes sent.");
        return meter;
    }

    internal void CountAccepted() => _cells.Add(AcceptedCell);

    internal void CountHandshake() => _cells.Add(HandshakesCell);

    internal void CountResponse(int status)
    {
        int statusClass = status / 100;
        _cells.Add(StatusCell + (statusClass < StatusClasses ? statusClass : 0));
    }

    private IEnumerable<Measurement<long>> Responses()
    {
        for (int i = 1; i < StatusClasses; i++) yield return new(Responded(i), new KeyValuePair<string, object?>("status_class", $"{i}xx"));
    }

    private static IEnumerable<Measurement<long>> ByName<T>(string tag, Func<T, long> read) where T : struct, Enum
    {
        foreach (T value in Enum.GetValues<T>())
        {
            // None is no reason.
            if (Convert.ToInt32(value, System.Globalization.CultureInfo.InvariantCulture) != 0) yield return new(read(value), new KeyValuePair<string, object?>(tag, value.ToString()));
        }
    }

    /// <summary>Counts what is told to a log, and passes it on.</summary>
    internal sealed class CountingLog(IServerLog log, ServerMetrics metrics) : IServerLog
    {
        public void Listening(IPEndPoint endPoint, bool isTls) => log.Listening(endPoint, isTls);

        public void AcceptFailed(Exception error)
        {
            metrics._cells.Add(AcceptFailuresCell);
            log.AcceptFailed(error);
        }

        public void HandlerFailed(Exchange exchange, Exception error)
        {
            metrics._cells.Add(HandlerFailuresCell);
            log.HandlerFailed(exchange, error);
        }

        public void HandshakeFailed(IPEndPoint? client, EndReason reason, Exception? error)
        {
            metrics._cells.Add(s_failedHandshakesCell + (int)reason);
            log.HandshakeFailed(client, reason, error);
        }

        public void RequestRejected(IPEndPoint? client, RejectReason reason)
        {
            metrics._cells.Add(s_rejectedCell + (int)reason);
            log.RequestRejected(client, reason);
        }

        public void CertificateChanged(string file, DateTimeOffset notAfter) => log.CertificateChanged(file, notAfter);

        public void CertificateRefused(InvalidCertificateException error) => log.CertificateRefused(error);

        public void CertificateExpired(string file, DateTimeOffset notAfter) => log.CertificateExpired(file, notAfter);

        public void ConnectionEnded(IPEndPoint? client, EndReason reason)
        {
            metrics._cells.Add(EndedCell + (int)reason);
            log.ConnectionEnded(client, reason);
        }

        public void ConnectionFailed(IPEndPoint? client, Exception error)
        {
            metrics._cells.Add(ConnectionFailuresCell);
            log.ConnectionFailed(client, error);
        }
    }
}

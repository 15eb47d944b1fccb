using System.Buffers;
using System.Text;
using Turbo.Net;
using Turbo.Net.Diagnostics;
using Turbo.Net.Http1;
using Turbo.Net.Transport;
using Turbo.Net.Upstream;
using Turbo.Server.Auth;
using Turbo.Server.Cache;

namespace Turbo.Server.Metrics;

/// <summary>
/// Everything that is measured, as one page. Its size is bounded: every label's values are constants of the program. What
/// the runtime and the system tell is in MetricsPage.Process.cs.
/// </summary>
internal sealed partial class MetricsPage(AppHost app)
{
    /// <summary>Renders the page. Takes some hundred microseconds, and locks that requests do not wait for: not for a socket's thread.</summary>
    public byte[] Render()
    {
        ArrayBufferWriter<byte> page = new(32 * 1024);
        PrometheusWriter writer = new(page);
        WriteRequests(writer);
        WriteServer(writer, app.Server.Metrics);
        WriteUpstream(writer, app.Gateway.Pool);
        WriteStreams(writer);
        WriteApplication(writer);
        WriteProcess(writer);
        return page.WrittenSpan.ToArray();
    }

    private void WriteRequests(PrometheusWriter writer)
    {
        writer.Counter("turbo_http_requests_total"u8, "Requests answered, by route class and status (499: the client left before there was an answer)."u8);
        for (int i = 0; i < RequestMetrics.Classes; i++)
        {
            app.Requests.ForEachStatus((RouteClass)i, (writer, Route: EnumLabels<RouteClass>.All[i]), static (state, status, count) =>
                state.writer.Sample("route"u8, state.Route, "status"u8, status.Span, count));
        }
        writer.Gauge("turbo_http_requests_in_flight"u8, "Requests being handled, streams and tunnels included."u8);
        for (int i = 0; i < RequestMetrics.Classes; i++) writer.Sample("route"u8, EnumLabels<RouteClass>.All[i], app.Requests.InFlight((RouteClass)i));
        writer.Histogram("turbo_http_request_duration_seconds"u8, "From a request's arrival until its handler was done, as its log line tells."u8);
        // Those that are refused are not timed.
        for (int i = 0; i < (int)RouteClass.Rejected; i++) writer.Sample(app.Requests.DurationOf((RouteClass)i), "route"u8, EnumLabels<RouteClass>.All[i]);
        writer.Histogram("turbo_proxy_added_seconds"u8, "Time that Turbo itself added to a proxied request until the first byte of its response was sent: all but connecting to the upstream and waiting for its response head."u8);
        writer.Sample(app.Gateway.Pool.Metrics.AddedTime);
        writer.Histogram("turbo_proxy_first_byte_seconds"u8, "From a proxied request's arrival until the first byte of its response was sent."u8);
        writer.Sample(app.Gateway.Pool.Metrics.FirstByteTime);
    }

    private void WriteServer(PrometheusWriter writer, ServerMetrics server)
    {
        writer.Gauge("turbo_connections_open"u8, "Client connections open."u8, app.Server.ConnectionCount);
        writer.Counter("turbo_connections_accepted_total"u8, "Client connections served."u8, server.Accepted);
        writer.Counter("turbo_connections_refused_total"u8, "Client connections over MAX_CONNECTIONS, answered 503."u8, server.Rejected(RejectReason.TooManyConnections));
        Reasons<EndReason>(writer, "turbo_connections_ended_total"u8, "Client connections ended, by the first cause."u8, server.Ended);
        writer.Counter("turbo_accept_failures_total"u8, "Times that a connection could not be accepted."u8, server.AcceptFailures);
        writer.Counter("turbo_received_bytes_total"u8, "Bytes received from clients, TLS included."u8, server.ReceivedBytes);
        writer.Counter("turbo_sent_bytes_total"u8, "Bytes sent to clients, TLS included."u8, server.SentBytes);
        Reasons<RejectReason>(writer, "turbo_http_rejected_total"u8, "Requests that the HTTP server refused before they had a route, by reason."u8, server.Rejected);
        writer.Counter("turbo_handler_failures_total"u8, "Requests whose handling failed by a fault of Turbo's own, and connections likewise."u8, server.HandlerFailures + server.ConnectionFailures);
        writer.Counter("turbo_tls_handshakes_total"u8, "TLS handshakes completed with clients."u8, server.Handshakes);
        Reasons<EndReason>(writer, "turbo_tls_handshake_failures_total"u8, "TLS handshakes that failed, by reason."u8, server.FailedHandshakes);
        writer.Gauge("turbo_tls_handshakes_under_way"u8, "TLS handshakes under way."u8, app.Server.HandshakeCount);
    }

    private static void WriteUpstream(PrometheusWriter writer, UpstreamPool pool)
    {
        UpstreamMetrics upstream = pool.Metrics;
        writer.Gauge("turbo_upstream_connections_open"u8, "Connections to the upstream."u8, pool.OpenCount);
        writer.Gauge("turbo_upstream_connections_idle"u8, "Those that wait for a request."u8, pool.IdleCount);
        writer.Counter("turbo_upstream_connects_total"u8, "Connections opened to the upstream."u8, upstream.Connects);
        writer.Counter("turbo_upstream_connect_failures_total"u8, "Connections that could not be opened."u8, upstream.ConnectFailures);
        writer.Counter("turbo_upstream_refused_total"u8, "Requests for which UPSTREAM_MAX_CONNECTIONS left no connection."u8, upstream.Refused);
        writer.Counter("turbo_upstream_retries_total"u8, "Requests sent again since a pooled connection was dead."u8, pool.Retries);
        writer.Counter("turbo_upstream_received_bytes_total"u8, "Bytes received from the upstream, TLS included."u8, upstream.ReceivedBytes);
        writer.Counter("turbo_upstream_sent_bytes_total"u8, "Bytes sent to the upstream, TLS included."u8, upstream.SentBytes);
        writer.Counter("turbo_proxy_exchanges_total"u8, "Proxied requests, by how they ended."u8);
        for (int i = 0; i < EnumLabels<RelayResult>.All.Length; i++) writer.Sample("result"u8, EnumLabels<RelayResult>.All[i], upstream.Relayed((RelayResult)i));
    }

    private void WriteStreams(PrometheusWriter writer)
    {
        writer.Gauge("turbo_streams_open"u8, "Subscriptions open, as events and as WebSockets, and tunnels of /v1."u8);
        writer.Sample("kind"u8, "sse"u8, app.Streams.EventStreams);
        writer.Sample("kind"u8, "websocket"u8, app.Streams.WebSockets);
        writer.Sample("kind"u8, "tunnel"u8, app.Gateway.Pool.Metrics.Tunnels);
    }

    private void WriteApplication(PrometheusWriter writer)
    {
        writer.Gauge("turbo_event_queue_rows"u8, "Event rows that wait for the database."u8, app.Events.QueuedRows);
        writer.Gauge("turbo_event_queue_bytes"u8, "Memory of these rows; EVENT_QUEUE_BYTES bounds it."u8, app.Events.QueuedBytes);
        writer.Counter("turbo_events_written_total"u8, "Event rows stored."u8, app.Events.StoredRows);
        writer.Counter("turbo_events_lost_total"u8, "Event rows that the database refused, or that were left when stopping timed out."u8, app.Events.LostRows);
        writer.Counter("turbo_logins_total"u8, "Logins, by outcome: done, refused (wrong username or password), blocked (too many failures), busy."u8);
        writer.Sample("outcome"u8, "done"u8, app.Accounts.LogIns(AccountStatus.Done));
        writer.Sample("outcome"u8, "refused"u8, app.Accounts.LogIns(AccountStatus.Refused));
        writer.Sample("outcome"u8, "blocked"u8, app.Accounts.LogIns(AccountStatus.Blocked));
        writer.Sample("outcome"u8, "busy"u8, app.Accounts.LogIns(AccountStatus.Busy));
        writer.Gauge("turbo_sessions_cached"u8, "Sessions in memory."u8, app.Sessions.Cached);
        writer.Counter("turbo_session_lookups_total"u8, "Requests whose session was not in memory, or for too long."u8, app.Sessions.Lookups);
        writer.Gauge("turbo_storage_queue_operations"u8, "Database operations that wait for their turn (SQLite), or wait or run (PostgreSQL); STORAGE_QUEUE bounds them."u8, app.Db.Queued);
        CountedCache cache = app.Backplane.CountedCache;
        writer.Counter("turbo_cache_requests_total"u8, "Reads of the cache, by outcome."u8);
        writer.Sample("outcome"u8, "hit"u8, cache.Hits);
        writer.Sample("outcome"u8, "miss"u8, cache.Misses);
        if (app.Backplane.MemoryCache is { } memory)
        {
            writer.Gauge("turbo_cache_bytes"u8, "Memory of the cache; CACHE_BYTES bounds it."u8, memory.Bytes);
            writer.Gauge("turbo_cache_entries"u8, "Entries of the cache."u8, memory.Count);
        }
        writer.Counter("turbo_log_lines_lost_total"u8, "Log lines that the output did not take in time."u8, app.LostLogLines);
        writer.Gauge("turbo_uptime_seconds"u8, "Since the application was started."u8, app.Uptime.TotalSeconds);
        writer.Gauge("turbo_build_info"u8, "1; the labels tell what runs."u8);
        writer.Sample("version"u8, s_version, "runtime"u8, s_runtime, 1);
    }

    private static readonly byte[] s_version = Encoding.UTF8.GetBytes(Cli.Usage.Version);
    private static readonly byte[] s_runtime = Encoding.UTF8.GetBytes(Environment.Version.ToString());

    private static void Reasons<T>(PrometheusWriter writer, ReadOnlySpan<byte> name, ReadOnlySpan<byte> help, Func<T, long> read) where T : struct, Enum
    {
        writer.Counter(name, help);
        T[] values = Enum.GetValues<T>();
        // None, the first, is no reason.
        for (int i = 1; i < values.Length; i++) writer.Sample("reason"u8, EnumLabels<T>.All[i], read(values[i]));
    }
}

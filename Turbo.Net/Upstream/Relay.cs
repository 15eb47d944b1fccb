using System.Collections.Concurrent;

namespace Turbo.Net.Upstream;

/// <summary>How a relayed exchange ended. Up to <see cref="RequestRejected"/> no response was started, and the caller answers.</summary>
public enum RelayResult : byte
{
    /// <summary>The response was passed on whole.</summary>
    Complete,
    /// <summary>The origin could not be reached, or ended without an answer: 502.</summary>
    Unreachable,
    /// <summary>The origin's answer is not HTTP/1.1 as RFC 9112 has it: 502.</summary>
    MalformedResponse,
    /// <summary>Connecting or the first byte took too long: 504.</summary>
    Timeout,
    /// <summary>The pool has as many connections as it may: 503.</summary>
    Overloaded,
    /// <summary>The request's content was refused; the server answers it when the handler returns.</summary>
    RequestRejected,
    /// <summary>The client left; the upstream request was cancelled.</summary>
    ClientGone,
    /// <summary>The origin broke off within its response, and so did the response to the client.</summary>
    Truncated,
    /// <summary>The connection was switched to another protocol, which has ended.</summary>
    Tunnelled,
    /// <summary>Cut off because <see cref="IRelayObserver.IsOver"/> said so: a response that was started broke off; none may have been.</summary>
    CutOff,
}

/// <summary>
/// What is told of a relayed exchange while it happens, each time after the bytes went on their way. The spans are the
/// relay's: copy what is kept. Called on socket threads: do not block.
/// </summary>
public interface IRelayObserver
{
    /// <summary>Content of the request, without framing.</summary>
    void RequestContent(ReadOnlySpan<byte> content);

    /// <summary>The final response head arrived.</summary>
    void ResponseHead(int status, HeaderFields fields);

    /// <summary>Content of the response, without framing, still in its content coding.</summary>
    void ResponseContent(ReadOnlySpan<byte> content);

    /// <summary>
    /// Whether it wants to be told of the request's content. Once false it stays so for the exchange: what is still to come
    /// may go on without this process looking at it. True by default.
    /// </summary>
    bool WantsRequestContent => true;

    /// <summary>As <see cref="WantsRequestContent"/>, of the response's content; asked after <see cref="ResponseHead"/>.</summary>
    bool WantsResponseContent => true;

    /// <summary>
    /// Whether the exchange is to be cut off now: the upstream request is cancelled, and a response that was started, or a
    /// tunnel, is reset. Asked ten times a second of an exchange that goes on for longer than that, on a timer's thread,
    /// and never once the exchange has ended. False by default.
    /// </summary>
    bool IsOver => false;
}

/// <summary>What a relay changes in a request, settled per origin server. All bytes are ready to send.</summary>
public sealed record RelayRules
{
    /// <summary>The value of Host.</summary>
    public required byte[] Host { get; init; }

    /// <summary>
    /// A whole field line with its CRLF that takes the place of the client's Authorization (or stands last when there is
    /// none); empty sends none. Null leaves the client's own as it is.
    /// </summary>
    public byte[]? AuthorizationLine { get; init; }

    /// <summary>Whether the client's Cookie goes to the origin. Default no: where clients hold cookies of the gateway's own, they are none of the origin's business.</summary>
    public bool KeepsCookie { get; init; }

    /// <summary>What the path sent upstream begins with, in place of <see cref="DropPath"/>.</summary>
    public byte[] PathPrefix { get; init; } = [];

    /// <summary>What the client's path begins with and the origin's does not.</summary>
    public byte[] DropPath { get; init; } = [];

    /// <summary>
    /// How long an event stream may be silent before a comment line is sent between two events, so that those who watch
    /// for idle connections leave it alone; null, the default, adds nothing. Not on a stream with a Content-Length or a
    /// content coding, where a line cannot be added.
    /// </summary>
    public TimeSpan? EventStreamKeepAlive { get; init; }

    /// <summary>Called at the end of a response head in which the origin sent no Access-Control-Allow- field.</summary>
    public Action<Exchange, ResponseWriter>? WriteMissingCors { get; init; }
}

/// <summary>
/// A gateway to one origin server (RFC 9110 §3.7): passes requests and responses on byte for byte, less what ends at
/// this hop, in constant memory, each piece flushed as it arrives.
/// <code>
///  head → rent (or connect) → send head + body ─┬→ response head → body, flush per read → last chunk → return
///                             └ pump the rest of the body concurrently ┘
///  no byte of an answer on a pooled connection: once more on a fresh one, when the request is still held
///  client leaves → upstream is reset          upstream breaks off → the client's response is cut
///  the observer says that it is over → both are reset
/// </code>
/// </summary>
public sealed class Relay(UpstreamPool pool)
{
    private const int MaxIdleExchanges = 1024;

    private readonly ConcurrentQueue<RelayExchange> _idle = new();
    private int _idleCount;

    /// <summary>
    /// Relays one exchange. When the result says that no response was started, the caller writes one.
    /// </summary>
    /// <param name="exchange">The client's.</param>
    /// <param name="rules">What changes on the way.</param>
    /// <param name="observer">Is told what passes.</param>
    /// <param name="arrival">When the request arrived, a timestamp of the pool's clock; what came before the relay is then part of <see cref="Diagnostics.UpstreamMetrics.AddedTime"/>. 0 is now.</param>
    public ValueTask<RelayResult> RunAsync(Exchange exchange, RelayRules rules, IRelayObserver? observer, long arrival = 0)
    {
        if (_idle.TryDequeue(out RelayExchange? relayed)) Interlocked.Decrement(ref _idleCount);
        else relayed = new RelayExchange(this, pool);
        relayed.Begin(exchange, rules, observer, arrival);
        return relayed.RunAsync();
    }

    /// <summary>Takes back an exchange that is over.</summary>
    internal void Return(RelayExchange relayed)
    {
        relayed.Reset();
        if (Interlocked.Increment(ref _idleCount) <= MaxIdleExchanges) _idle.Enqueue(relayed);
        else Interlocked.Decrement(ref _idleCount);
    }
}

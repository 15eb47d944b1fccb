using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Security.Authentication;
using Turbo.Net.Http1;
using Turbo.Net.Transport;

namespace Turbo.Net.Upstream;

/// <summary>A request of one's own failed before its response head arrived.</summary>
public sealed class UpstreamException(RelayResult result, Exception? inner = null) : Exception($"upstream: {result}", inner)
{
    /// <summary>What went wrong: Unreachable, MalformedResponse, Timeout or Overloaded; Truncated within the content.</summary>
    public RelayResult Result { get; } = result;
}

/// <summary>Requests of a program's own to the origin server, over the same connections as the relay's.</summary>
public sealed class UpstreamClient(UpstreamPool pool)
{
    /// <summary>
    /// Sends a request and returns when the response's head is there. A pooled connection that was dead is replaced once.
    /// </summary>
    /// <param name="request">The whole message, head and content, ready to send (RFC 9112 §2.1); no Expect, no HEAD.</param>
    /// <param name="cancellation">Cancelling resets the connection; the same token ends reads of the content.</param>
    /// <exception cref="UpstreamException">No response.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async Task<UpstreamResponse> SendAsync(ReadOnlyMemory<byte> request, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        UpstreamConnection? upstream = pool.TryRent();
        bool isPooled = upstream is not null;
        while (true)
        {
            upstream ??= await ConnectAsync().ConfigureAwait(false);
            upstream.BeginExchange(user: null);
            RelayResult result;
            CancellationTokenRegistration registration = cancellation.Register(static state => ((UpstreamConnection)state!).Abort(EndReason.Aborted), upstream);
            result = await TryAsync(upstream, request).ConfigureAwait(false);
            if (result == RelayResult.Complete)
            {
                RejectReason reject = MessageFraming.OfResponse(upstream.Head, answersHead: false, out BodyKind kind, out long length);
                if (reject == RejectReason.None)
                {
                    upstream.BeginContent(kind, length);
                    return new UpstreamResponse(pool, upstream, registration, cancellation);
                }
                result = RelayResult.MalformedResponse;
            }
            bool isDead = result == RelayResult.Unreachable && isPooled && !upstream.HasReceived;
            await registration.DisposeAsync().ConfigureAwait(false);
            pool.Discard(upstream, EndReason.Aborted);
            cancellation.ThrowIfCancellationRequested();
            if (!isDead) throw new UpstreamException(result);
            isPooled = false;
            upstream = null;
            pool.CountRetry();
        }
    }

    private async Task<UpstreamConnection> ConnectAsync()
    {
        try
        {
            return await pool.ConnectAsync().ConfigureAwait(false) ?? throw new UpstreamException(RelayResult.Overloaded);
        }
        catch (TimeoutException e)
        {
            throw new UpstreamException(RelayResult.Timeout, e);
        }
        catch (Exception e) when (e is SocketException or AuthenticationException or IOException)
        {
            throw new UpstreamException(RelayResult.Unreachable, e);
        }
    }

    private async ValueTask<RelayResult> TryAsync(UpstreamConnection upstream, ReadOnlyMemory<byte> request)
    {
        upstream.Output.Write(request.Span);
        // An origin that answers before it has read all is heard out: its answer tells.
        await upstream.FlushAsync(pool.Options.IdleTimeout).ConfigureAwait(false);
        int informational = 0;
        while (true)
        {
            UpstreamRead read = await upstream.ReadAsync(upstream.Rest.IsEmpty ? pool.Options.FirstByteTimeout : pool.Options.IdleTimeout).ConfigureAwait(false);
            if (read == UpstreamRead.Timeout) return RelayResult.Timeout;
            if (read != UpstreamRead.Data) return upstream.Head.ParsedTo > 0 ? RelayResult.MalformedResponse : RelayResult.Unreachable;
            while (true)
            {
                ParseStatus status = upstream.ParseHead();
                if (status == ParseStatus.Rejected) return RelayResult.MalformedResponse;
                if (status == ParseStatus.NeedMore)
                {
                    if (upstream.HasEnded) return RelayResult.MalformedResponse;
                    break;
                }
                if (upstream.Head.StatusCode >= 200) return RelayResult.Complete;
                if (upstream.Head.StatusCode == 101 || ++informational > pool.Options.MaxInformational) return RelayResult.MalformedResponse;
                if (MessageFraming.OfResponse(upstream.Head, answersHead: false, out _, out _) != RejectReason.None) return RelayResult.MalformedResponse;
                upstream.Head.Reset();
                if (upstream.Rest.IsEmpty) break;
            }
        }
    }
}

/// <summary>A response to a request of one's own. Dispose it: what was not read to its end costs the connection.</summary>
public sealed class UpstreamResponse : IAsyncDisposable
{
    private readonly UpstreamPool _pool;
    private readonly CancellationTokenRegistration _registration;
    private readonly CancellationToken _cancellation;
    private UpstreamConnection? _upstream;
    private ReadOnlySequence<byte> _rest;
    private bool _hasRest;

    internal UpstreamResponse(UpstreamPool pool, UpstreamConnection upstream, CancellationTokenRegistration registration, CancellationToken cancellation)
    {
        _pool = pool;
        _upstream = upstream;
        _registration = registration;
        _cancellation = cancellation;
        Status = upstream.Head.StatusCode;
    }

    /// <summary>The status code, 200–599.</summary>
    public int Status { get; }

    /// <summary>The header section; valid until the response is disposed.</summary>
    public HeaderFields Fields => (_upstream ?? throw new ObjectDisposedException(nameof(UpstreamResponse))).Head.Fields;

    /// <summary>
    /// The next piece of content, valid until the next call; empty when all was read. Waits at most
    /// <see cref="UpstreamOptions.IdleTimeout"/>.
    /// </summary>
    /// <exception cref="UpstreamException">The content broke off (Truncated) or stalled (Timeout).</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async ValueTask<ReadOnlySequence<byte>> ReadAsync()
    {
        UpstreamConnection upstream = _upstream ?? throw new ObjectDisposedException(nameof(UpstreamResponse));
        while (true)
        {
            if (!_hasRest)
            {
                _rest = upstream.Rest;
                _hasRest = true;
            }
            if (upstream.TryTakeContent(ref _rest, out ReadOnlySequence<byte> content)) return content;
            upstream.Rest = _rest;
            _hasRest = false;
            if (upstream.IsContentDone) return default;
            _cancellation.ThrowIfCancellationRequested();
            if (upstream.IsContentBroken) throw new UpstreamException(RelayResult.Truncated);
            UpstreamRead read = await upstream.ReadAsync(_pool.Options.IdleTimeout).ConfigureAwait(false);
            if (read == UpstreamRead.Timeout) throw new UpstreamException(RelayResult.Timeout);
            if (read == UpstreamRead.Reset)
            {
                _cancellation.ThrowIfCancellationRequested();
                throw new UpstreamException(RelayResult.Truncated);
            }
        }
    }

    /// <summary>Gives the connection back, or ends it when the content was not read to its end.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_upstream is not { } upstream) return;
        _upstream = null;
        await _registration.DisposeAsync().ConfigureAwait(false);
        if (_hasRest) upstream.Rest = _rest;
        bool isReusable = upstream.IsReusable && !_cancellation.IsCancellationRequested;
        upstream.Release();
        if (isReusable) _pool.Return(upstream);
        else _pool.Discard(upstream, upstream.IsContentDone ? EndReason.NotPersistent : EndReason.Aborted);
    }
}

using System.Buffers;
using System.Runtime.CompilerServices;
using Turbo.Net.Transport;

namespace Turbo.Net.Http1;

/// <summary>
/// One batch: every complete request that is buffered is answered, then all answers leave in one flush. While handlers
/// complete at once and answers fit, none of it is an asynchronous method:
/// <code>
///   ServeInline: head, framing, handler, end --> next head ... --> Pause: something has to be awaited, or nothing is left
/// </code>
/// </summary>
internal sealed partial class Http1Connection
{
    // Unflushed bytes after which a batch is flushed although more requests are buffered.
    private const int BatchBytes = 32 * 1024;

    // CRLFs that may precede a request-line (RFC 9112 §2.2).
    private const int MaxEmptyLines = 2;

    // Fields that say more about a request than that it has no content and that the client stays.
    private static readonly uint s_unusualFields =
        HeaderFields.Bit(KnownField.ContentLength) | HeaderFields.Bit(KnownField.TransferEncoding) | HeaderFields.Bit(KnownField.Expect) | HeaderFields.Bit(KnownField.Connection);

    private int _requests;
    private bool _clientStays;
    private RejectReason _reject;

    /// <summary>Why a batch stops where it is.</summary>
    private enum Pause : byte
    {
        /// <summary>No complete request is left.</summary>
        None,
        /// <summary>The connection ends after what is written.</summary>
        Ended,
        /// <summary>The next request is refused.</summary>
        Rejected,
        /// <summary>A client may wait for the answers before this request ere it sends the rest of its body.</summary>
        BodyBehindAnswers,
        /// <summary>The handler is not done, or left something to drain or to end.</summary>
        Handling,
        /// <summary>Enough is written to be sent.</summary>
        Full,
    }

    /// <summary>Answers every complete request that is buffered, then flushes; false when the connection is to end.</summary>
    private ValueTask<bool> ServeBatchAsync(Exchange exchange)
    {
        Pause pause = ServeInline(exchange, out ValueTask handling);
        if (pause > Pause.Ended) return ServePausedAsync(exchange, pause, handling);
        if (exchange.Response.Unflushed == 0) return new ValueTask<bool>(EndBatch(pause, isFlushed: true));
        ValueTask<bool> flush = exchange.Response.FlushAsync();
        return flush.IsCompletedSuccessfully ? new ValueTask<bool>(EndBatch(pause, flush.Result)) : EndBatchAsync(pause, flush);
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<bool> ServePausedAsync(Exchange exchange, Pause pause, ValueTask handling)
    {
        while (true)
        {
            switch (pause)
            {
                case Pause.Rejected:
                    await RejectAsync(_reject).ConfigureAwait(false);
                    return false;
                case Pause.BodyBehindAnswers:
                    if (!await exchange.Response.FlushAsync().ConfigureAwait(false)) return false;
                    pause = Answer(exchange, out handling);
                    break;
                case Pause.Handling:
                    pause = await EndAsync(exchange, handling).ConfigureAwait(false) ? Reset(exchange) : Pause.Ended;
                    break;
                case Pause.Full:
                    pause = await exchange.Response.FlushAsync().ConfigureAwait(false) ? BeginNext() : Pause.Ended;
                    break;
                case Pause.Ended:
                    return EndBatch(pause, exchange.Response.Unflushed == 0 || await exchange.Response.FlushAsync().ConfigureAwait(false));
            }
            if (pause != Pause.None) continue;
            pause = ServeInline(exchange, out handling);
            if (pause == Pause.None) return EndBatch(pause, exchange.Response.Unflushed == 0 || await exchange.Response.FlushAsync().ConfigureAwait(false));
        }
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<bool> EndBatchAsync(Pause pause, ValueTask<bool> flush) => EndBatch(pause, await flush.ConfigureAwait(false));

    private bool EndBatch(Pause pause, bool isFlushed)
    {
        if (!isFlushed)
        {
            transport.SetEndReason(EndReason.PeerReset);
            return false;
        }
        if (pause == Pause.Ended) return false;
        if (!_isIdle || !server.IsDraining) return true;
        transport.SetEndReason(EndReason.Draining);
        return false;
    }

    // Serves what is buffered for as long as nothing has to be awaited.
    private Pause ServeInline(Exchange exchange, out ValueTask handling)
    {
        handling = default;
        while (HasInput && !IsRestEmpty)
        {
            ParseStatus status = ReadHead(exchange);
            if (status == ParseStatus.NeedMore)
            {
                // Empty lines begin no request. What has begun is due before the answers to those ahead of it leave.
                if (IsRestEmpty) BeginIdle();
                else ExpectHead(Rest.Length);
                return Pause.None;
            }
            _reject = status == ParseStatus.Rejected ? exchange.Head.Reject : BeginExchange(exchange);
            if (_reject != RejectReason.None) return Pause.Rejected;
            if (exchange.Response.Unflushed > 0 && !exchange.Body.IsEmpty) return Pause.BodyBehindAnswers;
            Pause pause = Answer(exchange, out handling);
            if (pause != Pause.None) return pause;
        }
        return Pause.None;
    }

    // Handles the exchange that has begun.
    private Pause Answer(Exchange exchange, out ValueTask handling)
    {
        exchange.Response.HoldEarlier();
        // What a handler sets for its own flow (AsyncLocal) is neither the next request's nor whoever's thread this is.
        ExecutionContext? around = ExecutionContext.Capture();
        if (_context is not null) ExecutionContext.Restore(_context);
        try
        {
            handling = server.Handler(exchange);
        }
        catch (Exception e)
        {
            handling = ValueTask.FromException(e);
        }
        if (around is not null) ExecutionContext.Restore(around);
        if (!handling.IsCompletedSuccessfully || !exchange.Body.IsEmpty || IsWatching || exchange.IsUpgraded) return Pause.Handling;
        return EndInline(exchange) ? Reset(exchange) : Pause.Ended;
    }

    // After an exchange on a connection that stays.
    private Pause Reset(Exchange exchange)
    {
        exchange.Reset();
        return exchange.Response.Unflushed > BatchBytes ? Pause.Full : BeginNext();
    }

    private Pause BeginNext()
    {
        if (!HasInput || IsRestEmpty) BeginIdle();
        else BeginHead();
        return Pause.None;
    }

    private void BeginIdle()
    {
        _isIdle = true;
        SetReadDeadline(server.Limits.KeepAliveTimeout);
    }

    private ParseStatus ReadHead(Exchange exchange)
    {
        RequestHead head = exchange.Head;
        ReadOnlySpan<byte> piece = Piece;
        if (head.ParsedTo == 0 && (piece.IsEmpty || piece[0] == '\r'))
        {
            if (!SkipEmptyLines(head)) return head.Reject == RejectReason.None ? ParseStatus.NeedMore : ParseStatus.Rejected;
            piece = Piece;
        }
        // A head that is in the first piece whole needs nothing of the others.
        if (head.ParsedTo > piece.Length) return ReadSplitHead(head);
        ParseStatus status = Http1Parser.ReadRequestHead(piece, head, server.Limits, out int length);
        if (status == ParseStatus.NeedMore && !_rest.IsSingleSegment) return ReadSplitHead(head);
        if (status == ParseStatus.Complete)
        {
            head.Take(piece[..length]);
            Consume(length);
            EndHead();
        }
        else if (status == ParseStatus.Rejected)
        {
            head.TakeParsed(Rest);
        }
        return status;
    }

    // A head across blocks: what may belong to it is gathered. Slower, and rare.
    private ParseStatus ReadSplitHead(RequestHead head)
    {
        ReadOnlySequence<byte> rest = Rest;
        int gather = (int)Math.Min(rest.Length, server.Limits.MaxHeaderBytes + 1L);
        byte[] rented = ArrayPool<byte>.Shared.Rent(gather);
        rest.Slice(0, gather).CopyTo(rented);
        ParseStatus status = Http1Parser.ReadRequestHead(rented.AsSpan(0, gather), head, server.Limits, out int length);
        if (status == ParseStatus.Complete)
        {
            head.Take(rented.AsSpan(0, length));
            Rest = rest.Slice(length);
            EndHead();
        }
        else if (status == ParseStatus.Rejected)
        {
            head.TakeParsed(rest);
        }
        ArrayPool<byte>.Shared.Return(rented);
        return status;
    }

    private void EndHead()
    {
        ClearReadDeadline();
        _isIdle = false;
        _emptyLines = 0;
    }

    private bool SkipEmptyLines(RequestHead head)
    {
        while (!Rest.IsEmpty && Rest.FirstSpan[0] == '\r')
        {
            if (Rest.Length < 2) return false;
            if (Rest.Slice(1).FirstSpan is not [(byte)'\n', ..] || ++_emptyLines > MaxEmptyLines)
            {
                head.Reject = RejectReason.InvalidRequestLine;
                return false;
            }
            Rest = Rest.Slice(2);
        }
        return !Rest.IsEmpty;
    }

    /// <summary>Settles framing, expectation and persistence before the handler sees the exchange.</summary>
    private RejectReason BeginExchange(Exchange exchange)
    {
        RequestHead head = exchange.Head;
        RejectReason reject = MessageFraming.OfRequest(head, out BodyKind kind, out long length);
        if (reject != RejectReason.None) return reject;

        bool expectsContinue = false;
        bool clientStays = head.Version == 11;
        if (head.Fields.HasAny(s_unusualFields))
        {
            if (head.Fields.TryGet(KnownField.Expect, out ReadOnlySpan<byte> expectation))
            {
                if (!System.Text.Ascii.EqualsIgnoreCase(expectation, "100-continue"u8) || head.Fields.IsRepeated(KnownField.Expect)) return RejectReason.UnknownExpectation;
                // An HTTP/1.0 client does not know 100 (RFC 9110 §10.1.1).
                expectsContinue = head.Version == 11;
            }
            clientStays = !head.Fields.HasToken(KnownField.Connection, "close"u8)
                && (clientStays || head.Fields.HasToken(KnownField.Connection, "keep-alive"u8));
        }
        _cancelsBody = false;
        _bodyWaited = _bodyReceived = 0;
        exchange.Body.Begin(kind, length, expectsContinue, server.Limits.MaxBodyBytes);

        _requests++;
        _clientStays = clientStays;
        bool isLast = server.Limits.MaxRequestsPerConnection > 0 && _requests >= server.Limits.MaxRequestsPerConnection;
        exchange.IsPersistent = clientStays && !isLast;
        return RejectReason.None;
    }
}

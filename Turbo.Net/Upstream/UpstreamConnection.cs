using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Turbo.Net.Http1;
using Turbo.Net.Transport;

namespace Turbo.Net.Upstream;

/// <summary>What a read from upstream came to.</summary>
internal enum UpstreamRead : byte
{
    /// <summary>More bytes are in <see cref="UpstreamConnection.Rest"/>.</summary>
    Data,
    /// <summary>FIN, or a reset: nothing more comes.</summary>
    End,
    Reset,
    Timeout,
}

/// <summary>A connection to the origin server: one exchange at a time, then back to its pool.</summary>
internal sealed partial class UpstreamConnection(UpstreamPool pool, Connection transport)
{
    private const long Never = long.MaxValue;

    private static readonly ServerLimits s_bodyLimits = new();

    private bool _isHeld;
    private long _readDeadline = Never;
    private long _writeDeadline = Never;
    private ChunkedReader _chunks;
    private BodyKind _kind;
    private long _left;

    public Connection Transport => transport;

    public PipeWriter Output => transport.Output;

    public ResponseHead Head { get; } = new();

    /// <summary>The response's framing once more, for an observer.</summary>
    public ChunkedReader ObservedChunks;

    public TrailerSection Trailers { get; } = new();

    /// <summary>When it came back to the pool, in the pool's milliseconds.</summary>
    public long IdleSince { get; set; }

    /// <summary>Where it stands in the pool's list of open connections.</summary>
    public int TableIndex { get; set; }

    /// <summary>The exchange that uses it; null in the pool.</summary>
    public RelayExchange? User { get; set; }

    /// <summary>Whether a byte came since the exchange began: the request then reached somebody.</summary>
    public bool HasReceived { get; private set; }

    /// <summary>Received and not yet consumed.</summary>
    public ReadOnlySequence<byte> Rest { get; set; }

    public bool HasEnded { get; private set; }

    /// <summary>
    /// Whether it can take a request: open and silent. A byte that came unasked for would be read as the answer to
    /// somebody else's request.
    /// </summary>
    public bool IsClean()
    {
        try
        {
            // What a busy thread has not received yet is seen, too.
            if (!transport.Input.TryRead(out ReadResult result)) return !transport.HasArrived;
            transport.Input.AdvanceTo(result.Buffer.Start, result.Buffer.End);
            return false;
        }
        catch (Exception e) when (IsFault(e))
        {
            return false;
        }
    }

    /// <summary>Makes it ready for a request of this exchange, or of a program's own.</summary>
    public void BeginExchange(RelayExchange? user)
    {
        User = user;
        HasReceived = false;
        Head.Reset();
    }

    /// <summary>Waits for more than <see cref="Rest"/>.</summary>
    /// <param name="timeout">How long at most.</param>
    /// <param name="waitsOnly">Whether to leave with the system what has come, for who splices it; <see cref="Rest"/> is to be empty.</param>
    public ValueTask<UpstreamRead> ReadAsync(TimeSpan timeout, bool waitsOnly = false)
    {
        ValueTask<ReadResult> read;
        try
        {
            read = ReadAfterReleaseAsync(waitsOnly);
            if (read.IsCompletedSuccessfully)
            {
                ReadResult result = read.Result;
                if (!result.IsCanceled) return new ValueTask<UpstreamRead>(Take(result));
                Hold(result);
                return ReadSlowAsync(ReadAfterReleaseAsync(waitsOnly), timeout, waitsOnly);
            }
        }
        catch (Exception e) when (IsFault(e))
        {
            HasEnded = true;
            return new ValueTask<UpstreamRead>(UpstreamRead.Reset);
        }
        return ReadSlowAsync(read, timeout, waitsOnly);
    }

    /// <summary>Gives the held bytes back, those in <see cref="Rest"/> unread.</summary>
    public void Release(bool examinedAll = false)
    {
        if (!_isHeld) return;
        _isHeld = false;
        ReadOnlySequence<byte> rest = Rest;
        Rest = default;
        transport.Input.AdvanceTo(rest.Start, examinedAll ? rest.End : rest.Start);
    }

    /// <summary>Parses <see cref="Head"/> from <see cref="Rest"/>, which then starts behind it.</summary>
    public ParseStatus ParseHead()
    {
        ReadOnlySequence<byte> rest = Rest;
        UpstreamOptions options = pool.Options;
        int length;
        ParseStatus status;
        if (rest.IsSingleSegment)
        {
            status = Http1Parser.ReadResponseHead(rest.FirstSpan, Head, options.MaxHeaderBytes, options.MaxHeaderFields, out length);
            if (status == ParseStatus.Complete) Head.Take(rest.FirstSpan[..length]);
        }
        else
        {
            int gather = (int)Math.Min(rest.Length, options.MaxHeaderBytes + 1L);
            byte[] rented = ArrayPool<byte>.Shared.Rent(gather);
            rest.Slice(0, gather).CopyTo(rented);
            status = Http1Parser.ReadResponseHead(rented.AsSpan(0, gather), Head, options.MaxHeaderBytes, options.MaxHeaderFields, out length);
            if (status == ParseStatus.Complete) Head.Take(rented.AsSpan(0, length));
            ArrayPool<byte>.Shared.Return(rented);
        }
        if (status == ParseStatus.Complete) Rest = rest.Slice(length);
        return status;
    }

    /// <summary>The content that follows the head, as its framing has it.</summary>
    public void BeginContent(BodyKind kind, long length)
    {
        _kind = kind;
        _left = length;
        _chunks = default;
        ObservedChunks = default;
        Trailers.Reset();
    }

    /// <summary>Whether the content ended where its framing says.</summary>
    public bool IsContentDone => _kind switch
    {
        BodyKind.None => true,
        BodyKind.Length => _left == 0,
        BodyKind.Chunked => _chunks.IsDone,
        _ => HasEnded,
    };

    /// <summary>Whether it ended elsewhere, or its framing is malformed. Meaningful when all of <see cref="Rest"/> was taken.</summary>
    public bool IsContentBroken => _chunks.Reject != RejectReason.None || (HasEnded && !IsContentDone);

    /// <summary>Takes the next piece of content off <paramref name="rest"/>; false when there is none yet.</summary>
    public bool TryTakeContent(ref ReadOnlySequence<byte> rest, out ReadOnlySequence<byte> content)
    {
        content = default;
        if (rest.IsEmpty) return false;
        switch (_kind)
        {
            case BodyKind.Chunked:
                return !_chunks.IsDone && _chunks.Read(ref rest, out content, s_bodyLimits, Trailers) == ParseStatus.Complete && !content.IsEmpty;
            case BodyKind.Length:
                content = rest.Length > _left ? rest.Slice(0, _left) : rest;
                _left -= content.Length;
                break;
            case BodyKind.UntilClose:
                content = rest;
                break;
            default:
                return false;
        }
        rest = rest.Slice(content.End);
        return !content.IsEmpty;
    }

    /// <summary>
    /// Whether another exchange may follow: both messages ended where their framing says and nothing came after.
    /// </summary>
    public bool IsReusable => _kind != BodyKind.UntilClose && IsContentDone && Rest.IsEmpty && !HasEnded
        && (Head.Version == 11 ? !Head.Fields.HasToken(KnownField.Connection, "close"u8) : Head.Fields.HasToken(KnownField.Connection, "keep-alive"u8));

    /// <summary>Sends what was written; false when upstream takes no more.</summary>
    public ValueTask<bool> FlushAsync(TimeSpan timeout)
    {
        ValueTask<FlushResult> flush = transport.Output.FlushAsync();
        return flush.IsCompletedSuccessfully ? new ValueTask<bool>(!flush.Result.IsCompleted) : AwaitFlushAsync(flush, timeout);
    }

    /// <summary>Whether upstream is waited for to take what was sent.</summary>
    public bool IsFlushing => Volatile.Read(ref _writeDeadline) != Never;

    /// <summary>Called by the pool's tick.</summary>
    public void Tick(long now)
    {
        User?.Tick();
        if (now >= Volatile.Read(ref _writeDeadline)) transport.Abort(EndReason.WriteTimeout);
        else if (now >= Volatile.Read(ref _readDeadline)) transport.Input.CancelPendingRead();
    }

    public void Abort(EndReason reason) => transport.Abort(reason);

    private ValueTask<ReadResult> ReadAfterReleaseAsync(bool waitsOnly)
    {
        Release(examinedAll: true);
        return waitsOnly ? transport.Splicing!.WaitForInputAsync() : transport.Input.ReadAsync();
    }

    private UpstreamRead Take(in ReadResult result)
    {
        Hold(result);
        HasEnded = result.IsCompleted;
        HasReceived |= !result.Buffer.IsEmpty;
        return result.IsCompleted && result.Buffer.IsEmpty ? UpstreamRead.End : UpstreamRead.Data;
    }

    private void Hold(in ReadResult result)
    {
        _isHeld = true;
        Rest = result.Buffer;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<UpstreamRead> ReadSlowAsync(ValueTask<ReadResult> read, TimeSpan timeout, bool waitsOnly)
    {
        Volatile.Write(ref _readDeadline, Due(timeout));
        try
        {
            while (true)
            {
                ReadResult result = await read.ConfigureAwait(false);
                if (!result.IsCanceled)
                {
                    return Take(result);
                }
                Hold(result);
                if (pool.Now >= Volatile.Read(ref _readDeadline)) return UpstreamRead.Timeout;
                read = ReadAfterReleaseAsync(waitsOnly);
            }
        }
        catch (Exception e) when (IsFault(e))
        {
            HasEnded = true;
            return UpstreamRead.Reset;
        }
        finally
        {
            Volatile.Write(ref _readDeadline, Never);
        }
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<bool> AwaitFlushAsync(ValueTask<FlushResult> flush, TimeSpan timeout)
    {
        Volatile.Write(ref _writeDeadline, Due(timeout));
        try
        {
            return !(await flush.ConfigureAwait(false)).IsCompleted;
        }
        catch (Exception e) when (IsFault(e))
        {
            return false;
        }
        finally
        {
            Volatile.Write(ref _writeDeadline, Never);
        }
    }

    /// <summary>While a read waits: gives it <paramref name="timeout"/> from now, since the request still makes progress.</summary>
    public void ExtendRead(TimeSpan timeout)
    {
        long due = Volatile.Read(ref _readDeadline);
        // A read that ends meanwhile has set Never, which must stand.
        if (due != Never) Interlocked.CompareExchange(ref _readDeadline, Due(timeout), due);
    }

    private long Due(TimeSpan timeout) => pool.Now + (long)timeout.TotalMilliseconds;

    public static bool IsFault(Exception e) =>
        e is IOException or SocketException or ObjectDisposedException or OperationCanceledException or InvalidOperationException;
}

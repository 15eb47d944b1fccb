using System.Buffers;
using System.IO.Pipelines;
using System.Net;

namespace Turbo.Net.Transport;

/// <summary>A connection as a pair of pipes. Knows no HTTP; the protocol above knows no socket.</summary>
public abstract class Connection : IDuplexPipe
{
    private int _endReason;
    private int _isAborted;

    private protected Connection()
    {
    }

    /// <summary>Bytes from the peer. Completes when the peer sends FIN; fails when it resets.</summary>
    public abstract PipeReader Input { get; }

    /// <summary>Bytes to the peer. A flush that reports IsCompleted means that the peer takes no more.</summary>
    public abstract PipeWriter Output { get; }

    /// <summary>The peer's address; null in memory.</summary>
    public abstract IPEndPoint? RemoteEndPoint { get; }

    /// <summary>This side's address; null in memory.</summary>
    public abstract IPEndPoint? LocalEndPoint { get; }

    /// <summary>Whether the bytes travel in TLS.</summary>
    public virtual bool IsTls => false;

    /// <summary>Why the connection ended.</summary>
    public EndReason EndReason => (EndReason)Volatile.Read(ref _endReason);

    /// <summary>Whether <see cref="Abort"/> was called: what is written goes nowhere.</summary>
    public bool IsAborted => Volatile.Read(ref _isAborted) != 0;

    /// <summary>Completes when everything given to <see cref="Output"/> was handed to the peer's side, or cannot be.</summary>
    public abstract Task OutputEnded { get; }

    /// <summary>
    /// After the peer's FIN: whether it has since refused bytes, that is, was gone and not just done sending.
    /// </summary>
    public virtual bool HasPeerReset => false;

    /// <summary>
    /// Whether the system holds something of the peer's, bytes or its close, that <see cref="Input"/> does not have yet.
    /// </summary>
    public virtual bool HasArrived => false;

    /// <summary>
    /// Whether there may be something to read, or an end to see; tells without reading, from any thread. True where the
    /// transport cannot tell.
    /// </summary>
    internal virtual bool MayHaveInput => true;

    /// <summary>Whether what it receives is handled on the calling thread; true where no thread is its own.</summary>
    internal virtual bool IsHere => true;

    /// <summary>
    /// Grows with the bytes that the peer takes: tells a slow peer from one that takes nothing. Negative where the
    /// transport cannot tell.
    /// </summary>
    public virtual long BytesTaken => -1;

    /// <summary>Counts the bytes that were not counted as they passed; from any thread.</summary>
    internal virtual void SettleTraffic() { }

    /// <summary>
    /// Sends what was written to <see cref="Output"/>, then <paramref name="content"/> and <paramref name="end"/> from where
    /// they lie. How many bytes of these two the system took: the rest is the caller's to write. 0 where the transport
    /// sends copies alone, or where the content is not in its own blocks. No flush may be pending.
    /// </summary>
    internal virtual long SendThrough(in ReadOnlySequence<byte> content, ReadOnlySpan<byte> end) => 0;

    /// <summary>Where bytes can pass without being read or written here; null where they cannot.</summary>
    internal virtual ISplicing? Splicing => null;

    /// <summary>Ends the connection at once with a reset, so that an unfinished message cannot look complete.
    /// Thread-safe; the owner finds out by its reads and flushes, and still closes it.</summary>
    public abstract void Abort(EndReason reason);

    /// <summary>The owner releases the connection: it reads and writes no more. What was not sent is lost: complete <see cref="Output"/> and await <see cref="OutputEnded"/> first.</summary>
    public abstract void Close();

    /// <summary>Records the cause of an abort; true for the first one, which carries it out.</summary>
    private protected bool BeginAbort(EndReason reason)
    {
        SetEndReason(reason);
        return Interlocked.Exchange(ref _isAborted, 1) == 0;
    }

    /// <summary>Records why the connection ends, unless a cause is known.</summary>
    public void SetEndReason(EndReason reason) => Interlocked.CompareExchange(ref _endReason, (int)reason, 0);
}

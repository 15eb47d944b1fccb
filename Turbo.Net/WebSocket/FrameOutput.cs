using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO.Pipelines;

namespace Turbo.Net.WebSocket;

/// <summary>
/// The sending side. One thread at a time owns it and writes whole frames, so that frames never interleave; there is no
/// lock. Whoever finds it owned leaves its message in the bounded queue, or its control frame in its one place, and the
/// owner writes them before it lets go:
/// <code>
///   free: TryOwn → owned: write, flush → something waits: write that (DrainAsync)
///                                      → nothing waits: Release, which looks again after letting go
/// </code>
/// A flush that the peer's slowness holds up keeps the ownership until it ends.
/// </summary>
internal sealed partial class FrameOutput
{
    // Bytes after which a batch is flushed although more could follow; also how much of a message goes at a time.
    private const int BatchBytes = 32 * 1024;

    private readonly WebSocketConnection _socket;
    private readonly PipeWriter _pipe;
    private readonly WebSocketOptions _options;
    private readonly DeflateCompressor? _compressor;
    private readonly int _minCompressedBytes;

    private int _isOwned;
    private volatile int _unflushed;
    private volatile bool _isGone;

    private ConcurrentQueue<Outbound>? _queue;
    private int _queuedMessages;
    private long _queuedBytes;
    private PendingSend? _sparePending;

    private ControlPayload? _pong;
    private ControlPayload? _sparePong;
    private int _isPingDue;

    private CloseFrame? _close;
    private volatile bool _isCloseSent;
    private TaskCompletionSource? _end;
    private volatile bool _hasEnded;

    public FrameOutput(WebSocketConnection socket, PipeWriter pipe, WebSocketOptions options, DeflateParameters? deflate)
    {
        _socket = socket;
        _pipe = pipe;
        _options = options;
        if (deflate is not { } parameters || options.Compression is not { } compression) return;
        _compressor = new DeflateCompressor(parameters, compression);
        _minCompressedBytes = compression.MinMessageBytes;
    }

    /// <summary>Whether no message is taken any more.</summary>
    public bool IsClosing => Volatile.Read(ref _close) is not null;

    /// <summary>Whether the Close frame was given to the transport, or never can be.</summary>
    public bool IsCloseSent => _isCloseSent || _isGone;

    /// <summary>Sends a message; completes when the transport has taken it.</summary>
    /// <param name="kind">Text or binary.</param>
    /// <param name="payload">Unchanged until the task completes.</param>
    /// <param name="defers">Whether the caller flushes soon, by <see cref="FlushDeferred"/>.</param>
    public ValueTask<bool> SendAsync(WebSocketMessageKind kind, ReadOnlyMemory<byte> payload, bool defers)
    {
        if (!CanSend) return new ValueTask<bool>(false);
        if (payload.Length <= BatchBytes && TryOwn())
        {
            if (!HasWaiting)
            {
                if (WriteNow(kind, payload, defers, out ValueTask<FlushResult> flush)) return new ValueTask<bool>(!_isGone);
                PendingSend flushing = RentPending();
                ValueTask<bool> flushed = flushing.Task;
                _ = DrainAsync(flush, flushing);
                return flushed;
            }
            Release();
        }
        PendingSend pending = RentPending();
        ValueTask<bool> sent = pending.Task;
        if (!Enqueue(new Outbound(kind, payload, pending))) pending.Complete(false);
        return sent;
    }

    /// <summary>Sends a message without waiting; false when it was not taken. It is kept until it is sent.</summary>
    public bool TrySend(WebSocketMessageKind kind, ReadOnlyMemory<byte> payload, bool defers)
    {
        if (!CanSend) return false;
        if (payload.Length <= BatchBytes && TryOwn())
        {
            if (!HasWaiting)
            {
                if (!WriteNow(kind, payload, defers, out ValueTask<FlushResult> flush)) _ = DrainAsync(flush, null);
                return !_isGone;
            }
            Release();
        }
        return Enqueue(new Outbound(kind, payload, null));
    }

    /// <summary>Answers a ping. When the peer does not take pongs as fast as it pings, only its latest is answered (RFC 6455 §5.5.3).</summary>
    public void Pong(ReadOnlySpan<byte> payload)
    {
        if (!CanSend) return;
        if (TryOwn())
        {
            if (!HasWaiting && _unflushed <= BatchBytes)
            {
                WriteControl(Opcode.Pong, payload);
                Release();
                return;
            }
            Release();
        }
        ControlPayload pong = Interlocked.Exchange(ref _sparePong, null) ?? new ControlPayload();
        pong.Set(payload);
        if (Interlocked.Exchange(ref _pong, pong) is { } unsent) Volatile.Write(ref _sparePong, unsent);
        DrainIfFree();
    }

    /// <summary>Sends a ping as soon as it can.</summary>
    public void Ping()
    {
        Volatile.Write(ref _isPingDue, 1);
        DrainIfFree();
    }

    /// <summary>
    /// Sends the Close frame after the messages that wait, or in their place; nothing is sent after it. With
    /// <see cref="WebSocketCloseCode.Abnormal"/> there is no frame. False when one was asked for before.
    /// </summary>
    public bool Close(int code, ReadOnlySpan<byte> reason, bool dropsQueue)
    {
        if (Interlocked.CompareExchange(ref _close, new CloseFrame(code, reason, dropsQueue), null) is not null) return false;
        DrainIfFree();
        return true;
    }

    /// <summary>Flushes what was written with defers.</summary>
    public void FlushDeferred()
    {
        if (_unflushed == 0 || !TryOwn()) return;
        if (HasWaiting)
        {
            _ = DrainAsync(default, null);
            return;
        }
        ValueTask<FlushResult> flush = Flush();
        if (IsDone(flush)) Release();
        else _ = DrainAsync(flush, null);
    }

    /// <summary>Completes when all that waited is sent, or cannot be, and nobody writes to the pipe any more.</summary>
    public Task EndAsync()
    {
        TaskCompletionSource end = new();
        Volatile.Write(ref _end, end);
        DrainIfFree();
        if (_hasEnded) end.TrySetResult();
        return end.Task;
    }

    internal void Return(PendingSend pending) => Volatile.Write(ref _sparePending, pending);

    private bool CanSend => !IsClosing && !_isGone;

    // What an owner must not leave behind.
    private bool HasWaiting =>
        _queue is { IsEmpty: false } || Volatile.Read(ref _pong) is not null || Volatile.Read(ref _isPingDue) != 0
        || (Volatile.Read(ref _close) is not null && !_isCloseSent) || (Volatile.Read(ref _end) is not null && !_hasEnded);

    private bool TryOwn() => Volatile.Read(ref _isOwned) == 0 && Interlocked.CompareExchange(ref _isOwned, 1, 0) == 0;

    // What came while it was owned was left to the owner: it looks again after letting go.
    private void Release()
    {
        Interlocked.Exchange(ref _isOwned, 0);
        if (HasWaiting) DrainIfFree();
    }

    private void DrainIfFree()
    {
        // The full fence orders what the caller left before the look at the ownership.
        if (Interlocked.CompareExchange(ref _isOwned, 1, 0) == 0) _ = DrainAsync(default, null);
    }

    private PendingSend RentPending() => Interlocked.Exchange(ref _sparePending, null) ?? new PendingSend(this);

    private bool Enqueue(in Outbound message)
    {
        int messages = Interlocked.Increment(ref _queuedMessages);
        long bytes = Interlocked.Add(ref _queuedBytes, message.Payload.Length);
        if (messages > _options.MaxQueuedMessages || (bytes > _options.MaxQueuedBytes && messages > 1))
        {
            Uncount(message);
            _socket.CloseSlowPeer();
            return false;
        }
        ConcurrentQueue<Outbound> queue = _queue ?? Interlocked.CompareExchange(ref _queue, new(), null) ?? _queue;
        queue.Enqueue(message);
        DrainIfFree();
        // Nobody drains it any more.
        if (_hasEnded) DropQueue();
        return true;
    }

    private void Uncount(in Outbound message)
    {
        Interlocked.Decrement(ref _queuedMessages);
        Interlocked.Add(ref _queuedBytes, -message.Payload.Length);
    }

    private void DropQueue()
    {
        while (_queue is { } queue && queue.TryDequeue(out Outbound message))
        {
            Uncount(message);
            message.Waiter?.Complete(false);
        }
    }

    private readonly record struct Outbound(WebSocketMessageKind Kind, ReadOnlyMemory<byte> Payload, PendingSend? Waiter);

    private sealed class ControlPayload
    {
        private readonly byte[] _bytes = new byte[FrameHeader.MaxControlBytes];
        private int _length;

        public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _length);

        public void Set(ReadOnlySpan<byte> payload)
        {
            payload.CopyTo(_bytes);
            _length = payload.Length;
        }
    }

    private sealed class CloseFrame
    {
        public CloseFrame(int code, ReadOnlySpan<byte> reason, bool dropsQueue)
        {
            DropsQueue = dropsQueue;
            // The two codes that are never sent: no frame, and a frame without a code.
            if (code == WebSocketCloseCode.Abnormal) return;
            Payload = code == WebSocketCloseCode.NoCode ? [] : new byte[2 + reason.Length];
            if (Payload.Length == 0) return;
            BinaryPrimitives.WriteUInt16BigEndian(Payload, (ushort)code);
            reason.CopyTo(Payload.AsSpan(2));
        }

        public byte[]? Payload { get; }

        public bool DropsQueue { get; }
    }
}

using System.IO.Pipelines;

namespace Turbo.Net.WebSocket;

/// <summary>What only the owner does.</summary>
internal sealed partial class FrameOutput
{
    // Writes and lets go; false when the flush is not over and the ownership therefore still held.
    private bool WriteNow(WebSocketMessageKind kind, ReadOnlyMemory<byte> payload, bool defers, out ValueTask<FlushResult> flush)
    {
        flush = default;
        try
        {
            payload = BeginMessage(kind, payload);
            Write(payload.Span);
            EndMessage();
        }
        catch (Exception e)
        {
            // A bug of ours: the ownership is not lost with it.
            _isGone = true;
            _socket.Failed(e);
        }
        if (!defers || _unflushed > BatchBytes)
        {
            flush = Flush();
            if (!IsDone(flush)) return false;
        }
        Release();
        return true;
    }

    // Ends the flush that was begun, then writes whatever waits until nothing does, and lets go.
    private async Task DrainAsync(ValueTask<FlushResult> flush, PendingSend? waiter)
    {
        try
        {
            await FlushedAsync(flush).ConfigureAwait(false);
            waiter?.Complete(!_isGone);
            do
            {
                if (await WriteWaitingAsync().ConfigureAwait(false)) return;
                Interlocked.Exchange(ref _isOwned, 0);
            }
            while (HasWaiting && TryOwn());
        }
        catch (Exception e)
        {
            // A bug of ours: nobody may be left waiting.
            _socket.Failed(e);
            _isGone = true;
            _hasEnded = true;
            Interlocked.MemoryBarrier();
            DropQueue();
            Volatile.Read(ref _end)?.TrySetResult();
        }
    }

    // True when the output has ended, which its owner never lets go of.
    private async ValueTask<bool> WriteWaitingAsync()
    {
        while (true)
        {
            CloseFrame? close = Volatile.Read(ref _close);
            if (_isGone || _isCloseSent || close is { DropsQueue: true }) DropQueue();
            WriteControls();
            if (_queue is { } queue && queue.TryDequeue(out Outbound message))
            {
                Uncount(message);
                await WriteAsync(message).ConfigureAwait(false);
                continue;
            }
            if (close is not null && !_isCloseSent)
            {
                if (close.Payload is { } payload) WriteControl(Opcode.Close, payload);
                await FlushAsync().ConfigureAwait(false);
                _isCloseSent = true;
                continue;
            }
            if (_unflushed > 0)
            {
                await FlushAsync().ConfigureAwait(false);
                continue;
            }
            if (Volatile.Read(ref _end) is not { } end) return false;
            _hasEnded = true;
            DropQueue();
            _compressor?.Dispose();
            end.TrySetResult();
            return true;
        }
    }

    // A large message goes in pieces, each taken by the transport before the next is copied.
    private async ValueTask WriteAsync(Outbound message)
    {
        ReadOnlyMemory<byte> rest = BeginMessage(message.Kind, message.Payload);
        while (!_isGone)
        {
            ReadOnlyMemory<byte> piece = rest[..Math.Min(rest.Length, BatchBytes)];
            Write(piece.Span);
            rest = rest[piece.Length..];
            if (message.Waiter is not null || _unflushed > BatchBytes) await FlushAsync().ConfigureAwait(false);
            if (rest.IsEmpty) break;
        }
        EndMessage();
        message.Waiter?.Complete(!_isGone);
    }

    // Writes the header; gives what its payload is.
    private ReadOnlyMemory<byte> BeginMessage(WebSocketMessageKind kind, ReadOnlyMemory<byte> payload)
    {
        bool isCompressed = _compressor is not null && payload.Length >= _minCompressedBytes && !_isGone;
        if (isCompressed) payload = _compressor!.Compress(payload.Span);
        WriteHeader((Opcode)kind, payload.Length, isCompressed);
        return payload;
    }

    private void EndMessage() => _compressor?.Release();

    private void WriteControls()
    {
        bool isOver = _isGone || _isCloseSent;
        if (Interlocked.Exchange(ref _pong, null) is { } pong)
        {
            if (!isOver) WriteControl(Opcode.Pong, pong.Bytes);
            Volatile.Write(ref _sparePong, pong);
        }
        if (Interlocked.Exchange(ref _isPingDue, 0) != 0 && !isOver) WriteControl(Opcode.Ping, default);
    }

    private void WriteControl(Opcode opcode, ReadOnlySpan<byte> payload)
    {
        WriteHeader(opcode, payload.Length);
        Write(payload);
    }

    private void WriteHeader(Opcode opcode, int length, bool isCompressed = false)
    {
        Span<byte> header = stackalloc byte[FrameHeader.MaxBytes];
        Write(header[..new FrameHeader(opcode, length, isCompressed: isCompressed).Write(header)]);
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        if (_isGone || bytes.IsEmpty) return;
        _unflushed += bytes.Length;
        try
        {
            // Block by block, so that none larger than the pool's is asked for.
            while (!bytes.IsEmpty)
            {
                Span<byte> span = _pipe.GetSpan(1);
                int take = Math.Min(bytes.Length, span.Length);
                bytes[..take].CopyTo(span);
                _pipe.Advance(take);
                bytes = bytes[take..];
            }
        }
        catch (Exception e) when (WebSocketConnection.IsFault(e))
        {
            _isGone = true;
        }
    }

    private ValueTask<FlushResult> Flush()
    {
        _unflushed = 0;
        if (_isGone) return default;
        try
        {
            return _pipe.FlushAsync();
        }
        catch (Exception e) when (WebSocketConnection.IsFault(e))
        {
            _isGone = true;
            return default;
        }
    }

    private bool IsDone(in ValueTask<FlushResult> flush)
    {
        if (!flush.IsCompletedSuccessfully) return false;
        Took(flush.Result);
        return true;
    }

    private ValueTask FlushAsync() => FlushedAsync(Flush());

    private ValueTask FlushedAsync(ValueTask<FlushResult> flush)
    {
        if (IsDone(flush)) return default;
        return AwaitFlushAsync(flush);
    }

    private async ValueTask AwaitFlushAsync(ValueTask<FlushResult> flush)
    {
        _socket.BeginWrite();
        try
        {
            Took(await flush.ConfigureAwait(false));
        }
        catch (Exception e) when (WebSocketConnection.IsFault(e))
        {
            _isGone = true;
        }
        finally
        {
            _socket.EndWrite();
        }
    }

    // Only an abort cancels a flush.
    private void Took(in FlushResult result)
    {
        if (result.IsCompleted || result.IsCanceled) _isGone = true;
    }
}

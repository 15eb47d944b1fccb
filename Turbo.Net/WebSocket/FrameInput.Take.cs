using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Turbo.Net.Http1;

namespace Turbo.Net.WebSocket;

/// <summary>Frames → messages: what is buffered is unmasked where it lies, judged and handed out.</summary>
internal sealed partial class FrameInput
{
    private enum Step : byte { Continue, NeedMore, Taken }

    private readonly long _maxMessageBytes;
    private readonly DeflateParameters? _deflate;

    // Made for the first compressed message.
    private DeflateInflater? _inflater;

    // The frame whose payload is being taken.
    private bool _isInPayload;
    private bool _isFinalFrame;
    private uint _maskingKey;
    private long _payloadLeft;
    private long _payloadTaken;

    // The message it belongs to, of which there may be frames yet to come.
    private bool _isInMessage;
    private bool _isHandedOutInPart;
    private bool _isCompressed;
    private long _messageBytes;
    private Utf8Check _text;
    private MessageBuffer _gathered;

    // What was taken last.
    private bool _isTaken;
    private WebSocketMessageKind _kind;
    private ReadOnlyMemory<byte> _payload;
    private bool _isEnd;

    private FrameRules Rules =>
        FrameRules.Masked | (_deflate is null ? FrameRules.None : FrameRules.Rsv1) | (_isInMessage ? FrameRules.InMessage : FrameRules.None);

    // Of a message as it travels. Compressed, it may be a little longer than what it holds: stored blocks have a header.
    private long MaxPayloadBytes => _isCompressed ? (long)Math.Min((ulong)_maxMessageBytes + ((ulong)_maxMessageBytes >> 6) + 1024, long.MaxValue) : _maxMessageBytes;

    /// <summary>
    /// Whether something was taken from what is buffered: a message, a piece of one, or, with <see cref="_isTaken"/>
    /// false, the end of all receiving.
    /// </summary>
    private bool TryTake(Want want)
    {
        _isTaken = false;
        while (true)
        {
            if (_socket.IsOver(want == Want.Close)) return true;
            if (want == Want.Message && _isHandedOutInPart) throw new InvalidOperationException("part of the message was received as a fragment");
            Step step = _isInPayload ? TakePayload(want) : TakeHeader();
            if (step == Step.Taken) return _isTaken = true;
            if (step == Step.Continue) continue;
            if (!_hasEnded) return false;
            _socket.PeerLeft();
            return true;
        }
    }

    private Step TakeHeader()
    {
        if (_rest.IsEmpty) return Step.NeedMore;
        ReadOnlySpan<byte> first = _rest.FirstSpan;
        if (first.Length < FrameHeader.MaxBytes && !_rest.IsSingleSegment)
        {
            int length = (int)Math.Min(_rest.Length, FrameHeader.MaxBytes);
            Span<byte> gathered = stackalloc byte[FrameHeader.MaxBytes];
            _rest.Slice(0, length).CopyTo(gathered);
            return TakeHeader(gathered[..length]);
        }
        return TakeHeader(first);
    }

    private Step TakeHeader(ReadOnlySpan<byte> octets)
    {
        switch (FrameHeader.Read(octets, Rules, out FrameHeader header, out int length))
        {
            case ParseStatus.NeedMore: return Step.NeedMore;
            case ParseStatus.Rejected: return Fail(WebSocketCloseCode.ProtocolError);
        }
        if (header.IsControl) return TakeControl(header, length);

        if (header.Opcode != Opcode.Continuation)
        {
            _kind = (WebSocketMessageKind)header.Opcode;
            _isCompressed = header.IsCompressed;
            if (_isCompressed) _inflater ??= new DeflateInflater(_deflate!.Value);
            _messageBytes = 0;
            _text.Reset();
        }
        if (header.PayloadLength > MaxPayloadBytes - _messageBytes) return Fail(WebSocketCloseCode.MessageTooBig);
        _messageBytes += header.PayloadLength;
        _rest = _rest.Slice(length);
        _isInPayload = true;
        _isInMessage = true;
        _isFinalFrame = header.IsFinal;
        _maskingKey = header.MaskingKey;
        _payloadLeft = header.PayloadLength;
        _payloadTaken = 0;
        return Step.Continue;
    }

    // A control frame is small: it is taken when all of it is there.
    private Step TakeControl(in FrameHeader header, int headerLength)
    {
        int length = (int)header.PayloadLength;
        if (_rest.Length < headerLength + length) return Step.NeedMore;
        Span<byte> payload = stackalloc byte[FrameHeader.MaxControlBytes];
        payload = payload[..length];
        _rest.Slice(headerLength, length).CopyTo(payload);
        _rest = _rest.Slice(headerLength + length);
        Masking.Apply(payload, header.MaskingKey, 0);
        switch (header.Opcode)
        {
            case Opcode.Ping:
                _socket.Pinged(payload);
                return Step.Continue;
            case Opcode.Pong:
                _socket.Ponged();
                return Step.Continue;
            default:
                return TakeClose(payload);
        }
    }

    // RFC 6455 §5.5.1: nothing, or a code and UTF-8
    private Step TakeClose(ReadOnlySpan<byte> payload)
    {
        if (payload.IsEmpty)
        {
            _socket.PeerClosed(WebSocketCloseCode.NoCode, default);
            return Step.Continue;
        }
        int code = payload.Length == 1 ? 0 : BinaryPrimitives.ReadUInt16BigEndian(payload);
        if (!WebSocketCloseCode.IsValid(code)) return Fail(WebSocketCloseCode.ProtocolError);
        if (!System.Text.Unicode.Utf8.IsValid(payload[2..])) return Fail(WebSocketCloseCode.InvalidPayload);
        _socket.PeerClosed(code, payload[2..]);
        return Step.Continue;
    }

    private Step TakePayload(Want want)
    {
        ReadOnlyMemory<byte> first = FirstPiece();
        if (_payloadLeft > 0 && first.IsEmpty) return Step.NeedMore;
        int take = (int)Math.Min(first.Length, _payloadLeft);
        // What is received and not yet given back is this reader's alone.
        Memory<byte> piece = MemoryMarshal.AsMemory(first[..take]);
        _rest = _rest.Slice(take);
        _payloadLeft -= take;
        _isInPayload = _payloadLeft > 0;
        bool endsMessage = !_isInPayload && _isFinalFrame;
        if (endsMessage) _isInMessage = false;
        if (want == Want.Close) return Step.Continue;

        Masking.Apply(piece.Span, _maskingKey, _payloadTaken);
        _payloadTaken += take;
        return TakePiece(piece, endsMessage, want);
    }

    private Step TakePiece(ReadOnlyMemory<byte> piece, bool endsMessage, Want want)
    {
        if (_isCompressed)
        {
            int before = _inflater!.Taken.Length;
            InflateResult result = _inflater.Append(piece.Span, endsMessage, _maxMessageBytes);
            if (result == InflateResult.TooLarge) return Fail(TooLarge(_inflater.Taken.Span[before..]));
            if (result == InflateResult.Invalid) return Fail(WebSocketCloseCode.InvalidPayload);
            piece = _inflater.Taken[before..];
        }
        if (_kind == WebSocketMessageKind.Text && (!_text.Append(piece.Span) || (endsMessage && !_text.IsComplete)))
        {
            return Fail(WebSocketCloseCode.InvalidPayload);
        }
        if (want == Want.Fragment)
        {
            if (piece.IsEmpty && !endsMessage) return Step.Continue;
            _isHandedOutInPart = !endsMessage;
            _payload = piece;
            _isEnd = endsMessage;
            return Step.Taken;
        }
        // What lies in one piece is handed out where it lies, as is what was decompressed.
        if (_isCompressed || (endsMessage && _gathered.IsEmpty))
        {
            _payload = _isCompressed ? _inflater!.Taken : piece;
            return endsMessage ? Step.Taken : Step.Continue;
        }
        if (!_gathered.TryAppend(piece.Span)) return Fail(WebSocketCloseCode.MessageTooBig);
        if (!endsMessage) return Step.Continue;
        _payload = _gathered.Memory;
        return Step.Taken;
    }

    // Text that is none within the limit is told first, as it would have been had it come in smaller pieces.
    private int TooLarge(ReadOnlySpan<byte> piece) =>
        _kind == WebSocketMessageKind.Text && !_text.Append(piece[..(int)Math.Min(_maxMessageBytes - _inflater!.MessageBytes, piece.Length)])
            ? WebSocketCloseCode.InvalidPayload : WebSocketCloseCode.MessageTooBig;

    private ReadOnlyMemory<byte> FirstPiece()
    {
        foreach (ReadOnlyMemory<byte> piece in _rest)
        {
            if (!piece.IsEmpty) return piece;
        }
        return default;
    }

    private Step Fail(int code)
    {
        _socket.Fail(code);
        // The look at the socket ends it.
        return Step.Continue;
    }

    // What was handed out is no longer used, or never was.
    private void ReleaseMessage()
    {
        _payload = default;
        if (!_isInMessage || _want == Want.Close) _gathered.Release();
        _inflater?.Release();
    }
}

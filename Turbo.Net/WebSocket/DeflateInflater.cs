using System.Buffers.Binary;

namespace Turbo.Net.WebSocket;

internal enum InflateResult : byte
{
    Done,
    /// <summary>The message is no DEFLATE data, or ends within a block (1007).</summary>
    Invalid,
    /// <summary>More comes out than is taken (1009).</summary>
    TooLarge,
}

/// <summary>
/// Decompresses messages (RFC 7692 §7.2.2, RFC 1951) as their octets arrive. .NET's DeflateStream cannot: it stops at a
/// block with the final bit, which a message may have anywhere, and knows no window but 32 KiB.
/// <code>
///   Header → Stored: StoredLength → StoredData → Header
///          → fixed codes: Data → Header
///          → dynamic codes: CodeCounts → CodeLengths → SymbolLengths → Data → Header
/// </code>
/// Each step takes all of its bits or none, at most 48, so that a message may be cut anywhere: with fewer it waits.
/// </summary>
internal sealed partial class DeflateInflater(DeflateParameters parameters)
{
    private enum State : byte { Header, StoredLength, StoredData, CodeCounts, CodeLengths, SymbolLengths, Data }

    private enum Step : byte { Continue, NeedMore, Invalid, TooLarge }

    // zlib has no window of 8 bits for raw data and takes 9 in its place; so do peers that are built on it.
    private DeflateWindow _window = new(Math.Max(parameters.ClientMaxWindowBits, 9));
    private State _state;
    private bool _isFinalBlock;

    // The message: whether there is one under way, whether it had an octet, and what came out of it.
    private bool _isInMessage;
    private bool _hasInput;
    private long _messageBytes;
    private int _mostTaken;

    // Bits taken from the input and not yet used, the next one lowest; 0 beyond their number.
    private ulong _bits;
    private int _bitCount;

    private int _storedLeft;

    /// <summary>What came out since <see cref="Release"/>: a message, or a piece of one.</summary>
    public ReadOnlyMemory<byte> Taken => _window.Taken;

    /// <summary>What came out of the message before the last octets; all of it where they were accepted.</summary>
    public long MessageBytes => _messageBytes;

    /// <summary>What was taken is no longer used.</summary>
    public void Release()
    {
        // Nothing refers back to a message that was compressed on its own (RFC 7692 §7.1.1.2).
        if (parameters.ClientNoContextTakeover && !_isInMessage) _window.Release();
        else _window.Begin();
    }

    /// <summary>Gives all memory back.</summary>
    public void Close() => _window.Release();

    /// <summary>Decompresses the next octets of a message.</summary>
    /// <param name="input">All of them are taken.</param>
    /// <param name="endsMessage">Whether the message ends with them.</param>
    /// <param name="maxBytes">The most that a message may come to.</param>
    public InflateResult Append(ReadOnlySpan<byte> input, bool endsMessage, long maxBytes)
    {
        _isInMessage = true;
        _hasInput |= !input.IsEmpty;
        int before = _window.Length;
        _mostTaken = (int)Math.Min(before + Math.Min(maxBytes - _messageBytes, int.MaxValue), int.MaxValue);
        while (true)
        {
            Step step = _state switch
            {
                State.Header => ReadHeader(ref input),
                State.StoredLength => ReadStoredLength(ref input),
                State.StoredData => CopyStored(ref input),
                State.CodeCounts => ReadCodeCounts(ref input),
                State.CodeLengths => ReadCodeLengths(ref input),
                State.SymbolLengths => ReadSymbolLengths(ref input),
                _ => ReadData(ref input),
            };
            if (step == Step.Continue) continue;
            if (step == Step.Invalid) return InflateResult.Invalid;
            if (step == Step.TooLarge) return InflateResult.TooLarge;
            break;
        }
        _messageBytes += _window.Length - before;
        return !endsMessage || EndMessage() ? InflateResult.Done : InflateResult.Invalid;
    }

    // The sender cut off the last four octets, 00 00 FF FF: the lengths of an empty stored block whose header is there
    // (RFC 7692 §7.2.1). After a block with the final bit some senders leave that block out. A message without any octet
    // is what a compressor that had nothing to flush makes of an empty one.
    private bool EndMessage()
    {
        bool isWhole = !_hasInput || (_bitCount == 0 && (_state == State.StoredLength || (_state == State.Header && _isFinalBlock)));
        _state = State.Header;
        _isFinalBlock = false;
        _isInMessage = false;
        _hasInput = false;
        _messageBytes = 0;
        return isWhole;
    }

    private Step ReadHeader(ref ReadOnlySpan<byte> input)
    {
        // A final block ends with its octet; what follows begins with the next.
        if (_isFinalBlock) DropBits(_bitCount & 7);
        if (!TryHave(3, ref input)) return Step.NeedMore;
        _isFinalBlock = TakeBits(1) == 1;
        switch (TakeBits(2))
        {
            case 0:
                DropBits(_bitCount & 7);
                _state = State.StoredLength;
                return Step.Continue;
            case 1:
                _literals = DeflateCode.FixedLiterals;
                _distances = DeflateCode.FixedDistances;
                _state = State.Data;
                return Step.Continue;
            case 2:
                _state = State.CodeCounts;
                return Step.Continue;
            default:
                return Step.Invalid;
        }
    }

    private Step ReadStoredLength(ref ReadOnlySpan<byte> input)
    {
        if (!TryHave(32, ref input)) return Step.NeedMore;
        int length = TakeBits(16);
        if (TakeBits(16) != (length ^ 0xFFFF)) return Step.Invalid;
        _storedLeft = length;
        _state = State.StoredData;
        return Step.Continue;
    }

    private Step CopyStored(ref ReadOnlySpan<byte> input)
    {
        while (_storedLeft > 0)
        {
            if (!_window.HasRoom && !_window.TryMakeRoom()) return Step.TooLarge;
            if (_bitCount > 0)
            {
                _window.Add((byte)TakeBits(8));
                _storedLeft--;
            }
            else
            {
                int take = Math.Min(Math.Min(input.Length, _storedLeft), _window.Room.Length);
                if (take == 0) return Step.NeedMore;
                _window.Add(input[..take]);
                input = input[take..];
                _storedLeft -= take;
            }
            if (_window.Length > _mostTaken) return Step.TooLarge;
        }
        _state = State.Header;
        return Step.Continue;
    }

    private bool TryHave(int count, ref ReadOnlySpan<byte> input)
    {
        if (_bitCount < count) Refill(ref input);
        return _bitCount >= count;
    }

    // At least 56 bits, or all that there are.
    private void Refill(ref ReadOnlySpan<byte> input)
    {
        if (input.Length >= sizeof(ulong) && _bitCount < 56)
        {
            int octets = (63 - _bitCount) >> 3;
            ulong next = BinaryPrimitives.ReadUInt64LittleEndian(input);
            // Bits beyond the whole octets taken stay 0.
            _bits |= (next & (ulong.MaxValue >> (64 - (octets * 8)))) << _bitCount;
            _bitCount += octets * 8;
            input = input[octets..];
            return;
        }
        while (_bitCount <= 56 && !input.IsEmpty)
        {
            _bits |= (ulong)input[0] << _bitCount;
            _bitCount += 8;
            input = input[1..];
        }
    }

    private int TakeBits(int count)
    {
        int value = (int)(_bits & ((1UL << count) - 1));
        DropBits(count);
        return value;
    }

    private void DropBits(int count)
    {
        _bits >>= count;
        _bitCount -= count;
    }
}

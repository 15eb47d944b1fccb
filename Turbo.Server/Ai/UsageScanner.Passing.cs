using System.Numerics;
using System.Runtime.InteropServices;
using Turbo.Server.Json;

namespace Turbo.Server.Ai;

/// <summary>What the scanner need not read: containers that hold nothing of interest, and a beginning it has read before.</summary>
internal sealed partial class UsageScanner
{
    /// <summary>
    /// Passes over an event's beginning where it is the last one's, byte for byte: that one's model was found in it, and
    /// nothing else.
    /// </summary>
    private ReadOnlySpan<byte> PassKnownBeginning(ReadOnlySpan<byte> json)
    {
        _isAtBeginning = false;
        if (_beginningLength == 0 || !json.StartsWith(_beginning.AsSpan(0, _beginningLength))) return json;
        _depth = 1;
        _hasFound = true;
        return json[_beginningLength..];
    }

    /// <summary>Keeps what led up to the model just found, where it is all of the text so far; empty where it is not.</summary>
    private void KeepBeginning(ReadOnlySpan<byte> document)
    {
        // Whatever was kept led to another model, or to this one by another way.
        _beginningLength = 0;
        if (!_hasFound && _depth == 1 && document.Length <= MaxBeginningBytes)
        {
            document.CopyTo(_beginning);
            _beginningLength = document.Length;
        }
        _hasFound = true;
    }

    /// <summary>Up to the end of the container that began before; what is left is after it.</summary>
    private ReadOnlySpan<byte> PassOver(ReadOnlySpan<byte> json)
    {
        while (json.Length >= ByteBlock.Bytes)
        {
            int end = PassOver(json, ByteBlock.Bytes);
            if (end >= 0) return json[end..];
            json = json[ByteBlock.Bytes..];
        }
        if (json.IsEmpty) return default;
        // Zeros mean nothing in JSON.
        Span<byte> padded = stackalloc byte[ByteBlock.Bytes];
        json.CopyTo(padded);
        int last = PassOver(padded, json.Length);
        return last >= 0 ? json[last..] : default;
    }

    /// <summary>One block, of which <paramref name="count"/> bytes are there. Where the container ended in it, else -1.</summary>
    private int PassOver(ReadOnlySpan<byte> bytes, int count)
    {
        ref readonly byte block = ref MemoryMarshal.GetReference(bytes);
        ulong quotes = ByteBlock.Equal(in block, (byte)'"');
        ulong backslashes = ByteBlock.Equal(in block, (byte)'\\');
        ulong escapes = 0;
        if (backslashes != 0 || _isEscaped) quotes &= ~ByteBlock.Escaped(backslashes, _isEscaped, out escapes);
        // From an opening quotation mark to the byte before the closing one.
        ulong strings = ByteBlock.PrefixXor(quotes) ^ (_inString ? ulong.MaxValue : 0);
        // A backslash outside of strings is no JSON and escapes nothing.
        if ((backslashes & ~strings) != 0) return PassOverByByte(bytes[..count]);

        ulong opening = ByteBlock.EqualPair(in block, (byte)'{') & ~strings;
        ulong closing = ByteBlock.EqualPair(in block, (byte)'}') & ~strings;
        int ends = BitOperations.PopCount(closing);
        if (ends < _passedOver)
        {
            _passedOver += BitOperations.PopCount(opening) - ends;
        }
        else
        {
            for (ulong left = opening | closing; left != 0; left &= left - 1)
            {
                if ((opening & left & (0 - left)) != 0) _passedOver++;
                else if (--_passedOver == 0) return EndPassingOver(BitOperations.TrailingZeroCount(left));
            }
        }
        _inString = (strings >> (ByteBlock.Bytes - 1)) != 0;
        _isEscaped = (escapes >> (count - 1) & 1) != 0;
        return -1;
    }

    private int PassOverByByte(ReadOnlySpan<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            byte b = bytes[i];
            if (_isEscaped) _isEscaped = false;
            else if (_inString) (_inString, _isEscaped) = (b != '"', b == '\\');
            else if (b == '"') _inString = true;
            else if (b is (byte)'{' or (byte)'[') _passedOver++;
            else if (b is (byte)'}' or (byte)']' && --_passedOver == 0) return EndPassingOver(i);
        }
        return -1;
    }

    private int EndPassingOver(int at)
    {
        _inString = _isEscaped = _expectsKey = false;
        return at + 1;
    }
}

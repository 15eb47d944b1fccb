using System.Text;

namespace Turbo.Tests.Fuzz;

/// <summary>Damages inputs as afl-fuzz's havoc stage does, with a target's tokens put in. Everything follows from the seed.</summary>
internal sealed class Mutator(FuzzTarget target, int seed)
{
    private static readonly byte[] s_interesting = [0, 1, 0x7F, 0x80, 0xFF, (byte)'\r', (byte)'\n', (byte)' ', (byte)'\t', (byte)'"', (byte)'0', (byte)'9', (byte)',', (byte)';', (byte)':', (byte)'%'];

    private readonly Random _random = new(seed);
    private readonly byte[][] _tokens = [.. target.Tokens.Select(static t => Escaped.Read(t))];
    private byte[] _bytes = new byte[target.MaxBytes];
    private int _length;

    public Random Random => _random;

    /// <summary>A new input made of <paramref name="input"/> and, at times, a part of <paramref name="other"/>.</summary>
    public byte[] Mutate(byte[] input, byte[] other)
    {
        _length = Math.Min(input.Length, _bytes.Length);
        input.AsSpan(0, _length).CopyTo(_bytes);
        if (_random.Next(8) == 0) Splice(other);
        for (int n = 1 << _random.Next(5); n > 0; n--) Step(other);
        return _bytes[.._length];
    }

    private void Step(byte[] other)
    {
        if (_length == 0)
        {
            Insert(0, Token());
            return;
        }
        int at = _random.Next(_length);
        switch (_random.Next(14))
        {
            case 0: _bytes[at] ^= (byte)(1 << _random.Next(8)); break;
            case 1: _bytes[at] = (byte)_random.Next(256); break;
            case 2: _bytes[at] = s_interesting[_random.Next(s_interesting.Length)]; break;
            case 3: _bytes[at] += (byte)(_random.Next(2) == 0 ? _random.Next(1, 9) : -_random.Next(1, 9)); break;
            case 4 or 5: Remove(at, Run(at)); break;
            case 6 or 7: Insert(_random.Next(_length + 1), Token()); break;
            case 8: Overwrite(at, Token()); break;
            case 9: Insert(_random.Next(_length + 1), _bytes[at..(at + Run(at))]); break;
            case 10: Overwrite(_random.Next(_length), _bytes[at..(at + Run(at))]); break;
            case 11: Insert(at, [s_interesting[_random.Next(s_interesting.Length)]]); break;
            case 12: Number(at); break;
            default:
                if (other.Length == 0) break;
                int from = _random.Next(other.Length);
                Insert(_random.Next(_length + 1), other[from..(from + _random.Next(1, Math.Min(other.Length - from, 32) + 1))]);
                break;
        }
    }

    private int Run(int at) => _random.Next(1, Math.Min(_length - at, _random.Next(4) == 0 ? 64 : 6) + 1);

    private byte[] Token() => _tokens.Length == 0 ? [(byte)_random.Next(256)] : _tokens[_random.Next(_tokens.Length)];

    // Digits where there are some become another number.
    private void Number(int at)
    {
        int start = _bytes.AsSpan(at, _length - at).IndexOfAnyInRange((byte)'0', (byte)'9');
        if (start < 0) return;
        start += at;
        int length = _bytes.AsSpan(start, _length - start).IndexOfAnyExceptInRange((byte)'0', (byte)'9');
        Remove(start, length < 0 ? _length - start : length);
        Insert(start, Encoding.ASCII.GetBytes((_random.Next(6) switch
        {
            0 => _random.NextInt64(),
            1 => long.MaxValue - _random.Next(3),
            2 => 1L << _random.Next(63),
            _ => _random.Next(40),
        }).ToString(System.Globalization.CultureInfo.InvariantCulture)));
    }

    private void Splice(byte[] other)
    {
        if (other.Length < 2 || _length < 2) return;
        int keep = _random.Next(1, _length);
        _length = keep;
        Insert(keep, other[_random.Next(other.Length)..]);
    }

    private void Remove(int at, int count)
    {
        _bytes.AsSpan(at + count, _length - at - count).CopyTo(_bytes.AsSpan(at));
        _length -= count;
    }

    private void Insert(int at, ReadOnlySpan<byte> what)
    {
        what = what[..Math.Min(what.Length, _bytes.Length - _length)];
        _bytes.AsSpan(at, _length - at).CopyTo(_bytes.AsSpan(at + what.Length));
        what.CopyTo(_bytes.AsSpan(at));
        _length += what.Length;
    }

    private void Overwrite(int at, ReadOnlySpan<byte> what) => what[..Math.Min(what.Length, _length - at)].CopyTo(_bytes.AsSpan(at));
}

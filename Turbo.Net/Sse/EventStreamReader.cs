using System.Buffers;

namespace Turbo.Net.Sse;

/// <summary>What <see cref="EventStreamReader.Read"/> came to.</summary>
public enum EventStreamStatus : byte
{
    /// <summary>All bytes were taken and no event is complete.</summary>
    NeedMore,
    /// <summary>An event is complete; there may be more of them in the bytes that are left.</summary>
    Event,
    /// <summary>An event is over the limit: the stream cannot be read any further.</summary>
    TooLarge,
}

/// <summary>
/// Reads an event stream (WHATWG HTML §9.2.6) from its bytes as they arrive, however they are cut. Lines end in LF, CRLF
/// or CR. What the stream leaves unfinished at its end is no event. Bytes are not checked to be UTF-8.
/// <code>
/// while (reader.Read(ref bytes) == EventStreamStatus.Event) Handle(reader.Data);
/// </code>
/// </summary>
/// <param name="maxEventBytes">Bytes of an event: its data and the line being read. Default 1 MiB.</param>
public sealed class EventStreamReader(int maxEventBytes = 1024 * 1024)
{
    // The part of a line that came before the rest of it.
    private readonly Bytes _line = new();
    private readonly Bytes _data = new();
    private readonly Bytes _name = new();
    private readonly Bytes _id = new();
    private bool _hasData;
    private bool _isHandedOut;
    private bool _skipsLineFeed;
    private bool _isBegun;
    private bool _isTooLarge;

    /// <summary>The event's data, its lines joined by LF; valid until the next read.</summary>
    public ReadOnlySpan<byte> Data => _data.Span;

    /// <summary>The event's type; empty where the stream names none, which means `message`. Valid until the next read.</summary>
    public ReadOnlySpan<byte> Name => _name.Span;

    /// <summary>The last id that the stream gave, for Last-Event-ID; empty without. Valid until the next read.</summary>
    public ReadOnlySpan<byte> LastId => _id.Span;

    /// <summary>How long the stream wants a client to wait before it connects again; null when it did not say.</summary>
    public TimeSpan? Retry { get; private set; }

    /// <summary>Takes bytes up to the end of an event, or all of them.</summary>
    /// <param name="stream">What has arrived; afterwards what is not yet taken.</param>
    public EventStreamStatus Read(ref ReadOnlySequence<byte> stream)
    {
        if (_isHandedOut) BeginEvent();
        long taken = 0;
        foreach (ReadOnlyMemory<byte> piece in stream)
        {
            ReadOnlySpan<byte> rest = piece.Span;
            while (!rest.IsEmpty && !_isTooLarge)
            {
                int before = rest.Length;
                bool isEvent = Take(ref rest);
                taken += before - rest.Length;
                if (!isEvent) continue;
                stream = stream.Slice(taken);
                return EventStreamStatus.Event;
            }
        }
        stream = default;
        return _isTooLarge ? EventStreamStatus.TooLarge : EventStreamStatus.NeedMore;
    }

    // Up to the end of a line; true where it completes an event.
    private bool Take(ref ReadOnlySpan<byte> rest)
    {
        if (_skipsLineFeed)
        {
            _skipsLineFeed = false;
            if (rest[0] == '\n')
            {
                rest = rest[1..];
                return false;
            }
        }
        int end = rest.IndexOfAny((byte)'\n', (byte)'\r');
        if (end < 0)
        {
            // Kept until the rest of the line comes.
            Keep(rest);
            rest = default;
            return false;
        }
        ReadOnlySpan<byte> line = rest[..end];
        _skipsLineFeed = rest[end] == '\r';
        rest = rest[(end + 1)..];
        if (_line.Length == 0) return Fits(line) && TakeLine(line);
        Keep(line);
        bool isEvent = !_isTooLarge && TakeLine(_line.Span);
        _line.Clear();
        return isEvent;
    }

    /// <summary>True where the line completes an event.</summary>
    private bool TakeLine(ReadOnlySpan<byte> line)
    {
        if (!_isBegun)
        {
            _isBegun = true;
            if (line.StartsWith("\uFEFF"u8)) line = line["\uFEFF"u8.Length..];
        }
        if (line.IsEmpty)
        {
            if (_hasData)
            {
                _isHandedOut = true;
                return true;
            }
            _name.Clear();
            return false;
        }
        int colon = line.IndexOf((byte)':');
        ReadOnlySpan<byte> name = colon < 0 ? line : line[..colon];
        ReadOnlySpan<byte> value = colon < 0 ? default : line[(colon + 1)..];
        if (value is [(byte)' ', ..]) value = value[1..];
        // A comment's name is empty; what is unknown is passed over too.
        if (name.SequenceEqual("data"u8)) TakeData(value);
        else if (name.SequenceEqual("event"u8)) _name.Set(value);
        else if (name.SequenceEqual("id"u8) && !value.Contains((byte)0)) _id.Set(value);
        else if (name.SequenceEqual("retry"u8)) TakeRetry(value);
        return false;
    }

    private void TakeData(ReadOnlySpan<byte> value)
    {
        if (_hasData) _data.Append("\n"u8);
        _data.Append(value);
        _hasData = true;
    }

    private void TakeRetry(ReadOnlySpan<byte> value)
    {
        if (System.Buffers.Text.Utf8Parser.TryParse(value, out int milliseconds, out int used) && used == value.Length && value.IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0)
            Retry = TimeSpan.FromMilliseconds(milliseconds);
    }

    private void Keep(ReadOnlySpan<byte> part)
    {
        if (Fits(part)) _line.Append(part);
    }

    // Counted alike whether the line came in one piece or in many.
    private bool Fits(ReadOnlySpan<byte> part)
    {
        if ((long)_line.Length + _data.Length + part.Length > maxEventBytes) _isTooLarge = true;
        return !_isTooLarge;
    }

    private void BeginEvent()
    {
        _isHandedOut = false;
        _hasData = false;
        _data.Clear();
        _name.Clear();
    }

    private sealed class Bytes
    {
        // What a rare large event took is not held for the stream's life.
        private const int MaxKeptBytes = 64 * 1024;

        private byte[] _bytes = [];

        public int Length { get; private set; }

        public ReadOnlySpan<byte> Span => _bytes.AsSpan(0, Length);

        public void Set(ReadOnlySpan<byte> value)
        {
            Length = 0;
            Append(value);
        }

        public void Append(ReadOnlySpan<byte> value)
        {
            if (_bytes.Length - Length < value.Length) Array.Resize(ref _bytes, Math.Max(Length + value.Length, Math.Max(_bytes.Length * 2, 256)));
            value.CopyTo(_bytes.AsSpan(Length));
            Length += value.Length;
        }

        public void Clear()
        {
            Length = 0;
            if (_bytes.Length > MaxKeptBytes) _bytes = [];
        }
    }
}

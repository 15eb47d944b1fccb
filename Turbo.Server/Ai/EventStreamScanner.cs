namespace Turbo.Server.Ai;

/// <summary>
/// Feeds the data lines of a passing event stream (WHATWG HTML §9.2.6) to a <see cref="UsageScanner"/>, each event as a
/// JSON text of its own. Lines end in LF, CRLF or CR; nothing is held.
/// </summary>
internal sealed class EventStreamScanner(UsageScanner scanner)
{
    private enum State : byte { LineStart, Data, OtherLine }

    private State _state;
    private int _matched;
    private bool _isLineEmpty = true;
    private bool _isAfterCr;

    public void Reset()
    {
        _state = State.LineStart;
        _matched = 0;
        _isLineEmpty = true;
        _isAfterCr = false;
    }

    public void Feed(ReadOnlySpan<byte> stream)
    {
        ReadOnlySpan<byte> name = "data:"u8;
        while (!stream.IsEmpty)
        {
            if (_state == State.LineStart)
            {
                byte b = stream[0];
                if (b is (byte)'\n' or (byte)'\r')
                {
                    // The LF of a CRLF is no line of its own.
                    if (b == '\n' && _isAfterCr) _isAfterCr = false;
                    else EndLine(b);
                    stream = stream[1..];
                    continue;
                }
                _isAfterCr = false;
                _isLineEmpty = false;
                if (_matched == 0 && stream.StartsWith(name))
                {
                    _state = State.Data;
                    stream = stream[name.Length..];
                    continue;
                }
                if (b != name[_matched])
                {
                    _state = State.OtherLine;
                    continue;
                }
                if (++_matched == name.Length) _state = State.Data;
                stream = stream[1..];
                continue;
            }

            int end = stream.IndexOfAny((byte)'\n', (byte)'\r');
            ReadOnlySpan<byte> line = end < 0 ? stream : stream[..end];
            if (_state == State.Data) scanner.Feed(line);
            if (end < 0) return;
            EndLine(stream[end]);
            stream = stream[(end + 1)..];
        }
    }

    private void EndLine(byte end)
    {
        _isAfterCr = end == '\r';
        // An empty line ends the event.
        if (_isLineEmpty) scanner.BeginDocument();
        _state = State.LineStart;
        _matched = 0;
        _isLineEmpty = true;
    }
}

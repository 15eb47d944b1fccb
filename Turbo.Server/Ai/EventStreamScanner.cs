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

    public void Reset()
    {
        _state = State.LineStart;
        _matched = 0;
        _isLineEmpty = true;
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
                    // An empty line ends the event; the LF of a CRLF is one more that does no harm.
                    EndLine();
                    stream = stream[1..];
                    continue;
                }
                _isLineEmpty = false;
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
            EndLine();
            stream = stream[(end + 1)..];
        }
    }

    private void EndLine()
    {
        if (_isLineEmpty) scanner.BeginDocument();
        _state = State.LineStart;
        _matched = 0;
        _isLineEmpty = true;
    }
}

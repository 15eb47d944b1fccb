using System.Buffers.Text;

namespace Turbo.Bench.Load;

/// <summary>
/// Asks for a stream of events and counts each. An event tells when it was made (<c>"ts":N</c>, by the clock that all
/// processes of a machine share), so its latency is what lies between the upstream's write and this client's read. It is
/// an open loop by nature: the upstream's clock makes events whatever became of those before.
/// </summary>
/// <param name="request">The whole request.</param>
/// <param name="events">How many events are to come before <c>[DONE]</c>.</param>
internal sealed class StreamVisitor(byte[] request, int events) : Visitor, IResponseSink
{
    private readonly ResponseReader _reader = new();
    private readonly byte[] _line = new byte[4096];
    private LoadRun _run = null!;
    private int _lineLength;
    private int _seen;
    private bool _isDone;

    public override void Ask(LoadRun run, long due)
    {
        _run = run;
        _seen = 0;
        _isDone = false;
        Send(request);
    }

    public override void OnReceived(Span<byte> bytes, long now) => _reader.Read(bytes, this, now);

    void IResponseSink.OnContent(ReadOnlySpan<byte> piece, long now)
    {
        while (!piece.IsEmpty)
        {
            int end = piece.IndexOf((byte)'\n');
            ReadOnlySpan<byte> part = end < 0 ? piece : piece[..end];
            if (_lineLength + part.Length > _line.Length) throw new InvalidDataException("an event without end");
            part.CopyTo(_line.AsSpan(_lineLength));
            _lineLength += part.Length;
            if (end < 0) return;
            OnLine(_line.AsSpan(0, _lineLength), now);
            _lineLength = 0;
            piece = piece[(end + 1)..];
        }
    }

    void IResponseSink.OnEnd(int status, long now)
    {
        if (status != 200 || !_isDone || _seen != events)
        {
            _run.OnWrong(this, $"answered {status} and {_seen} of {events} events");
            return;
        }
        _run.OnIdle(this, now);
    }

    private void OnLine(ReadOnlySpan<byte> line, long now)
    {
        if (!line.StartsWith("data: "u8)) return;
        if (line.EndsWith("[DONE]"u8))
        {
            _isDone = true;
            return;
        }
        int at = line.IndexOf("\"ts\":"u8);
        if (at < 0 || !Utf8Parser.TryParse(line[(at + 5)..], out long made, out _)) throw new InvalidDataException("an event without its time");
        _seen++;
        _run.OnAnswer(made, now);
    }
}

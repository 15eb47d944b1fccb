using System.Text;

namespace Turbo.Bench.Load;

/// <summary>What a right answer is: status 200, and content that is exactly this or has this in it.</summary>
internal sealed record Expected(byte[] Content, bool IsExact = true)
{
    public static Expected Exactly(string content) => new(Encoding.UTF8.GetBytes(content));

    public static Expected Containing(string part) => new(Encoding.UTF8.GetBytes(part), false);
}

/// <summary>Asks the same, or one after the other of several, on one connection; so many at a time where it pipelines.</summary>
/// <param name="requests">Whole requests, each as often as <paramref name="depth"/> says in a row.</param>
/// <param name="expected">What each is to be answered with.</param>
/// <param name="depth">Requests that are sent together.</param>
/// <param name="first">Which of the requests to begin with.</param>
internal sealed class HttpVisitor(IReadOnlyList<byte[]> requests, Expected expected, int depth = 1, int first = 0) : Visitor, IResponseSink
{
    private const int MaxKept = 64 * 1024 * 1024;

    private readonly ResponseReader _reader = new();
    private readonly MemoryStream _content = new();
    private LoadRun _run = null!;
    private int _next = first;
    private int _missing;
    private int _contentAt;
    private bool _isRight = true;
    private long _due;

    public override void Ask(LoadRun run, long due)
    {
        _run = run;
        _due = due;
        _missing = depth;
        Send(requests[_next]);
        _next = (_next + 1) % requests.Count;
    }

    public override void OnReceived(Span<byte> bytes, long now)
    {
        if (_missing == 0) throw new InvalidDataException("bytes that nobody asked for");
        _reader.Read(bytes, this, now);
    }

    void IResponseSink.OnContent(ReadOnlySpan<byte> piece, long now)
    {
        if (!expected.IsExact)
        {
            if (_content.Length + piece.Length > MaxKept) throw new InvalidDataException("an answer beyond 64 MiB");
            _content.Write(piece);
            return;
        }
        ReadOnlySpan<byte> rest = expected.Content.AsSpan(Math.Min(_contentAt, expected.Content.Length));
        _isRight &= rest.StartsWith(piece);
        _contentAt += piece.Length;
    }

    void IResponseSink.OnEnd(int status, long now)
    {
        bool isRight = status == 200 && (expected.IsExact
            ? _isRight && _contentAt == expected.Content.Length
            : _content.GetBuffer().AsSpan(0, (int)_content.Length).IndexOf(expected.Content) >= 0);
        if (!isRight)
        {
            string content = expected.IsExact ? $"{_contentAt} bytes of content" : Encoding.UTF8.GetString(_content.GetBuffer().AsSpan(0, (int)Math.Min(_content.Length, 200)));
            _run.OnWrong(this, $"answered {status}: {content}");
            return;
        }
        _contentAt = 0;
        _content.SetLength(0);
        if (--_missing > 0) return;
        _run.OnAnswer(_due, now, depth);
        _run.OnIdle(this, now);
    }
}

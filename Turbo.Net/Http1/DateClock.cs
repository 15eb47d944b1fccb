using System.Buffers.Text;

namespace Turbo.Net.Http1;

/// <summary>
/// The server's coarse clock: the Date field line (RFC 9110 §6.6.1), made once a second, and milliseconds for
/// deadlines, which are compared on a tick and so need no finer reading.
/// </summary>
internal sealed class DateClock
{
    private const int DateLineBytes = 37;

    private readonly TimeProvider _time;
    private readonly long _start;
    private byte[] _okHead = [];
    private long _dateSecond = -1;
    private long _now;

    public DateClock(TimeProvider time)
    {
        _time = time;
        _start = time.GetTimestamp();
        Update();
    }

    /// <summary>"Date: Mon, 23 Nov 2026 08:48:06 GMT\r\n"</summary>
    public ReadOnlySpan<byte> DateLine => OkHead[StatusLines.Ok.Length..];

    /// <summary>How nearly every response begins: the status-line of 200, and the Date field.</summary>
    public ReadOnlySpan<byte> OkHead => _okHead;

    /// <summary>Milliseconds since the clock was made, as of the last tick.</summary>
    public long Now => Volatile.Read(ref _now);

    public void Update()
    {
        Volatile.Write(ref _now, (long)_time.GetElapsedTime(_start).TotalMilliseconds);
        DateTimeOffset utc = _time.GetUtcNow();
        long second = utc.ToUnixTimeSeconds();
        if (second == _dateSecond) return;
        _dateSecond = second;
        byte[] head = new byte[StatusLines.Ok.Length + DateLineBytes];
        StatusLines.Ok.CopyTo(head);
        Span<byte> line = head.AsSpan(StatusLines.Ok.Length);
        "Date: "u8.CopyTo(line);
        Utf8Formatter.TryFormat(utc, line[6..], out _, 'R');
        "\r\n"u8.CopyTo(line[35..]);
        _okHead = head;
    }
}

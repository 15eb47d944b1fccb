using System.Buffers;

namespace Turbo.Net.Http1;

/// <summary>
/// A message's head in its own contiguous bytes: a copy, so that the connection's buffers move on while a handler
/// reads it. Copying a usual head costs a few nanoseconds; keeping pipe blocks alive would cost every idle connection one.
/// </summary>
internal abstract class MessageHead
{
    private byte[] _bytes = new byte[1024];

    /// <summary>Where parsing goes on when more bytes come: always the start of a line.</summary>
    public int ParsedTo;

    public bool StartLineParsed;

    public RejectReason Reject;

    /// <summary>11 for HTTP/1.1, 10 for HTTP/1.0.</summary>
    public int Version;

    public int Length { get; private set; }

    public HeaderFields Fields { get; } = new();

    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, Length);

    protected ReadOnlySpan<byte> Slice(int start, int length) => _bytes.AsSpan(start, length);

    /// <summary>Takes the parsed head over; the offsets recorded while parsing are into it.</summary>
    public void Take(ReadOnlySpan<byte> head)
    {
        if (_bytes.Length < head.Length) _bytes = new byte[Math.Max(head.Length, _bytes.Length * 2)];
        head.CopyTo(_bytes);
        Length = head.Length;
        Fields.SetBytes(_bytes);
    }

    public virtual void Reset()
    {
        ParsedTo = 0;
        StartLineParsed = false;
        Reject = RejectReason.None;
        Version = 0;
        Length = 0;
        Fields.Clear();
    }
}

/// <summary>The four forms of RFC 9112 §3.2.</summary>
internal enum TargetForm : byte
{
    Origin,
    Absolute,
    Authority,
    Asterisk,
}

internal sealed class RequestHead : MessageHead
{
    public HttpMethod Method;
    public TargetForm Form;
    public int MethodLength;
    public int TargetStart, TargetLength;
    public int AuthorityStart, AuthorityLength;
    public int PathStart, PathLength;
    public int QueryStart, QueryLength;

    public ReadOnlySpan<byte> MethodName => Slice(0, MethodLength);
    public ReadOnlySpan<byte> Target => Slice(TargetStart, TargetLength);
    public ReadOnlySpan<byte> Authority => Slice(AuthorityStart, AuthorityLength);

    /// <summary>An absolute-form target may have no path; it then means "/" (RFC 9112 §3.2.1).</summary>
    public ReadOnlySpan<byte> Path => PathLength == 0 ? "/"u8 : Slice(PathStart, PathLength);

    public ReadOnlySpan<byte> Query => Slice(QueryStart, QueryLength);

    /// <summary>
    /// Takes a head that is refused or will not be finished: what was parsed of it can be read, the rest is as if it
    /// had not come. The bytes of whoever used the object before must not show.
    /// </summary>
    public void TakeParsed(in ReadOnlySequence<byte> received)
    {
        if (!StartLineParsed) ForgetTarget();
        ReadOnlySequence<byte> parsed = received.Slice(0, ParsedTo);
        Take(parsed.IsSingleSegment ? parsed.FirstSpan : parsed.ToArray());
    }

    public override void Reset()
    {
        base.Reset();
        Method = HttpMethod.Other;
        ForgetTarget();
    }

    private void ForgetTarget()
    {
        Form = TargetForm.Origin;
        MethodLength = TargetStart = TargetLength = AuthorityStart = AuthorityLength = 0;
        PathStart = PathLength = QueryStart = QueryLength = 0;
    }
}

internal sealed class ResponseHead : MessageHead
{
    public int StatusCode;
    public int StatusLineLength;

    /// <summary>The status-line as sent, its CRLF included.</summary>
    public ReadOnlySpan<byte> StatusLine => Slice(0, StatusLineLength);

    /// <summary>Status code and reason-phrase as sent, from after the version to before the CRLF.</summary>
    public ReadOnlySpan<byte> StatusAndReason => Slice(9, StatusLineLength - 11);
}

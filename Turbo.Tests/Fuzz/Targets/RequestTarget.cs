using Turbo.Net;
using Turbo.Net.Http1;
using Turbo.Tests.Fuzz.Reference;
using Turbo.Tests.Support;

namespace Turbo.Tests.Fuzz.Targets;

/// <summary>
/// Request heads: the parser and the framing against the reference, alike in any cuts, and unchanged when written and
/// parsed once more. With the default limits, and with ones that inputs of this size reach.
/// </summary>
internal sealed class RequestTarget : FuzzTarget
{
    private static readonly ServerLimits[] s_limits =
    [
        new(),
        new() { MaxRequestLineBytes = 40, MaxHeaderBytes = 120, MaxHeaderFields = 3 },
    ];

    // What might make a message of an unfinished one.
    private static readonly string[] s_completions =
    [
        "\n", "\r\n", "\n\r\n", "\r\n\r\n", "\r\nHost: h\r\n\r\n", "\nHost: h\r\n\r\n", " / HTTP/1.1\r\nHost: h\r\n\r\n", "/ HTTP/1.1\r\nHost: h\r\n\r\n",
        " HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1\r\nHost: h\r\n\r\n", "TTP/1.1\r\nHost: h\r\n\r\n", "/1.1\r\nHost: h\r\n\r\n", "1.1\r\nHost: h\r\n\r\n",
        ".1\r\nHost: h\r\n\r\n", "1\r\nHost: h\r\n\r\n", ": h\r\n\r\n", "h\r\n\r\n", "A / HTTP/1.1\r\nHost: h\r\n\r\n",
    ];

    private readonly RequestHead _head = new();
    private readonly Transcript _whole = new(), _cut = new(), _reference = new();
    private readonly byte[] _rewritten = new byte[4096];

    public override string Name => "request";

    public override IReadOnlyList<string> Tokens { get; } =
    [
        "\\r\\n", "\\r", "\\n", "\\r\\n\\r\\n", "\\x00", " ", "\\t", ":", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.9", " HTTP/1.1\\r\\n", "GET ", "POST ", "HEAD ",
        "OPTIONS * ", "CONNECT h:1 ", "M-SEARCH ", "http://", "https://", "HTTP://h", "*", "/", "?", "#", "%20", "@", "[::1]", "[::ffff:1.2.3.4]", ":80", ":65536", "Host: h\\r\\n",
        "Host:h\\r\\n", "Host: \\r\\n", "host: H\\r\\n", "Content-Length: 5\\r\\n", "Content-Length: 0\\r\\n", "Content-Length: +5\\r\\n", "Content-Length: 5, 5\\r\\n",
        "Transfer-Encoding: chunked\\r\\n", "Transfer-Encoding: gzip, chunked\\r\\n", "Transfer-Encoding: Chunked \\r\\n", "transfer-encoding:\\tchunked\\t\\r\\n", "Transfer-Encoding\\x0b: chunked\\r\\n",
        "Connection: close\\r\\n", "Connection: keep-alive, upgrade\\r\\n", "Expect: 100-continue\\r\\n", "A:\\r\\n", "A: b\\r\\n c\\r\\n", "X: \\xff\\r\\n",
    ];

    public override void Run(byte[] input)
    {
        string text = ReferenceHead.Text(input);
        foreach (ServerLimits limits in s_limits)
        {
            Parse(input, [input.Length], limits, _whole);
            foreach (int[] cuts in Cuts.Of(input))
            {
                Parse(input, cuts, limits, _cut);
                FuzzFinding.UnlessSame(_whole, _cut, "cut otherwise, a request head is another");
            }
            Compare(text, limits);
        }
    }

    private void Compare(string text, ServerLimits limits)
    {
        switch (Reference(text, limits, _reference))
        {
            case Verdict.Accepted:
                FuzzFinding.UnlessSame(_reference, _whole, "the reference reads another request");
                WriteAndParse(limits);
                break;
            case Verdict.Refused:
                FuzzFinding.Unless(_whole.StartsWith("refused"u8), $"the reference refuses what was read as:\n{_whole}");
                break;
            default:
                FuzzFinding.Unless(!_whole.StartsWith("request"u8), $"the reference waits for more of what was read as:\n{_whole}");
                if (!_whole.StartsWith("refused"u8)) break;
                // What could still become a request is not refused.
                foreach (string completion in s_completions)
                    FuzzFinding.Unless(Reference(text + completion, limits, _reference) != Verdict.Accepted, $"refused too early ({_whole}): with {Escaped.Write(Segmented.Bytes(completion))} it is a request");
                break;
        }
    }

    private void Parse(byte[] input, int[] cuts, ServerLimits limits, Transcript to)
    {
        _head.Reset();
        to.Clear();
        ParseStatus status = ParseStatus.NeedMore;
        int length = 0;
        foreach (int cut in cuts)
        {
            status = Http1Parser.ReadRequestHead(input.AsSpan(0, cut), _head, limits, out length);
            if (status != ParseStatus.NeedMore) break;
        }
        if (status == ParseStatus.NeedMore)
        {
            to.Line("more");
            return;
        }
        RejectReason reject = _head.Reject;
        if (status == ParseStatus.Complete)
        {
            _head.Take(input.AsSpan(0, length));
            reject = MessageFraming.OfRequest(_head, out BodyKind kind, out long bodyLength);
            if (reject == RejectReason.None)
            {
                Tell(to, kind, bodyLength, length);
                return;
            }
        }
        FuzzFinding.Unless(reject != RejectReason.None && reject.Status() is >= 400 and < 600 && reject.Message().Length > 0, $"refused without a reason: {reject}");
        to.Add("refused ").Line(reject.ToString());
    }

    private void Tell(Transcript to, BodyKind kind, long bodyLength, int length)
    {
        to.Line("request", _head.MethodName).Line("target", _head.Target).Line("path", _head.Path).Line("query", _head.Query).Line("authority", _head.Authority).Line("version", _head.Version);
        HeaderFields fields = _head.Fields;
        for (int i = 0; i < fields.Count; i++) to.Line("name", fields[i].Name).Line("value", fields[i].Value);
        to.Line(kind switch { BodyKind.None => "none", BodyKind.Chunked => "chunked", _ => "length " + bodyLength });
        to.Line("end", length);
    }

    private static Verdict Reference(string text, ServerLimits limits, Transcript to)
    {
        ReferenceHead head = ReferenceHead.OfRequest(text, limits.MaxRequestLineBytes, limits.MaxHeaderBytes, limits.MaxHeaderFields);
        if (head.Verdict != Verdict.Accepted) return head.Verdict;
        if (!head.TryFrame(isRequest: true, answersHead: false, out string framing)) return Verdict.Refused;
        to.Clear().Line("request", head.Method).Line("target", head.Target).Line("path", head.Path).Line("query", head.Query).Line("authority", head.Authority).Line("version", head.Version);
        head.Tell(to);
        to.Line(framing).Line("end", head.Length);
        return Verdict.Accepted;
    }

    // Parsed, written as a sender would and parsed again: the same message.
    private void WriteAndParse(ServerLimits limits)
    {
        int at = 0;
        Put(_head.MethodName, ref at);
        Put(" "u8, ref at);
        Put(_head.Target, ref at);
        Put(_head.Version == 11 ? " HTTP/1.1\r\n"u8 : " HTTP/1.0\r\n"u8, ref at);
        HeaderFields fields = _head.Fields;
        for (int i = 0; i < fields.Count; i++)
        {
            Put(fields[i].Name, ref at);
            Put(":"u8, ref at);
            Put(fields[i].Value, ref at);
            Put("\r\n"u8, ref at);
        }
        Put("\r\n"u8, ref at);
        Parse(_rewritten[..at], [at], limits, _cut);
        // Only the length may differ.
        _whole.Cut(_whole.Bytes.LastIndexOf("end "u8));
        _cut.Cut(Math.Max(_cut.Bytes.LastIndexOf("end "u8), 0));
        FuzzFinding.UnlessSame(_whole, _cut, "written and parsed again, it is another request");
    }

    private void Put(ReadOnlySpan<byte> bytes, ref int at)
    {
        bytes.CopyTo(_rewritten.AsSpan(at));
        at += bytes.Length;
    }
}

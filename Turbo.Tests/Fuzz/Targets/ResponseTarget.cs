using Turbo.Net;
using Turbo.Net.Http1;
using Turbo.Tests.Fuzz.Reference;
using Turbo.Tests.Support;

namespace Turbo.Tests.Fuzz.Targets;

/// <summary>
/// Response heads of an origin server: the parser and the framing against the reference, as an answer to GET and to HEAD,
/// alike in any cuts. With the default limits and with tight ones.
/// </summary>
internal sealed class ResponseTarget : FuzzTarget
{
    private static readonly (int Bytes, int Fields)[] s_limits = [(64 * 1024, 256), (80, 3)];

    private static readonly string[] s_completions =
    [
        "\n", "\r\n", "\n\r\n", "\r\n\r\n", " 200 OK\r\n\r\n", "200 OK\r\n\r\n", "00 OK\r\n\r\n", "0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "TTP/1.1 200 OK\r\n\r\n", "/1.1 200 OK\r\n\r\n", "1.1 200 OK\r\n\r\n", ".1 200 OK\r\n\r\n", "1 200 OK\r\n\r\n", ": x\r\n\r\n",
    ];

    private readonly ResponseHead _head = new();
    private readonly Transcript _whole = new(), _cut = new(), _reference = new();

    public override string Name => "response";

    public override IReadOnlyList<string> Tokens { get; } =
    [
        "\\r\\n", "\\r", "\\n", "\\r\\n\\r\\n", "\\x00", " ", "\\t", ":", "HTTP/1.1 200 OK\\r\\n", "HTTP/1.0", "HTTP/1.1", "HTTP/2", " 100 ", " 101 ", " 103 ", " 204 ", " 304 ", " 999 ", " 600 ", " 099 ",
        "Content-Length: 5\\r\\n", "Content-Length: 0\\r\\n", "Content-Length: -0\\r\\n", "Content-Length: 5,5\\r\\n", "Transfer-Encoding: chunked\\r\\n", "Transfer-Encoding: identity\\r\\n", "Transfer-Encoding: chunked, chunked\\r\\n",
        "Connection: close\\r\\n", "Connection: keep-alive\\r\\n", "Content-Type: text/event-stream\\r\\n", "A:\\r\\n", "A: b\\r\\n c\\r\\n", "A : b\\r\\n", "\\xff", "\\x7f", "99999999999999999999",
    ];

    public override void Run(byte[] input)
    {
        string text = ReferenceHead.Text(input);
        foreach ((int bytes, int fields) in s_limits)
        {
            foreach (bool answersHead in (bool[])[false, true])
            {
                Parse(input, [input.Length], bytes, fields, answersHead, _whole);
                foreach (int[] cuts in Cuts.Of(input))
                {
                    Parse(input, cuts, bytes, fields, answersHead, _cut);
                    FuzzFinding.UnlessSame(_whole, _cut, "cut otherwise, a response head is another");
                }
                Compare(text, bytes, fields, answersHead);
            }
        }
    }

    private void Compare(string text, int bytes, int fields, bool answersHead)
    {
        switch (Reference(text, bytes, fields, answersHead, _reference))
        {
            case Verdict.Accepted:
                FuzzFinding.UnlessSame(_reference, _whole, "the reference reads another response");
                break;
            case Verdict.Refused:
                FuzzFinding.Unless(_whole.StartsWith("refused"u8), $"the reference refuses what was read as:\n{_whole}");
                break;
            default:
                FuzzFinding.Unless(!_whole.StartsWith("response"u8), $"the reference waits for more of what was read as:\n{_whole}");
                if (!_whole.StartsWith("refused"u8)) break;
                foreach (string completion in s_completions)
                    FuzzFinding.Unless(Reference(text + completion, bytes, fields, answersHead, _reference) != Verdict.Accepted, $"refused too early ({_whole}): with {Escaped.Write(Segmented.Bytes(completion))} it is a response");
                break;
        }
    }

    private void Parse(byte[] input, int[] cuts, int bytes, int fields, bool answersHead, Transcript to)
    {
        _head.Reset();
        to.Clear();
        ParseStatus status = ParseStatus.NeedMore;
        int length = 0;
        foreach (int cut in cuts)
        {
            status = Http1Parser.ReadResponseHead(input.AsSpan(0, cut), _head, bytes, fields, out length);
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
            reject = MessageFraming.OfResponse(_head, answersHead, out BodyKind kind, out long bodyLength);
            if (reject == RejectReason.None)
            {
                to.Line("response", _head.StatusCode).Line("version", _head.Version);
                for (int i = 0; i < _head.Fields.Count; i++) to.Line("name", _head.Fields[i].Name).Line("value", _head.Fields[i].Value);
                to.Line(kind switch { BodyKind.None => "none", BodyKind.Chunked => "chunked", BodyKind.UntilClose => "close", _ => "length " + bodyLength });
                to.Line("end", length);
                FuzzFinding.Unless(_head.StatusLine.EndsWith(_head.StatusAndReason) || _head.StatusLine[..^2].EndsWith(_head.StatusAndReason), "the reason is not the status-line's end");
                return;
            }
        }
        FuzzFinding.Unless(reject != RejectReason.None, "refused without a reason");
        to.Add("refused ").Line(reject.ToString());
    }

    private static Verdict Reference(string text, int bytes, int fields, bool answersHead, Transcript to)
    {
        ReferenceHead head = ReferenceHead.OfResponse(text, bytes, fields);
        if (head.Verdict != Verdict.Accepted) return head.Verdict;
        if (!head.TryFrame(isRequest: false, answersHead, out string framing)) return Verdict.Refused;
        to.Clear().Line("response", head.Status).Line("version", head.Version);
        head.Tell(to);
        to.Line(framing).Line("end", head.Length);
        return Verdict.Accepted;
    }
}

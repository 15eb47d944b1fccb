using System.Buffers;
using Turbo.Net;
using Turbo.Net.Http1;
using Turbo.Tests.Fuzz.Reference;
using Turbo.Tests.Support;

namespace Turbo.Tests.Fuzz.Targets;

/// <summary>
/// Chunked bodies: content, trailers and end against the reference, alike in any cuts, the observer's second reading the
/// same, and the same once more when written anew. With the default limits and with tight ones.
/// </summary>
internal sealed class ChunksTarget : FuzzTarget
{
    private static readonly ServerLimits[] s_limits =
    [
        new(),
        new() { MaxChunkExtensionBytes = 12, MaxTrailerBytes = 24, MaxHeaderFields = 2 },
    ];

    private static readonly string[] s_completions =
    [
        "\n", "\r\n", "0\r\n\r\n", "\r\n\r\n", "\n\r\n", "\r\n0\r\n\r\n", "\n0\r\n\r\n", "\"\r\n0\r\n\r\n", "a\r\n0\r\n\r\n", ";a\r\n0\r\n\r\n", "1\r\nx\r\n0\r\n\r\n", ":\r\n\r\n", "a:\r\n\r\n",
    ];

    private readonly Transcript _whole = new(), _cut = new(), _reference = new();

    public override string Name => "chunks";

    public override IReadOnlyList<string> Tokens { get; } =
    [
        "\\r\\n", "\\r", "\\n", "\\r\\n\\r\\n", "0\\r\\n", "0\\r\\n\\r\\n", "1\\r\\nx\\r\\n", "5\\r\\nhello\\r\\n", "A\\r\\n", "f", "00", "0000000000000000", "fffffffffffffff", "8000000000000000", "7FFFFFFFFFFFFFFF",
        ";", "=", "\"", ";a", ";a=b", ";a=\"b\"", ";a=\"\\\\\"\"", " ; a = b", "\\t;\\tq=\"\\t\"", "\\\\", "\\x00", "\\x7f", "\\x80", "+", "-", "0x", " ", "T: u\\r\\n", "Content-Length: 1\\r\\n", ":", " x\\r\\n",
    ];

    public override void Run(byte[] input)
    {
        string text = ReferenceHead.Text(input);
        foreach (ServerLimits limits in s_limits)
        {
            Read(input, [input.Length], limits, _whole);
            foreach (int[] cuts in Cuts.Of(input))
            {
                Read(input, cuts, limits, _cut);
                FuzzFinding.UnlessSame(_whole, _cut, "cut otherwise, a chunked body is another");
            }
            Compare(text, limits);
        }
    }

    private void Compare(string text, ServerLimits limits)
    {
        Verdict verdict = Reference(text, limits, _reference);
        if (_whole.StartsWith("refused"u8))
        {
            FuzzFinding.Unless(verdict != Verdict.Accepted, "the reference reads what was refused");
            if (verdict == Verdict.Refused) return;
            foreach (string completion in s_completions)
                FuzzFinding.Unless(Reference(text + completion, limits, _reference) != Verdict.Accepted, $"refused too early: with {Escaped.Write(Segmented.Bytes(completion))} it is a body");
            return;
        }
        FuzzFinding.Unless(verdict != Verdict.Refused, $"the reference refuses what was read as:\n{_whole}");
        FuzzFinding.UnlessSame(_reference, _whole, "the reference reads another body");
    }

    // The verdict comes first and the content last, so that what was refused can be told at once.
    private static void Read(byte[] input, int[] cuts, ServerLimits limits, Transcript to)
    {
        ChunkedReader reader = default, observer = default;
        TrailerSection trailers = new();
        ArrayBufferWriter<byte> content = new(), observed = new();
        ParseStatus status = ParseStatus.NeedMore;
        int consumed = 0;
        for (int i = 0; i < cuts.Length && status == ParseStatus.NeedMore; i++)
        {
            do
            {
                // What is left of earlier pieces lies in segments of its own.
                ReadOnlySequence<byte> rest = Segments.Of(input, consumed, cuts.AsSpan(0, i + 1));
                ReadOnlySequence<byte> before = rest;
                status = reader.Read(ref rest, out ReadOnlySequence<byte> data, limits, trailers);
                consumed = cuts[i] - (int)rest.Length;
                foreach (ReadOnlyMemory<byte> piece in data) content.Write(piece.Span);
                if (status == ParseStatus.Rejected) break;
                Observe(ref observer, before.Slice(0, rest.Start), observed);
            }
            while (status == ParseStatus.Complete && !reader.IsDone);
        }
        to.Clear();
        if (status == ParseStatus.Rejected)
        {
            FuzzFinding.Unless(reader.Reject != RejectReason.None, "refused without a reason");
            to.Add("refused ").Line(reader.Reject.ToString());
            return;
        }
        FuzzFinding.Unless(content.WrittenSpan.SequenceEqual(observed.WrittenSpan), "the observer's reading differs");
        if (status == ParseStatus.Complete)
        {
            to.Line("body");
            for (int i = 0; i < trailers.Fields.Count; i++) to.Line("name", trailers.Fields[i].Name).Line("value", trailers.Fields[i].Value);
            to.Line("end", consumed);
        }
        else
        {
            to.Line("more");
        }
        to.Line("content", content.WrittenSpan);
    }

    // As the relay tells its observer: what was accepted, read once more.
    private static void Observe(ref ChunkedReader observer, ReadOnlySequence<byte> accepted, ArrayBufferWriter<byte> to)
    {
        while (!accepted.IsEmpty && observer.ReadContent(ref accepted, out ReadOnlySequence<byte> data))
        {
            foreach (ReadOnlyMemory<byte> piece in data) to.Write(piece.Span);
        }
    }

    private static Verdict Reference(string text, ServerLimits limits, Transcript to)
    {
        ReferenceChunks body = ReferenceChunks.Read(text, 0, limits.MaxChunkExtensionBytes, limits.MaxTrailerBytes, limits.MaxHeaderFields);
        to.Clear();
        if (body.Verdict == Verdict.Accepted)
        {
            to.Line("body");
            foreach (ReferenceField field in body.Trailers) to.Line("name", field.Name).Line("value", field.Value);
            to.Line("end", body.End);
        }
        else
        {
            to.Line("more");
        }
        to.Line("content", body.Content);
        return body.Verdict;
    }
}

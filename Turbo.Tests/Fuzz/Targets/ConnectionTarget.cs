using Turbo.Net;
using Turbo.Tests.Fuzz.Reference;
using Turbo.Tests.Support;
using HttpMethod = Turbo.Net.HttpMethod;

namespace Turbo.Tests.Fuzz.Targets;

/// <summary>
/// A server's whole connection: what its handler sees of pipelined requests against the reference, that each is answered
/// once and in order, that a refusal ends it, and that nothing of this depends on cuts. The first byte chooses how the
/// handler reads.
/// </summary>
internal sealed class ConnectionTarget : FuzzTarget
{
    private const int MaxBodyBytes = 64;

    private static readonly ServerLimits s_limits = new() { MaxBodyBytes = MaxBodyBytes, MaxDrainBytes = 32 };

    private readonly FuzzServer _server;
    private readonly Transcript _whole = new(), _cut = new(), _reference = new();
    private Transcript _seen;
    private bool _readsAll;

    public ConnectionTarget()
    {
        _seen = _whole;
        _server = new FuzzServer(HandleAsync, s_limits);
    }

    public override string Name => "connection";

    public override IReadOnlyList<string> Tokens { get; } =
    [
        "\\r\\n", "\\r", "\\n", "\\r\\n\\r\\n", "\\x00", " ", ":", ";", "GET / HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n", "HEAD / HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n", "POST / HTTP/1.1\\r\\nHost: h\\r\\n", "GET / HTTP/1.0\\r\\n", "Host: h\\r\\n",
        "Content-Length: 5\\r\\n", "Content-Length: 0\\r\\n", "Content-Length: 65\\r\\n", "Transfer-Encoding: chunked\\r\\n", "Connection: close\\r\\n", "Connection: keep-alive\\r\\n", "Connection: Upgrade\\r\\nUpgrade: websocket\\r\\n", "Expect: 100-continue\\r\\n", "Expect: x\\r\\n",
        "hello", "5\\r\\nhello\\r\\n", "0\\r\\n\\r\\n", "0\\r\\nT: u\\r\\n\\r\\n", "ffffffffffffff\\r\\n", "OPTIONS * HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n", "41\\r\\n",
    ];

    public override void Run(byte[] input)
    {
        if (input.Length == 0) return;
        _readsAll = (input[0] & 1) == 0;
        byte[] wire = input[1..];
        Serve(wire, [wire.Length], _whole.Clear());
        foreach (int[] cuts in Cuts.Of(wire))
        {
            Serve(wire, cuts, _cut.Clear());
            FuzzFinding.UnlessSame(_whole, _cut, "cut otherwise, a connection sees other requests");
        }
        bool isOpen = Reference(ReferenceHead.Text(wire), _reference.Clear());
        // A request-line may be refused before it ends; whether too early is the request target's to say.
        if (isOpen && _whole.Bytes.EndsWith("refused\n"u8)) _reference.Line("refused");
        FuzzFinding.UnlessSame(_reference, _whole, "the reference sees other requests");
    }

    private void Serve(byte[] wire, int[] cuts, Transcript to)
    {
        _seen = to;
        List<bool> isHead = _heads;
        isHead.Clear();
        MemoryClient client = _server.Connect();
        FuzzServer.Send(client, wire, cuts);
        _server.End(client);
        string answers = client.TakeText();
        _server.CheckBlocks();
        FuzzFinding.Unless(!client.IsReset, "reset");
        Judge(answers, isHead, to);
    }

    // Each request that the handler answered has its 200; a refusal comes last.
    private static void Judge(string answers, List<bool> isHead, Transcript to)
    {
        int at = 0, answered = 0;
        bool isRefused = false;
        while (ReferenceAnswers.Read(answers, answered < isHead.Count && isHead[answered], ref at, "the server sent") is { } answer)
        {
            FuzzFinding.Unless(!isRefused, "an answer after a refusal");
            // The refusal of a HEAD that no handler saw has no content.
            FuzzFinding.Unless(answer.IsWhole || (answer.Head.Status >= 400 && answer.Content.Length == 0), "an answer that is cut short");
            // Whether it is sent depends on what has come by then.
            if (answer.Head.Status == 100) continue;
            if (answer.Head.Status == 200) answered++;
            else
            {
                FuzzFinding.Unless(answer.Head.Status is >= 400 and < 600 && answer.Head.HasElement("connection", "close"), $"refused with {answer.Head.Status}, and not closed");
                isRefused = true;
                to.Line("refused");
            }
        }
        FuzzFinding.Unless(at == answers.Length, "bytes after the last answer");
        FuzzFinding.Unless(answered == isHead.Count, $"{isHead.Count} requests, {answered} answers");
    }

    private readonly List<bool> _heads = [];

    private async ValueTask HandleAsync(Exchange exchange)
    {
        Transcript to = _seen;
        to.Line("request", exchange.MethodName).Line("target", exchange.Target);
        for (int i = 0; i < exchange.Fields.Count; i++) to.Line("name", exchange.Fields[i].Name).Line("value", exchange.Fields[i].Value);
        int start = to.Bytes.Length;
        if (!await ReadAsync(exchange.Body, to))
        {
            // How much came before the refusal depends on the cuts.
            to.Cut(start);
            return;
        }
        if (exchange.Body.Trailers is { } trailers)
        {
            for (int i = 0; i < trailers.Count; i++) to.Line("trailer", trailers[i].Name).Line("value", trailers[i].Value);
        }
        _heads.Add(exchange.Method == HttpMethod.Head);
        exchange.Response.Send(200, "text/plain"u8, "ok"u8);
    }

    private async ValueTask<bool> ReadAsync(BodyReader body, Transcript to)
    {
        if (_readsAll)
        {
            BodyContent content = await body.ReadAllAsync();
            if (content.IsComplete) to.Line("content", content.Bytes.Span);
            return content.IsComplete;
        }
        List<byte> gathered = [];
        while (true)
        {
            BodyRead read = await body.ReadAsync();
            if (read.IsRejected) return false;
            foreach (ReadOnlyMemory<byte> piece in read.Data) gathered.AddRange(piece.Span);
            if (!read.IsEnd) continue;
            to.Line("content", gathered.ToArray());
            return true;
        }
    }

    // RFC 9112 §9 over the whole input; true where an unfinished head is left.
    private static bool Reference(string text, Transcript to)
    {
        int at = 0;
        while (true)
        {
            // §2.2: empty lines before a request-line; two of them.
            for (int i = 0; i < 2 && text.AsSpan(at).StartsWith("\r\n"); i++) at += 2;
            if (text.AsSpan(at) is "" or "\r") return false;
            ReferenceHead head = ReferenceHead.OfRequest(text[at..], s_limits.MaxRequestLineBytes, s_limits.MaxHeaderBytes, s_limits.MaxHeaderFields);
            if (head.Verdict == Verdict.More) return true;
            if (head.Verdict == Verdict.Refused || !head.TryFrame(isRequest: true, answersHead: false, out string framing) || !IsExpected(head))
            {
                to.Line("refused");
                return false;
            }
            at += head.Length;
            to.Line("request", head.Method).Line("target", head.Target);
            head.Tell(to);
            if (!TryContent(text, framing, ref at, to))
            {
                to.Line("refused");
                return false;
            }
            bool persists = !head.HasElement("connection", "close") && (head.Version == 11 || head.HasElement("connection", "keep-alive"));
            if (!persists) return false;
        }
    }

    // RFC 9110 §10.1.1
    private static bool IsExpected(ReferenceHead head) =>
        head.Values("expect").ToList() is [] || (head.Values("expect").ToList() is [string one] && one.Equals("100-continue", StringComparison.OrdinalIgnoreCase));

    private static bool TryContent(string text, string framing, ref int at, Transcript to)
    {
        if (framing == "none")
        {
            to.Line("content", "");
            return true;
        }
        if (framing == "chunked")
        {
            ReferenceChunks body = ReferenceChunks.Read(text, at, s_limits.MaxChunkExtensionBytes, s_limits.MaxTrailerBytes, s_limits.MaxHeaderFields);
            if (body.Verdict != Verdict.Accepted || body.Content.Length > MaxBodyBytes) return false;
            at = body.End;
            to.Line("content", body.Content);
            foreach (ReferenceField field in body.Trailers) to.Line("trailer", field.Name).Line("value", field.Value);
            return true;
        }
        long length = long.Parse(framing["length ".Length..], System.Globalization.CultureInfo.InvariantCulture);
        if (length > MaxBodyBytes || at + length > text.Length) return false;
        to.Line("content", text.Substring(at, (int)length));
        at += (int)length;
        return true;
    }
}

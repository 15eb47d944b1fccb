using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Net.Upstream;
using Turbo.Tests.Fuzz.Reference;
using Turbo.Tests.Support;

namespace Turbo.Tests.Fuzz.Targets;

/// <summary>
/// What an origin server sends, through the relay, to a client: whole and unchanged where the reference reads a response,
/// a 502 where it does not, visibly broken where it breaks off; and the connection is used again only where nothing was
/// out of place. The first byte chooses the client and the origin's manners.
/// </summary>
internal sealed class RelayTarget : FuzzTarget
{
    private const byte AsksHead = 1, IsOldClient = 2, EndsWithFin = 4, IsTight = 8, HasContent = 16;

    private static readonly RelayRules s_rules = new() { Host = [.. "o"u8] };

    private sealed class Content : IRelayObserver
    {
        public readonly List<byte> Bytes = [];

        public void RequestContent(ReadOnlySpan<byte> content) { }

        public void ResponseHead(int status, HeaderFields fields) { }

        public void ResponseContent(ReadOnlySpan<byte> content) => Bytes.AddRange(content);
    }

    private sealed record Outcome(string Answer, bool IsReset, bool IsKept, string Observed);

    private readonly FuzzServer _server;
    private readonly UpstreamPool[] _pools = [Pool(64 * 1024, 256), Pool(100, 4)];
    private readonly Relay[] _relays;
    private Relay _relay;
    private Content _content = new();

    public RelayTarget()
    {
        _relays = [.. _pools.Select(static p => new Relay(p))];
        _relay = _relays[0];
        _server = new FuzzServer(HandleAsync, new ServerLimits());
    }

    public override string Name => "relay";

    public override IReadOnlyList<string> Tokens { get; } =
    [
        .. new ResponseTarget().Tokens, "HTTP/1.1 103 Early Hints\\r\\nLink: x\\r\\n\\r\\n", "HTTP/1.1 101 Switching Protocols\\r\\n\\r\\n", "hello", "5\\r\\nhello\\r\\n", "0\\r\\n\\r\\n", "0\\r\\nT: u\\r\\n\\r\\n", "1;a=b\\r\\nx\\r\\n",
        "Connection: close, x-a\\r\\n", "X-A: b\\r\\n", "Keep-Alive: timeout=5\\r\\n", "Connection: content-length\\r\\n", "Upgrade: h2c\\r\\n", "Set-Cookie: a=b\\r\\n",
    ];

    public override void Run(byte[] input)
    {
        if (input.Length == 0) return;
        byte flags = input[0];
        byte[] wire = input[1..];
        int limits = (flags & IsTight) == 0 ? 0 : 1;
        Outcome whole = Serve(flags, wire, [wire.Length], limits);
        foreach (int[] cuts in Cuts.Of(wire))
        {
            Outcome cut = Serve(flags, wire, cuts, limits);
            // Chunks follow the reads; what they hold does not.
            FuzzFinding.Unless(Told(cut, flags) == Told(whole, flags), $"cut otherwise, the client gets\n{Told(cut, flags)}\nand not\n{Told(whole, flags)}");
        }
        Compare(ReferenceHead.Text(wire), flags, limits, whole);
    }

    private Outcome Serve(byte flags, byte[] wire, int[] cuts, int limits)
    {
        _relay = _relays[limits];
        _content = new Content();
        MemoryTransport origin = new();
        UpstreamConnection upstream = new(_pools[limits], origin) { TableIndex = -1 };
        _pools[limits].Return(upstream);

        MemoryClient client = _server.Connect();
        client.Send(Request(flags));
        int at = 0;
        foreach (int cut in cuts)
        {
            if (origin.EndReason != EndReason.None) break;
            wire.AsSpan(at, cut - at).CopyTo(origin.PeerOutput.GetSpan(Math.Max(cut - at, 1)));
            origin.PeerOutput.Advance(cut - at);
            at = cut;
            origin.PeerOutput.FlushAsync().AsTask();
        }
        if ((flags & EndsWithFin) != 0) origin.PeerOutput.Complete();
        string answer = client.TakeText();
        bool isReset = client.IsReset;
        UpstreamConnection? kept = _pools[limits].TryRent();
        if (kept is not null) _pools[limits].Discard(kept, EndReason.PeerClosed);
        string observed = ReferenceHead.Text([.. _content.Bytes]);

        // Whatever still waits is let down.
        if ((flags & EndsWithFin) == 0) origin.PeerOutput.Complete(new IOException("reset by the origin"));
        _server.End(client);
        origin.PeerInput.Complete();
        _server.CheckBlocks();
        return new Outcome(answer, isReset, kept is not null, observed);
    }

    private async ValueTask HandleAsync(Exchange exchange)
    {
        RelayResult result = await _relay.RunAsync(exchange, s_rules, _content);
        if (result is RelayResult.Unreachable or RelayResult.MalformedResponse or RelayResult.Overloaded or RelayResult.Timeout) exchange.Response.Send(502, "fuzz/own"u8, default);
    }

    private static string Request(byte flags)
    {
        string version = (flags & IsOldClient) == 0 ? "1.1" : "1.0";
        string method = (flags & HasContent) != 0 ? "POST" : (flags & AsksHead) != 0 ? "HEAD" : "GET";
        return $"{method} /v1/x HTTP/{version}\r\nHost: h\r\n" + ((flags & HasContent) != 0 ? "Content-Length: 5\r\n\r\nhello" : "\r\n");
    }

    private static bool IsHead(byte flags) => (flags & (AsksHead | HasContent)) == AsksHead;

    // The answer without what a cut may change: how content is chunked.
    private static string Told(Outcome outcome, byte flags)
    {
        Transcript told = new();
        int at = 0;
        while (ReferenceAnswers.Read(outcome.Answer, IsHead(flags), ref at, "the client was sent") is { } answer)
        {
            told.Line("answer", answer.Head.Status).Line(answer.Framing).Line("content", answer.Content).Line(answer.IsWhole ? "whole" : "open");
            answer.Head.Tell(told);
            foreach (ReferenceField field in answer.Trailers) told.Line("trailer", field.Name).Line("value", field.Value);
        }
        told.Line("rest", outcome.Answer[at..]).Line("observed", outcome.Observed).Line(outcome.IsReset ? "reset" : "open").Line(outcome.IsKept ? "kept" : "dropped");
        return told.ToString();
    }

    private void Compare(string text, byte flags, int limits, Outcome outcome)
    {
        UpstreamOptions options = _pools[limits].Options;
        bool hasFin = (flags & EndsWithFin) != 0;
        int at = 0, read = 0;
        while (true)
        {
            ReferenceHead head = ReferenceHead.OfResponse(text[at..], options.MaxHeaderBytes, options.MaxHeaderFields);
            string framing = "";
            if (head.Verdict == Verdict.Accepted && head.Status is >= 100 and < 200 and not 101
                && !head.Values("content-length").Any() && !head.Values("transfer-encoding").Any())
            {
                at += head.Length;
                if ((flags & IsOldClient) == 0) ExpectInterim(head, flags, outcome, ref read);
                continue;
            }
            bool isInterim = head.Verdict == Verdict.Accepted && head.Status is >= 100 and < 200;
            bool isRefused = head.Verdict == Verdict.Refused || isInterim
                || (head.Verdict == Verdict.Accepted && !head.TryFrame(isRequest: false, IsHead(flags), out framing))
                || (head.Verdict == Verdict.More && hasFin);
            // A status-line may be refused before it ends; whether too early is the response target's to say.
            isRefused |= head.Verdict == Verdict.More && outcome.Answer.AsSpan(read).StartsWith("HTTP/1.1 502");
            if (isRefused) ExpectOwn(flags, outcome, ref read);
            else if (head.Verdict == Verdict.More) FuzzFinding.Unless(read == outcome.Answer.Length && !outcome.IsKept, "an answer before there is one");
            else ExpectResponse(text, at + head.Length, head, framing, flags, outcome, ref read);
            FuzzFinding.Unless(read == outcome.Answer.Length, "the client was sent more than there is");
            return;
        }
    }

    private static void ExpectInterim(ReferenceHead head, byte flags, Outcome outcome, ref int read)
    {
        ReferenceAnswer? answer = ReferenceAnswers.Read(outcome.Answer, IsHead(flags), ref read, "the client was sent");
        FuzzFinding.Unless(answer is not null && answer.Head.Status == head.Status, "an informational response is lost");
        CompareFields(head, answer!.Head);
    }

    private static void ExpectOwn(byte flags, Outcome outcome, ref int read)
    {
        ReferenceAnswer? answer = ReferenceAnswers.Read(outcome.Answer, IsHead(flags), ref read, "the client was sent");
        FuzzFinding.Unless(answer is not null && answer.Head.Status == 502 && answer.Head.Values("content-type").SequenceEqual(["fuzz/own"]), $"not refused but answered with {answer?.Head.Status}");
        FuzzFinding.Unless(!outcome.IsKept, "the connection of a malformed response is kept");
    }

    private static void ExpectResponse(string text, int start, ReferenceHead head, string framing, byte flags, Outcome outcome, ref int read)
    {
        bool hasFin = (flags & EndsWithFin) != 0;
        (string content, IReadOnlyList<ReferenceField> trailers, int end, bool isWhole, bool isBroken) = Body(text, start, framing, hasFin);
        ReferenceAnswer? answer = ReferenceAnswers.Read(outcome.Answer, IsHead(flags), ref read, "the client was sent");
        // A chunk-size may be refused before its line ends; whether too early is the chunks target's to say.
        isBroken |= !isWhole && framing == "chunked" && outcome.IsReset;
        // A reset may overtake what had not left yet.
        if (answer is null && isBroken && outcome.IsReset) return;
        if (answer is null) throw new FuzzFinding("no answer");
        FuzzFinding.Unless(answer.Head.Status == head.Status, $"{head.Status} became {answer.Head.Status}");
        CompareFields(head, answer.Head);
        FuzzFinding.Unless(answer.Content == content, "the content is another");
        if (framing != "none") FuzzFinding.Unless(outcome.Observed == content, "the observer sees other content");
        // Where only its end ends the client's response, a reset is what tells a broken one.
        bool looksWhole = answer.Framing == "close" ? !outcome.IsReset && isWhole : answer.IsWhole;
        FuzzFinding.Unless(looksWhole == isWhole, isWhole ? "a whole response looks broken" : "a broken response looks whole");
        if (answer.Framing == "close" && isBroken) FuzzFinding.Unless(outcome.IsReset, "a broken response ends without a reset");
        if (answer.Framing == "chunked" && isWhole) FuzzFinding.Unless(answer.Trailers.SequenceEqual(trailers), "the trailers are others");
        bool persists = head.Version == 11 ? !head.HasElement("connection", "close") : head.HasElement("connection", "keep-alive");
        bool isReusable = isWhole && framing != "close" && end == text.Length && !hasFin && persists;
        FuzzFinding.Unless(outcome.IsKept == isReusable, isReusable ? "a clean connection is dropped" : "a connection is kept that must not be");
    }

    private static (string Content, IReadOnlyList<ReferenceField> Trailers, int End, bool IsWhole, bool IsBroken) Body(string text, int start, string framing, bool hasFin)
    {
        switch (framing)
        {
            case "none": return ("", [], start, true, false);
            case "close": return (text[start..], [], text.Length, hasFin, false);
            case "chunked":
                ServerLimits limits = new();
                ReferenceChunks chunks = ReferenceChunks.Read(text, start, limits.MaxChunkExtensionBytes, limits.MaxTrailerBytes, limits.MaxHeaderFields);
                bool isWhole = chunks.Verdict == Verdict.Accepted;
                return (chunks.Content, chunks.Trailers, chunks.End, isWhole, chunks.Verdict == Verdict.Refused || (hasFin && !isWhole));
            default:
                long length = long.Parse(framing["length ".Length..], System.Globalization.CultureInfo.InvariantCulture);
                int end = (int)Math.Min(start + length, text.Length);
                return (text[start..end], [], end, end - start == length, hasFin && end - start < length);
        }
    }

    // RFC 9110 §7.6.1: all but what ends at this hop, in the same order.
    private static void CompareFields(ReferenceHead origin, ReferenceHead client)
    {
        string[] hop = ["connection", "keep-alive", "proxy-connection", "te", "upgrade", "transfer-encoding"];
        List<string> named = [.. origin.Values("connection").SelectMany(static v => v.Split(',')).Select(static n => n.Trim(' ', '\t').ToLowerInvariant()).Except(["host", "content-length", "authorization", "expect"])];
        List<ReferenceField> expected = [.. origin.Fields.Where(f => !hop.Contains(f.Name.ToLowerInvariant()) && !named.Contains(f.Name.ToLowerInvariant())).Select(Plain)];
        List<ReferenceField> sent = [.. client.Fields.Where(static f => !f.Name.Equals("transfer-encoding", StringComparison.OrdinalIgnoreCase))];
        // The server's own, for the client's connection, comes last.
        if (client.Status >= 200 && sent is [.., { Name: "Connection", Value: "close" or "keep-alive" }]) sent.RemoveAt(sent.Count - 1);
        FuzzFinding.Unless(expected.SequenceEqual(sent), $"the fields are others:\n{string.Join('\n', sent)}\nand not:\n{string.Join('\n', expected)}");
    }

    // A length says the same without leading zeros, and to everybody.
    private static ReferenceField Plain(ReferenceField field) =>
        field.Name.Equals("content-length", StringComparison.OrdinalIgnoreCase) ? field with { Value = field.Value.TrimStart('0') is { Length: > 0 } digits ? digits : "0" } : field;

    private static UpstreamPool Pool(int maxHeaderBytes, int maxHeaderFields) => new(new UpstreamOptions
    {
        Host = "127.0.0.1",
        Port = 1,
        // No connection but those that a run puts in.
        MaxConnections = 0,
        MaxHeaderBytes = maxHeaderBytes,
        MaxHeaderFields = maxHeaderFields,
        TimeProvider = new ManualTimeProvider(),
    });
}

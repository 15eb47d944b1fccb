using Turbo.Tests.Support;

namespace Turbo.Tests.Acceptance;

/// <summary>What a client may see of an exchange that its upstream spoilt, or did not.</summary>
internal enum Sees
{
    /// <summary>The answer as upstream sent it, to its end.</summary>
    Whole,
    /// <summary>An error of Turbo's own, of type <c>upstream_error</c>.</summary>
    Error,
    /// <summary>An answer that anyone can tell is not whole.</summary>
    Broken,
}

/// <summary>What becomes of the connection to upstream.</summary>
internal enum Then
{
    /// <summary>The next request has it.</summary>
    Reused,
    /// <summary>It is closed with the exchange.</summary>
    Closed,
    /// <summary>It goes back, and is found to be spoilt before another request uses it.</summary>
    FoundSpoilt,
}

/// <summary>One row of the matrix: what upstream does, and what must come of it.</summary>
/// <param name="Fault">Says what upstream does, in the names of the tests.</param>
/// <param name="Does">Answers one request, whose head was read.</param>
/// <param name="Sees">What the client sees.</param>
/// <param name="Status">The status that it sees, where it sees one.</param>
/// <param name="Message">Of the event row; a part of it.</param>
/// <param name="Then">What becomes of the connection.</param>
internal sealed record FaultCell(string Fault, Action<UpstreamPeer> Does, Sees Sees, int Status, string Message, Then Then)
{
    /// <summary>Whether upstream says nothing more and only time ends it.</summary>
    public bool Stalls { get; init; }

    /// <summary>Whether the answer comes before the client has sent its request whole.</summary>
    public bool IsEarly { get; init; }

    /// <summary>Of a whole answer.</summary>
    public string? Content { get; init; }

    public override string ToString() => Fault;
}

/// <summary>The rows for each kind of reply, and for an upload.</summary>
internal static class FaultCells
{
    private const string Unreachable = "could not be reached or ended without an answer", Malformed = "malformed", Late = "did not answer in time", BrokeOff = "broke off";

    private const string Inline = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 39\r\n\r\n{\"id\":\"x\",\"usage\":{\"total_tokens\":123}}";

    private const string Events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" +
        "f\r\ndata: {\"n\":1}\n\n\r\n" + "f\r\ndata: {\"n\":2}\n\n\r\n" + "e\r\ndata: [DONE]\n\n\r\n" + "0\r\n\r\n";

    private const string UntilClose = "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{\"id\":\"x\",\"usage\":{\"total_tokens\":123}}";

    /// <summary>While the response comes down.</summary>
    public static IEnumerable<(string Reply, FaultCell Cell)> Down() =>
    [
        .. Both("inline", Inline).Select(static c => ("inline", c with { Content = c.Content ?? Rest(Inline) })),
        .. Both("streaming", Events).Concat(Chunks()).Select(static c => ("streaming", c with { Content = "data: {\"n\":1}\n\ndata: {\"n\":2}\n\ndata: [DONE]\n\n" })),
        .. ToTheEnd().Select(static c => ("delimited by its end", c with { Content = Rest(UntilClose) })),
    ];

    /// <summary>While the request goes up: upstream has its head, and the client sends 100,000 bytes.</summary>
    public static IEnumerable<FaultCell> Up() =>
    [
        new("resets", static p => p.Reset(), Sees.Error, 502, Unreachable, Then.Closed),
        new("closes", static p => p.Close(), Sees.Error, 502, Unreachable, Then.Closed),
        new("takes a part and resets", static p => { p.Take(1000); p.Reset(); }, Sees.Error, 502, Unreachable, Then.Closed),
        new("takes a part and closes", static p => { p.Take(1000); p.Close(); }, Sees.Error, 502, Unreachable, Then.Closed),
        new("answers 413 early and waits", static p => p.Send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig").WaitForEnd(), Sees.Whole, 413, "", Then.Closed) { IsEarly = true, Content = "big" },
        new("answers 413 early and ends its side", static p => { p.Send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig").EndOutput().WaitForEnd(); }, Sees.Whole, 413, "", Then.Closed) { IsEarly = true, Content = "big" },
        new("answers 200 early and waits", static p => p.Send(Inline).WaitForEnd(), Sees.Whole, 200, "", Then.Closed) { IsEarly = true, Content = Rest(Inline) },
        new("answers 200 early, takes all, and is silent", static p => { p.Send(Head(Inline)).DropAll().WaitForEnd(); }, Sees.Broken, 200, BrokeOff, Then.Closed) { Stalls = true },
        new("answers 200 early and resets within its answer", static p => { p.Send(Events[..(Head(Events).Length + 8)]); p.Reset(); }, Sees.Broken, 200, BrokeOff, Then.Closed),
        new("answers nonsense", static p => p.Send("HTTP/1.1 2000 OK\r\n\r\n").WaitForEnd(), Sees.Error, 502, Malformed, Then.Closed),
        new("continues and resets", static p => { p.Send("HTTP/1.1 100 Continue\r\n\r\n").Take(1000); p.Reset(); }, Sees.Error, 502, Unreachable, Then.Closed),
        new("takes nothing and is silent", static p => p.WaitForCue(), Sees.Error, 504, Late, Then.Closed) { Stalls = true },
        new("takes all and is silent", static p => p.DropAll().WaitForEnd(), Sees.Error, 504, Late, Then.Closed) { Stalls = true },
        new("takes all and answers", static p => p.DropAll().Send(Inline), Sees.Whole, 200, "", Then.Reused) { Content = Rest(Inline) },
        new("takes all slowly and answers", static p => { for (int i = 0; i < 500; i++) p.Take(2); p.DropAll().Send(Inline); }, Sees.Whole, 200, "", Then.Reused) { Content = Rest(Inline) },
    ];

    // What may befall a reply whose framing tells its end.
    private static IEnumerable<FaultCell> Both(string kind, string reply)
    {
        string head = Head(reply);
        yield return new("none", p => p.Send(reply), Sees.Whole, 200, "", Then.Reused);
        yield return new("byte by byte", p => Trickle(p, reply), Sees.Whole, 200, "", Then.Reused);
        yield return new("two informational responses before", p => p.Send("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + reply), Sees.Whole, 200, "", Then.Reused);
        foreach ((string where, int at) in ((string, int)[])
            [("before a byte", 0), ("within the status-line", 10), ("within the head", head.Length - 2), ("after the head", head.Length), ("within the body", head.Length + 6), ("one byte short", reply.Length - 1)])
        {
            Sees sees = at < head.Length ? Sees.Error : Sees.Broken;
            string said = at == 0 ? Unreachable : at < head.Length ? "the upstream server" : BrokeOff;
            int status = at < head.Length ? 502 : 200;
            yield return new($"reset {where}", p => { p.Send(reply[..at]); p.Reset(); }, sees, status, said, Then.Closed);
            yield return new($"closed {where}", p => { p.Send(reply[..at]); p.Close(); }, sees, status, said, Then.Closed);
            yield return new($"silent {where}", p => p.Send(reply[..at]).WaitForEnd(), sees, at < head.Length ? 504 : 200, at < head.Length ? Late : BrokeOff, Then.Closed) { Stalls = true };
        }
        yield return new("a response more", p => p.Send(reply + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"), Sees.Whole, 200, "", Then.Closed);
        yield return new("a byte more", p => p.Send(reply + "\n"), Sees.Whole, 200, "", Then.Closed);
        yield return new("says close and goes on sending", p => p.Send(reply.Insert(head.Length - 2, "Connection: close\r\n") + "stray"), Sees.Whole, 200, "", Then.Closed);
        yield return new("closed after the end", p => { p.Send(reply); p.Close(); }, Sees.Whole, 200, "", Then.FoundSpoilt);
        yield return new("a byte after the end, later", p => { p.Send(reply); p.WaitForCue(); p.Send("x"); }, Sees.Whole, 200, "", Then.FoundSpoilt);
        yield return new("a flood of informational responses", p => p.Send(string.Concat(Enumerable.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 150)) + reply), Sees.Error, 502, Malformed, Then.Closed);
        foreach ((string what, string bad) in ((string, string)[])
            [
                ("of HTTP/2", reply.Replace("HTTP/1.1", "HTTP/2", StringComparison.Ordinal)),
                ("with a status of two digits", reply.Replace("200", "20", StringComparison.Ordinal)),
                ("with a space in a field name", reply.Insert(head.Length - 2, "X Y: 1\r\n")),
                ("with two framings", reply.Insert(head.Length - 2, "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n")),
                ("with NUL in a value", reply.Insert(head.Length - 2, "X: a\0b\r\n")),
                ("that switches unasked", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
            ])
        {
            yield return new($"a head {what}", p => p.Send(bad), Sees.Error, 502, Malformed, Then.Closed);
        }
        if (kind == "inline") yield return new("a length below the content", p => p.Send(reply.Replace("39", "30", StringComparison.Ordinal)), Sees.Whole, 200, "", Then.Closed) { Content = Rest(reply)[..30] };
        if (kind == "inline") yield return new("a length above the content, then the end", p => { p.Send(reply.Replace("39", "40", StringComparison.Ordinal)); p.Close(); }, Sees.Broken, 200, BrokeOff, Then.Closed);
    }

    // Lies within the chunked coding (RFC 9112 §7.1).
    private static IEnumerable<FaultCell> Chunks()
    {
        foreach ((string what, string right, string wrong) in ((string, string, string)[])
            [
                ("a chunk-size above its data", "\r\nf\r\n", "\r\n1f\r\n"), ("a chunk-size below its data", "\r\nf\r\n", "\r\nd\r\n"), ("a chunk-size that is none", "\r\ne\r\n", "\r\nzz\r\n"),
                ("a chunk-size beyond all numbers", "\r\ne\r\n", "\r\nfffffffffffffffff\r\n"), ("a signed chunk-size", "\r\ne\r\n", "\r\n-e\r\n"), ("a bare LF after a chunk-size", "\r\ne\r\n", "\r\ne\n"),
                ("no CRLF after chunk-data", "\n\n\r\n0\r\n", "\n\n0\r\n"), ("a field that frames in the trailers", "0\r\n\r\n", "0\r\nContent-Length: 1\r\n\r\n"), ("a malformed trailer", "0\r\n\r\n", "0\r\nX Y: 1\r\n\r\n"),
            ])
        {
            string wire = Head(Events) + Rest(Events).Replace(right, wrong, StringComparison.Ordinal);
            yield return new(what, p => { p.Send(wire); p.Close(); }, Sees.Broken, 200, BrokeOff, Then.Closed);
        }
        foreach ((string where, string mark, int after) in ((string, string, int)[]) [("within a chunk-size line", "\r\ne\r", 3), ("between chunks", "\r\ne\r\n", 2), ("before the last chunk", "\n0\r\n", 1), ("within the last chunk", "\n0\r\n", 3)])
        {
            string part = Events[..(Events.IndexOf(mark, StringComparison.Ordinal) + after)];
            yield return new($"closed {where}", p => { p.Send(part); p.Close(); }, Sees.Broken, 200, BrokeOff, Then.Closed);
            yield return new($"reset {where}", p => { p.Send(part); p.Reset(); }, Sees.Broken, 200, BrokeOff, Then.Closed);
        }
    }

    // A reply of HTTP/1.0, whose end is the connection's: a FIN ends it well, and nothing else does.
    private static IEnumerable<FaultCell> ToTheEnd()
    {
        yield return new("closed at the end", static p => { p.Send(UntilClose); p.Close(); }, Sees.Whole, 200, "", Then.Closed);
        yield return new("reset within the body", static p => { p.Send(UntilClose[..^9]); p.WaitForCue(); p.Reset(); }, Sees.Broken, 200, BrokeOff, Then.Closed);
        yield return new("silent within the body", static p => p.Send(UntilClose[..^9]).WaitForEnd(), Sees.Broken, 200, BrokeOff, Then.Closed) { Stalls = true };
        yield return new("closed within the head", static p => { p.Send(UntilClose[..20]); p.Close(); }, Sees.Error, 502, Malformed, Then.Closed);
    }

    private static string Head(string reply) => reply[..(reply.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)];

    private static string Rest(string reply) => reply[Head(reply).Length..];

    private static void Trickle(UpstreamPeer peer, string wire)
    {
        foreach (char c in wire) peer.Send(c.ToString());
    }
}

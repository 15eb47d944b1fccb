using System.Text;
using System.Text.RegularExpressions;
using Turbo.Net;
using Turbo.Tests.Net;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance.Http;

/// <summary>
/// Tables of what a client sends and of exactly what it gets, less the Date line, over the whole server in memory. Every
/// row holds however the bytes are cut, whether or not the client closes its side after them, and a row's connection
/// ends if and only if the last answer says so. A refusal holds, too, with another request behind it: that one is
/// not answered.
/// </summary>
internal abstract partial class HttpTable
{
    protected const string Host = "Host: h\r\n";
    protected const string Get = "GET /plaintext HTTP/1.1\r\n" + Host + "\r\n";

    /// <summary>The answer to <see cref="Get"/>.</summary>
    protected const string Hello = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";

    /// <summary>As <see cref="Hello"/>, on a connection that ends with it.</summary>
    protected const string LastHello = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\nConnection: close\r\n\r\nHello, World!";

    // Longer than this, not every cut is tried.
    private const int MaxEveryCut = 300;

    private NetServer _server = null!;

    protected virtual ServerLimits Limits { get; } = new();

    [OneTimeSetUp]
    public void Start() => _server = new NetServer(Routes().HandleAsync, Limits, new ManualTimeProvider(), listens: false);

    [OneTimeTearDown]
    public async Task StopAsync() => await _server.DisposeAsync();

    protected MemoryClient Connect() => _server.ConnectInMemory();

    /// <summary>Those of <see cref="NetServer.Plain"/>; /seen… tells how the server read a request, /body its content and trailers.</summary>
    protected static Router Routes()
    {
        Router routes = NetServer.Plain();
        routes.Any("/seen*"u8, static exchange =>
        {
            exchange.Fields.TryGet(KnownField.Host, out ReadOnlySpan<byte> host);
            string text = $"{Latin1(exchange.MethodName)} {exchange.Version} path={Latin1(exchange.Path)} query={Latin1(exchange.Query)} host={Latin1(host)}";
            for (int i = 0; i < exchange.Fields.Count; i++)
            {
                HeaderField field = exchange.Fields[i];
                if (field.Known != KnownField.Host) text += $" {Latin1(field.Name)}={Latin1(field.Value)}";
            }
            exchange.Response.Send(200, default, Segmented.Bytes(text));
            return default;
        });
        routes.Any("/body"u8, static async exchange =>
        {
            BodyContent content = await exchange.Body.ReadAllAsync();
            if (!content.IsComplete) return;
            string text = Latin1(content.Bytes.Span);
            for (int i = 0; i < exchange.Body.Trailers?.Count; i++) text += "|" + Latin1(exchange.Body.Trailers[i].Line);
            exchange.Response.Send(200, default, Segmented.Bytes(text));
        });
        return routes;
    }

    private static string Latin1(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    /// <summary>A 200 of /seen or /body.</summary>
    protected static string Seen(string text, bool isLast = false) =>
        $"HTTP/1.1 200 OK\r\nContent-Length: {text.Length}\r\n{(isLast ? "Connection: close\r\n" : "")}\r\n{text}";

    /// <summary>What the server's own error writer answers where the connection goes on.</summary>
    protected static string Error(string statusLine, string message, string fields = "") =>
        $"HTTP/1.1 {statusLine}\r\n{fields}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {message.Length}\r\n\r\n{message}";

    /// <summary>A refusal: the connection's last answer.</summary>
    protected static string Refusal(string statusLine, string message) =>
        $"HTTP/1.1 {statusLine}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {message.Length}\r\nConnection: close\r\n\r\n{message}";

    protected static string BadRequest(string message) => Refusal("400 Bad Request", message);

    /// <summary>Rows for a <see cref="TestCaseSourceAttribute"/>, named by their bytes.</summary>
    protected static IEnumerable<TestCaseData> Rows(params (string Wire, string Answer)[] rows) =>
        rows.Select(static (row, i) => new TestCaseData(row.Wire, row.Answer).SetArgDisplayNames($"{i} {Segmented.Show(Segmented.Bytes(row.Wire), 120)}"));

    /// <summary>Rows that all get one answer.</summary>
    protected static IEnumerable<TestCaseData> Rows(string answer, params string[] wires) => Rows([.. wires.Select(wire => (wire, answer))]);

    /// <summary>The answer to these bytes in any cuts, and to what a row's promises make of them.</summary>
    protected void Answers(string text, string answer)
    {
        byte[] wire = Segmented.Bytes(text);
        bool closes = answer.Contains("\r\nConnection: close\r\n", StringComparison.Ordinal);
        Same([wire], "whole");
        // A long one in the least pieces that differ from each other.
        Same([.. wire.Chunk(wire.Length <= 4096 ? 1 : 499)], "byte by byte");
        int step = wire.Length <= MaxEveryCut ? 1 : wire.Length / 20;
        for (int at = 1; at < wire.Length; at += step) Same([wire[..at], wire[at..]], $"cut at {at}");
        if (closes) Same([wire, Segmented.Bytes(Get)], "with a request behind it");
        // What is incomplete, the end of the bytes makes another matter of.
        if (answer.Length > 0) Same([wire], "half-closed", halfCloses: true);

        void Same(byte[][] pieces, string how, bool halfCloses = false)
        {
            MemoryClient client = Connect();
            foreach (byte[] piece in pieces) client.Send(piece);
            if (halfCloses) client.Fin();
            string received = Undated(client.TakeText());
            if (received != answer) Assert.That(Segmented.Show(Segmented.Bytes(received)), Is.EqualTo(Segmented.Show(Segmented.Bytes(answer))), how);
            Assert.That(client.HasEnded, Is.EqualTo(closes || halfCloses), how);
            Assert.That(client.IsReset, Is.False, how);
            if (!halfCloses) client.Fin();
            Assert.That(client.Serving.IsCompletedSuccessfully, how);
            if (answer.Length > 0) Assert.That(client.Take(), Is.Empty, how);
        }
    }

    /// <summary>A conversation: what the client sends, what it then gets, in turn.</summary>
    protected void Talks(params string[] turns) => Talks(keepsInterim: false, turns);

    /// <param name="keepsInterim">Whether 100 (Continue) is shown.</param>
    /// <param name="turns">As above.</param>
    protected void Talks(bool keepsInterim, params string[] turns)
    {
        MemoryClient client = Connect();
        for (int i = 0; i < turns.Length; i += 2)
        {
            if (turns[i].Length > 0) client.Send(turns[i]);
            Assert.That(Segmented.Show(Segmented.Bytes(Undated(client.TakeText(), keepsInterim))), Is.EqualTo(Segmented.Show(Segmented.Bytes(turns[i + 1]))), $"turn {i / 2}");
        }
        Assert.That(client.HasEnded, Is.EqualTo(turns[^1].Contains("\r\nConnection: close\r\n", StringComparison.Ordinal)));
        client.Fin();
        Assert.That(client.Serving.IsCompletedSuccessfully && !client.IsReset);
    }

    /// <summary>Without the Date lines; and without 100 (Continue), which depends on what came when, unless it is kept.</summary>
    protected static string Undated(string wire, bool keepsInterim = false)
    {
        string undated = DateLine().Replace(wire, "");
        return keepsInterim ? undated : undated.Replace("HTTP/1.1 100 Continue\r\n\r\n", "", StringComparison.Ordinal);
    }

    [GeneratedRegex("Date: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT\r\n")]
    private static partial Regex DateLine();
}

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace Turbo.Tests.Fuzz.Reference;

/// <summary>What a reference makes of bytes: nothing yet, a message, or nothing ever.</summary>
internal enum Verdict
{
    More,
    Accepted,
    Refused,
}

internal sealed record ReferenceField(string Name, string Value);

/// <summary>
/// A message's head as RFC 9112 has it, from the grammar and nothing else: whole input, line by line, regular expressions
/// in the grammar's words. Slow, and not one line in common with the product's parser.
/// </summary>
internal sealed partial class ReferenceHead
{
    // RFC 9110 §5.6.2: tchar
    private const string Token = @"[!#$%&'*+\-.^_`|~0-9A-Za-z]+";

    // RFC 9110 §6.5.1: framing, routing, authentication, content handling, and what ends at this hop
    private static readonly string[] s_notInTrailers =
    [
        "Host", "Content-Length", "Transfer-Encoding", "Trailer", "TE", "Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "Expect",
        "Authorization", "Cookie", "Content-Type", "Content-Encoding",
    ];

    public Verdict Verdict { get; private set; } = Verdict.More;

    public string Method { get; private set; } = "";

    public string Target { get; private set; } = "";

    public string Path { get; private set; } = "";

    public string Query { get; private set; } = "";

    public string Authority { get; private set; } = "";

    public int Version { get; private set; }

    public int Status { get; private set; }

    public List<ReferenceField> Fields { get; } = [];

    public int Length { get; private set; }

    public IEnumerable<string> Values(string name) => Fields.Where(f => f.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(static f => f.Value);

    /// <summary>RFC 9110 §5.6.1: the elements of all lines of a list field.</summary>
    public bool HasElement(string name, string element) =>
        Values(name).SelectMany(static v => v.Split(',')).Any(e => e.Trim(' ', '\t').Equals(element, StringComparison.OrdinalIgnoreCase));

    public static ReferenceHead OfRequest(string text, int maxLine, int maxBytes, int maxFields)
    {
        ReferenceHead head = new();
        head.Read(text, maxBytes, maxFields, line => line.Length <= maxLine && head.ReadRequestLine(line), maxLine);
        return head;
    }

    public static ReferenceHead OfResponse(string text, int maxBytes, int maxFields)
    {
        ReferenceHead head = new();
        head.Read(text, maxBytes, maxFields, head.ReadStatusLine, int.MaxValue);
        return head;
    }

    /// <summary>RFC 9112 §7.1.2: field lines and the empty line, on their own.</summary>
    public static ReferenceHead OfTrailers(string text, int maxBytes, int maxFields)
    {
        ReferenceHead head = new();
        head.Read(text, maxBytes, maxFields, startLine: null, int.MaxValue);
        if (head.Verdict == Verdict.Accepted && head.Fields.Any(static f => s_notInTrailers.Contains(f.Name, StringComparer.OrdinalIgnoreCase))) head.Verdict = Verdict.Refused;
        return head;
    }

    private void Read(string text, int maxBytes, int maxFields, Func<string, bool>? startLine, int maxLine)
    {
        int at = 0;
        bool needsStart = startLine is not null;
        while (true)
        {
            int lf = text.IndexOf('\n', at);
            int end = lf < 0 ? text.Length : lf + 1;
            // Room for the line's own CRLF.
            if (needsStart && end - at > maxLine + 2L)
            {
                Verdict = Verdict.Refused;
                return;
            }
            if (lf < 0)
            {
                Verdict = text.Length >= maxBytes ? Verdict.Refused : Verdict.More;
                return;
            }
            if (end > maxBytes || lf == at || text[lf - 1] != '\r')
            {
                Verdict = Verdict.Refused;
                return;
            }
            string line = text[at..(lf - 1)];
            at = end;
            bool isTaken;
            if (needsStart) isTaken = startLine!(line);
            else if (line.Length == 0)
            {
                Length = at;
                Verdict = Verdict.Accepted;
                return;
            }
            else isTaken = Fields.Count < maxFields && ReadField(line) && Values("connection").SelectMany(static v => v.Split(',')).Count() <= maxFields;
            needsStart = false;
            if (isTaken) continue;
            Verdict = Verdict.Refused;
            return;
        }
    }

    // RFC 9112 §5: field-line = field-name ":" OWS field-value OWS; RFC 9110 §5.5: VCHAR, obs-text, SP, HTAB
    private bool ReadField(string line)
    {
        if (FieldLine().Match(line) is not { Success: true } match) return false;
        Fields.Add(new ReferenceField(match.Groups[1].Value, match.Groups[2].Value.Trim(' ', '\t')));
        return true;
    }

    // RFC 9112 §3
    private bool ReadRequestLine(string line)
    {
        if (RequestLine().Match(line) is not { Success: true } match || match.Groups[3].Value != "1") return false;
        Method = match.Groups[1].Value;
        Target = match.Groups[2].Value;
        Version = match.Groups[4].Value == "0" ? 10 : 11;
        string rest = Target;
        if (Method == "CONNECT") return false;
        if (Target == "*") return Method == "OPTIONS" && SplitPath("*");
        if (AbsoluteForm().Match(Target) is { Success: true } absolute)
        {
            Authority = absolute.Groups[1].Value;
            if (!IsHost(Authority)) return false;
            rest = absolute.Groups[2].Value;
        }
        else if (Target[0] != '/')
        {
            return false;
        }
        return SplitPath(rest);
    }

    private bool SplitPath(string rest)
    {
        string[] parts = rest.Split('?', 2);
        Path = parts[0].Length == 0 ? "/" : parts[0];
        Query = parts.Length == 2 ? parts[1] : "";
        return true;
    }

    // RFC 9112 §4, and the second space left out where no reason follows
    private bool ReadStatusLine(string line)
    {
        if (StatusLine().Match(line) is not { Success: true } match) return false;
        Version = match.Groups[1].Value == "0" ? 10 : 11;
        Status = int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture);
        return true;
    }

    // RFC 9110 §7.2: uri-host [ ":" port ]; RFC 3986 §3.2.2 less the forms that nobody sends: IPvFuture, an empty name
    public static bool IsHost(string text)
    {
        if (Host().Match(text) is not { Success: true } match) return false;
        string literal = match.Groups[1].Value, port = match.Groups[2].Value.TrimStart('0');
        if (port.Length > 5 || (port.Length > 0 && int.Parse(port, CultureInfo.InvariantCulture) > 65535)) return false;
        return literal.Length == 0 || (IPAddress.TryParse(literal, out IPAddress? address) && address.AddressFamily == AddressFamily.InterNetworkV6);
    }

    /// <summary>RFC 9112 §6.3 and the refusals of every framing that two recipients could read differently.</summary>
    public bool TryFrame(bool isRequest, bool answersHead, out string framing)
    {
        framing = "";
        if (isRequest)
        {
            List<string> hosts = [.. Values("host")];
            if (hosts.Count > 1 || (hosts.Count == 0 && Version == 11)) return false;
            if (hosts.Count == 1 && (!IsHost(hosts[0]) || (Authority.Length > 0 && !Authority.Equals(hosts[0], StringComparison.OrdinalIgnoreCase)))) return false;
        }
        List<string> codings = [.. Values("transfer-encoding")];
        List<string> lengths = [.. Values("content-length")];
        string declared = isRequest ? "none" : "close";
        if (codings.Count > 0)
        {
            if (lengths.Count > 0 || Version != 11 || codings.Count != 1 || !codings[0].Equals("chunked", StringComparison.OrdinalIgnoreCase)) return false;
            declared = "chunked";
        }
        else if (lengths.Count > 0)
        {
            if (lengths.Count != 1 || !Digits().IsMatch(lengths[0])) return false;
            declared = "length " + long.Parse(lengths[0], CultureInfo.InvariantCulture);
        }
        // RFC 9110 §8.6, RFC 9112 §6.1: what has no content announces none
        if (!isRequest && Status is (< 200 or 204) && declared is not ("close" or "length 0")) return false;
        bool hasNone = !isRequest && (answersHead || Status is < 200 or 204 or 304);
        framing = hasNone ? "none" : declared;
        return true;
    }

    public void Tell(Transcript to)
    {
        foreach (ReferenceField field in Fields) to.Line("name", field.Name).Line("value", field.Value);
    }

    public static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    [GeneratedRegex($@"\A({Token}) ([\x21\x22\x24-\x7e]+) HTTP/([0-9])\.([0-9])\z")]
    private static partial Regex RequestLine();

    [GeneratedRegex(@"\A[Hh][Tt][Tt][Pp][Ss]?://([^/?]*)(.*)\z")]
    private static partial Regex AbsoluteForm();

    [GeneratedRegex(@"\AHTTP/1\.([0-9]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?\z")]
    private static partial Regex StatusLine();

    [GeneratedRegex($@"\A({Token}):([\t\x20-\x7e\x80-\xff]*)\z")]
    private static partial Regex FieldLine();

    [GeneratedRegex(@"\A(?:\[([0-9A-Fa-f:.]+)\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+)(?::([0-9]*))?\z")]
    private static partial Regex Host();

    [GeneratedRegex(@"\A[0-9]{1,18}\z")]
    private static partial Regex Digits();
}

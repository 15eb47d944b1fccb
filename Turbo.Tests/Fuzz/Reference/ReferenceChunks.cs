using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Turbo.Tests.Fuzz.Reference;

/// <summary>The chunked coding as RFC 9112 §7.1 has it, from the whole input.</summary>
internal sealed partial class ReferenceChunks
{
    private const string Token = @"[!#$%&'*+\-.^_`|~0-9A-Za-z]+";
    private const string Quoted = @"""(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*""";

    public Verdict Verdict { get; private set; } = Verdict.More;

    /// <summary>What was decoded until the end, or until it could not go on.</summary>
    public string Content { get; private set; } = "";

    public List<ReferenceField> Trailers { get; private set; } = [];

    /// <summary>Where the body ends in the input.</summary>
    public int End { get; private set; }

    public static ReferenceChunks Read(string text, int start, int maxExtensionBytes, int maxTrailerBytes, int maxFields)
    {
        ReferenceChunks body = new();
        StringBuilder content = new();
        body.Verdict = body.Read(text, start, maxExtensionBytes, maxTrailerBytes, maxFields, content);
        body.Content = content.ToString();
        return body;
    }

    private Verdict Read(string text, int at, int maxExtensionBytes, int maxTrailerBytes, int maxFields, StringBuilder content)
    {
        int extensionBytes = 0;
        while (true)
        {
            int lf = text.IndexOf('\n', at);
            if (lf < 0) return text.Length - at > 16 + maxExtensionBytes - extensionBytes + 2 ? Verdict.Refused : Verdict.More;
            // chunk = chunk-size [ chunk-ext ] CRLF; a size of at most 15 significant digits, 16 with leading zeros
            Match line = SizeLine().Match(text[at..(lf + 1)]);
            if (!line.Success) return Verdict.Refused;
            extensionBytes += line.Groups[2].Length;
            if (extensionBytes > maxExtensionBytes) return Verdict.Refused;
            ulong size = ulong.Parse(line.Groups[1].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (size >= 1UL << 60) return Verdict.Refused;
            at = lf + 1;
            if (size == 0) break;
            int data = (int)Math.Min(size, (ulong)(text.Length - at));
            content.Append(text, at, data);
            at += data;
            if (at == text.Length) return Verdict.More;
            if (text[at] != '\r' || (at + 1 < text.Length && text[at + 1] != '\n')) return Verdict.Refused;
            if (at + 1 == text.Length) return Verdict.More;
            at += 2;
        }
        ReferenceHead trailers = ReferenceHead.OfTrailers(text[at..], maxTrailerBytes, maxFields);
        Trailers = trailers.Fields;
        End = at + trailers.Length;
        return trailers.Verdict;
    }

    [GeneratedRegex($@"\A([0-9A-Fa-f]{{1,16}})((?:[ \t]*;[ \t]*{Token}(?:[ \t]*=[ \t]*(?:{Token}|{Quoted}))?)*)\r\n\z")]
    private static partial Regex SizeLine();
}

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Turbo.Net.Http1;

/// <summary>
/// The usual request head at one go: all of it is there, HTTP/1.1, and nothing is wrong with it. Whatever is not so is left to
/// the parser that goes line by line, which alone refuses: so this one need not know why. What it accepts, that one accepts
/// alike.
/// </summary>
internal static partial class Http1Parser
{
    /// <summary>False where the other parser is to begin, with a head that knows nothing.</summary>
    private static bool TryReadWhole(ReadOnlySpan<byte> input, RequestHead head, ServerLimits limits, out int consumed)
    {
        consumed = 0;
        if (!HeadScan.IsSupported || input.Length < HeadScan.BlockBytes) return false;
        HeadScan scan = new(input);
        int at = ReadWholeRequestLine(input, ref scan, head, limits.MaxRequestLineBytes);
        if (at > 0) at = ReadWholeFields(input, ref scan, head.Fields, at, limits.MaxHeaderFields);
        if (at <= 0)
        {
            head.Reset();
            return false;
        }
        head.StartLineParsed = true;
        head.ParsedTo = at;
        consumed = at;
        return true;
    }

    // Where the line after it begins; 0 where it is not the usual one.
    private static int ReadWholeRequestLine(ReadOnlySpan<byte> input, ref HeadScan scan, RequestHead head, int maxBytes)
    {
        int methodLength = scan.NotToken(0);
        if (methodLength <= 0 || input[methodLength] != ' ') return 0;
        int targetStart = methodLength + 1;
        int targetLength = input[targetStart..].IndexOfAnyExcept(s_target);
        if (targetLength <= 0) return 0;
        int end = targetStart + targetLength;
        // SP HTTP-version CRLF
        const int Rest = 11;
        if (input.Length - end < Rest || end + Rest > maxBytes + 2) return 0;
        if (!input.Slice(end, Rest).SequenceEqual(" HTTP/1.1\r\n"u8)) return 0;
        head.Version = 11;
        head.Method = HttpMethods.Classify(input[..methodLength]);
        head.MethodLength = methodLength;
        head.TargetStart = targetStart;
        head.TargetLength = targetLength;
        return TryReadTarget(input.Slice(targetStart, targetLength), head, out _) ? end + Rest : 0;
    }

    // Where the content begins; 0 where a line is not as it should be, or not there yet.
    private static int ReadWholeFields(ReadOnlySpan<byte> input, ref HeadScan scan, HeaderFields fields, int at, int maxFields)
    {
        while (true)
        {
            // A line is no shorter than the CRLF that ends the section.
            if (input.Length - at < 2) return 0;
            if (input[at] == '\r') return input[at + 1] == '\n' ? at + 2 : 0;
            int colon = scan.NotToken(at);
            if (colon <= at || input[colon] != ':' || fields.Count == maxFields) return 0;
            int stop = scan.NotValue(colon + 1);
            if (stop < 0 || input.Length - stop < 2 || input[stop] != '\r' || input[stop + 1] != '\n') return 0;
            if (!TryAddField(input, fields, at, colon, stop, maxFields)) return 0;
            at = stop + 2;
        }
    }

    /// <summary>Adds a field line that was found sound, its value without the white space around it; false where it has too many options.</summary>
    /// <param name="input">The head.</param>
    /// <param name="fields">Where to.</param>
    /// <param name="at">Where the line begins.</param>
    /// <param name="colon">Where its name ends.</param>
    /// <param name="stop">Where its CRLF is.</param>
    /// <param name="maxOptions">Members that the Connection field's lists may have.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryAddField(ReadOnlySpan<byte> input, HeaderFields fields, int at, int colon, int stop, int maxOptions)
    {
        int start = colon + 1, end = stop;
        while (start < end && IsWhiteSpace(input[start])) start++;
        while (end > start && IsWhiteSpace(input[end - 1])) end--;
        KnownField known = KnownFields.Classify(input[at..colon]);
        // Its options name fields that end at this hop, so each is compared with each: they are bounded as fields are.
        if (known == KnownField.Connection && (fields.ConnectionOptions += 1 + input[start..end].Count((byte)',')) > maxOptions) return false;
        fields.Add(at, colon - at, start, end - start, stop + 2, known);
        return true;
    }
}

using System.Buffers;
using System.Text;

namespace Turbo.Net.Http1;

internal enum ParseStatus : byte
{
    NeedMore,
    Complete,
    Rejected,
}

/// <summary>
/// Start-lines and field lines of RFC 9112, for both roles. Stateless: what it knows of an unfinished head is in the
/// head, and it goes on at the start of the first unfinished line, so a trickled head costs no more than its lines.
/// Each line is validated and delimited in the same vectorised scan: the first byte that may not stand in a name,
/// target or value must be the delimiter that belongs there.
/// </summary>
internal static partial class Http1Parser
{
    // token = 1*tchar (RFC 9110 §5.6.2)
    private static readonly SearchValues<byte> s_token =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    // Visible ASCII less '#': a fragment is never sent (RFC 9112 §3.2), and neighbours disagree on what it would mean.
    private static readonly SearchValues<byte> s_target = SearchValues.Create(Enumerable.Range(0x21, 0x7F - 0x21).Where(static b => b != '#').Select(static b => (byte)b).ToArray());

    // What may not stand in a field value: CTL but HTAB (RFC 9110 §5.5).
    private static readonly SearchValues<byte> s_valueStop = SearchValues.Create(Enumerable.Range(0, 0x20).Where(static b => b != '\t').Append(0x7F).Select(static b => (byte)b).ToArray());

    /// <summary>Reads a request head from the first byte of <paramref name="input"/>; <paramref name="consumed"/> is its length when complete.</summary>
    public static ParseStatus ReadRequestHead(ReadOnlySpan<byte> input, RequestHead head, ServerLimits limits, out int consumed)
    {
        consumed = 0;
        // Bytes past the limit are never judged, so that the answer does not depend on how many of them came along.
        if (input.Length > limits.MaxHeaderBytes) input = input[..limits.MaxHeaderBytes];
        return !head.StartLineParsed && TryReadWhole(input, head, limits, out consumed) ? ParseStatus.Complete : ReadByLine(input, head, limits, out consumed);
    }

    /// <summary>As <see cref="ReadRequestHead"/>, line by line: what is not all there yet, and whatever is wrong.</summary>
    public static ParseStatus ReadByLine(ReadOnlySpan<byte> input, RequestHead head, ServerLimits limits, out int consumed)
    {
        consumed = 0;
        if (!head.StartLineParsed)
        {
            ParseStatus line = ReadRequestLine(input, head, limits);
            if (line == ParseStatus.NeedMore && input.Length == limits.MaxHeaderBytes) return Refuse(head, RejectReason.HeadTooLarge);
            if (line != ParseStatus.Complete) return line;
            head.StartLineParsed = true;
        }
        return ReadHeaderSection(input, head, limits.MaxHeaderBytes, limits.MaxHeaderFields, ref consumed);
    }

    /// <summary>Reads a response head from the first byte of <paramref name="input"/>.</summary>
    public static ParseStatus ReadResponseHead(ReadOnlySpan<byte> input, ResponseHead head, int maxBytes, int maxFields, out int consumed)
    {
        consumed = 0;
        if (input.Length > maxBytes) input = input[..maxBytes];
        if (!head.StartLineParsed)
        {
            ParseStatus line = ReadStatusLine(input, head);
            if (line == ParseStatus.NeedMore && input.Length == maxBytes) return Refuse(head, RejectReason.HeadTooLarge);
            if (line != ParseStatus.Complete) return line;
            head.StartLineParsed = true;
        }
        return ReadHeaderSection(input, head, maxBytes, maxFields, ref consumed);
    }

    private static ParseStatus ReadHeaderSection(ReadOnlySpan<byte> input, MessageHead head, int maxBytes, int maxFields, ref int consumed)
    {
        ParseStatus status = ReadFields(input, ref head.ParsedTo, head.Fields, maxFields, out RejectReason reject);
        if (status == ParseStatus.Rejected) return Refuse(head, reject);
        if (status == ParseStatus.NeedMore) return input.Length == maxBytes ? Refuse(head, RejectReason.HeadTooLarge) : status;
        consumed = head.ParsedTo;
        return ParseStatus.Complete;
    }

    /// <summary>
    /// Field lines up to and with the empty line that ends the section. Obs-fold (a line that begins with white space)
    /// and white space before the colon are refused, as RFC 9112 §5.1 and §5.2 ask of a server.
    /// </summary>
    public static ParseStatus ReadFields(ReadOnlySpan<byte> input, ref int at, HeaderFields fields, int maxFields, out RejectReason reject)
    {
        reject = RejectReason.None;
        while (true)
        {
            ReadOnlySpan<byte> rest = input[at..];
            if (rest.IsEmpty) return ParseStatus.NeedMore;
            if (rest[0] == '\r')
            {
                if (rest.Length == 1) return ParseStatus.NeedMore;
                if (rest[1] != '\n') return Refuse(out reject, RejectReason.InvalidLineEnd);
                at += 2;
                return ParseStatus.Complete;
            }

            int nameLength = rest.IndexOfAnyExcept(s_token);
            if (nameLength < 0) return ParseStatus.NeedMore;
            if (nameLength == 0 || rest[nameLength] != ':')
            {
                return Refuse(out reject, rest[nameLength] == '\n' ? RejectReason.InvalidLineEnd : RejectReason.InvalidFieldLine);
            }

            int valueLength = rest[(nameLength + 1)..].IndexOfAny(s_valueStop);
            if (valueLength < 0) return ParseStatus.NeedMore;
            int stop = nameLength + 1 + valueLength;
            if (rest[stop] != '\r')
            {
                return Refuse(out reject, rest[stop] == '\n' ? RejectReason.InvalidLineEnd : RejectReason.InvalidFieldLine);
            }
            if (stop + 1 == rest.Length) return ParseStatus.NeedMore;
            if (rest[stop + 1] != '\n') return Refuse(out reject, RejectReason.InvalidLineEnd);
            if (fields.Count == maxFields) return Refuse(out reject, RejectReason.TooManyFields);
            if (!TryAddField(input, fields, at, at + nameLength, at + stop, maxFields)) return Refuse(out reject, RejectReason.TooManyFields);
            at += stop + 2;
        }
    }

    // request-line = method SP request-target SP HTTP-version (RFC 9112 §3)
    private static ParseStatus ReadRequestLine(ReadOnlySpan<byte> input, RequestHead head, ServerLimits limits)
    {
        bool isCut = input.Length >= limits.MaxRequestLineBytes + 2;
        ReadOnlySpan<byte> line = isCut ? input[..(limits.MaxRequestLineBytes + 2)] : input;
        int methodLength = line.IndexOfAnyExcept(s_token);
        if (methodLength < 0) return isCut ? Refuse(head, RejectReason.RequestLineTooLong) : ParseStatus.NeedMore;
        if (methodLength == 0 || line[methodLength] != ' ') return Refuse(head, RejectReason.InvalidRequestLine);
        // Known even where the rest is refused: a refusal that answers HEAD has no content.
        head.Method = HttpMethods.Classify(line[..methodLength]);

        int targetStart = methodLength + 1;
        int targetLength = line[targetStart..].IndexOfAnyExcept(s_target);
        if (targetLength < 0) return isCut ? Refuse(head, RejectReason.RequestLineTooLong) : ParseStatus.NeedMore;
        if (targetLength == 0) return Refuse(head, RejectReason.InvalidRequestLine);
        int versionStart = targetStart + targetLength + 1;
        if (line[versionStart - 1] != ' ')
        {
            return Refuse(head, line[versionStart - 1] is (byte)'\r' or (byte)'\n' ? RejectReason.InvalidRequestLine : RejectReason.InvalidRequestTarget);
        }

        // Every byte is judged as soon as it is there, and the same way when more has come.
        ReadOnlySpan<byte> version = line[versionStart..];
        RejectReason reject;
        if (version.Length < 8)
        {
            if (version.Contains((byte)'\n')) return Refuse(head, RejectReason.InvalidRequestLine);
            return isCut ? Refuse(head, RejectReason.RequestLineTooLong) : ParseStatus.NeedMore;
        }
        if (!TryReadVersion(version, head, out reject)) return Refuse(head, reject);
        if (version.Length > 8 && version[8] != '\r') return Refuse(head, version[8] == '\n' ? RejectReason.InvalidLineEnd : RejectReason.InvalidRequestLine);
        if (version.Length > 9 && version[9] != '\n') return Refuse(head, RejectReason.InvalidLineEnd);
        if (version.Length < 10) return isCut ? Refuse(head, RejectReason.RequestLineTooLong) : ParseStatus.NeedMore;

        head.MethodLength = methodLength;
        head.TargetStart = targetStart;
        head.TargetLength = targetLength;
        if (!TryReadTarget(line.Slice(targetStart, targetLength), head, out reject)) return Refuse(head, reject);
        head.ParsedTo = versionStart + 10;
        return ParseStatus.Complete;
    }

    // HTTP-version = "HTTP/" DIGIT "." DIGIT; a higher minor version is spoken to as 1.1 (RFC 9110 §2.5)
    private static bool TryReadVersion(ReadOnlySpan<byte> version, MessageHead head, out RejectReason reject)
    {
        reject = RejectReason.None;
        if (version[..8].SequenceEqual("HTTP/1.1"u8))
        {
            head.Version = 11;
            return true;
        }
        if (!version.StartsWith("HTTP/"u8) || !char.IsAsciiDigit((char)version[5]) || version[6] != '.' || !char.IsAsciiDigit((char)version[7]))
        {
            reject = RejectReason.InvalidRequestLine;
            return false;
        }
        if (version[5] != '1')
        {
            reject = RejectReason.UnsupportedVersion;
            return false;
        }
        head.Version = version[7] == '0' ? 10 : 11;
        return true;
    }

    private static bool TryReadTarget(ReadOnlySpan<byte> target, RequestHead head, out RejectReason reject)
    {
        reject = RejectReason.InvalidRequestTarget;
        int pathStart = 0;
        head.AuthorityStart = head.AuthorityLength = 0;
        if (head.Method == HttpMethod.Connect)
        {
            reject = RejectReason.ConnectNotSupported;
            return false;
        }
        if (target[0] == '/')
        {
            head.Form = TargetForm.Origin;
        }
        else if (target[0] == '*' && target.Length == 1)
        {
            if (head.Method != HttpMethod.Options) return false;
            head.Form = TargetForm.Asterisk;
        }
        else
        {
            int scheme = target.Length > 7 && Ascii.EqualsIgnoreCase(target[..7], "http://"u8) ? 7
                : target.Length > 8 && Ascii.EqualsIgnoreCase(target[..8], "https://"u8) ? 8 : 0;
            if (scheme == 0) return false;
            int authorityLength = target[scheme..].IndexOfAny("/?"u8);
            if (authorityLength < 0) authorityLength = target.Length - scheme;
            if (!HostSyntax.IsValid(target.Slice(scheme, authorityLength))) return false;
            head.Form = TargetForm.Absolute;
            head.AuthorityStart = head.TargetStart + scheme;
            head.AuthorityLength = authorityLength;
            pathStart = scheme + authorityLength;
        }

        ReadOnlySpan<byte> pathAndQuery = target[pathStart..];
        int question = pathAndQuery.IndexOf((byte)'?');
        head.PathStart = head.TargetStart + pathStart;
        head.PathLength = question < 0 ? pathAndQuery.Length : question;
        head.QueryStart = question < 0 ? head.TargetStart + target.Length : head.PathStart + question + 1;
        head.QueryLength = question < 0 ? 0 : pathAndQuery.Length - question - 1;
        reject = RejectReason.None;
        return true;
    }

    // status-line = HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 §4). The second SP is left out by
    // enough servers to be tolerated; nothing about the framing depends on it.
    private static ParseStatus ReadStatusLine(ReadOnlySpan<byte> input, ResponseHead head)
    {
        int stop = input.IndexOfAny(s_valueStop);
        if (stop < 0) return ParseStatus.NeedMore;
        if (input[stop] != '\r') return Refuse(head, input[stop] == '\n' ? RejectReason.InvalidLineEnd : RejectReason.InvalidStatusLine);
        if (stop + 1 == input.Length) return ParseStatus.NeedMore;
        if (input[stop + 1] != '\n') return Refuse(head, RejectReason.InvalidLineEnd);
        ReadOnlySpan<byte> line = input[..stop];
        if (line.Length < 12 || line[8] != ' ' || !TryReadVersion(line, head, out _)) return Refuse(head, RejectReason.InvalidStatusLine);
        int code = 0;
        for (int i = 9; i < 12; i++)
        {
            if (!char.IsAsciiDigit((char)line[i])) return Refuse(head, RejectReason.InvalidStatusLine);
            code = code * 10 + (line[i] - '0');
        }
        if (code is < 100 or > 599 || (line.Length > 12 && line[12] != ' ')) return Refuse(head, RejectReason.InvalidStatusLine);
        head.StatusCode = code;
        head.StatusLineLength = stop + 2;
        head.ParsedTo = stop + 2;
        return ParseStatus.Complete;
    }

    private static bool IsWhiteSpace(byte b) => b is (byte)' ' or (byte)'\t';

    private static ParseStatus Refuse(MessageHead head, RejectReason reason)
    {
        head.Reject = reason;
        return ParseStatus.Rejected;
    }

    private static ParseStatus Refuse(out RejectReason reject, RejectReason reason)
    {
        reject = reason;
        return ParseStatus.Rejected;
    }
}

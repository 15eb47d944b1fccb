using System.Text;

namespace Turbo.Net.Http1;

internal enum BodyKind : byte
{
    None,
    Length,
    Chunked,
    /// <summary>A response delimited by the connection's end.</summary>
    UntilClose,
}

/// <summary>
/// Which body follows a head (RFC 9112 §6.3), or why the message is refused. Anything that two parsers could frame
/// differently is refused, also where the RFC would let a recipient repair it: that is what smuggling lives on.
/// </summary>
internal static class MessageFraming
{
    public static RejectReason OfRequest(RequestHead head, out BodyKind kind, out long length)
    {
        RejectReason reject = CheckHost(head);
        if (reject != RejectReason.None)
        {
            kind = BodyKind.None;
            length = 0;
            return reject;
        }
        return OfFields(head, out kind, out length);
    }

    /// <summary>
    /// What an informational response may not have (RFC 9110 §8.6, RFC 9112 §6.1): no recipient agrees with another on what
    /// would follow it.
    /// </summary>
    public static RejectReason OfInformational(ResponseHead head) =>
        head.Fields.Has(KnownField.TransferEncoding) ? RejectReason.InvalidTransferEncoding
        : head.Fields.Has(KnownField.ContentLength) ? RejectReason.InvalidContentLength : RejectReason.None;

    public static RejectReason OfResponse(ResponseHead head, bool answersHead, out BodyKind kind, out long length)
    {
        RejectReason reject = OfFields(head, out kind, out length);
        if (reject != RejectReason.None) return reject;
        bool isFramed = kind != BodyKind.None;
        // These have no content; a sender that announces some may send it (RFC 9110 §8.6, RFC 9112 §6.1).
        if (head.StatusCode is < 200 or 204)
        {
            if (kind == BodyKind.Chunked) return RejectReason.InvalidTransferEncoding;
            if (length > 0) return RejectReason.InvalidContentLength;
        }
        if (answersHead || head.StatusCode is < 200 or 204 or 304)
        {
            kind = BodyKind.None;
            length = 0;
        }
        else if (!isFramed)
        {
            kind = BodyKind.UntilClose;
        }
        return RejectReason.None;
    }

    private static RejectReason OfFields(MessageHead head, out BodyKind kind, out long length)
    {
        kind = BodyKind.None;
        length = 0;
        HeaderFields fields = head.Fields;
        bool hasLength = fields.Has(KnownField.ContentLength);
        if (fields.Has(KnownField.TransferEncoding))
        {
            // RFC 9112 §6.1: beside Content-Length it "ought to be handled as an error"; on HTTP/1.0 the framing is faulty.
            if (hasLength || head.Version != 11 || fields.IsRepeated(KnownField.TransferEncoding)) return RejectReason.InvalidTransferEncoding;
            fields.TryGet(KnownField.TransferEncoding, out ReadOnlySpan<byte> coding);
            if (!Ascii.EqualsIgnoreCase(coding, "chunked"u8))
            {
                // Known but not spoken: 501 (§6.1). Where chunked is there too, but not alone, the length cannot be trusted.
                return coding.IsEmpty || HeaderFields.ListHas(coding, "chunked"u8) || coding.IndexOfAny(" \t,;"u8) >= 0
                    ? RejectReason.InvalidTransferEncoding : RejectReason.UnknownTransferCoding;
            }
            kind = BodyKind.Chunked;
        }
        else if (hasLength)
        {
            if (fields.IsRepeated(KnownField.ContentLength)) return RejectReason.InvalidContentLength;
            fields.TryGet(KnownField.ContentLength, out ReadOnlySpan<byte> digits);
            if (!TryReadLength(digits, out length)) return RejectReason.InvalidContentLength;
            kind = BodyKind.Length;
        }
        return RejectReason.None;
    }

    // Content-Length = 1*DIGIT (RFC 9110 §8.6); at most 18 digits, so the sum cannot overflow.
    private static bool TryReadLength(ReadOnlySpan<byte> digits, out long length)
    {
        length = 0;
        if (digits.IsEmpty || digits.Length > 18) return false;
        foreach (byte b in digits)
        {
            if (!char.IsAsciiDigit((char)b)) return false;
            length = length * 10 + (b - '0');
        }
        return true;
    }

    /// <summary>
    /// Whether an accepted Transfer-Encoding or Content-Length line may go on as it was sent. A neighbour that knows only
    /// the plain spelling, and takes a tab, a trailing space, other case or leading zeros (as octal) for something else,
    /// would find the message's end elsewhere: for it the field is said anew, with <see cref="PlainValue"/>.
    /// </summary>
    public static bool IsPlain(in HeaderField field) =>
        field.Value.SequenceEqual(PlainValue(field)) && field.Line[^3] != ' ' && !field.Line.Contains((byte)'\t');

    /// <summary>The value of an accepted Transfer-Encoding or Content-Length in its plainest spelling.</summary>
    public static ReadOnlySpan<byte> PlainValue(in HeaderField field)
    {
        if (field.Known == KnownField.TransferEncoding) return "chunked"u8;
        int zeros = field.Value.IndexOfAnyExcept((byte)'0');
        return zeros < 0 ? "0"u8 : field.Value[zeros..];
    }

    private static RejectReason CheckHost(RequestHead head)
    {
        HeaderFields fields = head.Fields;
        if (!fields.TryGet(KnownField.Host, out ReadOnlySpan<byte> host))
        {
            return head.Version == 11 ? RejectReason.InvalidHost : RejectReason.None;
        }
        if (fields.IsRepeated(KnownField.Host) || !HostSyntax.IsValid(host)) return RejectReason.InvalidHost;
        // An absolute-form target outranks Host (RFC 9112 §3.2.2), but a neighbour may believe Host: only agreement is safe.
        return head.Form == TargetForm.Absolute && !Ascii.EqualsIgnoreCase(host, head.Authority) ? RejectReason.InvalidHost : RejectReason.None;
    }
}

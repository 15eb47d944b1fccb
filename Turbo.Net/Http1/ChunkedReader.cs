using System.Buffers;

namespace Turbo.Net.Http1;

/// <summary>
/// The chunked transfer coding (RFC 9112 §7.1), strict: every line ends in CRLF, extensions follow the grammar and are
/// bounded, a size has at most 16 digits.
/// <code>
///  Size --line--> Data --all bytes--> DataEnd --CRLF--> Size
///    \--size 0--> Trailers --empty line--> Done
/// </code>
/// </summary>
internal struct ChunkedReader
{
    private enum State : byte { Size, Data, DataEnd, Trailers, Done }

    // chunk-size line: 16 digits and the extensions the limit allows, plus CRLF.
    private const int MaxSizeDigits = 16;

    // chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ); bytes a quoted-string may hold.
    private static readonly SearchValues<byte> s_token =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    private static readonly ServerLimits s_accepted = new() { MaxChunkExtensionBytes = int.MaxValue / 2 };

    private State _state;
    private long _left;
    private int _extensionBytes;

    public RejectReason Reject { get; private set; }

    public readonly bool IsDone => _state == State.Done;

    /// <summary>Bytes of the present chunk's data that are not read yet.</summary>
    public readonly long DataLeft => _state == State.Data ? _left : 0;

    /// <summary>Whether nothing of the next chunk was read yet, or the trailer section is next.</summary>
    public readonly bool IsBetweenChunks => _state == State.Size;

    /// <summary>
    /// Reads up to the next piece of content: on Complete, either <paramref name="data"/> is not empty (a slice of
    /// <paramref name="input"/>, which then starts behind it) or the body is done. NeedMore consumes what it understood.
    /// </summary>
    /// <param name="input">Unread bytes; sliced to what follows.</param>
    /// <param name="data">The content found.</param>
    /// <param name="limits">Bounds of extensions and trailers.</param>
    /// <param name="trailers">Receives the trailer section; null stops before it.</param>
    public ParseStatus Read(ref ReadOnlySequence<byte> input, out ReadOnlySequence<byte> data, ServerLimits limits, TrailerSection? trailers)
    {
        data = default;
        Span<byte> end = stackalloc byte[2];
        while (true)
        {
            switch (_state)
            {
                case State.Size:
                    ParseStatus size = ReadSize(ref input, limits);
                    if (size != ParseStatus.Complete) return size;
                    _state = _left == 0 ? State.Trailers : State.Data;
                    break;

                case State.Data:
                    if (input.IsEmpty) return ParseStatus.NeedMore;
                    long take = Math.Min(_left, input.Length);
                    data = input.Slice(0, take);
                    input = input.Slice(data.End);
                    _left -= take;
                    if (_left == 0) _state = State.DataEnd;
                    return ParseStatus.Complete;

                case State.DataEnd:
                    int have = (int)Math.Min(2, input.Length);
                    input.Slice(0, have).CopyTo(end);
                    if ((have > 0 && end[0] != '\r') || (have > 1 && end[1] != '\n')) return Refuse(RejectReason.InvalidChunk);
                    if (have < 2) return ParseStatus.NeedMore;
                    input = input.Slice(2);
                    _state = State.Size;
                    break;

                case State.Trailers:
                    if (trailers is null) return ParseStatus.NeedMore;
                    ParseStatus section = trailers.Read(ref input, limits);
                    if (section == ParseStatus.Rejected) return Refuse(trailers.Reject);
                    if (section == ParseStatus.NeedMore) return section;
                    _state = State.Done;
                    return ParseStatus.Complete;

                default:
                    return ParseStatus.Complete;
            }
        }
    }

    /// <summary>Bytes of the present chunk's data, at most <see cref="DataLeft"/>, were read elsewhere.</summary>
    public void SkipData(long bytes)
    {
        _left -= bytes;
        if (_left == 0) _state = State.DataEnd;
    }

    /// <summary>As <see cref="Read"/> over bytes that a reader has already accepted: true for each piece of content, false when there is no more.</summary>
    public bool ReadContent(ref ReadOnlySequence<byte> input, out ReadOnlySequence<byte> data)
    {
        while (true)
        {
            if (Read(ref input, out data, s_accepted, trailers: null) != ParseStatus.Complete) return false;
            if (!data.IsEmpty) return true;
        }
    }

    // chunk-size = 1*HEXDIG. NeedMore consumes nothing, so a split line is simply read again; its length is bounded.
    private ParseStatus ReadSize(ref ReadOnlySequence<byte> input, ServerLimits limits)
    {
        // The longest line that may be accepted. Bytes past it are never judged, so that a cut changes no answer.
        int bound = MaxSizeDigits + limits.MaxChunkExtensionBytes - _extensionBytes + 2;
        ReadOnlySpan<byte> first = input.FirstSpan;
        if (input.IsSingleSegment || first.Length >= bound || first.Contains((byte)'\n')) return ReadSizeLine(first, bound, ref input, limits);

        int length = (int)Math.Min(input.Length, bound);
        byte[] rented = ArrayPool<byte>.Shared.Rent(length);
        input.Slice(0, length).CopyTo(rented);
        ParseStatus status = ReadSizeLine(rented.AsSpan(0, length), bound, ref input, limits);
        ArrayPool<byte>.Shared.Return(rented);
        return status;
    }

    /// <summary>An unfinished line that can no longer become a chunk-size line is refused now, not at a timeout.</summary>
    private static bool IsPlausibleStart(ReadOnlySpan<byte> line)
    {
        int digits = 0;
        while (digits < line.Length && char.IsAsciiHexDigit((char)line[digits])) digits++;
        if (digits == line.Length) return digits <= MaxSizeDigits;
        if (digits is 0 or > MaxSizeDigits) return false;
        return line[digits] is (byte)';' or (byte)' ' or (byte)'\t' || (line[digits] == '\r' && digits + 1 == line.Length);
    }

    private ParseStatus ReadSizeLine(ReadOnlySpan<byte> line, int bound, ref ReadOnlySequence<byte> input, ServerLimits limits)
    {
        if (line.Length > bound) line = line[..bound];
        int lf = line.IndexOf((byte)'\n');
        if (lf < 0)
        {
            if (!IsPlausibleStart(line)) return Refuse(RejectReason.InvalidChunk);
            return line.Length == bound ? Refuse(RejectReason.ChunkExtensionsTooLarge) : ParseStatus.NeedMore;
        }
        line = line[..(lf + 1)];
        if (line.Length < 3 || line[^2] != '\r') return Refuse(RejectReason.InvalidChunk);
        ReadOnlySpan<byte> content = line[..^2];
        long size = 0;
        int digits = 0;
        while (digits < content.Length && HexValue(content[digits]) is int value and >= 0)
        {
            // 15 significant digits keep the sum far from overflow; leading zeros count towards the cap too.
            if (++digits > MaxSizeDigits || size >> 56 != 0) return Refuse(RejectReason.InvalidChunk);
            size = (size << 4) | (long)value;
        }
        if (digits == 0) return Refuse(RejectReason.InvalidChunk);
        ReadOnlySpan<byte> extensions = content[digits..];
        if (!extensions.IsEmpty)
        {
            // The order of an unfinished line's checks: what cannot be an extension is not one that is too large.
            if (extensions[0] is not ((byte)';' or (byte)' ' or (byte)'\t')) return Refuse(RejectReason.InvalidChunk);
            _extensionBytes += extensions.Length;
            if (_extensionBytes > limits.MaxChunkExtensionBytes) return Refuse(RejectReason.ChunkExtensionsTooLarge);
            if (!AreExtensions(extensions)) return Refuse(RejectReason.InvalidChunk);
        }
        _left = size;
        input = input.Slice(line.Length);
        return ParseStatus.Complete;
    }

    private static bool AreExtensions(ReadOnlySpan<byte> text)
    {
        while (true)
        {
            text = text.TrimStart(" \t"u8);
            // White space that nothing follows is not in the grammar.
            if (text.IsEmpty || text[0] != ';') return false;
            text = text[1..].TrimStart(" \t"u8);
            if (!TakeToken(ref text)) return false;
            ReadOnlySpan<byte> value = text.TrimStart(" \t"u8);
            if (!value.IsEmpty && value[0] == '=')
            {
                text = value[1..].TrimStart(" \t"u8);
                if (!(text.Length > 0 && text[0] == '"' ? TakeQuoted(ref text) : TakeToken(ref text))) return false;
            }
            if (text.IsEmpty) return true;
        }
    }

    private static bool TakeToken(ref ReadOnlySpan<byte> text)
    {
        int length = text.IndexOfAnyExcept(s_token);
        if (length < 0) length = text.Length;
        text = text[length..];
        return length > 0;
    }

    // quoted-string (RFC 9110 §5.6.4)
    private static bool TakeQuoted(ref ReadOnlySpan<byte> text)
    {
        for (int i = 1; i < text.Length; i++)
        {
            byte b = text[i];
            if (b == '"')
            {
                text = text[(i + 1)..];
                return true;
            }
            if (b == '\\' && ++i == text.Length) return false;
            if (text[i] is < 0x20 and not (byte)'\t' or 0x7F) return false;
        }
        return false;
    }

    private static int HexValue(byte b) => b switch
    {
        >= (byte)'0' and <= (byte)'9' => b - '0',
        >= (byte)'a' and <= (byte)'f' => b - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => b - 'A' + 10,
        _ => -1,
    };

    private ParseStatus Refuse(RejectReason reason)
    {
        Reject = reason;
        return ParseStatus.Rejected;
    }
}

/// <summary>A trailer section (RFC 9112 §7.1.2) in its own bytes; made once for a connection that meets one.</summary>
internal sealed class TrailerSection
{
    private byte[] _bytes = [];
    private int _parsedTo;

    public HeaderFields Fields { get; } = new();

    public RejectReason Reject { get; private set; }

    public void Reset()
    {
        _parsedTo = 0;
        Fields.Clear();
        Reject = RejectReason.None;
    }

    public ParseStatus Read(ref ReadOnlySequence<byte> input, ServerLimits limits)
    {
        // Nearly every body ends without one.
        if (_parsedTo == 0 && input.FirstSpan.StartsWith("\r\n"u8))
        {
            input = input.Slice(2);
            return ParseStatus.Complete;
        }
        // The empty line that ends the section is there in any case.
        int limit = Math.Max(limits.MaxTrailerBytes, 2);
        int length = (int)Math.Min(input.Length, limit);
        if (_bytes.Length < length) _bytes = new byte[Math.Max(length, 256)];
        input.Slice(0, length).CopyTo(_bytes);
        Fields.SetBytes(_bytes);
        ParseStatus status = Http1Parser.ReadFields(_bytes.AsSpan(0, length), ref _parsedTo, Fields, limits.MaxHeaderFields, out RejectReason reject);
        if (status == ParseStatus.Rejected) Reject = reject == RejectReason.TooManyFields ? RejectReason.TrailersTooLarge : reject;
        if (status == ParseStatus.NeedMore && length == limit) status = Refuse(RejectReason.TrailersTooLarge);
        if (status == ParseStatus.Complete && HasForbidden()) status = Refuse(RejectReason.ForbiddenTrailer);
        if (status == ParseStatus.Complete) input = input.Slice(_parsedTo);
        return status;
    }

    private bool HasForbidden()
    {
        for (int i = 0; i < Fields.Count; i++)
        {
            if (KnownFields.IsForbiddenInTrailers(Fields[i].Known)) return true;
        }
        return false;
    }

    private ParseStatus Refuse(RejectReason reason)
    {
        Reject = reason;
        return ParseStatus.Rejected;
    }
}

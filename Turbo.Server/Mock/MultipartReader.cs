using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;
using Turbo.Net;

namespace Turbo.Server.Mock;

/// <summary>
/// A multipart/form-data request (RFC 7578) in constant memory: part after part, each in pieces as they arrive.
/// <code>
///   preamble --boundary--> part head --empty line--> part content --boundary--> part head ...
///                                                         `--boundary followed by "--"--> epilogue, end
/// </code>
/// </summary>
internal sealed class MultipartReader : IDisposable
{
    private const int BufferBytes = 64 * 1024;

    // A part's head is a few field lines. More is refused.
    private const int MaxHeadBytes = 8 * 1024;

    private readonly BodyReader _body;

    // CRLF "--" boundary: what ends a part's content (RFC 2046 §5.1.1).
    private readonly byte[] _delimiter;
    private byte[] _buffer;
    private int _start;
    private int _end;

    // What the body gave and the buffer had no room for.
    private ReadOnlySequence<byte> _piece;
    private bool _isBodyEnd;
    private bool _isPartEnd;

    /// <param name="body">The request's content.</param>
    /// <param name="contentType">The request's Content-Type.</param>
    /// <exception cref="MockErrorException">It is not multipart/form-data with a boundary.</exception>
    public MultipartReader(BodyReader body, string contentType)
    {
        _body = body;
        string? boundary = contentType.StartsWith("multipart/form-data", StringComparison.OrdinalIgnoreCase) ? FieldParameters.Find(contentType, "boundary") : null;
        if (boundary is not { Length: > 0 and <= 70 } || !Ascii.IsValid(boundary))
            throw new MockErrorException(415, "Expected multipart/form-data with a boundary.", "invalid_request_error");
        _delimiter = Encoding.ASCII.GetBytes("\r\n--" + boundary);
        _buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        // A boundary stands at the start of a line: the content's first line needs no CRLF before it.
        "\r\n"u8.CopyTo(_buffer);
        _end = 2;
    }

    /// <summary>Whether the content itself was refused or cut off, which the server answers.</summary>
    public bool IsRejected { get; private set; }

    /// <summary>The part's field name.</summary>
    public string Name { get; private set; } = "";

    /// <summary>The part's file name; null for a plain field.</summary>
    public string? FileName { get; private set; }

    private ReadOnlySpan<byte> Held => _buffer.AsSpan(_start, _end - _start);

    /// <summary>Goes on to the next part; false at the end, or when <see cref="IsRejected"/>.</summary>
    /// <exception cref="MockErrorException">Malformed.</exception>
    public async ValueTask<bool> NextAsync()
    {
        // The preamble, or what was left of the part before.
        while (!_isPartEnd && !IsRejected) await ReadAsync().ConfigureAwait(false);
        if (await LineAsync("a boundary's line").ConfigureAwait(false) is not { } boundaryLine) return false;
        if (boundaryLine.StartsWith("--", StringComparison.Ordinal))
        {
            await DropEpilogueAsync().ConfigureAwait(false);
            return false;
        }
        if (!string.IsNullOrWhiteSpace(boundaryLine)) throw Malformed("text follows a boundary");

        Name = "";
        FileName = null;
        int headBytes = 0;
        while (true)
        {
            if (await LineAsync("a part's head").ConfigureAwait(false) is not { } line) return false;
            if (line.Length == 0) break;
            if ((headBytes += line.Length) > MaxHeadBytes) throw Malformed("a part's head is too long");
            if (!line.StartsWith("Content-Disposition:", StringComparison.OrdinalIgnoreCase)) continue;
            Name = FieldParameters.Find(line, "name") ?? "";
            FileName = FieldParameters.Find(line, "filename");
        }
        if (Name.Length == 0) throw Malformed("a part has no name");
        _isPartEnd = false;
        return true;
    }

    /// <summary>The next piece of the part's content, valid until the next call; empty at its end.</summary>
    /// <exception cref="MockErrorException">The content ends within the part.</exception>
    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    public async ValueTask<ReadOnlyMemory<byte>> ReadAsync()
    {
        while (!_isPartEnd && !IsRejected)
        {
            int found = Held.IndexOf(_delimiter);
            // What may be a boundary's beginning waits for the rest.
            int take = found >= 0 ? found : Held.Length - _delimiter.Length + 1;
            if (found == 0)
            {
                _start += _delimiter.Length;
                _isPartEnd = true;
            }
            else if (take > 0)
            {
                ReadOnlyMemory<byte> content = _buffer.AsMemory(_start, take);
                _start += take;
                return content;
            }
            else
            {
                await FillAsync("a part").ConfigureAwait(false);
            }
        }
        return default;
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _start = _end = 0;
    }

    private static MockErrorException Malformed(string what) => MockErrorException.Invalid($"The multipart body is malformed: {what}.");

    // The rest of the line, without its CRLF; null when the content is refused.
    private async ValueTask<string?> LineAsync(string within)
    {
        while (!IsRejected)
        {
            int length = Held.IndexOf("\r\n"u8);
            if (length >= 0)
            {
                string line = Encoding.UTF8.GetString(Held[..length]);
                _start += length + 2;
                return line;
            }
            // The last boundary may end the content without a CRLF.
            if (Held.StartsWith("--"u8)) return "--";
            if (Held.Length > MaxHeadBytes) throw Malformed($"{within} is too long");
            await FillAsync(within).ConfigureAwait(false);
        }
        return null;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder))]
    private async ValueTask FillAsync(string within)
    {
        if (_start > 0)
        {
            Held.CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }
        if (_piece.IsEmpty)
        {
            if (_isBodyEnd) throw Malformed($"it ends within {within}");
            await ReadBodyAsync().ConfigureAwait(false);
        }
        int take = (int)Math.Min(_piece.Length, _buffer.Length - _end);
        _piece.Slice(0, take).CopyTo(_buffer.AsSpan(_end));
        _end += take;
        _piece = _piece.Slice(take);
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder))]
    private async ValueTask ReadBodyAsync()
    {
        BodyRead read = await _body.ReadAsync().ConfigureAwait(false);
        _piece = read.Data;
        _isBodyEnd = read.IsEnd;
        IsRejected = read.IsRejected;
    }

    private async ValueTask DropEpilogueAsync()
    {
        while (!_isBodyEnd && !IsRejected) await ReadBodyAsync().ConfigureAwait(false);
    }
}

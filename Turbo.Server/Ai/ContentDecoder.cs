using System.Buffers;
using System.IO.Compression;

namespace Turbo.Server.Ai;

/// <summary>The content codings of RFC 9110 §8.4.1 that replies come in.</summary>
internal enum ContentCoding : byte
{
    Identity,
    Gzip,
    Brotli,
    Deflate,
    /// <summary>One that is not read: the reply passes, its usage stays unknown.</summary>
    Unknown,
}

/// <summary>Reads a coded copy of a reply, never the reply itself. Runs off the sockets' threads.</summary>
internal static class ContentDecoder
{
    /// <summary>Coded bytes of one reply that are kept for reading; beyond, its usage stays unknown.</summary>
    public const int MaxCodedBytes = 1 << 20;

    // A bomb is read no further than this.
    private const int MaxDecodedBytes = 16 << 20;

    public static ContentCoding Classify(ReadOnlySpan<byte> coding) => coding switch
    {
        _ when coding.IsEmpty || System.Text.Ascii.EqualsIgnoreCase(coding, "identity"u8) => ContentCoding.Identity,
        _ when System.Text.Ascii.EqualsIgnoreCase(coding, "gzip"u8) || System.Text.Ascii.EqualsIgnoreCase(coding, "x-gzip"u8) => ContentCoding.Gzip,
        _ when System.Text.Ascii.EqualsIgnoreCase(coding, "br"u8) => ContentCoding.Brotli,
        _ when System.Text.Ascii.EqualsIgnoreCase(coding, "deflate"u8) => ContentCoding.Deflate,
        _ => ContentCoding.Unknown,
    };

    /// <summary>
    /// Decodes what is there; a copy cut short by a client that left yields what it holds. Bytes that are not of the
    /// coding yield nothing more.
    /// </summary>
    public static void Decode(ContentCoding coding, byte[] coded, int length, Action<ReadOnlySpan<byte>> take)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(16 * 1024);
        try
        {
            using Stream stream = Open(coding, coded, length);
            for (int total = 0, read; total < MaxDecodedBytes && (read = stream.Read(buffer)) > 0; total += read) take(buffer.AsSpan(0, read));
        }
        // Each coding has its own: InvalidDataException, InvalidOperationException (Brotli) or an IOException (zlib).
        catch (Exception e) when (e is InvalidDataException or InvalidOperationException or IOException)
        {
            // What the origin calls gzip and is not still reached the client as sent; only its usage is unknown.
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static Stream Open(ContentCoding coding, byte[] coded, int length)
    {
        MemoryStream stream = new(coded, 0, length, writable: false);
        return coding switch
        {
            ContentCoding.Gzip => new GZipStream(stream, CompressionMode.Decompress),
            ContentCoding.Brotli => new BrotliStream(stream, CompressionMode.Decompress),
            // "deflate" is the zlib format (RFC 9110 §8.4.1.2), but some send it bare: the first byte tells.
            ContentCoding.Deflate when length > 0 && (coded[0] & 0x0F) == 8 => new ZLibStream(stream, CompressionMode.Decompress),
            ContentCoding.Deflate => new DeflateStream(stream, CompressionMode.Decompress),
            _ => stream,
        };
    }
}

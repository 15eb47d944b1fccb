using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Turbo.Net;

namespace Turbo.Server.Api;

/// <summary>
/// Content that is the same for everyone and never changes while the process lives, in its three codings: as it is, br
/// and gzip. Each has a strong ETag of its own (RFC 9110 §8.8.3.3) and a head rendered once; all are made when the first
/// client asks, not at the start of a server whose page nobody opens.
/// </summary>
internal sealed class StaticContent
{
    private readonly Lazy<Task<Representation[]>> _representations;
    private readonly string _contentType;

    /// <param name="content">The bytes.</param>
    /// <param name="contentType">Its media type.</param>
    /// <param name="fields">Complete field lines that every answer carries.</param>
    public StaticContent(byte[] content, string contentType, string fields) : this(() => content, contentType, () => fields)
    {
    }

    /// <param name="write">Makes the bytes, once.</param>
    /// <param name="contentType">Its media type.</param>
    /// <param name="fields">Makes complete field lines that every answer carries, once.</param>
    public StaticContent(Func<byte[]> write, string contentType, Func<string> fields)
    {
        _contentType = contentType;
        _representations = new Lazy<Task<Representation[]>>(() => Task.Run(() => Compress(write(), fields())));
    }

    /// <param name="Head">The field lines of a 200, those of a 304 first.</param>
    /// <param name="NotModifiedLength">How many of their bytes a 304 carries.</param>
    private sealed record Representation(byte[] Content, byte[] Tag, byte[] Head, int NotModifiedLength);

    /// <summary>Answers GET or HEAD, with 304 where the client has it already (RFC 9110 §13.1.2).</summary>
    /// <param name="context">The request.</param>
    /// <param name="cacheControl">The Cache-Control of this answer.</param>
    public ValueTask SendAsync(RequestContext context, ReadOnlyMemory<byte> cacheControl)
    {
        Task<Representation[]> making = _representations.Value;
        if (!making.IsCompletedSuccessfully) return AwaitAsync(context, cacheControl, making);
        Send(context.Exchange, cacheControl.Span, making.Result);
        return default;
    }

    private static async ValueTask AwaitAsync(RequestContext context, ReadOnlyMemory<byte> cacheControl, Task<Representation[]> making)
    {
        Representation[] made = await making;
        Send(context.Exchange, cacheControl.Span, made);
    }

    private static void Send(Exchange exchange, ReadOnlySpan<byte> cacheControl, Representation[] representations)
    {
        Representation chosen = representations[(int)AcceptedCoding.Of(exchange.Fields)];
        ResponseWriter response = exchange.Response;
        bool isKnown = IsKnown(exchange.Fields, chosen.Tag);
        response.Start(isKnown ? 304 : 200);
        response.Field("Cache-Control"u8, cacheControl);
        response.RawFields(isKnown ? chosen.Head.AsSpan(0, chosen.NotModifiedLength) : chosen.Head);
        response.EndHead(chosen.Content.Length);
        if (!isKnown) response.Write(chosen.Content);
    }

    private Representation[] Compress(byte[] content, string fields)
    {
        string hash = Convert.ToHexStringLower(SHA256.HashData(content).AsSpan(0, 16));
        Representation plain = Render(content, hash, null, fields);
        return
        [
            plain,
            Smaller(Gzip(content), hash, "gzip", plain, fields),
            Smaller(Brotli(content), hash, "br", plain, fields),
        ];
    }

    private Representation Smaller(byte[] coded, string hash, string coding, Representation plain, string fields) =>
        coded.Length < plain.Content.Length ? Render(coded, $"{hash}-{coding}", coding, fields) : plain;

    private Representation Render(byte[] content, string tag, string? coding, string fields)
    {
        string always = $"ETag: \"{tag}\"\r\nVary: Accept-Encoding\r\n{fields}";
        string rest = $"{(coding is null ? "" : $"Content-Encoding: {coding}\r\n")}Content-Type: {_contentType}\r\n";
        return new Representation(content, Encoding.ASCII.GetBytes($"\"{tag}\""), Encoding.ASCII.GetBytes(always + rest), always.Length);
    }

    private static byte[] Gzip(byte[] content)
    {
        using MemoryStream output = new();
        using (GZipStream gzip = new(output, CompressionLevel.SmallestSize)) gzip.Write(content);
        return output.ToArray();
    }

    // The most that the coding gives; the window need not be larger than the content.
    private static byte[] Brotli(byte[] content)
    {
        byte[] output = new byte[BrotliEncoder.GetMaxCompressedLength(content.Length)];
        return BrotliEncoder.TryCompress(content, output, out int length, quality: 11, window: 16) ? output[..length] : content;
    }

    // A list of entity-tags, or "*", compared weakly (RFC 9110 §8.8.3.2). No tag of ours has a comma within.
    private static bool IsKnown(HeaderFields fields, ReadOnlySpan<byte> tag)
    {
        for (int i = 0; i < fields.Count; i++)
        {
            if (!System.Text.Ascii.EqualsIgnoreCase(fields[i].Name, "If-None-Match"u8)) continue;
            ReadOnlySpan<byte> value = fields[i].Value;
            foreach (Range part in value.Split((byte)','))
            {
                ReadOnlySpan<byte> one = value[part].Trim(" \t"u8);
                if (one.StartsWith("W/"u8)) one = one[2..];
                if (one.SequenceEqual(tag) || one.SequenceEqual("*"u8)) return true;
            }
        }
        return false;
    }
}

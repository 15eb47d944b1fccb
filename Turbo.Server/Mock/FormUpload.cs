using System.Security.Cryptography;
using System.Text;
using Turbo.Net;

namespace Turbo.Server.Mock;

/// <summary>A form with a file, read in constant memory: what is kept of it.</summary>
internal sealed class FormUpload
{
    private const int MaxFields = 64;
    private const int MaxFieldBytes = 16 * 1024;

    private FormUpload()
    {
    }

    /// <summary>The name of the file in field `file`; null when none came.</summary>
    public string? FileName { get; private set; }

    /// <summary>The file's length.</summary>
    public long Bytes { get; private set; }

    /// <summary>The file's SHA-256 in lower-case hex.</summary>
    public string Sha256 { get; private set; } = "";

    /// <summary>The file's content, unless it was longer than is kept.</summary>
    public byte[]? Content { get; private set; }

    /// <summary>The other fields.</summary>
    public Dictionary<string, string> Fields { get; } = [];

    /// <summary>Reads the form, then waits as asked; null when the content was refused, which the server answers.</summary>
    /// <param name="call">The request.</param>
    /// <param name="keptBytes">Up to which length a file's content is kept.</param>
    /// <exception cref="MockErrorException">It is no form, or malformed.</exception>
    public static async ValueTask<FormUpload?> ReadAsync(MockCall call, int keptBytes)
    {
        Exchange exchange = call.Exchange;
        string contentType = exchange.Fields.TryGet(KnownField.ContentType, out ReadOnlySpan<byte> type) ? Encoding.ASCII.GetString(type) : "";
        exchange.Body.MaxBytes = call.Options.MaxUploadBytes;
        FormUpload upload = new();
        using MultipartReader parts = new(exchange.Body, contentType);
        while (await parts.NextAsync().ConfigureAwait(false))
        {
            if (parts.Name == "file") await upload.ReadFileAsync(call, parts, keptBytes).ConfigureAwait(false);
            else await upload.ReadFieldAsync(parts).ConfigureAwait(false);
        }
        if (parts.IsRejected) return null;
        await call.DelayAsync().ConfigureAwait(false);
        return upload;
    }

    private async ValueTask ReadFileAsync(MockCall call, MultipartReader parts, int keptBytes)
    {
        if (FileName is not null) throw MockErrorException.Invalid("One file is expected.", "file");
        FileName = parts.FileName ?? throw MockErrorException.Invalid("Expected a file.", "file");
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        MemoryStream? kept = keptBytes > 0 ? new MemoryStream() : null;
        while (await parts.ReadAsync().ConfigureAwait(false) is { IsEmpty: false } piece)
        {
            hash.AppendData(piece.Span);
            Bytes += piece.Length;
            call.Mock.Stats.AddUploaded(piece.Length);
            if (Bytes > keptBytes) kept = null;
            kept?.Write(piece.Span);
        }
        Sha256 = Convert.ToHexStringLower(hash.GetHashAndReset());
        Content = kept?.ToArray();
    }

    private async ValueTask ReadFieldAsync(MultipartReader parts)
    {
        if (Fields.Count == MaxFields) throw MockErrorException.Invalid($"At most {MaxFields} fields are expected.");
        MemoryStream value = new();
        while (await parts.ReadAsync().ConfigureAwait(false) is { IsEmpty: false } piece)
        {
            value.Write(piece.Span);
            if (value.Length > MaxFieldBytes) throw MockErrorException.Invalid($"The field '{parts.Name}' is longer than {MaxFieldBytes} bytes.", parts.Name);
        }
        Fields[parts.Name] = Encoding.UTF8.GetString(value.GetBuffer().AsSpan(0, (int)value.Length));
    }
}

using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Turbo.Net;
using Turbo.Net.Http1;

namespace Turbo.Server;

public sealed partial class AppRequest
{
    private AppParameters? _parameters;

    /// <summary>
    /// The parameters from query and content. Content that is neither a form nor JSON throws an <see cref="AppException"/>
    /// that answers 415, a malformed one 400, one over MAX_BODY 413.
    /// </summary>
    public async Task<AppParameters> ParametersAsync()
    {
        if (_parameters is not null) return _parameters;
        // Where it is refused, it is answered already; thrown is what ends the handler.
        if (!await Context.ReadParametersAsync(answersRefusal: false)) throw RefusalOf(Context.Parameters.HasError ? AppParameters.ToException(Context.Parameters.Error) : null);
        return _parameters = new AppParameters(this, Context.Parameters);
    }

    /// <summary>
    /// All of the content, at most MAX_BODY; valid until the handler returns. The event row keeps it where it says that it is a
    /// form or JSON: in anything else nobody can tell what is a secret.
    /// </summary>
    public Task<ReadOnlyMemory<byte>> ContentAsync() => ReadContentAsync(isRecorded: IsFormOrJson);

    /// <summary>The content as JSON, of whatever media type; malformed it is answered 400. Dispose it.</summary>
    public async Task<JsonDocument> JsonAsync()
    {
        ReadOnlyMemory<byte> content = await ReadContentAsync(isRecorded: true);
        try
        {
            // A copy: the content is gone when the handler returns, the document need not be.
            return JsonDocument.Parse(content.ToArray());
        }
        catch (JsonException e)
        {
            throw MalformedJson(e);
        }
    }

    /// <summary>The content as JSON of one type; malformed it is answered 400. Null for a JSON null.</summary>
    /// <param name="type">How to read it: of a source-generated <see cref="System.Text.Json.Serialization.JsonSerializerContext"/>.</param>
    public async Task<T?> JsonAsync<T>(JsonTypeInfo<T> type)
    {
        ReadOnlyMemory<byte> content = await ReadContentAsync(isRecorded: true);
        try
        {
            return JsonSerializer.Deserialize(content.Span, type);
        }
        catch (JsonException e)
        {
            throw MalformedJson(e);
        }
    }

    /// <summary>The content as it comes, of any size, in constant memory. Read it to its end before answering.</summary>
    /// <param name="maxBytes">What it may have; more is answered 413. Default: no limit.</param>
    public Stream ContentStream(long maxBytes = long.MaxValue)
    {
        Exchange.Body.MaxBytes = maxBytes;
        return new ContentReadStream(this);
    }

    /// <summary>Reads on; for <see cref="ContentReadStream"/>.</summary>
    internal async ValueTask<BodyRead> ReadContentAsync()
    {
        BodyRead read = await Exchange.Body.ReadAsync();
        return read.IsRejected ? throw RefusalOf(null) : read;
    }

    private bool IsFormOrJson
    {
        get
        {
            if (!Exchange.Fields.TryGet(KnownField.ContentType, out ReadOnlySpan<byte> type)) return false;
            int end = type.IndexOf((byte)';');
            ReadOnlySpan<byte> media = (end < 0 ? type : type[..end]).TrimEnd(" \t"u8);
            return Ascii.EqualsIgnoreCase(media, "application/json"u8) || Ascii.EqualsIgnoreCase(media, "application/x-www-form-urlencoded"u8)
                || (media.Length > 5 && Ascii.EqualsIgnoreCase(media[^5..], "+json"u8));
        }
    }

    private async Task<ReadOnlyMemory<byte>> ReadContentAsync(bool isRecorded)
    {
        BodyContent content = await Exchange.Body.ReadAllAsync();
        if (!content.IsComplete) throw RefusalOf(null);
        if (isRecorded) Context.KeepRequest(content.Bytes.Span);
        return content.Bytes;
    }

    private Exception RefusalOf(AppException? error)
    {
        RejectReason reject = _context.Exchange.Body.Reject;
        if (error is not null) return error;
        _context.Exchange.IsPersistent = false;
        // The client broke off, or was too slow, or sends too much.
        return new AppException(reject == RejectReason.None ? 400 : reject.Status(), reject.Message());
    }

    private static AppException MalformedJson(JsonException e) =>
        new(400, $"the body is not the JSON that is wanted here{(e.Path is { Length: > 0 } path ? $": see {path}" : "")}", code: "malformed_content");
}

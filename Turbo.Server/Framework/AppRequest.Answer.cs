using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Turbo.Net;
using Turbo.Server.Api;

namespace Turbo.Server;

public sealed partial class AppRequest
{
    private static readonly SearchValues<char> s_token =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    private static readonly JsonWriterOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private int _status;
    private string _contentType = "";
    private ReadOnlyMemory<byte> _content;
    private StringBuilder? _fields;

    /// <summary>Whether the request has an answer.</summary>
    public bool HasAnswered => _status != 0 || _context.Exchange.Response.HasStarted;

    /// <summary>Whether the head of the answer is written: a stream's, an error's, one of Turbo's own. Its fields are settled then.</summary>
    public bool HasStarted => _context.Exchange.Response.HasStarted;

    /// <summary>The status of the answer; 0 while there is none.</summary>
    public int Status => _context.Exchange.Response.HasStarted ? _context.Exchange.Response.Status : _status;

    /// <summary>Adds a header field to the answer. Content-Type, where it is given here, takes the place of the answer's own.</summary>
    /// <exception cref="ArgumentException">The name is no token, the value has a control character, or the field is the server's to write.</exception>
    /// <exception cref="InvalidOperationException">The answer has left.</exception>
    public void SetHeader(string name, string value)
    {
        CheckIsOpen();
        if (name.Length == 0 || name.AsSpan().ContainsAnyExcept(s_token)) throw new ArgumentException("a field name is a token", nameof(name));
        foreach (char c in value)
        {
            if (char.IsControl(c) && c != '\t') throw new ArgumentException("a field value has no control character", nameof(value));
        }
        if (IsServers(name)) throw new ArgumentException($"{name} is the server's to write", nameof(name));
        if (_context.Exchange.Response.HasStarted) throw new InvalidOperationException("the answer has left");
        if (name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase)) _fieldType = value;
        else (_fields ??= new StringBuilder()).Append(name).Append(": ").Append(value.AsSpan().Trim(" \t")).Append("\r\n");
    }

    /// <summary>Answers with text: <c>text/plain</c> in UTF-8.</summary>
    public void Text(string text, int status = 200) => Answer(status, "text/plain; charset=utf-8", Encoding.UTF8.GetBytes(text));

    /// <summary>Answers with a page: <c>text/html</c> in UTF-8. What users wrote must be escaped in it (<see cref="System.Net.WebUtility.HtmlEncode(string)"/>).</summary>
    public void Html(string html, int status = 200) => Answer(status, "text/html; charset=utf-8", Encoding.UTF8.GetBytes(html));

    /// <summary>Answers with the JSON value that <paramref name="write"/> writes.</summary>
    public void Json(Action<Utf8JsonWriter> write, int status = 200)
    {
        ArrayBufferWriter<byte> content = new(256);
        using (Utf8JsonWriter writer = new(content, s_json))
        {
            write(writer);
            if (writer.CurrentDepth != 0 || writer.BytesPending + writer.BytesCommitted == 0) throw new InvalidOperationException("what was written is no whole JSON value");
        }
        Answer(status, "application/json", content.WrittenMemory);
    }

    /// <summary>Answers with an object as JSON.</summary>
    /// <param name="value">What to write.</param>
    /// <param name="type">How: of a source-generated <see cref="System.Text.Json.Serialization.JsonSerializerContext"/>.</param>
    /// <param name="status">The status code.</param>
    public void Json<T>(T value, JsonTypeInfo<T> type, int status = 200) => Answer(status, "application/json", JsonSerializer.SerializeToUtf8Bytes(value, type));

    /// <summary>Answers with bytes.</summary>
    /// <param name="content">Not copied: it must not change before the handler has returned.</param>
    /// <param name="contentType">Content-Type; empty leaves the field out.</param>
    /// <param name="status">The status code.</param>
    public void Bytes(ReadOnlyMemory<byte> content, string contentType, int status = 200) => Answer(status, contentType, content);

    /// <summary>Answers without content: 204 unless said otherwise.</summary>
    public void Empty(int status = 204) => Answer(status, "", default);

    /// <summary>Sends the client elsewhere. A location that a client may choose should be checked to be a path of this host.</summary>
    /// <param name="location">A path or a URI, percent-encoded.</param>
    /// <param name="status">302, 303, 307 or 308, or 301.</param>
    public void Redirect(string location, int status = 302)
    {
        if (status is not (301 or 302 or 303 or 307 or 308)) throw new ArgumentOutOfRangeException(nameof(status), status, "no redirection");
        if (!Ascii.IsValid(location) || location.Contains(' ', StringComparison.Ordinal)) throw new ArgumentException("a location is percent-encoded", nameof(location));
        SetHeader("Location", location);
        Answer(status, "", default);
    }

    /// <summary>Answers with an error in Turbo's one shape; see <see cref="AppException"/>, which does so from anywhere.</summary>
    public void Fail(int status, string message, string? param = null, string? code = null)
    {
        AppException error = new(status, message, param, code);
        ArrayBufferWriter<byte> content = new(256);
        new ApiError(error.Status, error.Message, error.Param, error.Code).WriteContent(content);
        Answer(status, "application/json", content.WrittenMemory);
    }

    /// <summary>Called when handler and hooks are through: what was answered is written, and the request is over.</summary>
    internal void Finish()
    {
        ResponseWriter response = _context.Exchange.Response;
        if (_status != 0 && !response.HasStarted)
        {
            StartResponse(_status, _contentType);
            response.EndHead(_content.Length);
            response.Write(_content.Span);
            if (IsText(_contentType)) _context.KeepResponse(_content.Span);
        }
        _isOver = true;
    }

    private string? _fieldType;

    private void Answer(int status, string contentType, ReadOnlyMemory<byte> content)
    {
        CheckIsOpen();
        if (status is < 200 or > 599) throw new ArgumentOutOfRangeException(nameof(status), status, "a final status is 200 to 599");
        if (HasAnswered) throw new InvalidOperationException("the request has an answer already");
        if (status is 204 or 304 && content.Length > 0) throw new ArgumentException($"{status} has no content", nameof(content));
        if (contentType.AsSpan().IndexOfAnyInRange('\0', '\u001f') >= 0) throw new ArgumentException("a media type has no control character", nameof(contentType));
        _status = status;
        _contentType = contentType;
        _content = content;
    }

    private void StartResponse(int status, string contentType)
    {
        ResponseWriter response = _context.Exchange.Response;
        response.Start(status);
        string type = _fieldType ?? contentType;
        if (type.Length > 0) response.Field("Content-Type"u8, Encoding.UTF8.GetBytes(type));
        if (_fields is not null) response.RawFields(Encoding.UTF8.GetBytes(_fields.ToString()));
    }

    // RFC 9112 §6 and §9: what frames a message, or ends a connection; Date is written already.
    private static bool IsServers(string name)
    {
        foreach (string own in (ReadOnlySpan<string>)["Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Trailer", "Date"])
        {
            if (name.Equals(own, StringComparison.OrdinalIgnoreCase)) return true;
        }
        return false;
    }

    private static bool IsText(string type) => type.StartsWith("text/", StringComparison.OrdinalIgnoreCase) || type.StartsWith("application/json", StringComparison.OrdinalIgnoreCase);
}

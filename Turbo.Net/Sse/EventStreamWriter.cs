namespace Turbo.Net.Sse;

/// <summary>
/// A response that is an event stream (WHATWG HTML §9.2): its head is written by the constructor, each event by
/// <see cref="SendAsync"/> or by <see cref="Write"/> and a flush. It ends when the handler returns.
/// </summary>
public sealed class EventStreamWriter
{
    private readonly ResponseWriter _response;

    /// <summary>Writes the head: 200, text/event-stream, no-cache. Flush to send it before the first event.</summary>
    /// <param name="exchange">The request; nothing of its response may be written.</param>
    /// <param name="fields">Further field lines of the head, each with its CRLF.</param>
    public EventStreamWriter(Exchange exchange, ReadOnlySpan<byte> fields = default)
    {
        _response = exchange.Response;
        _response.Start(200);
        _response.Field("Content-Type"u8, "text/event-stream"u8);
        _response.Field("Cache-Control"u8, "no-cache"u8);
        if (!fields.IsEmpty) _response.RawFields(fields);
        _response.EndHeadChunked();
    }

    /// <summary>Writes an event and sends it now; false when the client is gone.</summary>
    public ValueTask<bool> SendAsync(ReadOnlySpan<byte> data, ReadOnlySpan<byte> name = default, ReadOnlySpan<byte> id = default)
    {
        Write(data, name, id);
        return FlushAsync();
    }

    /// <summary>Writes an event, to be sent with the next flush.</summary>
    /// <param name="data">UTF-8; each of its lines (LF, CRLF or CR) becomes a data line.</param>
    /// <param name="name">The event's type; empty leaves it `message`. No line end.</param>
    /// <param name="id">What a client that comes back sends as Last-Event-ID; empty leaves it out. No line end, no NUL.</param>
    public void Write(ReadOnlySpan<byte> data, ReadOnlySpan<byte> name = default, ReadOnlySpan<byte> id = default)
    {
        if (name.ContainsAny("\r\n"u8)) throw new ArgumentException("an event's type with a line end", nameof(name));
        if (id.ContainsAny("\r\n\0"u8)) throw new ArgumentException("an event's id with a line end or NUL", nameof(id));
        if (!name.IsEmpty) _response.Write("event: "u8, name, "\n"u8);
        if (!id.IsEmpty) _response.Write("id: "u8, id, "\n"u8);
        while (data.IndexOfAny((byte)'\r', (byte)'\n') is var end && end >= 0)
        {
            _response.Write("data: "u8, data[..end], "\n"u8);
            int next = data[end] == '\r' && end + 1 < data.Length && data[end + 1] == '\n' ? end + 2 : end + 1;
            data = data[next..];
        }
        _response.Write("data: "u8, data, "\n\n"u8);
    }

    /// <summary>Writes a comment line, which clients pass over: it keeps a silent connection open. No line end in it.</summary>
    public void WriteComment(ReadOnlySpan<byte> text = default)
    {
        if (text.ContainsAny("\r\n"u8)) throw new ArgumentException("a comment with a line end", nameof(text));
        _response.Write(":"u8, text, "\n\n"u8);
    }

    /// <summary>Sends what was written; waits while the client is slow. False when the client is gone.</summary>
    public ValueTask<bool> FlushAsync() => _response.FlushAsync();
}

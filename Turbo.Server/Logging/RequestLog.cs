namespace Turbo.Server.Logging;

/// <summary>What a request's line says. Spans are read before the call returns.</summary>
internal readonly ref struct RequestLine
{
    /// <summary>Empty when no request-line could be read.</summary>
    public required ReadOnlySpan<byte> Method { get; init; }

    /// <summary>The path, or the whole request-target: what follows a question mark is never logged, tokens live there.</summary>
    public required ReadOnlySpan<byte> Path { get; init; }

    /// <summary>0 when no response was begun.</summary>
    public required int Status { get; init; }

    public required TimeSpan Duration { get; init; }

    /// <summary>Of the request's content.</summary>
    public required long BytesIn { get; init; }

    /// <summary>Of the response's content.</summary>
    public required long BytesOut { get; init; }

    /// <summary>The client's address as text.</summary>
    public required ReadOnlySpan<byte> Client { get; init; }

    /// <summary>Null when none is known.</summary>
    public string? UserId { get; init; }
}

/// <summary>
/// One line a request: <c>info</c>, or <c>error</c> for a status of 5xx. Formatting and queueing allocate nothing and
/// never wait.
/// </summary>
internal sealed class RequestLog(LogWriter writer, LogLevel level)
{
    private const int MaxMethodBytes = 32;
    private const int MaxPathBytes = 1024;
    private const int MaxNameBytes = 128;

    [ThreadStatic] private static byte[]? t_buffer;

    /// <summary>Whether a response with this status has a line at all; what it says need not be gathered otherwise.</summary>
    public bool IsOn(int status) => LevelOf(status) >= level;

    public void Write(in RequestLine request)
    {
        LogLevel own = LevelOf(request.Status);
        if (own < level) return;
        byte[] buffer = t_buffer ??= new byte[LogLine.MaxBytes];
        var line = new LogLine(buffer, writer.Format, writer.Time.GetUtcNow(), own);
        line.Text("method"u8, request.Method.IsEmpty ? "-"u8 : request.Method, MaxMethodBytes, named: false);
        ReadOnlySpan<byte> path = request.Path;
        int query = path.IndexOfAny((byte)'?', (byte)'#');
        if (query >= 0) path = path[..query];
        line.Text("path"u8, path.IsEmpty ? "-"u8 : path, MaxPathBytes, named: false);
        line.Number("status"u8, request.Status, named: false);
        line.Duration("duration_ms"u8, request.Duration);
        line.Number("bytes_in"u8, request.BytesIn, named: true);
        line.Number("bytes_out"u8, request.BytesOut, named: true);
        line.Text("client_ip"u8, request.Client, MaxNameBytes, named: true);
        if (request.UserId is { } user) line.Text("user_id"u8, user, MaxNameBytes, named: true);
        writer.Write(line.End());
    }

    private static LogLevel LevelOf(int status) => status >= 500 ? LogLevel.Error : LogLevel.Info;
}

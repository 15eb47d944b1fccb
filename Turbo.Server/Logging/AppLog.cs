namespace Turbo.Server.Logging;

/// <summary>
/// The server's own messages, among the request lines and in their form. Callers put no secret, token, prompt or body
/// into one; an interpolated message is built only after its level was asked for.
/// </summary>
internal sealed class AppLog(LogWriter writer, LogLevel level)
{
    public bool IsOn(LogLevel wanted) => wanted >= level;

    public void Debug(string message) => Write(LogLevel.Debug, message);

    public void Info(string message) => Write(LogLevel.Info, message);

    public void Warn(string message) => Write(LogLevel.Warn, message);

    public void Error(string message) => Write(LogLevel.Error, message);

    /// <summary>An unexpected failure of our own: what was being done, and the exception with its stack, on one line.</summary>
    public void Error(string doing, Exception failure)
    {
        if (IsOn(LogLevel.Error)) Write(LogLevel.Error, $"{doing}: {failure.ToString().ReplaceLineEndings(" ")}");
    }

    private void Write(LogLevel own, string message)
    {
        if (own < level) return;
        Span<byte> buffer = stackalloc byte[LogLine.MaxBytes];
        var line = new LogLine(buffer, writer.Format, writer.Time.GetUtcNow(), own);
        line.Message(message);
        writer.Write(line.End());
    }
}

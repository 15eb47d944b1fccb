namespace Turbo.Server;

/// <summary>
/// Thrown by a handler, answers its request with an error in Turbo's one shape:
/// <c>{"error":{"message","type","param","code"}}</c>, the type following from the status. It leaves no line in the log.
/// </summary>
public sealed class AppException : Exception
{
    /// <param name="status">A status code from 400 to 599.</param>
    /// <param name="message">A sentence for whoever wrote the client; nothing internal, nothing secret.</param>
    /// <param name="param">The field that is at fault, or null.</param>
    /// <param name="code">A word for programs, such as <c>note_not_found</c>, or null.</param>
    public AppException(int status, string message, string? param = null, string? code = null) : base(message)
    {
        if (status is < 400 or > 599) throw new ArgumentOutOfRangeException(nameof(status), status, "an error's status is 400 to 599");
        Status = status;
        Param = param;
        Code = code;
    }

    /// <summary>The status code.</summary>
    public int Status { get; }

    /// <summary>The field that is at fault, or null.</summary>
    public string? Param { get; }

    /// <summary>A word for programs, or null.</summary>
    public string? Code { get; }
}

using System.Text;

namespace Turbo.Net.Http1;

/// <summary>Status-lines ready to send: "HTTP/1.1 200 OK\r\n" (RFC 9110 §15).</summary>
internal static class StatusLines
{
    private static readonly byte[]?[] s_lines = new byte[600][];

    static StatusLines()
    {
        (int Code, string Reason)[] known =
        [
            (100, "Continue"), (101, "Switching Protocols"), (200, "OK"), (201, "Created"), (202, "Accepted"),
            (204, "No Content"), (206, "Partial Content"), (301, "Moved Permanently"), (302, "Found"), (303, "See Other"),
            (304, "Not Modified"), (307, "Temporary Redirect"), (308, "Permanent Redirect"), (400, "Bad Request"),
            (401, "Unauthorized"), (403, "Forbidden"), (404, "Not Found"), (405, "Method Not Allowed"),
            (406, "Not Acceptable"), (408, "Request Timeout"), (409, "Conflict"), (410, "Gone"), (411, "Length Required"),
            (412, "Precondition Failed"), (413, "Content Too Large"), (414, "URI Too Long"), (415, "Unsupported Media Type"),
            (416, "Range Not Satisfiable"), (417, "Expectation Failed"), (421, "Misdirected Request"),
            (422, "Unprocessable Content"), (426, "Upgrade Required"), (428, "Precondition Required"),
            (429, "Too Many Requests"), (431, "Request Header Fields Too Large"), (500, "Internal Server Error"),
            (501, "Not Implemented"), (502, "Bad Gateway"), (503, "Service Unavailable"), (504, "Gateway Timeout"),
            (505, "HTTP Version Not Supported"),
        ];
        foreach ((int code, string reason) in known) s_lines[code] = Encoding.ASCII.GetBytes($"HTTP/1.1 {code} {reason}\r\n");
    }

    public static ReadOnlySpan<byte> Ok => "HTTP/1.1 200 OK\r\n"u8;

    public static ReadOnlySpan<byte> Get(int status) =>
        (uint)status < (uint)s_lines.Length && s_lines[status] is { } line ? line : Make(status);

    /// <summary>What follows another server's status code and reason-phrase: some leave out the SP between the two.</summary>
    public static ReadOnlySpan<byte> EndOf(ReadOnlySpan<byte> statusAndReason) => statusAndReason.Length == 3 ? " \r\n"u8 : "\r\n"u8;

    private static byte[] Make(int status)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(status, 100);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(status, 599);
        // The reason-phrase may be empty, its SP may not (RFC 9112 §4).
        return s_lines[status] = Encoding.ASCII.GetBytes($"HTTP/1.1 {status} \r\n");
    }
}

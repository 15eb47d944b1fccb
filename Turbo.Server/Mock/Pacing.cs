using System.Buffers.Text;
using System.Text;
using Turbo.Net;

namespace Turbo.Server.Mock;

/// <summary>How a request wants to be answered, by its X-Mock-* fields. <see cref="Help"/> is what users are told.</summary>
internal readonly record struct Pacing
{
    public const string Help =
        """
          X-Mock-Delay: MS        wait before the response begins (0 to 600000)
          X-Mock-Interval: MS     between the events of a stream, or 16 KiB pieces of audio (0 to 600000;
                                  default 20 between events, 0 between pieces)
          X-Mock-Words: N         words of the reply (1 to 1000000)
          X-Mock-Bytes: N         bytes of audio (0 to 1099511627776; default 65536)
          X-Mock-Status: N        answer with this error (400 to 599) in OpenAI's shape; 429 says Retry-After: 1
          X-Mock-Break: N         reset the connection after N events of a stream (1 to 1000000)
        """;

    private const int MaxMilliseconds = 600_000;
    private const int MaxCount = 1_000_000;

    public TimeSpan Delay { get; private init; }

    /// <summary>Between two events; null is the default.</summary>
    public TimeSpan? Interval { get; private init; }

    public int? Words { get; private init; }

    public long? Bytes { get; private init; }

    public int? Status { get; private init; }

    public int? Break { get; private init; }

    /// <exception cref="MockErrorException">A field is not a number within its bounds.</exception>
    public static Pacing Read(HeaderFields fields) => new()
    {
        Delay = Number(fields, "X-Mock-Delay"u8, 0, MaxMilliseconds) is { } delay ? TimeSpan.FromMilliseconds(delay) : TimeSpan.Zero,
        Interval = Number(fields, "X-Mock-Interval"u8, 0, MaxMilliseconds) is { } interval ? TimeSpan.FromMilliseconds(interval) : null,
        Words = (int?)Number(fields, "X-Mock-Words"u8, 1, MaxCount),
        Bytes = Number(fields, "X-Mock-Bytes"u8, 0, 1L << 40),
        Status = (int?)Number(fields, "X-Mock-Status"u8, 400, 599),
        Break = (int?)Number(fields, "X-Mock-Break"u8, 1, MaxCount),
    };

    private static long? Number(HeaderFields fields, ReadOnlySpan<byte> name, long least, long most)
    {
        if (!fields.TryGet(name, out ReadOnlySpan<byte> value)) return null;
        if (Utf8Parser.TryParse(value, out long number, out int used) && used == value.Length && number >= least && number <= most) return number;
        string field = Encoding.ASCII.GetString(name);
        throw MockErrorException.Invalid($"{field} is not a whole number from {least} to {most}.", field);
    }
}

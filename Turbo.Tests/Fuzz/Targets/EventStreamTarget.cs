using System.Buffers;
using System.Globalization;
using System.Text;
using Turbo.Net.Sse;

namespace Turbo.Tests.Fuzz.Targets;

/// <summary>Event streams: events, ids and retries against a reference over the whole text, alike in any cuts.</summary>
internal sealed class EventStreamTarget : FuzzTarget
{
    private static readonly int[] s_limits = [1024 * 1024, 24];

    private readonly Transcript _whole = new(), _cut = new(), _reference = new();

    public override string Name => "sse";

    public override IReadOnlyList<string> Tokens { get; } =
    [
        "\\n", "\\r", "\\r\\n", "\\n\\n", "\\r\\r", "\\r\\n\\r\\n", "\\n\\r", "data", "data:", "data: x", "data:x\\n\\n", "event:", "event: e\\n", "id:", "id: 1\\n", "id\\n", "id: \\x00\\n",
        "retry:", "retry: 10\\n", "retry: -1\\n", "retry: 99999999999\\n", "retry: 1e3\\n", "retry: 00\\n", ":", ": c\\n", " ", "\\xef\\xbb\\xbf", "\\xef", "\\x00", "[DONE]", "Data: x\\n",
    ];

    public override void Run(byte[] input)
    {
        foreach (int limit in s_limits)
        {
            Read(input, [input.Length], limit, _whole);
            foreach (int[] cuts in Cuts.Of(input))
            {
                Read(input, cuts, limit, _cut);
                FuzzFinding.UnlessSame(_whole, _cut, "cut otherwise, an event stream is another");
            }
            Reference(Encoding.Latin1.GetString(input), limit, _reference.Clear());
            FuzzFinding.UnlessSame(_reference, _whole, "the reference reads another event stream");
        }
    }

    private static void Read(byte[] input, int[] cuts, int limit, Transcript to)
    {
        to.Clear();
        EventStreamReader reader = new(limit);
        int at = 0;
        for (int i = 0; i < cuts.Length; i++)
        {
            // Two pieces at a time now and then: a read may hold several segments.
            if (i % 3 == 1 && i + 1 < cuts.Length) continue;
            ReadOnlySequence<byte> arrived = Segments.Of(input, at, cuts.AsSpan(0, i + 1));
            at = cuts[i];
            EventStreamStatus status;
            while ((status = reader.Read(ref arrived)) == EventStreamStatus.Event) Tell(to, reader.Name, reader.Data);
            FuzzFinding.Unless(arrived.IsEmpty, "bytes were left");
            if (status != EventStreamStatus.TooLarge) continue;
            to.Line("too large");
            return;
        }
        to.Line("id", reader.LastId).Line("retry", (long)(reader.Retry?.TotalMilliseconds ?? -1));
    }

    private static void Tell(Transcript to, ReadOnlySpan<byte> name, ReadOnlySpan<byte> data) => to.Line("event", name).Line("data", data);

    // WHATWG HTML §9.2.6, over the text as a whole.
    private static void Reference(string text, int limit, Transcript to)
    {
        string[] lines = text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n').Split('\n');
        string? data = null;
        string name = "", id = "";
        long retry = -1;
        for (int i = 0; i < lines.Length; i++)
        {
            string line = lines[i];
            if (line.Length + (data?.Length ?? 0) > limit)
            {
                to.Line("too large");
                return;
            }
            // The last one is unfinished.
            if (i == lines.Length - 1) break;
            if (i == 0 && line.StartsWith("\u00ef\u00bb\u00bf", StringComparison.Ordinal)) line = line[3..];
            if (line.Length == 0)
            {
                if (data is not null) to.Line("event", name).Line("data", data);
                data = null;
                name = "";
                continue;
            }
            string[] parts = line.Split(':', 2);
            string value = parts.Length == 2 ? parts[1] : "";
            if (value.StartsWith(' ')) value = value[1..];
            switch (parts[0])
            {
                case "data": data = data is null ? value : data + "\n" + value; break;
                case "event": name = value; break;
                case "id" when !value.Contains('\0'): id = value; break;
                case "retry" when value.Length > 0 && value.All(char.IsAsciiDigit) && int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int milliseconds): retry = milliseconds; break;
            }
        }
        to.Line("id", id).Line("retry", retry);
    }
}

using System.Globalization;
using System.Text;
using Turbo.Server.Ai;
using Turbo.Tests.Fuzz.Reference;

namespace Turbo.Tests.Fuzz.Targets;

/// <summary>
/// What a passing reply tells of its usage, as one JSON text and as an event stream: alike in any cuts, and where it is
/// JSON, what a reference finds in the parsed text.
/// </summary>
internal sealed class UsageTarget : FuzzTarget
{
    private readonly Transcript _whole = new(), _cut = new(), _reference = new();

    public override string Name => "usage";

    public override IReadOnlyList<string> Tokens { get; } =
    [
        "{", "}", "[", "]", ":", ",", "\"", "\\\\", "\\\\\\\\", "\\\\\"", "\"model\":", "\"usage\":", "\"response\":", "\"usage\":{", "\"response\":{", "\"prompt_tokens\":", "\"completion_tokens\":", "\"total_tokens\":", "\"input_tokens\":", "\"output_tokens\":",
        "\"model\":\"gpt-4o\"", "\"model\":\"a\\\\/b\"", "\"model\":null", "\"usage\":null", "\"prompt_tokens\":12", "\"mod\\\\u0065l\"", "1", "-1", "1.5", "1e2", "9223372036854775807", "9223372036854775808", "007", "null", "true", " ",
        "data: ", "data:", "data: [DONE]\\n\\n", "\\n\\n", "\\r\\n\\r\\n", "\\r", "\\n", "event: x\\n", ": c\\n", "id: 1\\n", "{\"a\":", "\"a\":1", "[[[[[[[[[[[[[[[[", "{\"a\":{\"a\":{\"a\":{\"a\":",
    ];

    public override void Run(byte[] input)
    {
        string text = ReferenceHead.Text(input);
        Cut(input, Feed);
        if (ReferenceJson.Parse(text, 1000) is { } node)
        {
            Found found = new();
            Search(node, 1, found);
            found.Tell(_reference.Clear());
            FuzzFinding.UnlessSame(_reference, _whole, "the reference finds another usage");
        }
        Cut(input, FeedStream);
        if (!TrySearchStream(text, out Found? all)) return;
        all.Tell(_reference.Clear());
        FuzzFinding.UnlessSame(_reference, _whole, "the reference finds another usage in the event stream");
    }

    private delegate void Feeder(byte[] input, int[] cuts, Transcript to);

    private void Cut(byte[] input, Feeder feed)
    {
        feed(input, [input.Length], _whole.Clear());
        foreach (int[] cuts in Cuts.Of(input))
        {
            feed(input, cuts, _cut.Clear());
            FuzzFinding.UnlessSame(_whole, _cut, "cut otherwise, the usage is another");
        }
    }

    private static void Feed(byte[] input, int[] cuts, Transcript to)
    {
        UsageScanner scanner = new();
        int at = 0;
        foreach (int cut in cuts)
        {
            scanner.Feed(input.AsSpan(at, cut - at));
            at = cut;
        }
        Tell(scanner, to);
    }

    private static void FeedStream(byte[] input, int[] cuts, Transcript to)
    {
        UsageScanner scanner = new();
        EventStreamScanner stream = new(scanner);
        int at = 0;
        foreach (int cut in cuts)
        {
            stream.Feed(input.AsSpan(at, cut - at));
            at = cut;
        }
        Tell(scanner, to);
    }

    private static void Tell(UsageScanner scanner, Transcript to) => to.Line("model", scanner.Model)
        .Line("prompt", scanner.PromptTokens ?? -1).Line("completion", scanner.CompletionTokens ?? -1).Line("total", scanner.TotalTokens ?? -1);

    private sealed class Found
    {
        public string Model = "";
        public long Prompt = -1, Completion = -1, Total = -1;

        public void Tell(Transcript to) => to.Line("model", Model).Line("prompt", Prompt).Line("completion", Completion).Line("total", Total);
    }

    // In the text's order: what comes later counts.
    private static void Search(JsonNode node, int depth, Found found)
    {
        if (node.Kind != JsonKind.Object) return;
        foreach ((string name, JsonNode value) in node.Members)
        {
            switch (name)
            {
                case "model" when value.Kind == JsonKind.String: found.Model = Model(value.Raw); break;
                case "usage" when value.Kind == JsonKind.Object: SearchUsage(value, found); break;
                case "response" when depth == 1: Search(value, 2, found); break;
            }
        }
    }

    private static void SearchUsage(JsonNode usage, Found found)
    {
        foreach ((string name, JsonNode value) in usage.Members)
        {
            if (value.Kind != JsonKind.Number || !long.TryParse(value.Raw, NumberStyles.None, CultureInfo.InvariantCulture, out long number)) continue;
            switch (name)
            {
                case "prompt_tokens" or "input_tokens": found.Prompt = number; break;
                case "completion_tokens" or "output_tokens": found.Completion = number; break;
                case "total_tokens": found.Total = number; break;
            }
        }
    }

    // One of 128 bytes or more is kept as far as it goes, escapes and all.
    private static string Model(string raw) => raw.Length >= 128 ? raw[..128] : ReferenceJson.Unescape(raw) ?? raw;

    // False where an event is no JSON: what is found then is anybody's guess.
    private static bool TrySearchStream(string text, out Found found)
    {
        found = new Found();
        StringBuilder data = new();
        foreach (string line in (string[])[.. text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n').Split('\n'), ""])
        {
            if (line.StartsWith("data:", StringComparison.Ordinal)) data.Append(line.AsSpan(5));
            if (line.Length > 0) continue;
            string json = data.ToString();
            data.Clear();
            if (json.Trim(' ') is "" or "[DONE]") continue;
            if (ReferenceJson.Parse(json, 1000) is not { } node) return false;
            Search(node, 1, found);
        }
        return true;
    }
}

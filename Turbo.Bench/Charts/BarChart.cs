using System.Globalization;
using System.Net;
using System.Text;
using Turbo.Bench.Load;

namespace Turbo.Bench.Charts;

/// <summary>A figure with the least and the most of the rounds that it is the median of.</summary>
internal sealed record Bar(string Name, double Value, double Least, double Most);

/// <summary>Bars that are compared with each other; each group has its own scale.</summary>
internal sealed record BarGroup(string Title, List<Bar> Bars);

/// <summary>
/// Horizontal bars as SVG, shorter is better, Turbo's in colour. The reader's light or dark theme chooses the colours;
/// every bar has its figure beside it, so nothing is told by colour alone. As wide as a phone's screen, nearly, so that the
/// text is not made smaller there.
/// </summary>
internal static class BarChart
{
    private const int Width = 480, Margin = 14, Left = 112, Right = 84, BarHeight = 18, Gap = 5;

    // Characters of a line of each size, by the widest of the usual fonts.
    private const int GroupColumns = 50, SmallColumns = 66;

    public static string Draw(string title, string unit, string caption, IReadOnlyList<BarGroup> groups)
    {
        StringBuilder body = new();
        int y = 34;
        Lines("small", Wrapped("Shorter is better. Each group has its own scale. A thin line spans the rounds.", SmallColumns), 16);
        y += 6;
        foreach (BarGroup group in groups)
        {
            Lines("group", Wrapped(group.Title, GroupColumns), 18);
            y += 6;
            double longest = Math.Max(group.Bars.Max(static bar => Math.Max(bar.Value, bar.Most)), double.Epsilon);
            foreach (Bar bar in group.Bars)
            {
                bool isOurs = bar.Name.StartsWith("turbo", StringComparison.Ordinal);
                body.Append($"<text class=\"name\" x=\"{Left - 8}\" y=\"{y + 14}\">{Escape(bar.Name)}</text>");
                body.Append($"<rect class=\"{(isOurs ? "ours" : "peer")}\" x=\"{Left}\" y=\"{y}\" width=\"{At(bar.Value)}\" height=\"{BarHeight}\" rx=\"2\"/>");
                if (bar.Most > bar.Least) body.Append($"<path class=\"range\" d=\"M{At(bar.Least, Left)} {y + BarHeight / 2}H{At(bar.Most, Left)}\"/>");
                body.Append($"<text class=\"figure\" x=\"{At(Math.Max(bar.Value, bar.Most), Left + 6)}\" y=\"{y + 14}\">{LoadReport.Figure(bar.Value)} {unit}</text>\n");
                y += BarHeight + Gap;
            }
            y += 12;

            string At(double value, int offset = 0) => (offset + (Width - Left - Right) * Math.Max(value, 0) / longest).ToString("0.#", CultureInfo.InvariantCulture);
        }
        Lines("small", caption.Split('\n').SelectMany(static line => Wrapped(line, SmallColumns)), 16);
        int height = y + 12;
        string labels = string.Join("; ", groups.SelectMany(static group => group.Bars.Select(bar => $"{group.Title}, {bar.Name} {LoadReport.Figure(bar.Value)}")));
        return $$"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{Width}} {{height}}" width="{{Width}}" height="{{height}}" role="img" aria-labelledby="t d">
            <title id="t">{{Escape(title)}}</title>
            <desc id="d">{{Escape(labels)}}</desc>
            <style>
            text { font: 14px system-ui, sans-serif; fill: #24292f; }
            .title { font-size: 18px; font-weight: 600; }
            .group { font-weight: 600; }
            .name { text-anchor: end; }
            .small { fill: #57606a; font-size: 12px; }
            .back { fill: #ffffff; }
            .ours { fill: #0969da; }
            .peer { fill: #afb8c1; }
            .range { stroke: #24292f; stroke-width: 1.5; }
            @media (prefers-color-scheme: dark) {
            text { fill: #e6edf3; }
            .small { fill: #9da7b3; }
            .back { fill: #0d1117; }
            .ours { fill: #2f81f7; }
            .peer { fill: #545d68; }
            .range { stroke: #e6edf3; }
            }
            </style>
            <rect class="back" width="{{Width}}" height="{{height}}" rx="6"/>
            <text class="title" x="{{Margin}}" y="28">{{Escape(title)}}</text>
            {{body.ToString().TrimEnd()}}
            </svg>

            """;

        void Lines(string kind, IEnumerable<string> lines, int each)
        {
            foreach (string line in lines)
            {
                body.Append($"<text class=\"{kind}\" x=\"{Margin}\" y=\"{y + 14}\">{Escape(line)}</text>\n");
                y += each;
            }
        }
    }

    /// <summary>The text in lines of so many characters at most, but for a word that is longer.</summary>
    public static List<string> Wrapped(string text, int columns)
    {
        List<string> lines = [];
        string line = "";
        foreach (string word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > columns)
            {
                lines.Add(line);
                line = "";
            }
            line = line.Length == 0 ? word : $"{line} {word}";
        }
        if (line.Length > 0) lines.Add(line);
        return lines;
    }

    private static string Escape(string text) => WebUtility.HtmlEncode(text).Replace("&#39;", "'");
}

using System.Globalization;
using System.Net;
using System.Text;
using Turbo.Bench.Load;

namespace Turbo.Bench.Charts;

internal sealed record Bar(string Name, double Value);

/// <summary>Bars that are compared with each other; each group has its own scale.</summary>
internal sealed record BarGroup(string Title, List<Bar> Bars);

/// <summary>
/// Horizontal bars as SVG, shorter is better, Turbo's in colour. The reader's light or dark theme chooses the colours;
/// every bar has its figure beside it, so nothing is told by colour alone.
/// </summary>
internal static class BarChart
{
    private const int Width = 760, Left = 120, Right = 110, BarHeight = 18, Gap = 6, Top = 64;

    public static string Draw(string title, string unit, string caption, IReadOnlyList<BarGroup> groups)
    {
        StringBuilder body = new();
        int y = Top;
        foreach (BarGroup group in groups)
        {
            body.Append($"<text class=\"group\" x=\"16\" y=\"{y + 14}\">{Escape(group.Title)}</text>\n");
            y += 24;
            double longest = Math.Max(group.Bars.Max(static bar => bar.Value), double.Epsilon);
            foreach (Bar bar in group.Bars)
            {
                string width = ((Width - Left - Right) * Math.Max(bar.Value, 0) / longest).ToString("0.#", CultureInfo.InvariantCulture);
                string end = (Left + (Width - Left - Right) * Math.Max(bar.Value, 0) / longest + 6).ToString("0.#", CultureInfo.InvariantCulture);
                bool isOurs = bar.Name.StartsWith("turbo", StringComparison.Ordinal);
                body.Append($"<text class=\"name\" x=\"{Left - 8}\" y=\"{y + 13}\">{Escape(bar.Name)}</text>");
                body.Append($"<rect class=\"{(isOurs ? "ours" : "peer")}\" x=\"{Left}\" y=\"{y}\" width=\"{width}\" height=\"{BarHeight}\" rx=\"2\"/>");
                body.Append($"<text class=\"figure\" x=\"{end}\" y=\"{y + 13}\">{LoadReport.Figure(bar.Value)} {unit}</text>\n");
                y += BarHeight + Gap;
            }
            y += 14;
        }
        int height = y + 22;
        string labels = string.Join("; ", groups.SelectMany(static group => group.Bars.Select(bar => $"{group.Title}, {bar.Name} {LoadReport.Figure(bar.Value)}")));
        return $$"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{Width}} {{height}}" width="{{Width}}" height="{{height}}" role="img" aria-labelledby="t d">
            <title id="t">{{Escape(title)}}</title>
            <desc id="d">{{Escape(labels)}}</desc>
            <style>
            text { font: 13px system-ui, sans-serif; fill: #24292f; }
            .title { font-size: 18px; font-weight: 600; }
            .group { font-weight: 600; }
            .name { text-anchor: end; }
            .small, .figure { fill: #57606a; font-size: 12px; }
            .back { fill: #ffffff; }
            .ours { fill: #0969da; }
            .peer { fill: #afb8c1; }
            @media (prefers-color-scheme: dark) {
            text { fill: #e6edf3; }
            .small, .figure { fill: #9da7b3; }
            .back { fill: #0d1117; }
            .ours { fill: #58a6ff; }
            .peer { fill: #545d68; }
            }
            </style>
            <rect class="back" width="{{Width}}" height="{{height}}" rx="6"/>
            <text class="title" x="16" y="30">{{Escape(title)}}</text>
            <text class="small" x="16" y="50">Shorter is better. Each group has its own scale.</text>
            {{body.ToString().TrimEnd()}}
            <text class="small" x="16" y="{{height - 10}}">{{Escape(caption)}}</text>
            </svg>

            """;
    }

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}

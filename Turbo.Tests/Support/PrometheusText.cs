using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Turbo.Tests.Support;

/// <summary>
/// A page of Prometheus's text format 0.0.4, read strictly: what its specification leaves open and no client needs, such as
/// blank lines or samples without a TYPE, fails the test too.
/// </summary>
internal sealed partial class PrometheusText
{
    private readonly Dictionary<string, double> _samples = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _types = new(StringComparer.Ordinal);
    private readonly HashSet<string> _helps = new(StringComparer.Ordinal);
    private string _family = "";

    private PrometheusText(string text)
    {
        if (!text.EndsWith('\n')) throw Bad("the last line has no line feed", text);
        foreach (string line in text[..^1].Split('\n'))
        {
            if (line.StartsWith("# HELP ", StringComparison.Ordinal)) TakeHelp(line);
            else if (line.StartsWith("# TYPE ", StringComparison.Ordinal)) TakeType(line);
            else TakeSample(line);
        }
        foreach ((string name, string type) in _types)
        {
            if (type == "histogram") CheckHistogram(name);
        }
    }

    /// <summary>Each family's type.</summary>
    public IReadOnlyDictionary<string, string> Types => _types;

    /// <summary>Each sample by its name and labels, sorted by label: <c>name{a="1",b="2"}</c>.</summary>
    public IReadOnlyDictionary<string, double> Samples => _samples;

    /// <summary>A sample's value; one that is not there is 0.</summary>
    public double this[string sample] => _samples.GetValueOrDefault(sample);

    public static PrometheusText Parse(string text) => new(text);

    [GeneratedRegex("^[a-zA-Z_:][a-zA-Z0-9_:]*$")]
    private static partial Regex MetricName();

    [GeneratedRegex("^[a-zA-Z_][a-zA-Z0-9_]*$")]
    private static partial Regex LabelName();

    private void TakeHelp(string line)
    {
        string[] words = line.Split(' ', 4);
        if (words.Length < 4 || words[3].Length == 0 || !MetricName().IsMatch(words[2])) throw Bad("HELP", line);
        if (words[3].Replace(@"\\", "", StringComparison.Ordinal).Replace(@"\n", "", StringComparison.Ordinal).Contains('\\')) throw Bad("an escape that is none", line);
        if (!_helps.Add(words[2])) throw Bad("a second HELP", line);
        _family = words[2];
    }

    private void TakeType(string line)
    {
        string[] words = line.Split(' ');
        if (words.Length != 4 || words[2] != _family || words[3] is not ("counter" or "gauge" or "histogram")) throw Bad("TYPE does not follow its HELP", line);
        if (!_types.TryAdd(words[2], words[3])) throw Bad("a second TYPE", line);
        if (words[3] == "counter" != words[2].EndsWith("_total", StringComparison.Ordinal)) throw Bad("counters, and they alone, end in _total", line);
    }

    private void TakeSample(string line)
    {
        int nameEnd = line.IndexOfAny(['{', ' ']);
        if (nameEnd <= 0) throw Bad("no sample", line);
        string name = line[..nameEnd];
        if (!MetricName().IsMatch(name)) throw Bad("the name", line);
        SortedDictionary<string, string> labels = new(StringComparer.Ordinal);
        int at = nameEnd;
        if (line[at] == '{')
        {
            at++;
            while (line[at] != '}')
            {
                if (labels.Count > 0 && line[at++] != ',') throw Bad("no comma between labels", line);
                int equals = line.IndexOf("=\"", at, StringComparison.Ordinal);
                if (equals < 0 || !LabelName().IsMatch(line[at..equals])) throw Bad("a label's name", line);
                string label = line[at..equals];
                at = equals + 2;
                StringBuilder value = new();
                while (line[at] != '"')
                {
                    if (line[at] != '\\') value.Append(line[at++]);
                    else
                    {
                        value.Append(line[at + 1] switch { '\\' => '\\', '"' => '"', 'n' => '\n', _ => throw Bad("an escape that is none", line) });
                        at += 2;
                    }
                }
                at++;
                if (!labels.TryAdd(label, value.ToString())) throw Bad("a label twice", line);
            }
            if (labels.Count == 0) throw Bad("braces without labels", line);
            at++;
        }
        if (line[at] != ' ') throw Bad("no blank before the value", line);
        double number = Number(line[(at + 1)..], line);
        string type = _types.GetValueOrDefault(_family) ?? throw Bad("no TYPE before", line);
        bool belongs = type == "histogram"
            ? name == _family + "_bucket" || name == _family + "_sum" || name == _family + "_count"
            : name == _family;
        if (!belongs) throw Bad($"not of the family {_family}", line);
        if (labels.ContainsKey("le") != name.EndsWith("_bucket", StringComparison.Ordinal)) throw Bad("le is of buckets", line);
        if (type != "gauge" && !(number >= 0)) throw Bad("a counter below zero", line);
        if (!_samples.TryAdd(Key(name, labels), number)) throw Bad("a sample twice", line);
        if (name.EndsWith("_bucket", StringComparison.Ordinal)) _buckets.Add((Key(_family, labels.Where(static l => l.Key != "le")), Number(labels["le"], line), number));
    }

    private readonly List<(string Series, double Bound, double Count)> _buckets = [];

    private void CheckHistogram(string name)
    {
        foreach (IGrouping<string, (string Series, double Bound, double Count)> series in _buckets.Where(b => b.Series == name || b.Series.StartsWith(name + "{", StringComparison.Ordinal)).GroupBy(static b => b.Series))
        {
            double bound = double.NegativeInfinity, count = 0;
            foreach ((_, double nextBound, double nextCount) in series)
            {
                if (nextBound <= bound || nextCount < count) throw Bad("buckets do not rise", series.Key);
                (bound, count) = (nextBound, nextCount);
            }
            if (!double.IsPositiveInfinity(bound)) throw Bad("no bucket for +Inf", series.Key);
            string labels = series.Key[name.Length..];
            if (!_samples.TryGetValue($"{name}_count{labels}", out double total) || total != count) throw Bad("_count is not the last bucket", series.Key);
            if (!_samples.TryGetValue($"{name}_sum{labels}", out double sum) || (sum > 0 && total == 0)) throw Bad("_sum", series.Key);
        }
    }

    private static string Key(string name, IEnumerable<KeyValuePair<string, string>> labels)
    {
        string inner = string.Join(',', labels.Select(static l => $"{l.Key}=\"{l.Value}\""));
        return inner.Length == 0 ? name : $"{name}{{{inner}}}";
    }

    private static double Number(string text, string line) => text switch
    {
        "+Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        "NaN" => double.NaN,
        _ => double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number)
            ? number
            : throw Bad("no number", line),
    };

    private static AssertionException Bad(string what, string where) => new($"{what}: {where}");
}

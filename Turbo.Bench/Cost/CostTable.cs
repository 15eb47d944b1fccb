using System.Text;
using Turbo.Bench.Load;

namespace Turbo.Bench.Cost;

/// <summary>A quantity that grows, and what an operation costs at each size.</summary>
/// <param name="Name">What the command line calls it.</param>
/// <param name="Title">What grows.</param>
/// <param name="Columns">What is measured at each size.</param>
/// <param name="Reading">What to make of it: why a column is flat, or why it is not.</param>
internal sealed record CostTable(string Name, string Title, string[] Columns, string Reading)
{
    public List<CostRow> Rows { get; } = [];

    public void Add(int size, params double[] figures)
    {
        if (figures.Length != Columns.Length) throw new ArgumentException("a figure for each column", nameof(figures));
        Rows.Add(new CostRow(size, figures));
    }

    public override string ToString()
    {
        StringBuilder text = new();
        text.Append($"## {Name}: {Title}\n\n| size | {string.Join(" | ", Columns)} |\n|{string.Concat(Enumerable.Repeat("---|", Columns.Length + 1))}\n");
        foreach (CostRow row in Rows) text.Append($"| {row.Size:N0} | {string.Join(" | ", row.Figures.Select(static f => double.IsNaN(f) ? "–" : LoadReport.Figure(f)))} |\n");
        return text.Append($"\n{Reading}\n\n").ToString();
    }
}

internal sealed record CostRow(int Size, double[] Figures);

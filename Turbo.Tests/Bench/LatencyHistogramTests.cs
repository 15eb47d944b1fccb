using Turbo.Bench.Load;

namespace Turbo.Tests.Bench;

/// <summary>What the load client counts with tells percentiles within a hundredth, and never better than they are.</summary>
[TestFixture]
internal sealed class LatencyHistogramTests
{
    [TestCase(1)]
    [TestCase(1000)]
    [TestCase(1_000_000_000)]
    public void Percentiles_are_within_a_hundredth(long scale)
    {
        Random random = new(7);
        LatencyHistogram histogram = new();
        long[] values = [.. Enumerable.Range(0, 20_000).Select(_ => (long)(Math.Pow(random.NextDouble(), 4) * 1000 * scale))];
        foreach (long value in values) histogram.Add(value);
        Array.Sort(values);
        foreach (double share in (double[])[0.001, 0.5, 0.9, 0.99, 0.999, 1])
        {
            long exact = values[(int)Math.Ceiling(share * values.Length) - 1];
            Assert.That(histogram.At(share), Is.InRange(exact, exact + exact / 100 + 1), $"{share}");
        }
        Assert.That(histogram.Max, Is.EqualTo(values[^1]));
    }

    [Test]
    public void One_late_answer_in_a_hundred_is_the_99th_percentile()
    {
        LatencyHistogram histogram = new();
        for (int i = 0; i < 98; i++) histogram.Add(1000);
        histogram.Add(5_000_000);
        histogram.Add(5_000_000);
        Assert.That(histogram.At(0.5), Is.InRange(1000, 1010));
        Assert.That(histogram.At(0.99), Is.EqualTo(5_000_000));
    }

    [Test]
    public void Nothing_counted_is_zero() => Assert.That(new LatencyHistogram().At(0.5), Is.Zero);
}

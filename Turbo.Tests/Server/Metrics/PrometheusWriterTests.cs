using System.Buffers;
using System.Text;
using Turbo.Net.Diagnostics;
using Turbo.Server.Metrics;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Metrics;

internal sealed class PrometheusWriterTests
{
    [Test]
    public void A_page_is_written_as_the_format_has_it()
    {
        ArrayBufferWriter<byte> page = new();
        PrometheusWriter writer = new(page);
        writer.Counter("a_total"u8, "Of \\ and\nline."u8, 3);
        writer.Gauge("b"u8, "B."u8);
        writer.Sample("x"u8, "q\"b\\n\nü"u8, 0.5);
        writer.Sample("x"u8, "1"u8, "y"u8, "2"u8, 9007199254740991);
        writer.Gauge("c"u8, "C."u8, double.NaN);
        writer.Gauge("d"u8, "D."u8, double.NegativeInfinity);
        ManualTimeProvider time = new();
        LatencyHistogram histogram = new([5e-6, 1], time);
        // Inclusive bounds; what is longer, and what a clock that went back says.
        foreach (long ticks in (long[])[50, 51, time.TimestampFrequency, time.TimestampFrequency + 1, -7]) histogram.Record(ticks);
        writer.Histogram("e_seconds"u8, "E."u8);
        writer.Sample(histogram);
        writer.Sample(new LatencyHistogram([1], time), "route"u8, "user"u8);
        string text = Encoding.UTF8.GetString(page.WrittenSpan);
        Assert.That(text, Is.EqualTo(
            """
            # HELP a_total Of \\ and\nline.
            # TYPE a_total counter
            a_total 3
            # HELP b B.
            # TYPE b gauge
            b{x="q\"b\\n\nü"} 0.5
            b{x="1",y="2"} 9007199254740991
            # HELP c C.
            # TYPE c gauge
            c NaN
            # HELP d D.
            # TYPE d gauge
            d -Inf
            # HELP e_seconds E.
            # TYPE e_seconds histogram
            e_seconds_bucket{le="5E-06"} 2
            e_seconds_bucket{le="1"} 4
            e_seconds_bucket{le="+Inf"} 5
            e_seconds_sum 2.0000102
            e_seconds_count 5
            e_seconds_bucket{route="user",le="1"} 0
            e_seconds_bucket{route="user",le="+Inf"} 0
            e_seconds_sum{route="user"} 0
            e_seconds_count{route="user"} 0

            """.ReplaceLineEndings("\n")));
        Assert.That(PrometheusText.Parse(text).Samples["b{x=\"q\"b\\n\nü\"}"], Is.EqualTo(0.5));
    }

    // The parser of these tests would see what the writer must not do.
    [TestCase("a_total 1\n")]
    [TestCase("# HELP a_total A.\n# TYPE a_total counter\na_total 1")]
    [TestCase("# HELP a_total A.\n# TYPE a_total counter\na_total -1\n")]
    [TestCase("# HELP a_total A.\n# TYPE a_total counter\na_total 1\na_total 1\n")]
    [TestCase("# HELP a_total A.\n# TYPE a_total counter\nb_total 1\n")]
    [TestCase("# HELP a_total A.\n# TYPE a_total counter\na_total{} 1\n")]
    [TestCase("# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"\\t\"} 1\n")]
    [TestCase("# HELP a_total A.\n# TYPE a_total counter\na_total 1 \n")]
    [TestCase("# HELP a A.\n# TYPE a counter\na 1\n")]
    [TestCase("# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n")]
    [TestCase("# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n")]
    [TestCase("# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n")]
    public void What_is_not_the_format_is_seen(string text) => Assert.That(() => PrometheusText.Parse(text), Throws.InstanceOf<AssertionException>());

    [Test]
    public void Every_status_has_one_of_a_few_labels()
    {
        RequestMetrics metrics = new(TimeProvider.System);
        for (int status = -1; status < 1100; status++) metrics.End(RouteClass.Proxy, status, 1);
        Dictionary<string, long> counts = [];
        metrics.ForEachStatus(RouteClass.Proxy, counts, static (all, label, count) => all.Add(Encoding.ASCII.GetString(label.Span), count));
        Assert.Multiple(() =>
        {
            Assert.That(counts, Has.Count.LessThan(80));
            Assert.That(counts.Values.Sum(), Is.EqualTo(1101));
            Assert.That((counts["200"], counts["404"], counts["499"], counts["529"]), Is.EqualTo((1, 1, 1, 1)));
            Assert.That(counts["9xx"], Is.EqualTo(100));
            Assert.That(metrics.DurationOf(RouteClass.Proxy).Read().Count, Is.EqualTo(1101));
        });
    }
}

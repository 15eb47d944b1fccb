using System.Globalization;
using System.Text;
using Turbo.Server.Model;

namespace Turbo.Tests.Server.Model;

[TestFixture]
internal sealed class GoTimeTests
{
    [TestCase("2026-11-23 08:48:06.114917751+00:00", "2026-11-23T08:48:06.1149177")]
    [TestCase("2026-11-23 08:48:06.1160397+00:00", "2026-11-23T08:48:06.1160397")]
    [TestCase("2026-11-23 08:48:06.08650294+00:00", "2026-11-23T08:48:06.0865029")]
    [TestCase("2026-11-23 08:48:06+00:00", "2026-11-23T08:48:06.0000000")]
    [TestCase("2026-11-23 08:48:06", "2026-11-23T08:48:06.0000000")]
    [TestCase("2026-11-23 08:48", "2026-11-23T08:48:00.0000000")]
    [TestCase("2026-11-23", "2026-11-23T00:00:00.0000000")]
    [TestCase("2026-11-23T08:48:06.5Z", "2026-11-23T08:48:06.5000000")]
    [TestCase("2026-11-23t08:48:06z", "2026-11-23T08:48:06.0000000")]
    [TestCase("2026-11-23T08:48:06.000000001Z", "2026-11-23T08:48:06.0000000")]
    [TestCase("2026-11-23 10:48:06.25+02:00", "2026-11-23T08:48:06.2500000")]
    [TestCase("2026-11-23 03:18:06-05:30", "2026-11-23T08:48:06.0000000")]
    [TestCase("2026-11-23 10:48:06+0200", "2026-11-23T08:48:06.0000000")]
    [TestCase("2026-11-23 10:48:06+02", "2026-11-23T08:48:06.0000000")]
    [TestCase("2026-11-23 00:30:00+02:00", "2026-11-22T22:30:00.0000000")]
    [TestCase("2026-11-23 10:48:06.114917751 +0200 CEST m=+0.012345", "2026-11-23T08:48:06.1149177")]
    [TestCase("2026-11-23 08:48:06.114917751 +0000 UTC", "2026-11-23T08:48:06.1149177")]
    [TestCase("2024-02-29 00:00:00+00:00", "2024-02-29T00:00:00.0000000")]
    [TestCase("0001-01-01 00:00:00+00:00", "0001-01-01T00:00:00.0000000")]
    public void Every_form_is_read(string text, string expected)
    {
        Assert.That(GoTime.TryParse(Encoding.UTF8.GetBytes(text), out DateTime utc));
        Assert.That(utc.ToString("yyyy-MM-ddTHH:mm:ss.fffffff", CultureInfo.InvariantCulture), Is.EqualTo(expected));
        Assert.That(utc.Kind, Is.EqualTo(DateTimeKind.Utc));
    }

    [TestCase("")]
    [TestCase("yesterday")]
    [TestCase("2026-11")]
    [TestCase("2026-13-01 00:00:00")]
    [TestCase("2026-02-29 00:00:00")]
    [TestCase("2026-11-23 24:00:00")]
    [TestCase("2026-11-23 08:60:00")]
    [TestCase("2026-11-23 08:48:60")]
    [TestCase("2026-11-23 08:48:06.")]
    [TestCase("2026-11-23 08:48:06.1x")]
    [TestCase("2026-11-23 08:48:06+0")]
    [TestCase("2026-11-23 08:48:06 UTC")]
    [TestCase("2026-11-23 -8:48:06")]
    [TestCase("2026-11-23 08:48:06+00:00tail")]
    [TestCase("0001-01-01 00:00:00+01:00")]
    public void What_is_no_time_is_refused(string text) =>
        Assert.That(GoTime.TryParse(Encoding.UTF8.GetBytes(text), out _), Is.False);

    [TestCase(0, "2026-11-23 08:48:06+00:00", "2026-11-23T08:48:06Z")]
    [TestCase(1, "2026-11-23 08:48:06.0000001+00:00", "2026-11-23T08:48:06.0000001Z")]
    [TestCase(5_000_000, "2026-11-23 08:48:06.5+00:00", "2026-11-23T08:48:06.5Z")]
    [TestCase(1_160_390, "2026-11-23 08:48:06.116039+00:00", "2026-11-23T08:48:06.116039Z")]
    [TestCase(9_999_999, "2026-11-23 08:48:06.9999999+00:00", "2026-11-23T08:48:06.9999999Z")]
    public void Fraction_is_trimmed_as_Go_trims_it(int ticks, string sql, string json)
    {
        DateTime utc = new DateTime(2026, 11, 23, 8, 48, 6, DateTimeKind.Utc).AddTicks(ticks);
        Span<byte> text = stackalloc byte[GoTime.MaxLength];
        Assert.That(Encoding.UTF8.GetString(text[..GoTime.FormatSql(utc, text)]), Is.EqualTo(sql));
        Assert.That(Encoding.UTF8.GetString(text[..GoTime.FormatJson(utc, text)]), Is.EqualTo(json));
    }

    [Test]
    public void Every_tick_survives_a_round_trip()
    {
        var random = new Random(7);
        Span<byte> text = stackalloc byte[GoTime.MaxLength];
        for (int i = 0; i < 10_000; i++)
        {
            var utc = new DateTime(random.NextInt64(DateTime.MaxValue.Ticks), DateTimeKind.Utc);
            Assert.That(GoTime.TryParse(text[..GoTime.FormatSql(utc, text)], out DateTime sql) && sql == utc);
            Assert.That(GoTime.TryParse(text[..GoTime.FormatJson(utc, text)], out DateTime json) && json == utc);
        }
    }

    [Test]
    public void Stored_text_sorts_as_time()
    {
        var random = new Random(7);
        var times = new List<DateTime>();
        for (int i = 0; i < 500; i++)
            times.Add(new DateTime(2026, 11, 23, 8, 48, random.Next(3), DateTimeKind.Utc).AddTicks(
                random.Next(3) == 0 ? 0 : random.Next(1000) * (long)Math.Pow(10, random.Next(5))));
        byte[] buffer = new byte[GoTime.MaxLength];
        string Sql(DateTime utc) => Encoding.UTF8.GetString(buffer, 0, GoTime.FormatSql(utc, buffer));

        string[] byText = times.Select(Sql).Order(StringComparer.Ordinal).ToArray();
        Assert.That(byText, Is.EqualTo(times.Order().Select(Sql).ToArray()));
    }

    [TestCase(1_795_423_686L, "2026-11-23T08:48:06")]
    [TestCase(1_795_423_686_000L, "2026-11-23T08:48:06")]
    [TestCase(-1L, "1969-12-31T23:59:59")]
    public void A_number_is_seconds_or_milliseconds(long value, string expected)
    {
        Assert.That(GoTime.TryFromUnix(value, out DateTime utc));
        Assert.That(utc.ToString("yyyy-MM-ddTHH:mm:ss", CultureInfo.InvariantCulture), Is.EqualTo(expected));
    }

    [TestCase(long.MaxValue)]
    [TestCase(long.MinValue)]
    public void A_number_out_of_range_is_refused(long value) =>
        Assert.That(GoTime.TryFromUnix(value, out _), Is.False);
}

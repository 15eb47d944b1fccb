using System.Globalization;
using Turbo.Server.Events;

namespace Turbo.Tests.Server.Events;

[TestFixture]
internal sealed class EventIdsTests
{
    [Test]
    public void Version_7_in_ascending_order_whatever_the_clock_does()
    {
        EventIds ids = new();
        DateTime now = new(2026, 11, 29, 12, 0, 0, DateTimeKind.Utc);
        var texts = new List<string>();
        // The generator's bytes are renewed several times; the clock stands, moves on by little and by much, and goes back.
        for (int i = 0; i < 5000; i++)
        {
            now = (i % 7) switch { 3 => now.AddTicks(1), 5 => now.AddMilliseconds(3), 6 => now.AddMilliseconds(-2), _ => now };
            Guid id = ids.Next(now);
            Assert.That((id.Version, id.Variant & 0xc), Is.EqualTo((7, 8)), id.ToString());
            texts.Add(id.ToString());
        }
        Assert.That(texts, Is.Ordered.Ascending.Using((IComparer<string>)StringComparer.Ordinal));
        Assert.That(texts.Distinct().Count(), Is.EqualTo(texts.Count));
        Assert.That(texts.Select(static text => text[19..]).Distinct().Count(), Is.EqualTo(texts.Count), "the random part is never the same");
    }

    [Test]
    public void The_time_is_in_front()
    {
        DateTime now = new DateTime(2026, 11, 29, 12, 34, 56, DateTimeKind.Utc).AddTicks(7_895_000);
        string id = new EventIds().Next(now).ToString("N");
        Assert.That(long.Parse(id[..12], NumberStyles.HexNumber, CultureInfo.InvariantCulture), Is.EqualTo(new DateTimeOffset(now).ToUnixTimeMilliseconds()));
        Assert.That(id[12..16], Is.EqualTo("7800"), "half a millisecond");
    }
}

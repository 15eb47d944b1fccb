using System.Net;
using Turbo.Server.Auth;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Auth;

[TestFixture]
internal sealed class LoginLimiterTests
{
    private static readonly IPAddress s_here = IPAddress.Parse("192.0.2.1");

    private ManualTimeProvider _time = null!;
    private LoginLimiter _limiter = null!;
    private int _addresses;

    [SetUp]
    public void Make()
    {
        _time = new ManualTimeProvider();
        _limiter = new LoginLimiter(10, _time);
        _addresses = 0;
    }

    /// <summary>An address that nobody used: what is counted is then the username alone.</summary>
    private IPAddress Elsewhere() => new([10, (byte)(++_addresses >> 16), (byte)(_addresses >> 8), (byte)_addresses]);

    [Test]
    public void Ten_failures_pass_the_eleventh_attempt_waits()
    {
        for (int i = 0; i < 10; i++)
        {
            Assert.That(_limiter.IsBlocked("ann", Elsewhere(), out _), Is.False, $"attempt {i + 1}");
            _limiter.Failed("ann", Elsewhere());
        }
        Assert.That(_limiter.IsBlocked("ann", Elsewhere(), out TimeSpan retryAfter));
        Assert.That(retryAfter.TotalSeconds, Is.InRange(60, 65));
        Assert.That(_limiter.IsBlocked("Ann", Elsewhere(), out _), Is.False);
    }

    [Test]
    public void Retry_after_holds_to_the_millisecond()
    {
        _time.Advance(TimeSpan.FromSeconds(1237.3));
        for (int i = 0; i < 10; i++)
            _limiter.Failed("ann", Elsewhere());
        _limiter.IsBlocked("ann", Elsewhere(), out TimeSpan retryAfter);
        _time.Advance(retryAfter - TimeSpan.FromMilliseconds(1));
        Assert.That(_limiter.IsBlocked("ann", Elsewhere(), out _));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.That(_limiter.IsBlocked("ann", Elsewhere(), out _), Is.False);
    }

    [Test]
    public void No_minute_has_more_than_the_limit()
    {
        var random = new Random(11);
        var failures = new List<TimeSpan>();
        TimeSpan now = TimeSpan.Zero;
        for (int i = 0; i < 2000; i++)
        {
            if (!_limiter.IsBlocked("ann", Elsewhere(), out _))
            {
                _limiter.Failed("ann", Elsewhere());
                failures.Add(now);
            }
            var step = TimeSpan.FromMilliseconds(random.Next(3000));
            _time.Advance(step);
            now += step;
        }
        for (int i = 10; i < failures.Count; i++)
            Assert.That(failures[i] - failures[i - 10], Is.GreaterThanOrEqualTo(TimeSpan.FromMinutes(1)));
        Assert.That(failures, Has.Count.GreaterThan(400), "and not far fewer");
    }

    [Test]
    public void A_client_address_is_counted_over_all_usernames()
    {
        for (int i = 0; i < 10; i++)
            _limiter.Failed("user" + i, s_here);
        Assert.That(_limiter.IsBlocked("another", s_here, out _));
        Assert.That(_limiter.IsBlocked("another", s_here.MapToIPv6(), out _), "a dual-stack socket's form of it");
        Assert.That(_limiter.IsBlocked("another", Elsewhere(), out _), Is.False);
    }

    [Test]
    public void IPv6_is_counted_by_network()
    {
        for (int i = 0; i < 10; i++)
            _limiter.Failed("user" + i, IPAddress.Parse($"2001:db8:0:1::{i}"));
        Assert.That(_limiter.IsBlocked("another", IPAddress.Parse("2001:db8:0:1:ffff::"), out _));
        Assert.That(_limiter.IsBlocked("another", IPAddress.Parse("2001:db8:0:2::"), out _), Is.False);
    }

    [Test]
    public void A_flood_of_names_evicts_the_least_counted_first()
    {
        var limiter = new LoginLimiter(10, _time, sets: 1);
        for (int i = 0; i < 10; i++)
            limiter.Failed("ann", s_here);
        for (int i = 0; i < 1000; i++)
            limiter.Failed("flood" + i, Elsewhere());
        Assert.That(limiter.IsBlocked("ann", Elsewhere(), out _));
    }

    [Test]
    public void A_table_of_one_set_forgets_after_the_minute()
    {
        var limiter = new LoginLimiter(1, _time, sets: 1);
        for (int round = 0; round < 3; round++)
        {
            limiter.Failed("ann", s_here);
            Assert.That(limiter.IsBlocked("ann", s_here, out _));
            _time.Advance(TimeSpan.FromSeconds(66));
            Assert.That(limiter.IsBlocked("ann", s_here, out _), Is.False);
        }
    }

    [Test]
    public async Task Counting_from_many_threads_loses_none()
    {
        var limiter = new LoginLimiter(1000, _time);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() =>
        {
            for (int i = 0; i < 125; i++)
                limiter.Failed("ann", s_here);
        })));
        Assert.That(limiter.IsBlocked("ann", Elsewhere(), out _));
        var fewer = new LoginLimiter(1000, _time);
        for (int i = 0; i < 999; i++)
            fewer.Failed("ann", s_here);
        Assert.That(fewer.IsBlocked("ann", s_here, out _), Is.False);
    }
}

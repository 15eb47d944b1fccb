namespace Turbo.Tests.Soak;

/// <summary>scripts/soak for some seconds; what only a process of its own can tell, memory and handles, is left to it.</summary>
[TestFixture]
internal sealed class SoakTests
{
    [Test]
    public async Task Seconds_of_everything_at_once_balance()
    {
        BalanceSheet sheet = await new SoakRun(TimeSpan.FromSeconds(12), visitors: 12, seed: 1, TestContext.Out.WriteLine).RunAsync();
        Assert.That(sheet.Faulty(countsMemory: false), Is.Empty, $"{sheet}\n{string.Join('\n', sheet.Tally.Wrongs)}\n{string.Join('\n', sheet.Complaints)}");
        Assert.That(sheet.Tally.Answered, Is.GreaterThan(50));
    }
}

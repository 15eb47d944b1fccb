using Turbo.Tests.Allocation.Operations;
using Turbo.Tests.Support;

namespace Turbo.Tests.Allocation;

/// <summary>No operation allocates more than Turbo.Bench/allocations.json lets it; `scripts/bench allocations` shows the figures.</summary>
[TestFixture, NonParallelizable]
internal sealed class AllocationGateTests
{
    private static List<AllocationLimit> Limits => AllocationLimit.Read(Repository.Read("Turbo.Bench/allocations.json"));

    [TestCaseSource(nameof(Limits))]
    public void An_operation_allocates_no_more_than_it_may(AllocationLimit limit)
    {
#if DEBUG
        Assert.Inconclusive("an async method's state is an object in Debug builds: run with -c Release");
#endif
        // Not the runner's thread: its synchronization context would send what runs inline elsewhere.
        double bytes = Task.Factory.StartNew(limit.Measure, TaskCreationOptions.LongRunning).Result;
        Assert.That(limit.Exceeded(bytes), Is.Null);
    }

    [Test]
    public void An_excess_says_which_and_by_how_much() =>
        Assert.That(new AllocationLimit("proxied GET", 255).Exceeded(300.5), Is.EqualTo("proxied GET: 300.5 bytes an operation, 45.5 over the 255 of Turbo.Bench/allocations.json"));

    [TestCase("""{"exchange, plaintext":0}""")]
    [TestCase("""{"nothing that is measured":0}""")]
    public void Every_operation_has_a_limit_and_every_limit_an_operation(string json) => Assert.That(() => AllocationLimit.Read(json), Throws.TypeOf<InvalidDataException>());
}

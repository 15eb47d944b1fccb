using Turbo.Tests.Support;

namespace Turbo.Tests.Allocation.Operations;

/// <summary>Counts what an operation allocates on the thread that it runs on.</summary>
internal static class Allocated
{
    private const int Warm = 2000;
    private const int Counted = 5000;

    /// <summary>Bytes for each operation, once it is warm; those that happen together are divided among.</summary>
    public static double By(Action operation, int together = 1) => Inline.Run(() =>
    {
        for (int i = 0; i < Warm; i++) operation();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < Counted; i++) operation();
        return (GC.GetAllocatedBytesForCurrentThread() - before) / (double)(Counted * together);
    });
}

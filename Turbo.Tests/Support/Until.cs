using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Turbo.Tests.Support;

/// <summary>Waits for a condition that another thread brings about; fails when it does not within the deadline.</summary>
internal static class Until
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    public static async Task TrueAsync(Func<bool> condition, [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(start) > Deadline) Assert.Fail($"not within {Deadline}: {what}");
            await Task.Delay(1);
        }
    }

    /// <summary>The task's result, or a failure when it does not come within the deadline.</summary>
    public static async Task<T> DoneAsync<T>(Task<T> task, [CallerArgumentExpression(nameof(task))] string what = "")
    {
        await DoneAsync((Task)task, what);
        return await task;
    }

    public static async Task DoneAsync(Task task, [CallerArgumentExpression(nameof(task))] string what = "")
    {
        if (await Task.WhenAny(task, Task.Delay(Deadline)) != task) Assert.Fail($"not within {Deadline}: {what}");
        await task;
    }
}

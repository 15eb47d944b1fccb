namespace Turbo.Tests.Support;

/// <summary>
/// Runs code as the product does, without the test runner's synchronization context. With one, continuations that would
/// run inside the call are sent to the pool, and what a test sees next depends on luck.
/// </summary>
internal static class Inline
{
    public static void Run(Action action) => Run(() =>
    {
        action();
        return 0;
    });

    public static T Run<T>(Func<T> action)
    {
        SynchronizationContext? context = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            return action();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(context);
        }
    }
}

using System.Runtime.InteropServices;

namespace Turbo.Server;

/// <summary>
/// Threads that compute, store or write for whoever waits anyway. Where processors are scarce they give way to the event loops,
/// so that hashing a password or storing event rows is not felt in what passes through; they still get their share.
/// </summary>
internal static class BackgroundThread
{
    // A third of the weight of a thread as it begins (sched(7)).
    private const int Niceness = 5;

    /// <summary>Starts a thread that gives way.</summary>
    public static Thread Start(string name, Action run)
    {
        Thread thread = new(() =>
        {
            GiveWay();
            run();
        })
        {
            IsBackground = true,
            Name = name,
            // Linux takes no notice of it, the others do.
            Priority = ThreadPriority.BelowNormal,
        };
        thread.Start();
        return thread;
    }

    /// <summary>
    /// Lets whatever waits for this processor go first; nothing where nothing waits. Niceness alone does not: a scheduler
    /// that is fair gives a thread that waited a while its whole turn (1 to 4 ms) before an event loop that was busy
    /// meanwhile has its next. To be called every 0.1 ms or so of work that nobody waits for, and not under load, where such
    /// a thread would get too little.
    /// </summary>
    public static void StandBack() => Thread.Yield();

    // On Linux niceness is a thread's own. It adds to what the process was started with, and to give way needs no right.
    private static void GiveWay()
    {
        if (OperatingSystem.IsLinux()) _ = Nice(Niceness);
    }

    [DllImport("libc", EntryPoint = "nice", ExactSpelling = true)]
    private static extern int Nice(int increment);
}

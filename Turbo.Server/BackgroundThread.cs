using System.Runtime.InteropServices;

namespace Turbo.Server;

/// <summary>
/// Threads that compute or store for whoever waits anyway. Where processors are scarce they give way to the event loops,
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

    // On Linux niceness is a thread's own. It adds to what the process was started with, and to give way needs no right.
    private static void GiveWay()
    {
        if (OperatingSystem.IsLinux()) _ = Nice(Niceness);
    }

    [DllImport("libc", EntryPoint = "nice", ExactSpelling = true)]
    private static extern int Nice(int increment);
}

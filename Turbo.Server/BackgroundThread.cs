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

    private const int OfThread = 0;

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

    // On Linux niceness is a thread's own; 0 is the calling one. Refused nowhere, and no matter if it were.
    private static void GiveWay()
    {
        if (OperatingSystem.IsLinux()) _ = SetPriority(OfThread, 0, Niceness);
    }

    [DllImport("libc", EntryPoint = "setpriority", ExactSpelling = true)]
    private static extern int SetPriority(int which, int who, int priority);
}

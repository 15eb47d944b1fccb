using System.Runtime.InteropServices;

namespace Turbo.Bench.Load;

/// <summary>
/// Ctrl-C, SIGTERM and SIGHUP: the command ends at its next look and stops what it started. A second one, or work that does
/// not look for some seconds, ends the process at once, servers and scratch folders included.
/// </summary>
internal static class Interrupt
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);

    private static readonly List<PosixSignalRegistration> s_registrations = [];
    private static int s_exitCode;

    /// <summary>What to exit with, 128 and the signal's number; 0 when nobody interrupted.</summary>
    public static int ExitCode => Volatile.Read(ref s_exitCode);

    /// <summary>Begins to listen; once is enough.</summary>
    public static void Watch()
    {
        foreach ((PosixSignal signal, int number) in ((PosixSignal, int)[])[(PosixSignal.SIGHUP, 1), (PosixSignal.SIGINT, 2), (PosixSignal.SIGTERM, 15)])
        {
            s_registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                bool isFirst = Interlocked.CompareExchange(ref s_exitCode, 128 + number, 0) == 0;
                if (isFirst) Thread.Sleep(s_patience);
                ServerProcess.StopAll();
                Environment.Exit(ExitCode);
            }));
        }
        AppDomain.CurrentDomain.UnhandledException += static (_, _) => ServerProcess.StopAll();
    }

    /// <exception cref="OperationCanceledException">Somebody interrupted.</exception>
    public static void Check()
    {
        if (ExitCode != 0) throw new OperationCanceledException();
    }
}

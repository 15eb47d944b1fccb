using System.Runtime.InteropServices;

namespace Turbo.Server.Cli;

/// <summary>
/// SIGTERM, SIGINT, and SIGHUP, which a terminal sends that goes away: the first asks for an orderly stop, a second one ends the process at once with the code that
/// shells give a signal's death.
/// </summary>
internal sealed class StopSignals : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PosixSignalRegistration _terminate;
    private readonly PosixSignalRegistration _interrupt;
    private readonly PosixSignalRegistration _hangUp;
    private int _received;

    public StopSignals()
    {
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Receive(context, 128 + 15));
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Receive(context, 128 + 2));
        _hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context => Receive(context, 128 + 1));
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _stop.Token;

    /// <summary>Completes at the first signal.</summary>
    public Task FirstSignal => _stopped.Task;

    public void Dispose()
    {
        _terminate.Dispose();
        _interrupt.Dispose();
        _hangUp.Dispose();
        _stop.Dispose();
    }

    private void Receive(PosixSignalContext context, int code)
    {
        context.Cancel = true;
        if (Interlocked.Increment(ref _received) > 1) Environment.Exit(code);
        _stop.Cancel();
        _stopped.TrySetResult();
    }
}

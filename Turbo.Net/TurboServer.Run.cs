using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Turbo.Net;

public sealed partial class TurboServer
{
    /// <summary>
    /// A program's whole run: starts, serves until SIGTERM, SIGINT or SIGHUP, then stops as <see cref="StopAsync"/> does. A second
    /// signal ends the process at once. An address that is not to be had is one line on stderr.
    /// </summary>
    /// <param name="started">Called once it listens.</param>
    /// <param name="drain">How long the exchanges in flight may take at the end; null is 30 s.</param>
    /// <returns>The process's exit code: 0, or 1 where an address cannot be listened on.</returns>
    public async Task<int> RunAsync(Action? started = null, TimeSpan? drain = null)
    {
        TaskCompletionSource stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
        void Stop(PosixSignalContext signal)
        {
            // The second time the signal does what it does by itself.
            signal.Cancel = stop.TrySetResult();
        }
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using PosixSignalRegistration hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);
        try
        {
            Start();
        }
        catch (SocketException e)
        {
            IEnumerable<IPEndPoint> all = [.. _context.Options.EndPoints, .. _context.Options.TlsEndPoints];
            await Console.Error.WriteLineAsync($"cannot listen on {string.Join(", ", all)}: {e.Message}").ConfigureAwait(false);
            return 1;
        }
        started?.Invoke();
        await stop.Task.ConfigureAwait(false);
        await StopAsync(drain ?? TimeSpan.FromSeconds(30)).ConfigureAwait(false);
        return 0;
    }
}

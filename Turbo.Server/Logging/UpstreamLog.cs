using System.Net.Sockets;

namespace Turbo.Server.Logging;

/// <summary>
/// Why the upstream cannot be connected to: callers are told only that. One line in ten seconds at most, since while it is away
/// each call fails; how many others failed meanwhile stands in the next line.
/// </summary>
internal sealed class UpstreamLog(AppLog log, UpstreamTarget upstream, TimeProvider time)
{
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private long _told;
    private long _untold;
    private bool _hasTold;

    public void ConnectFailed(Exception error)
    {
        long untold;
        lock (_lock)
        {
            if (_hasTold && time.GetElapsedTime(_told) < s_pause)
            {
                _untold++;
                return;
            }
            _hasTold = true;
            _told = time.GetTimestamp();
            untold = _untold;
            _untold = 0;
        }
        string reason = error switch
        {
            // Its own message is of a resource that is temporarily unavailable.
            SocketException { SocketErrorCode: SocketError.TryAgain } => "no name server answered",
            TimeoutException => error.Message,
            // What wraps the reason says only that there is one.
            _ => error.GetBaseException().Message,
        };
        log.Warn($"no connection to the upstream {upstream}: {reason}{(untold == 0 ? "" : $" (and {untold} more since this was told last)")}");
    }
}

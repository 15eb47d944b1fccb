using System.Threading.Tasks.Sources;

namespace Turbo.Net.WebSocket;

/// <summary>A sender that waits; reused. Its continuation runs on the thread pool, since the writer that completes it has others to serve.</summary>
internal sealed class PendingSend(FrameOutput owner) : IValueTaskSource<bool>
{
    private ManualResetValueTaskSourceCore<bool> _core = new() { RunContinuationsAsynchronously = true };

    public ValueTask<bool> Task => new(this, _core.Version);

    public void Complete(bool isSent) => _core.SetResult(isSent);

    public bool GetResult(short token)
    {
        bool isSent = _core.GetResult(token);
        _core.Reset();
        owner.Return(this);
        return isSent;
    }

    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}

using System.Diagnostics;
using System.IO.Pipelines;

namespace Turbo.Net.Transport.Epoll;

internal sealed partial class EpollInput
{
    private bool _waitsOnly;

    /// <summary>Whether the socket has told of something that nobody has read.</summary>
    public bool IsReady => Volatile.Read(ref _state) == Ready;

    /// <inheritdoc cref="ISplicing.WaitForInputAsync"/>
    public ValueTask<ReadResult> WaitAsync() => ReadAsync(waitsOnly: true);

    /// <inheritdoc cref="ISplicing.SpliceTo"/>
    public SpliceStatus SpliceTo(KernelPipe pipe, long most)
    {
        Debug.Assert(_isExamined && (_first is null || _start == _end), "what was read comes first");
        Interlocked.Exchange(ref _state, None);
        SpliceStatus status = pipe.Fill(transport.Fd, most, out int errno);
        switch (status)
        {
            case SpliceStatus.Moved:
                traffic.Received(pipe.Held);
                break;
            case SpliceStatus.Again:
                return status;
            case SpliceStatus.Ended:
                _hasEnded = true;
                // An aborted connection has no end of its own.
                if (errno == 0 && transport.IsAborted) errno = Libc.ConnectionAborted;
                if (errno == 0) break;
                transport.PeerReset();
                _fault = new IOException("the connection was reset", Libc.ToException(errno));
                break;
        }
        // Only a wait for more shows that the socket is empty.
        Interlocked.CompareExchange(ref _state, Ready, None);
        return status;
    }
}

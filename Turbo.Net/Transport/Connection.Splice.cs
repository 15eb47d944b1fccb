using System.IO.Pipelines;
using Turbo.Net.Transport.Epoll;

namespace Turbo.Net.Transport;

/// <summary>What came of moving bytes through a pipe of the kernel's.</summary>
internal enum SpliceStatus : byte
{
    /// <summary>Into the pipe: it holds some now. Out of it: it is empty.</summary>
    Moved,
    /// <summary>The socket has, or takes, no more now: wait.</summary>
    Again,
    /// <summary>The peer is gone, or sends no more: the next wait tells which.</summary>
    Ended,
    /// <summary>The system does not do it. Nothing was moved; reading and writing work.</summary>
    Refused,
}

/// <summary>
/// Bytes that go from one connection's peer to another's without a look at them: the kernel hands their pages on
/// (splice(2)). A reader alternates waiting and moving, a writer moves and waits where it must; both may read and write as
/// usual in between. Only where <see cref="CanSplice"/>.
/// </summary>
public abstract partial class Connection
{
    /// <summary>Whether the methods below work.</summary>
    internal virtual bool CanSplice => false;

    /// <summary>Whether a read would find something at once; a hint.</summary>
    internal virtual bool IsInputReady => false;

    /// <summary>
    /// Waits, as a read of <see cref="Input"/> would, but leaves with the system what has come. All that was read must have
    /// been consumed.
    /// </summary>
    internal virtual ValueTask<ReadResult> WaitForInputAsync() => throw new NotSupportedException();

    /// <summary>Moves at most <paramref name="most"/> received bytes into an empty pipe.</summary>
    internal virtual SpliceStatus SpliceTo(KernelPipe pipe, long most) => throw new NotSupportedException();

    /// <summary>Sends what the pipe holds. All that was written must have been flushed.</summary>
    internal virtual SpliceStatus SpliceFrom(KernelPipe pipe) => throw new NotSupportedException();

    /// <summary>Waits, as a flush of <see cref="Output"/> would, until the peer's side takes more; the result is a flush's.</summary>
    internal virtual ValueTask<FlushResult> WaitForOutputAsync() => throw new NotSupportedException();
}

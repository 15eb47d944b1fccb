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
/// A connection whose bytes can go on to another's peer without a look at them: the kernel hands their pages on
/// (splice(2)). A reader alternates waiting and moving, a writer moves and waits where it must; both may read and write as
/// usual in between.
/// </summary>
internal interface ISplicing
{
    /// <summary>Whether a read would find something at once; a hint.</summary>
    bool IsInputReady { get; }

    /// <summary>
    /// Waits, as a read of <see cref="Connection.Input"/> would, but leaves with the system what has come. All that was read
    /// must have been consumed.
    /// </summary>
    ValueTask<ReadResult> WaitForInputAsync();

    /// <summary>Moves at most <paramref name="most"/> received bytes into an empty pipe.</summary>
    SpliceStatus SpliceTo(KernelPipe pipe, long most);

    /// <summary>Sends what the pipe holds. All that was written must have been flushed.</summary>
    SpliceStatus SpliceFrom(KernelPipe pipe);

    /// <summary>Waits, as a flush of <see cref="Connection.Output"/> would, until the peer's side takes more; the result is a flush's.</summary>
    ValueTask<FlushResult> WaitForOutputAsync();
}

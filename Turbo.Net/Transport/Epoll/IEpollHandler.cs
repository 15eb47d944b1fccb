namespace Turbo.Net.Transport.Epoll;

/// <summary>What an <see cref="EventLoop"/> tells of a descriptor; both on the loop's thread.</summary>
internal interface IEpollHandler
{
    /// <summary>
    /// Something happened to the descriptor. It may have happened to another socket before, since a descriptor's number
    /// is used again.
    /// </summary>
    void OnEvents(uint events);

    /// <summary>What was posted is due.</summary>
    void OnPosted();
}

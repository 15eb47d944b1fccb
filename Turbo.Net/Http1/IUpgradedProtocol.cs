namespace Turbo.Net.Http1;

/// <summary>A protocol that a connection was handed over to and that lives under the server's tick and drain.</summary>
internal interface IUpgradedProtocol
{
    /// <summary>Called by the server's tick.</summary>
    /// <param name="now">Milliseconds of the server's clock.</param>
    void Tick(long now);

    /// <summary>The server stops: end in an orderly way. May be called more than once.</summary>
    void BeginDrain();

    /// <summary>
    /// The handler has returned: end in an orderly way, bounded. When it completes, nobody uses the pipes any more and
    /// no read is held.
    /// </summary>
    /// <param name="hasFailed">Whether the handler threw.</param>
    Task EndAsync(bool hasFailed);
}

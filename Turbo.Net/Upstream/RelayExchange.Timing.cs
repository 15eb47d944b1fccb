namespace Turbo.Net.Upstream;

/// <summary>
/// How long the exchange waits for the origin, so that the rest is what the relay added:
/// <code>
///   arrival ..relay.. connect | waits | ..relay.. request sent | waits | response head read ..relay.. first byte sent
/// </code>
/// </summary>
internal sealed partial class RelayExchange
{
    // Timestamps of the pool's clock.
    private long _arrival;
    private long _sentTime;
    private long _headTime;
    private long _waited;

    private void BeginTiming(long arrival)
    {
        _arrival = arrival != 0 ? arrival : pool.Metrics.Timestamp;
        _sentTime = 0;
        _waited = 0;
    }

    private void Waited(long since) => _waited += pool.Metrics.Timestamp - since;

    /// <summary>The attempt that came to nothing was a wait; the next one is not.</summary>
    private void SendsAgain()
    {
        Waited(_sentTime);
        _sentTime = 0;
    }

    /// <summary>The head is written: what is next flushed has the first byte.</summary>
    private void BeginsResponse() =>
        _exchange.Response.FirstByteTimer.Start(pool.Metrics, _arrival, _waited + _headTime - _sentTime);
}

namespace Turbo.Net.Diagnostics;

/// <summary>Bytes that the sockets of one side took and gave: as on the wire, TLS included.</summary>
internal sealed class Traffic
{
    private const int ReceivedCell = 0, SentCell = 1;

    private readonly MetricCells _cells = new(2);

    public long ReceivedBytes => _cells.Read(ReceivedCell);

    public long SentBytes => _cells.Read(SentCell);

    public void Received(long bytes) => _cells.Add(ReceivedCell, bytes);

    public void Sent(long bytes) => _cells.Add(SentCell, bytes);
}

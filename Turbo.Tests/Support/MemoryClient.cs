using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Turbo.Net;
using Turbo.Net.Transport;

namespace Turbo.Tests.Support;

/// <summary>The peer of a connection in memory. The server runs inside <see cref="Send(string)"/>: when it returns, the server has done all it can.</summary>
internal sealed class MemoryClient
{
    private readonly List<byte> _received = [];
    private bool _hasEnded;

    /// <param name="server">Serves it.</param>
    /// <param name="remote">What the server sees as its address.</param>
    public MemoryClient(TurboServer server, System.Net.IPEndPoint? remote = null)
    {
        Transport = new MemoryTransport(remote);
        Serving = Inline.Run(() => server.ServeAsync(Transport));
    }

    public MemoryTransport Transport { get; }

    /// <summary>Completes when the server has let go of the connection.</summary>
    public Task Serving { get; }

    /// <summary>The last send; not completed while the server's side is full.</summary>
    public Task Sending { get; private set; } = Task.CompletedTask;

    public bool IsReset { get; private set; }

    public MemoryClient Send(string wire) => Send(Segmented.Bytes(wire));

    public MemoryClient Send(ReadOnlySpan<byte> wire)
    {
        // One segment for each send, as a socket's read would be.
        wire.CopyTo(Transport.PeerOutput.GetSpan(Math.Max(wire.Length, 1)));
        Transport.PeerOutput.Advance(wire.Length);
        // One that does not complete waits for the server to read: its back-pressure.
        Sending = Inline.Run(() => Transport.PeerOutput.FlushAsync().AsTask());
        return this;
    }

    public MemoryClient Fin()
    {
        Inline.Run(() => Transport.PeerOutput.Complete());
        return this;
    }

    public void Rst() => Inline.Run(() => Transport.PeerOutput.Complete(new IOException("reset by the test")));

    /// <summary>All bytes that the server sent so far and this did not take yet.</summary>
    public byte[] Take()
    {
        Pump();
        byte[] all = [.. _received];
        _received.Clear();
        return all;
    }

    public string TakeText() => Encoding.Latin1.GetString(Take());

    /// <summary>Whether the server ended the connection; what it sent before is in <see cref="Take"/>.</summary>
    public bool HasEnded
    {
        get
        {
            Pump();
            return _hasEnded;
        }
    }

    private void Pump()
    {
        try
        {
            while (!_hasEnded && Transport.PeerInput.TryRead(out ReadResult result))
            {
                _received.AddRange(result.Buffer.ToArray());
                Inline.Run(() => Transport.PeerInput.AdvanceTo(result.Buffer.End));
                if (!result.IsCompleted) continue;
                _hasEnded = true;
                Transport.PeerInput.Complete();
            }
        }
        catch (IOException)
        {
            IsReset = _hasEnded = true;
            Transport.PeerInput.Complete();
        }
    }
}

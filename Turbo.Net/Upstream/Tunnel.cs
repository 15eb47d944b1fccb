using System.Buffers;
using System.IO.Pipelines;
using Turbo.Net.Transport;

namespace Turbo.Net.Upstream;

/// <summary>Bytes both ways between two connections until both have ended; one that breaks breaks the other.</summary>
internal static class Tunnel
{
    public static async Task RunAsync(Connection client, Connection origin, RelayExchange relay)
    {
        Task up = CopyAsync(client, origin, relay);
        Task down = CopyAsync(origin, client, relay);
        await up.ConfigureAwait(false);
        await down.ConfigureAwait(false);
        // What was passed on last leaves before the connections are closed.
        await client.OutputEnded.ConfigureAwait(false);
        await origin.OutputEnded.ConfigureAwait(false);
    }

    private static async Task CopyAsync(Connection from, Connection to, RelayExchange relay)
    {
        try
        {
            while (true)
            {
                // Bytes that came before the switch were looked at by the watch for the client; a read that it cancelled
                // leaves the pipe waiting for more than those.
                if (!from.Input.TryRead(out ReadResult result)) result = await from.Input.ReadAsync().ConfigureAwait(false);
                ReadOnlySequence<byte> buffer = result.Buffer;
                foreach (ReadOnlyMemory<byte> piece in buffer) to.Output.Write(piece.Span);
                from.Input.AdvanceTo(buffer.End);
                relay.TunnelMoved();
                if (!buffer.IsEmpty && (await to.Output.FlushAsync().ConfigureAwait(false)).IsCompleted)
                {
                    // The other side takes no more: this one need not send.
                    from.Abort(EndReason.Upgraded);
                    return;
                }
                if (result.IsCompleted) break;
            }
            // A FIN is passed on as one; the other direction goes on.
            await to.Output.CompleteAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (UpstreamConnection.IsFault(e))
        {
            to.Abort(EndReason.Upgraded);
            from.Abort(EndReason.Upgraded);
        }
    }
}

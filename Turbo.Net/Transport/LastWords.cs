using System.Buffers;
using System.Net.Sockets;
using Turbo.Net.Http1;

namespace Turbo.Net.Transport;

/// <summary>
/// Ends connections that get a response unasked, or none: what the client still sends is read and dropped until it has
/// closed, so that a reset does not overtake what was said. For <see cref="ServerLimits.LingerTimeout"/> at most, and so
/// many at a time; further ones may see the reset.
/// </summary>
internal sealed class LastWords(ServerLimits limits, TimeProvider time)
{
    private const int MaxLingering = 256;

    private int _count;

    /// <summary>Sends, where there is anything to send, and closes.</summary>
    public async Task SayAsync(Connection transport, ReadOnlyMemory<byte> response)
    {
        bool lingers = Interlocked.Increment(ref _count) <= MaxLingering;
        using CancellationTokenSource timeout = new(limits.LingerTimeout, time);
        await using CancellationTokenRegistration cutting = timeout.Token.UnsafeRegister(static state => ((Connection)state!).Abort(EndReason.Rejected), transport);
        try
        {
            transport.Output.Write(response.Span);
            await transport.Output.CompleteAsync().ConfigureAwait(false);
            await transport.OutputEnded.ConfigureAwait(false);
            while (lingers && await transport.Input.ReadAsync().ConfigureAwait(false) is { IsCompleted: false } read) transport.Input.AdvanceTo(read.Buffer.End);
        }
        catch (Exception e) when (Http1Connection.IsTransportFault(e))
        {
            // It has reset, or does not close: either way this is the end.
        }
        Interlocked.Decrement(ref _count);
        transport.Close();
    }

    /// <summary>The same for a fresh socket, whose buffer takes the response at once or whose client is not worth waiting for.</summary>
    public void Say(Socket socket, ReadOnlySpan<byte> response)
    {
        try
        {
            socket.Blocking = false;
            socket.Send(response);
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // The client has gone: nobody is left to tell.
            socket.Dispose();
            return;
        }
        _ = LingerAsync(socket);
    }

    private async Task LingerAsync(Socket socket)
    {
        if (Interlocked.Increment(ref _count) <= MaxLingering)
        {
            using CancellationTokenSource timeout = new(limits.LingerTimeout, time);
            byte[] dropped = ArrayPool<byte>.Shared.Rent(4096);
            try
            {
                while (await socket.ReceiveAsync(dropped, timeout.Token).ConfigureAwait(false) > 0) { }
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // It has reset, or does not close: either way this is the end.
            }
            ArrayPool<byte>.Shared.Return(dropped);
        }
        Interlocked.Decrement(ref _count);
        socket.Dispose();
    }
}

using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Turbo.Tests.Soak;

/// <summary>
/// Stands between Turbo and its upstream and passes bytes on, most of the time. At random it refuses, cuts, resets,
/// stalls, trickles, damages, answers early or says more than it was asked.
/// </summary>
internal sealed class FaultProxy : IAsyncDisposable
{
    private enum Fault { None, Refuse, Reset, Cut, Stall, Trickle, Damage, Insert, EarlyAnswer, Surplus }

    private static readonly TimeSpan s_stall = TimeSpan.FromSeconds(6);

    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly CancellationTokenSource _end = new();
    private readonly IPEndPoint _origin;
    private readonly Random _random;
    private readonly Lock _gate = new();
    private readonly Task _accepting;
    private int _open;

    public FaultProxy(IPEndPoint origin, int seed)
    {
        _origin = origin;
        _random = new Random(seed);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(512);
        EndPoint = (IPEndPoint)_listener.LocalEndPoint!;
        _accepting = AcceptAsync();
    }

    public IPEndPoint EndPoint { get; }

    /// <summary>Connections open now.</summary>
    public int Open => Volatile.Read(ref _open);

    /// <summary>Connections that got a fault.</summary>
    public int Faults { get; private set; }

    /// <summary>Connections that were reset as soon as they were made.</summary>
    public int Refused { get; private set; }

    /// <summary>Connections in all.</summary>
    public int Connections { get; private set; }

    private async Task AcceptAsync()
    {
        while (true)
        {
            Socket socket;
            try
            {
                socket = await _listener.AcceptAsync(_end.Token);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            _ = ServeAsync(socket);
        }
    }

    private (Fault Fault, int After) Choose()
    {
        lock (_gate)
        {
            Connections++;
            if (_random.Next(10) < 6) return (Fault.None, 0);
            Faults++;
            Fault fault = (Fault)_random.Next(1, Enum.GetValues<Fault>().Length);
            if (fault == Fault.Refuse) Refused++;
            return (fault, _random.Next(1 << _random.Next(4, 16)));
        }
    }

    private async Task ServeAsync(Socket near)
    {
        Interlocked.Increment(ref _open);
        using Socket far = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            (Fault fault, int after) = Choose();
            near.NoDelay = far.NoDelay = true;
            if (fault == Fault.Refuse)
            {
                near.LingerState = new LingerOption(true, 0);
                return;
            }
            if (fault == Fault.EarlyAnswer)
            {
                await near.SendAsync(Encoding.ASCII.GetBytes("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"));
                near.Shutdown(SocketShutdown.Send);
                await Task.Delay(20, _end.Token);
                return;
            }
            await far.ConnectAsync(_origin, _end.Token);
            using CancellationTokenSource over = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
            Task up = PumpAsync(near, far, Fault.None, 0, over);
            await PumpAsync(far, near, fault, after, over);
            // Whoever still sends learns that nobody listens.
            over.Cancel();
            await up;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // Either side left: so do both.
        }
        finally
        {
            near.Dispose();
            Interlocked.Decrement(ref _open);
        }
    }

    private static async Task PumpAsync(Socket from, Socket to, Fault fault, int after, CancellationTokenSource over)
    {
        CancellationToken cancellation = over.Token;
        byte[] buffer = new byte[16 * 1024];
        long passed = 0;
        bool isDone = false;
        try
        {
            while (true)
            {
                int read = await from.ReceiveAsync(buffer, cancellation);
                if (read == 0)
                {
                    to.Shutdown(SocketShutdown.Send);
                    return;
                }
                bool isDue = fault != Fault.None && !isDone && passed + read > after;
                if (isDue)
                {
                    isDone = true;
                    if (!await SpoilAsync(buffer.AsMemory(0, read), to, fault, (int)Math.Max(after - passed, 0), cancellation)) return;
                }
                else
                {
                    await SendAsync(to, buffer.AsMemory(0, read), cancellation);
                }
                passed += read;
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // A direction that breaks takes the other along; one that ends well does not.
            over.Cancel();
        }
    }

    // False when the connection is to end.
    private static async Task<bool> SpoilAsync(Memory<byte> piece, Socket to, Fault fault, int at, CancellationToken cancellation)
    {
        switch (fault)
        {
            case Fault.Reset:
            case Fault.Cut:
                await SendAsync(to, piece[..at], cancellation);
                if (fault == Fault.Reset) to.LingerState = new LingerOption(true, 0);
                return false;
            case Fault.Stall:
                await SendAsync(to, piece[..at], cancellation);
                await Task.Delay(s_stall, cancellation);
                return false;
            case Fault.Trickle:
                for (int i = 0; i < Math.Min(piece.Length, 200); i++)
                {
                    await SendAsync(to, piece.Slice(i, 1), cancellation);
                    if (i % 16 == 0) await Task.Delay(1, cancellation);
                }
                await SendAsync(to, piece[Math.Min(piece.Length, 200)..], cancellation);
                return true;
            case Fault.Damage:
                piece.Span[at] ^= 0x55;
                await SendAsync(to, piece, cancellation);
                return true;
            case Fault.Insert:
                await SendAsync(to, piece[..at], cancellation);
                await SendAsync(to, "\r\n0\r\nX"u8.ToArray(), cancellation);
                await SendAsync(to, piece[at..], cancellation);
                return true;
            default:
                await SendAsync(to, piece, cancellation);
                await SendAsync(to, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"u8.ToArray(), cancellation);
                return true;
        }
    }

    private static async Task SendAsync(Socket to, ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        while (!bytes.IsEmpty) bytes = bytes[await to.SendAsync(bytes, cancellation)..];
    }

    public async ValueTask DisposeAsync()
    {
        _end.Cancel();
        _listener.Dispose();
        await _accepting;
        for (int i = 0; i < 200 && Open > 0; i++) await Task.Delay(10);
        _end.Dispose();
    }
}

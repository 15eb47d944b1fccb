using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Turbo.Tests.Support;

/// <summary>What happens to a connection when the awaited words pass.</summary>
internal enum Cut
{
    /// <summary>The words never reach the server.</summary>
    Before,

    /// <summary>The server has them and answers; the answer never reaches the client.</summary>
    After,

    /// <summary>The server has them; from then on nothing comes back, and nothing closes.</summary>
    Silence,
}

/// <summary>Passes bytes on to a server, until words that a test waits for come by: then that connection suffers a cut.</summary>
internal sealed class CuttingProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly IPEndPoint _target;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private (string Words, Cut Cut)? _awaited;
    private int _cuts;

    public CuttingProxy(int targetPort)
    {
        _target = new IPEndPoint(IPAddress.Loopback, targetPort);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Connections that suffered a cut so far.</summary>
    public int Cuts => Volatile.Read(ref _cuts);

    /// <summary>The next message to the server that has these words in it brings the cut on, once.</summary>
    public void Await(string words, Cut cut)
    {
        lock (_listener) _awaited = (words, cut);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var passing = new List<Task>();
        try
        {
            while (true) passing.Add(PassAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
        await Task.WhenAll(passing);
    }

    private async Task PassAsync(TcpClient accepted)
    {
        using (accepted)
        using (var connected = new TcpClient())
        using (var silence = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token))
        {
            await connected.ConnectAsync(_target);
            NetworkStream client = accepted.GetStream(), server = connected.GetStream();
            Task back = CopyBackAsync(server, client, silence.Token);
            try
            {
                byte[] buffer = new byte[64 * 1024];
                while (await client.ReadAsync(buffer, _stop.Token) is > 0 and int read)
                {
                    if (Meets(buffer.AsSpan(0, read)) is not { } cut)
                    {
                        await server.WriteAsync(buffer.AsMemory(0, read), _stop.Token);
                        continue;
                    }
                    // Nothing more comes back, from before the server is told.
                    await silence.CancelAsync();
                    await back;
                    if (cut == Cut.Before) break;
                    await server.WriteAsync(buffer.AsMemory(0, read), _stop.Token);
                    // Until the server has done it and answers, or until the client has had enough.
                    _ = await (cut == Cut.After ? server : client).ReadAsync(buffer, _stop.Token);
                    break;
                }
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
            {
                // A side closed, as sides do.
            }
            // A reset, not an orderly end.
            accepted.Client.LingerState = new LingerOption(true, 0);
            accepted.Close();
            connected.Close();
            await back;
        }
    }

    private Cut? Meets(ReadOnlySpan<byte> message)
    {
        lock (_listener)
        {
            if (_awaited is not { } awaited || message.IndexOf(Encoding.ASCII.GetBytes(awaited.Words)) < 0) return null;
            _awaited = null;
            Interlocked.Increment(ref _cuts);
            return awaited.Cut;
        }
    }

    private static async Task CopyBackAsync(NetworkStream from, NetworkStream to, CancellationToken silence)
    {
        try
        {
            await from.CopyToAsync(to, silence);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // A side closed, or the cut has come.
        }
    }
}

using System.Net;
using Turbo.Net;
using Turbo.Net.Diagnostics;
using Turbo.Net.Transport;
using Turbo.Tests.Support;

namespace Turbo.Tests.Fuzz;

/// <summary>
/// A server in memory, whose time stands still: all that it does for some bytes happens within the call that sends them.
/// What it may never do, whatever the bytes, is checked at each connection's end.
/// </summary>
internal sealed class FuzzServer : IServerLog
{
    private readonly TurboServer _server;
    private Exception? _failure;
    private int _blocks;

    public FuzzServer(RequestHandler handler, ServerLimits limits) =>
        _server = new TurboServer(new TurboServerOptions { EndPoints = [], Limits = limits, Log = this, TimeProvider = new ManualTimeProvider() }, handler);

    public MemoryClient Connect()
    {
        // Other tests' connections may hold some.
        _blocks = MemoryTransport.BlocksOutstanding;
        return new MemoryClient(_server);
    }

    /// <summary>Sends the input in pieces for as long as the server listens.</summary>
    public static void Send(MemoryClient client, byte[] input, int[] cuts)
    {
        int at = 0;
        foreach (int cut in cuts)
        {
            if (client.Serving.IsCompleted) return;
            client.Send(input.AsSpan(at, cut - at));
            at = cut;
        }
    }

    /// <summary>The client has no more to say: the server ends the connection, without a bug and with every block given back.</summary>
    public void End(MemoryClient client)
    {
        client.Fin();
        bool hasEnded = client.HasEnded;
        Exception? failure = _failure;
        _failure = null;
        if (failure is not null) throw new FuzzFinding($"the server failed: {failure}");
        FuzzFinding.Unless(hasEnded && client.Serving.IsCompletedSuccessfully, $"the connection goes on after the client's end {client.Serving.Exception}");
    }

    /// <summary>Once every connection of a run has ended.</summary>
    public void CheckBlocks()
    {
        int left = MemoryTransport.BlocksOutstanding - _blocks;
        FuzzFinding.Unless(left <= 0, $"{left} blocks are not given back");
    }

    void IServerLog.HandlerFailed(Exchange exchange, Exception error) => _failure ??= error;

    void IServerLog.ConnectionFailed(IPEndPoint? client, Exception error) => _failure ??= error;
}

using System.IO.Pipelines;
using System.Text;
using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Net.WebSocket;
using Turbo.Tests.Net.WebSocket;
using Turbo.Tests.Support;

namespace Turbo.Tests.Allocation;

/// <summary>An echo of small messages allocates nothing once it is warm.</summary>
[TestFixture, NonParallelizable]
internal sealed class WebSocketAllocationTests
{
    private const int Rounds = 2000;

    [TestCase(1, 64, TestName = "one message a read")]
    [TestCase(16, 64, TestName = "sixteen messages a read")]
    [TestCase(1, 20_000, TestName = "a message over several blocks")]
    public async Task Echo(int messages, int size)
    {
        await using TurboServer server = new(new TurboServerOptions { EndPoints = [] }, static async exchange =>
        {
            WebSocketConnection? socket = await WebSocketHandshake.AcceptAsync(exchange, WebSocketOptions.Default);
            while (await socket!.ReceiveAsync() is { } message) await socket.SendAsync(message.Kind, message.Payload);
        });
        MemoryTransport transport = new();
        Task serving = Inline.Run(() => server.ServeAsync(transport));
        byte[] wire = [.. Enumerable.Range(0, messages).SelectMany(i => Frame.Text(new string((char)('a' + i), size)).Masked())];
        int expected = messages * Frame.Text(new string('a', size)).Unmasked().Length;
        long allocated = Inline.Run(() =>
        {
            Exchange(transport, Encoding.ASCII.GetBytes(
                "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"));
            for (int i = 0; i < Rounds; i++) Assert.That(Exchange(transport, wire), Is.EqualTo(expected));
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < Rounds; i++) Exchange(transport, wire);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        });
        Assert.That(allocated, Is.Zero, $"bytes in {Rounds} reads of {messages} messages");

        Inline.Run(() => transport.PeerOutput.Complete());
        await serving.WaitAsync(TimeSpan.FromSeconds(10));
    }

    // The pipes run inline: when the flush returns, the server has answered.
    private static long Exchange(MemoryTransport transport, byte[] wire)
    {
        for (int at = 0; at < wire.Length;)
        {
            Span<byte> span = transport.PeerOutput.GetSpan(1);
            int take = Math.Min(span.Length, wire.Length - at);
            wire.AsSpan(at, take).CopyTo(span);
            transport.PeerOutput.Advance(take);
            at += take;
        }
        transport.PeerOutput.FlushAsync().GetAwaiter().GetResult();
        if (!transport.PeerInput.TryRead(out ReadResult result)) throw new InvalidOperationException("not answered at once");
        long length = result.Buffer.Length;
        transport.PeerInput.AdvanceTo(result.Buffer.End);
        return length;
    }
}

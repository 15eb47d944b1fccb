using System.IO.Compression;
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

    [TestCase(1, 64, false, TestName = "one message a read")]
    [TestCase(16, 64, false, TestName = "sixteen messages a read")]
    [TestCase(1, 20_000, false, TestName = "a message over several blocks")]
    [TestCase(1, 64, true, TestName = "a compressed message")]
    [TestCase(1, 20_000, true, TestName = "a large compressed message")]
    public async Task Echo(int messages, int size, bool isCompressed)
    {
#if DEBUG
        if (isCompressed) Assert.Inconclusive("a constant span is made by a call in Debug builds: run with -c Release");
#endif
        WebSocketOptions options = isCompressed ? new() { Compression = new WebSocketCompression { MinMessageBytes = 0 } } : WebSocketOptions.Default;
        await using TurboServer server = new(new TurboServerOptions { EndPoints = [] }, async exchange =>
        {
            WebSocketConnection? socket = await WebSocketHandshake.AcceptAsync(exchange, options);
            while (await socket!.ReceiveAsync() is { } message) await socket.SendAsync(message.Kind, message.Payload);
        });
        MemoryTransport transport = new();
        Task serving = Inline.Run(() => server.ServeAsync(transport));
        byte[] wire = [.. Enumerable.Range(0, messages).SelectMany(i => Message(i, size, isCompressed).Masked())];
        long allocated = Inline.Run(() =>
        {
            Exchange(transport, Encoding.ASCII.GetBytes(
                "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                + (isCompressed ? "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n\r\n" : "\r\n")));
            int expected = messages * Message(0, size, false).Unmasked().Length;
            for (int i = 0; i < Rounds; i++)
            {
                long answered = Exchange(transport, wire);
                if (!isCompressed) Assert.That(answered, Is.EqualTo(expected));
            }
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < Rounds; i++) Exchange(transport, wire);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        });
        Assert.That(allocated, Is.Zero, $"bytes in {Rounds} reads of {messages} messages");

        Inline.Run(() => transport.PeerOutput.Complete());
        await serving.WaitAsync(TimeSpan.FromSeconds(10));
    }

    private static Frame Message(int number, int size, bool isCompressed)
    {
        string text = new((char)('a' + number), size);
        if (!isCompressed) return Frame.Text(text);
        MemoryStream output = new();
        using DeflateStream stream = new(output, CompressionLevel.Optimal, leaveOpen: true);
        stream.Write(Encoding.ASCII.GetBytes(text));
        stream.Flush();
        return new Frame(Frame.TextOpcode, output.ToArray()[..^4], true, 4);
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

using System.IO.Compression;
using System.IO.Pipelines;
using System.Text;
using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Net.WebSocket;
using Turbo.Tests.Support;

namespace Turbo.Tests.Allocation.Operations;

/// <summary>Messages through an echo without a kernel: received, unmasked, inflated where compressed, checked, sent.</summary>
internal static class WebSocketEcho
{
    /// <param name="messages">How many come in one read.</param>
    /// <param name="size">Octets of each.</param>
    /// <param name="isCompressed">By permessage-deflate, both ways.</param>
    public static double Measure(int messages, int size, bool isCompressed)
    {
        WebSocketOptions options = isCompressed ? new() { Compression = new WebSocketCompression { MinMessageBytes = 0 } } : WebSocketOptions.Default;
        TurboServer server = new(new TurboServerOptions { EndPoints = [] }, async exchange =>
        {
            WebSocketConnection? socket = await WebSocketHandshake.AcceptAsync(exchange, options);
            while (await socket!.ReceiveAsync() is { } message) await socket.SendAsync(message.Kind, message.Payload);
        });
        MemoryTransport transport = new();
        Task serving = Inline.Run(() => server.ServeAsync(transport));
        byte[] wire = [.. Enumerable.Range(0, messages).SelectMany(i => Frame(i, size, isCompressed, isMasked: true))];
        Inline.Run(() => Exchange(transport, Encoding.ASCII.GetBytes(
            "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            + (isCompressed ? "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n\r\n" : "\r\n"))));
        int expected = messages * Frame(0, size, false, isMasked: false).Length;
        double bytes = Allocated.By(() =>
        {
            if (Exchange(transport, wire) != expected && !isCompressed) throw new InvalidDataException("not the echo");
        }, messages);
        Inline.Run(() => transport.PeerOutput.Complete());
        serving.Wait(TimeSpan.FromSeconds(10));
        server.DisposeAsync().AsTask().Wait(TimeSpan.FromSeconds(10));
        return bytes;
    }

    private static byte[] Frame(int number, int size, bool isCompressed, bool isMasked)
    {
        byte[] payload = Encoding.ASCII.GetBytes(new string((char)('a' + number), size));
        if (isCompressed) payload = Deflate(payload);
        FrameHeader header = new(Opcode.Text, payload.Length, isCompressed: isCompressed);
        if (isMasked)
        {
            header = header.Masked(0x3D21FA37);
            Masking.Apply(payload, header.MaskingKey, 0);
        }
        byte[] frame = new byte[FrameHeader.MaxBytes];
        return [.. frame[..header.Write(frame)], .. payload];
    }

    // Without the four octets that end each message (RFC 7692 §7.2.1).
    private static byte[] Deflate(byte[] text)
    {
        MemoryStream output = new();
        using DeflateStream stream = new(output, CompressionLevel.Optimal, leaveOpen: true);
        stream.Write(text);
        stream.Flush();
        return output.ToArray()[..^4];
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
        if (!transport.PeerInput.TryRead(out ReadResult result)) throw new InvalidDataException("not answered at once");
        long length = result.Buffer.Length;
        transport.PeerInput.AdvanceTo(result.Buffer.End);
        return length;
    }
}

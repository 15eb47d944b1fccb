using System.Buffers.Binary;
using Turbo.Net;
using Turbo.Net.WebSocket;
using Turbo.Tests.Fuzz.Reference;
using Turbo.Tests.Support;

namespace Turbo.Tests.Fuzz.Targets;

/// <summary>
/// A client's frames to an echo server, permessage-deflate included: what is sent back against the reference, alike in
/// any cuts. The first byte chooses what is negotiated, the limit, and whether the handler takes messages or pieces.
/// </summary>
internal sealed class WebSocketTarget : FuzzTarget
{
    private const byte Compresses = 1, ClientForgets = 2, IsSmall = 16, TakesPieces = 32;

    private static readonly int[] s_windows = [15, 8, 9, 12];
    private static readonly WebSocketOptions s_usual = Options(4096), s_small = Options(64);

    private readonly FuzzServer _server;
    private byte _flags;

    public WebSocketTarget() => _server = new FuzzServer(HandleAsync, new ServerLimits());

    public override string Name => "websocket";

    // Frames with a key of zeros, so that mutations of their payload mean what they say.
    public override IReadOnlyList<string> Tokens { get; } =
    [
        "\\x81\\x80\\x00\\x00\\x00\\x00", "\\x81\\x82\\x00\\x00\\x00\\x00hi", "\\x82\\x81\\x01\\x02\\x03\\x04a", "\\x01\\x81\\x00\\x00\\x00\\x00\\xc3", "\\x80\\x81\\x00\\x00\\x00\\x00\\xa9", "\\x00\\x80\\x00\\x00\\x00\\x00", "\\x80\\x80\\x00\\x00\\x00\\x00",
        "\\x89\\x80\\x00\\x00\\x00\\x00", "\\x89\\x81\\x00\\x00\\x00\\x00p", "\\x8a\\x80\\x00\\x00\\x00\\x00", "\\x88\\x80\\x00\\x00\\x00\\x00", "\\x88\\x82\\x00\\x00\\x00\\x00\\x03\\xe8", "\\x88\\x84\\x00\\x00\\x00\\x00\\x03\\xf3ok", "\\x88\\x81\\x00\\x00\\x00\\x00\\x03",
        "\\xc1\\x87\\x00\\x00\\x00\\x00\\xf2H\\xcd\\xc9\\xc9\\x07\\x00", "\\xc1\\x81\\x00\\x00\\x00\\x00\\x00", "\\x41\\x83\\x00\\x00\\x00\\x00\\xf2H\\xcd", "\\x80\\x84\\x00\\x00\\x00\\x00\\xc9\\xc9\\x07\\x00", "\\xc2\\x86\\x00\\x00\\x00\\x00\\x00\\x01\\x00\\xfe\\xffx", "\\x01\\x00\\x00\\xff\\xff",
        "\\x81\\xfe\\x00\\x7e", "\\x82\\xff\\x00\\x00\\x00\\x00\\x00\\x01\\x00\\x00", "\\x81\\xfe\\x00\\x05", "\\x91", "\\xa1", "\\xf1", "\\x83", "\\x8b", "\\xf0\\x9f\\x98\\x80", "\\xed\\xa0\\x80", "\\xf4\\x90", "\\x81\\x02hi",
    ];

    public override void Run(byte[] input)
    {
        if (input.Length == 0) return;
        _flags = input[0];
        byte[] wire = input[1..];
        List<string> whole = Serve(wire, [wire.Length]);
        foreach (int[] cuts in Cuts.Of(wire))
        {
            List<string> cut = Serve(wire, cuts);
            FuzzFinding.Unless(cut.SequenceEqual(whole), $"cut otherwise, the server answers\n{string.Join('\n', cut)}\nand not\n{string.Join('\n', whole)}");
        }
        bool isCompressed = (_flags & Compresses) != 0;
        ReferenceFrames reference = new(wire, isCompressed, (_flags & ClientForgets) == 0, 1 << Math.Max(Window, 9), (int)Limits.MaxMessageBytes);
        FuzzFinding.Unless(reference.Matches(whole), $"the reference answers\n{reference}\nand not\n{string.Join('\n', whole)}");
    }

    private int Window => s_windows[_flags >> 2 & 3];

    private WebSocketOptions Limits => (_flags & IsSmall) == 0 ? s_usual : s_small;

    private List<string> Serve(byte[] wire, int[] cuts)
    {
        MemoryClient client = _server.Connect();
        client.Send(Handshake());
        string head = client.TakeText();
        FuzzFinding.Unless(head.StartsWith("HTTP/1.1 101 ", StringComparison.Ordinal) && head.EndsWith("\r\n\r\n", StringComparison.Ordinal), $"the handshake is answered {head}");
        FuzzServer.Send(client, wire, cuts);
        byte[] sent = client.Take();
        bool hasEnded = client.HasEnded, isReset = client.IsReset;
        _server.End(client);
        _server.CheckBlocks();
        List<string> lines = Lines(sent);
        bool isClosed = lines is [.., var last] && last.StartsWith("close", StringComparison.Ordinal);
        FuzzFinding.Unless(!isReset && hasEnded == isClosed, isClosed ? "closed, it does not end" : "it ends without a Close frame");
        return lines;
    }

    private string Handshake()
    {
        string offer = (_flags & Compresses) == 0 ? "" : "Sec-WebSocket-Extensions: permessage-deflate"
            + (Window < 15 ? "; client_max_window_bits=" + Window : "") + ((_flags & ClientForgets) != 0 ? "; client_no_context_takeover" : "") + "\r\n";
        return "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" + offer + "\r\n";
    }

    // A server's frames are whole, unmasked and no longer written than need be.
    private static List<string> Lines(ReadOnlySpan<byte> sent)
    {
        List<string> lines = [];
        while (!sent.IsEmpty)
        {
            FuzzFinding.Unless(sent.Length >= 2 && sent[0] >= 0x80 && (sent[0] & 0x70) == 0 && sent[1] < 127, "the server sent what is no frame");
            int length = sent[1], header = 2;
            if (length == 126)
            {
                length = BinaryPrimitives.ReadUInt16BigEndian(sent[2..]);
                header = 4;
                FuzzFinding.Unless(length > 125, "a length in more octets than it needs");
            }
            FuzzFinding.Unless(sent.Length >= header + length, "the server sent part of a frame");
            ReadOnlySpan<byte> payload = sent.Slice(header, length);
            FuzzFinding.Unless(lines.Count == 0 || !lines[^1].StartsWith("close", StringComparison.Ordinal), "a frame after the Close frame");
            lines.Add((sent[0] & 15) switch
            {
                1 => ReferenceFrames.Line("text", payload),
                2 => ReferenceFrames.Line("binary", payload),
                8 when length == 0 => "close",
                8 => ReferenceFrames.Line("close " + BinaryPrimitives.ReadUInt16BigEndian(payload), payload[2..]),
                10 => ReferenceFrames.Line("pong", payload),
                _ => throw new FuzzFinding($"the server sent a frame {sent[0]:x2}"),
            });
            sent = sent[(header + length)..];
        }
        return lines;
    }

    private async ValueTask HandleAsync(Exchange exchange)
    {
        if (await WebSocketHandshake.AcceptAsync(exchange, Limits) is not { } socket) return;
        if ((_flags & TakesPieces) == 0)
        {
            while (await socket.ReceiveAsync() is { } message) await socket.SendAsync(message.Kind, message.Payload);
            return;
        }
        List<byte> gathered = [];
        while (await socket.ReceiveFragmentAsync() is { } piece)
        {
            gathered.AddRange(piece.Payload.Span);
            if (!piece.IsEnd) continue;
            await socket.SendAsync(piece.Kind, gathered.ToArray());
            gathered.Clear();
        }
    }

    private static WebSocketOptions Options(int maxMessageBytes) => new()
    {
        MaxMessageBytes = maxMessageBytes,
        PingInterval = TimeSpan.Zero,
        // What it sends is plain: compressing is the inflate target's.
        Compression = new WebSocketCompression { MinMessageBytes = int.MaxValue },
    };
}

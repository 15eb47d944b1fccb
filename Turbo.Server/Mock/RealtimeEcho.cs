using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text;
using Turbo.Net;
using Turbo.Net.Transport;

namespace Turbo.Server.Mock;

/// <summary>
/// GET /v1/realtime: a WebSocket (RFC 6455) that sends every data frame back as it came, fragments included, in
/// constant memory; answers pings; closes with what it was closed with, or 1001 when the server stops. Just enough to
/// be tunnelled to: it checks framing, not fragmentation or text.
/// </summary>
internal sealed class RealtimeEcho
{
    private const int CloseOpcode = 8;
    private const int PingOpcode = 9;
    private const int PongOpcode = 10;
    private const byte Fin = 0x80;
    private const byte Reserved = 0x70;
    private const byte Masked = 0x80;
    private const int MaxHeaderBytes = 14;
    private const int MaxControlBytes = 125;
    private const ushort GoingAway = 1001;
    private const ushort ProtocolError = 1002;

    // How long a peer that was told to close may take (RFC 6455 §7.1.1).
    private static readonly TimeSpan s_closeTimeout = TimeSpan.FromSeconds(2);

    private readonly PipeReader _input;
    private readonly PipeWriter _output;
    private readonly byte[] _mask = new byte[4];

    // Bytes of the data frame's payload still to come, and how far the masking-key has been used.
    private long _left;
    private int _maskAt;
    private volatile bool _isDroppingOver;

    private enum Step : byte { NeedMore, Failed, PeerClosed }

    private RealtimeEcho(Connection connection)
    {
        _input = connection.Input;
        _output = connection.Output;
    }

    public static async ValueTask AnswerAsync(MockCall call)
    {
        AcceptHandshake(call);
        await call.FlushAsync().ConfigureAwait(false);
        RealtimeEcho echo = new(call.Exchange.Upgrade());
        await echo.RunAsync(call.Mock.Stopping, call.Options.TimeProvider).ConfigureAwait(false);
    }

    // RFC 6455 §4.2.2
    private static void AcceptHandshake(MockCall call)
    {
        if (!call.Exchange.Body.IsEmpty) throw MockErrorException.Invalid("A WebSocket opening handshake has no content.");
        HeaderFields fields = call.Exchange.Fields;
        if (!fields.HasToken(KnownField.Upgrade, "websocket"u8) || !fields.HasToken(KnownField.Connection, "upgrade"u8))
            throw new MockErrorException(426, "Expected a WebSocket opening handshake.", "invalid_request_error");
        if (!fields.TryGet(KnownField.SecWebSocketKey, out ReadOnlySpan<byte> key) || key.Length != 24
            || !fields.TryGet(KnownField.SecWebSocketVersion, out ReadOnlySpan<byte> version) || !version.SequenceEqual("13"u8))
            throw MockErrorException.Invalid("The WebSocket opening handshake has no key, or not version 13.");

        Span<byte> keyAndGuid = stackalloc byte[60];
        key.CopyTo(keyAndGuid);
        "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"u8.CopyTo(keyAndGuid[24..]);
        Span<byte> hash = stackalloc byte[20];
        SHA1.HashData(keyAndGuid, hash);
        ResponseWriter response = call.Exchange.Response;
        response.Start(101);
        response.Field("Upgrade"u8, "websocket"u8);
        response.Field("Connection"u8, "Upgrade"u8);
        response.Field("Sec-WebSocket-Accept"u8, Encoding.ASCII.GetBytes(Convert.ToBase64String(hash)));
        if (fields.TryGet(KnownField.SecWebSocketProtocol, out ReadOnlySpan<byte> protocols))
        {
            int comma = protocols.IndexOf((byte)',');
            response.Field("Sec-WebSocket-Protocol"u8, (comma < 0 ? protocols : protocols[..comma]).TrimEnd(" \t"u8));
        }
        response.EndHead(0);
    }

    private async ValueTask RunAsync(CancellationToken stopping, TimeProvider time)
    {
        try
        {
            ushort code;
            using (stopping.UnsafeRegister(static state => ((PipeReader)state!).CancelPendingRead(), _input))
                code = await EchoAsync(stopping).ConfigureAwait(false);
            if (code == 0) return;
            WriteClose(code);
            await _output.FlushAsync().ConfigureAwait(false);
            // Bytes left unread would turn the close into a reset that overtakes the Close frame.
            using ITimer timer = time.CreateTimer(static state => ((RealtimeEcho)state!).EndDropping(), this, s_closeTimeout, Timeout.InfiniteTimeSpan);
            await DropAsync().ConfigureAwait(false);
        }
        catch (IOException)
        {
            // The peer reset the connection: nobody is left to echo to.
        }
    }

    // Until the peer closes or leaves, which is 0, or there is a reason to close.
    private async ValueTask<ushort> EchoAsync(CancellationToken stopping)
    {
        while (true)
        {
            ReadResult result = await _input.ReadAsync().ConfigureAwait(false);
            ReadOnlySequence<byte> rest = result.Buffer;
            Step step = Echo(ref rest);
            _input.AdvanceTo(rest.Start, rest.End);
            FlushResult flush = await _output.FlushAsync().ConfigureAwait(false);
            if (step == Step.Failed) return ProtocolError;
            if (step == Step.PeerClosed || flush.IsCompleted || result.IsCompleted) return 0;
            if (stopping.IsCancellationRequested) return GoingAway;
        }
    }

    private async ValueTask DropAsync()
    {
        while (true)
        {
            ReadResult result = await _input.ReadAsync().ConfigureAwait(false);
            _input.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted || _isDroppingOver) return;
        }
    }

    private void EndDropping()
    {
        _isDroppingOver = true;
        _input.CancelPendingRead();
    }

    private Step Echo(ref ReadOnlySequence<byte> rest)
    {
        Span<byte> header = stackalloc byte[MaxHeaderBytes];
        while (true)
        {
            CopyPayload(ref rest);
            if (rest.IsEmpty) return Step.NeedMore;

            int held = (int)Math.Min(rest.Length, MaxHeaderBytes);
            rest.Slice(0, held).CopyTo(header);
            int opcode = header[0] & 0x0F;
            bool isControl = opcode >= CloseOpcode;
            if ((header[0] & Reserved) != 0 || opcode is (> 2 and < CloseOpcode) or > PongOpcode) return Step.Failed;
            if (held < 2) return Step.NeedMore;
            int size = header[1] & ~Masked;
            int lengthBytes = size switch { 126 => 2, 127 => 8, _ => 0 };
            if ((header[1] & Masked) == 0 || (isControl && (size > MaxControlBytes || (header[0] & Fin) == 0))) return Step.Failed;
            int headerBytes = 2 + lengthBytes + 4;
            if (held < headerBytes || (isControl && rest.Length < headerBytes + size)) return Step.NeedMore;
            long length = lengthBytes switch
            {
                2 => BinaryPrimitives.ReadUInt16BigEndian(header[2..]),
                8 => BinaryPrimitives.ReadInt64BigEndian(header[2..]),
                _ => size,
            };
            if (length < 0) return Step.Failed;

            header.Slice(2 + lengthBytes, 4).CopyTo(_mask);
            rest = rest.Slice(headerBytes);
            _maskAt = 0;
            _left = length;
            if (opcode == PongOpcode)
            {
                rest = rest.Slice(length);
                _left = 0;
                continue;
            }
            // The same frame goes back, without the mask; a ping as its pong.
            if (opcode == PingOpcode) header[0] = Fin | PongOpcode;
            header[1] = (byte)size;
            _output.Write(header[..(2 + lengthBytes)]);
            if (opcode != CloseOpcode) continue;
            CopyPayload(ref rest);
            return Step.PeerClosed;
        }
    }

    private void CopyPayload(ref ReadOnlySequence<byte> rest)
    {
        while (_left > 0 && !rest.IsEmpty)
        {
            ReadOnlySpan<byte> from = rest.FirstSpan;
            Span<byte> to = _output.GetSpan(1);
            int take = (int)Math.Min(Math.Min(from.Length, to.Length), _left);
            for (int i = 0; i < take; i++) to[i] = (byte)(from[i] ^ _mask[_maskAt++ & 3]);
            _output.Advance(take);
            _left -= take;
            rest = rest.Slice(take);
        }
    }

    private void WriteClose(ushort code)
    {
        Span<byte> frame = [Fin | CloseOpcode, 2, (byte)(code >> 8), (byte)code];
        _output.Write(frame);
    }
}

using System.Text;

namespace Turbo.Bench.Load;

/// <summary>Opens a WebSocket, sends a masked text message, and sends the next when it came back as it was.</summary>
internal sealed class WebSocketVisitor : Visitor
{
    private const int PayloadBytes = 32;

    private static readonly byte[] s_payload = Encoding.ASCII.GetBytes("a message of thirty-two octets..");
    private static readonly byte[] s_frame = [0x81, 0x80 | PayloadBytes, 1, 2, 3, 4, .. s_payload.Select(static (b, i) => (byte)(b ^ ((i % 4) + 1)))];
    private static readonly byte[] s_answer = [0x81, PayloadBytes, .. s_payload];

    private readonly byte[] _handshake = Encoding.ASCII.GetBytes(
        "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");

    private LoadRun _run = null!;
    private bool _isOpen;
    private int _answerAt;
    private long _due;

    public override void Ask(LoadRun run, long due)
    {
        _run = run;
        _due = due;
        _answerAt = 0;
        Send(_isOpen ? s_frame : _handshake);
    }

    public override void OnReceived(Span<byte> bytes, long now)
    {
        if (_isOpen)
        {
            Take(bytes, now);
            return;
        }
        if (!bytes.StartsWith("HTTP/1.1 101 "u8) || !bytes.EndsWith("\r\n\r\n"u8)) throw new InvalidDataException($"no WebSocket: {Encoding.Latin1.GetString(bytes[..Math.Min(bytes.Length, 60)])}");
        _isOpen = true;
        _run.OnIdle(this, now);
    }

    private void Take(ReadOnlySpan<byte> bytes, long now)
    {
        if (!s_answer.AsSpan(_answerAt).StartsWith(bytes)) throw new InvalidDataException("not what was sent");
        _answerAt += bytes.Length;
        if (_answerAt < s_answer.Length) return;
        _run.OnAnswer(_due, now);
        _run.OnIdle(this, now);
    }
}

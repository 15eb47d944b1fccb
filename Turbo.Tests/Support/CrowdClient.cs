using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Turbo.Net.Sse;

namespace Turbo.Tests.Support;

/// <summary>A subscriber that costs little: a socket, and no client's machinery around it. It reads when it is told to.</summary>
internal sealed class CrowdClient : IDisposable
{
    private readonly Socket _socket;
    private readonly StreamKind _kind;
    private readonly EventStreamReader _events = new();
    private readonly List<string> _messages = [];
    private byte[] _buffer = new byte[16 * 1024];
    private int _length;
    private string? _end;

    private CrowdClient(Socket socket, StreamKind kind)
    {
        _socket = socket;
        _kind = kind;
    }

    /// <summary>What was read.</summary>
    public IReadOnlyList<string> Messages => _messages;

    /// <summary>Subscribes; nothing may be published before this has returned.</summary>
    public static async Task<CrowdClient> OpenAsync(TestApp app, StreamKind kind, string chat, string token, int receiveBufferBytes = 0)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        if (receiveBufferBytes > 0) socket.ReceiveBufferSize = receiveBufferBytes;
        await socket.ConnectAsync(app.EndPoint);
        // Events to a client of HTTP/1.0 follow the head as they are, without chunks.
        string rest = kind == StreamKind.Sse
            ? "1.0\r\n"
            : "1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
        await socket.SendAsync(Encoding.ASCII.GetBytes($"GET /chat/stream?id={chat} HTTP/{rest}Authorization: Bearer {token}\r\n\r\n"));
        byte[] head = new byte[4096];
        int length = 0;
        while (!head.AsSpan(0, length).EndsWith("\r\n\r\n"u8)) length += await socket.ReceiveAsync(head.AsMemory(length)).AsTask().WaitAsync(Until.Deadline);
        Assert.That(Encoding.ASCII.GetString(head, 0, length), Does.StartWith(kind == StreamKind.Sse ? "HTTP/1.1 200" : "HTTP/1.1 101"));
        return new CrowdClient(socket, kind);
    }

    /// <summary>The next so many messages.</summary>
    public async Task<List<string>> ReadAsync(int count)
    {
        while (_messages.Count < count) Assert.That(await ReceiveAsync(), $"the stream has ended: {_end}");
        return _messages;
    }

    /// <summary>Reads to the end: <c>end</c>, <c>reset</c>, or a WebSocket's close code.</summary>
    public async Task<string> RestAsync()
    {
        while (await ReceiveAsync().WaitAsync(Until.Deadline)) { }
        return _end!;
    }

    public void Dispose() => _socket.Dispose();

    private async Task<bool> ReceiveAsync()
    {
        if (_length == _buffer.Length) Array.Resize(ref _buffer, 2 * _length);
        try
        {
            int read = await _socket.ReceiveAsync(_buffer.AsMemory(_length));
            if (read == 0) _end ??= "end";
            _length += read;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            _end ??= "reset";
        }
        if (_kind == StreamKind.Sse) TakeEvents();
        else TakeFrames();
        return _end is null;
    }

    private void TakeEvents()
    {
        ReadOnlySequence<byte> bytes = new(_buffer, 0, _length);
        while (_events.Read(ref bytes) == EventStreamStatus.Event) _messages.Add(Encoding.UTF8.GetString(_events.Data));
        // The reader keeps what is not whole.
        _length = 0;
    }

    // Whole, unmasked text messages; pings, and the end.
    private void TakeFrames()
    {
        int at = 0;
        while (_end is null && TryTakeFrame(_buffer.AsSpan(at, _length - at), out int size)) at += size;
        _buffer.AsSpan(at, _length - at).CopyTo(_buffer);
        _length -= at;
    }

    private bool TryTakeFrame(ReadOnlySpan<byte> bytes, out int size)
    {
        size = 0;
        if (bytes.Length < 2) return false;
        int header = bytes[1] switch { 126 => 4, 127 => 10, _ => 2 };
        if (bytes.Length < header) return false;
        long length = header switch
        {
            4 => BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]),
            10 => BinaryPrimitives.ReadInt64BigEndian(bytes[2..]),
            _ => bytes[1],
        };
        if (bytes.Length < header + length) return false;
        size = header + (int)length;
        ReadOnlySpan<byte> payload = bytes[header..size];
        switch (bytes[0])
        {
            case 0x81:
                _messages.Add(Encoding.UTF8.GetString(payload));
                break;
            case 0x88:
                _end = BinaryPrimitives.ReadUInt16BigEndian(payload).ToString(CultureInfo.InvariantCulture);
                break;
            default:
                Assert.That(bytes[0], Is.EqualTo(0x89), "neither text, nor a ping, nor the end");
                break;
        }
        return true;
    }
}

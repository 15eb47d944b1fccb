using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Turbo.Tests.Support;

/// <summary>A response as its bytes came.</summary>
/// <param name="Head">Status-line and fields as sent, the empty line included.</param>
/// <param name="Body">The content, its framing taken off.</param>
internal sealed record RawResponse(string Head, byte[] Body)
{
    public int Status { get; } = int.Parse(Head.AsSpan(9, 3), CultureInfo.InvariantCulture);

    public string StatusLine => Head[..Head.IndexOf("\r\n", StringComparison.Ordinal)];

    public string Text => Encoding.UTF8.GetString(Body);

    /// <summary>The field's only value, or null; a repeated one fails the test.</summary>
    public string? Field(string name) => Fields(name).SingleOrDefault();

    public string[] Fields(string name) => [.. Head.Split("\r\n").Skip(1)
        .Where(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))
        .Select(line => line[(name.Length + 1)..].Trim())];

    /// <summary>Head and body without the Date line, for comparison.</summary>
    public string Undated => string.Join("\r\n", Head.Split("\r\n").Where(static l => !l.StartsWith("Date: ", StringComparison.Ordinal))) + Encoding.Latin1.GetString(Body);

    /// <summary>The responses in what a server sent; what is not one fails the test.</summary>
    public static List<RawResponse> Split(string wire, bool isHead)
    {
        List<RawResponse> all = [];
        for (int at = 0; at < wire.Length; isHead = false)
        {
            int end = wire.IndexOf("\r\n\r\n", at, StringComparison.Ordinal) + 4;
            if (end < 4) throw new AssertionException($"no response head at {at}: '{Segmented.Show(Encoding.Latin1.GetBytes(wire))}'");
            RawResponse response = new(wire[at..end], []);
            at = end;
            StringBuilder content = new();
            if (!isHead && response.Field("Content-Length") is { } length)
            {
                content.Append(wire, at, int.Parse(length, CultureInfo.InvariantCulture));
                at += int.Parse(length, CultureInfo.InvariantCulture);
            }
            else if (response.Field("Transfer-Encoding") is not null)
            {
                while (true)
                {
                    int line = wire.IndexOf("\r\n", at, StringComparison.Ordinal);
                    int size = Convert.ToInt32(wire[at..line], 16);
                    at = line + 2 + size + 2;
                    if (size == 0) break;
                    content.Append(wire, line + 2, size);
                }
            }
            else if (response.Status == 200 && !isHead)
            {
                content.Append(wire, at, wire.Length - at);
                at = wire.Length;
            }
            all.Add(response with { Body = Segmented.Bytes(content.ToString()) });
        }
        return all;
    }

    /// <summary>Head and content as they came, where the content was not chunked.</summary>
    public byte[] ToWire() => [.. Encoding.Latin1.GetBytes(Head), .. Body];

    public override string ToString() => Segmented.Show(Encoding.Latin1.GetBytes(Head)) + Segmented.Show(Body, 200);
}

/// <summary>How the server ended a connection. In TLS it is Fin after a close_notify, and Cut without one.</summary>
internal enum PeerEnd { Fin, Reset, Cut }

/// <summary>
/// A blocking socket, in TLS where wanted, that sends literal bytes and reads what really comes back. Every wait is
/// bounded, and every failure shows the bytes received until then.
/// </summary>
internal sealed class RawClient : IDisposable
{
    private volatile bool _wasCut;
    private readonly Socket _socket;
    private readonly RawTls? _tls;
    private byte[] _buffer = new byte[64 * 1024];
    private int _start, _end;

    /// <param name="server">Where to connect.</param>
    /// <param name="receiveBufferBytes">Of the socket; 0 is the system's default.</param>
    /// <param name="tls">How to shake hands; null is no TLS.</param>
    public RawClient(IPEndPoint server, int receiveBufferBytes = 0, SslClientAuthenticationOptions? tls = null)
    {
        _socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 10_000, SendTimeout = 10_000 };
        if (receiveBufferBytes > 0) _socket.ReceiveBufferSize = receiveBufferBytes;
        _socket.Connect(server.Address.Equals(IPAddress.IPv6Any) ? new IPEndPoint(IPAddress.IPv6Loopback, server.Port) : server);
        if (tls is not null) _tls = new RawTls(_socket, tls);
    }

    public Socket Socket => _socket;

    /// <summary>The TLS stream; null without.</summary>
    public SslStream? Tls => _tls?.Stream;

    /// <summary>In TLS: how many bytes of a record leave in one packet at most.</summary>
    public int TlsPacketBytes { set => _tls!.PacketBytes = value; }

    public RawClient Send(string wire) => Send(Segmented.Bytes(wire));

    public RawClient Send(ReadOnlySpan<byte> wire)
    {
        if (_tls is not null) _tls.Send(wire);
        else while (!wire.IsEmpty) wire = wire[_socket.Send(wire)..];
        return this;
    }

    public bool TrySend(string wire) => TrySend(Segmented.Bytes(wire));

    /// <summary>Sends to a server that may cut the connection meanwhile; false when it did.</summary>
    public bool TrySend(ReadOnlySpan<byte> wire)
    {
        try
        {
            Send(wire);
            return true;
        }
        catch (SocketException)
        {
            _wasCut = true;
            return false;
        }
    }

    /// <summary>Sends in two packets.</summary>
    public RawClient SendCut(byte[] wire, int at) => Send(wire.AsSpan(0, at)).Send(wire.AsSpan(at));

    /// <summary>Sends FIN, in TLS close_notify before it, and goes on receiving.</summary>
    public RawClient HalfClose()
    {
        _tls?.Stream.ShutdownAsync().GetAwaiter().GetResult();
        _socket.Shutdown(SocketShutdown.Send);
        return this;
    }

    /// <summary>Sends FIN, unless the server has cut the connection meanwhile.</summary>
    public void TryHalfClose()
    {
        try
        {
            HalfClose();
        }
        catch (SocketException)
        {
            // Reading tells how it ended.
        }
    }

    /// <summary>Sends RST.</summary>
    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Close();
    }

    /// <summary>Sends a request and reads its response.</summary>
    public RawResponse Exchange(string wire, bool isHead = false) => Send(wire).Read(isHead);

    /// <summary>Reads one response, informational ones included.</summary>
    /// <param name="isHead">Whether it answers HEAD.</param>
    public RawResponse Read(bool isHead = false)
    {
        string head = ReadHead();
        RawResponse response = new(head, []);
        if (isHead || response.Status is < 200 or 204 or 304) return response;
        if (response.Field("Transfer-Encoding") is { } coding)
        {
            if (coding != "chunked" || response.Field("Content-Length") is not null) throw Failure($"framing of {head}");
            return response with { Body = ReadChunks() };
        }
        if (response.Field("Content-Length") is { } length) return response with { Body = Take(int.Parse(length, CultureInfo.InvariantCulture)) };
        PeerEnd end = ReadToEnd(out byte[] rest);
        return end == PeerEnd.Fin ? response with { Body = rest } : throw Failure("reset within a body that only FIN may end");
    }

    /// <summary>The next response, or null when the connection ends before it is whole; <see cref="Unread"/> tells how far it came.</summary>
    public RawResponse? ReadToNext()
    {
        while (true)
        {
            int end = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n\r\n"u8) + 4;
            if (end >= 4)
            {
                RawResponse response = new(Encoding.Latin1.GetString(_buffer, _start, end), []);
                int length = int.Parse(response.Field("Content-Length") ?? "0", CultureInfo.InvariantCulture);
                if (_end - _start - end >= length)
                {
                    Take(end);
                    return response with { Body = Take(length) };
                }
            }
            if (!TryReceive("a response or the end", out _)) return null;
        }
    }

    /// <summary>Bytes received and not read.</summary>
    public int Unread => _end - _start;

    public string ReadHead()
    {
        while (true)
        {
            int end = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n\r\n"u8);
            if (end >= 0) return Encoding.Latin1.GetString(Take(end + 4));
            Receive("a response head");
        }
    }

    /// <summary>Exactly that many bytes.</summary>
    public byte[] Take(int count)
    {
        while (_end - _start < count) Receive($"{count} bytes");
        byte[] taken = _buffer.AsSpan(_start, count).ToArray();
        _start += count;
        return taken;
    }

    /// <summary>Reads and drops that many bytes.</summary>
    public void Drop(long count) => ReadPieces(count, static _ => { });

    /// <summary>Reads the content that follows a head, in pieces.</summary>
    public void ReadContent(string head, Action<ReadOnlySpan<byte>> piece)
    {
        RawResponse response = new(head, []);
        if (response.Field("Content-Length") is { } length)
        {
            ReadPieces(long.Parse(length, CultureInfo.InvariantCulture), piece);
            return;
        }
        while (true)
        {
            long size = Convert.ToInt64(ReadLine(), 16);
            ReadPieces(size, piece);
            if (ReadLine().Length > 0) throw Failure("chunk-data not followed by CRLF");
            if (size == 0) return;
        }
    }

    private void ReadPieces(long count, Action<ReadOnlySpan<byte>> piece)
    {
        while (count > 0)
        {
            int have = (int)Math.Min(count, _end - _start);
            piece(_buffer.AsSpan(_start, have));
            _start += have;
            count -= have;
            if (count > 0) Receive($"{count} more bytes");
        }
    }

    /// <summary>Reads until the server's FIN or RST.</summary>
    public PeerEnd ReadToEnd(out byte[] rest)
    {
        PeerEnd end;
        while (TryReceive("the end of the connection", out end)) { }
        // The system tells of a reset once: a send that failed meanwhile was told, and the receive after it sees a mere end.
        if (_wasCut) end = PeerEnd.Reset;
        rest = Take(_end - _start);
        return end;
    }

    /// <summary>The connection ends with FIN and nothing before it.</summary>
    public void ExpectFin()
    {
        PeerEnd end = ReadToEnd(out byte[] rest);
        if (end != PeerEnd.Fin || rest.Length > 0) throw new AssertionException($"wanted FIN alone, got {end} after: {Segmented.Show(rest)}");
    }

    /// <summary>The connection ends with RST, whatever came before it.</summary>
    public byte[] ExpectReset()
    {
        PeerEnd end = ReadToEnd(out byte[] rest);
        return end == PeerEnd.Reset ? rest : throw new AssertionException($"wanted RST, got FIN after: {Segmented.Show(rest)}");
    }

    /// <summary>Whether nothing has arrived that was not read.</summary>
    public bool IsQuiet => _start == _end && !_socket.Poll(0, SelectMode.SelectRead);

    public void Dispose()
    {
        // Without a close_notify: as a client that dies.
        _socket.Dispose();
        _tls?.Stream.Dispose();
    }

    private byte[] ReadChunks()
    {
        using MemoryStream body = new();
        while (true)
        {
            string line = ReadLine();
            if (!int.TryParse(line, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int size)) throw Failure($"chunk-size line '{line}'");
            if (size == 0) break;
            body.Write(Take(size));
            if (ReadLine().Length > 0) throw Failure("chunk-data not followed by CRLF");
        }
        while (ReadLine().Length > 0) { }
        return body.ToArray();
    }

    private string ReadLine()
    {
        while (true)
        {
            int end = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n"u8);
            if (end >= 0) return Encoding.Latin1.GetString(Take(end + 2))[..^2];
            Receive("a line");
        }
    }

    private void Receive(string wanted)
    {
        if (!TryReceive(wanted, out PeerEnd end)) throw Failure($"{end} instead of {wanted}");
    }

    private bool TryReceive(string wanted, out PeerEnd end)
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }
        if (_end == _buffer.Length) Array.Resize(ref _buffer, _buffer.Length * 2);
        end = PeerEnd.Fin;
        try
        {
            int read = _tls is null ? _socket.Receive(_buffer.AsSpan(_end)) : _tls.Receive(_buffer.AsSpan(_end));
            _end += read;
            if (_tls is { IsCut: true }) end = PeerEnd.Cut;
            return read > 0;
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown)
        {
            end = PeerEnd.Reset;
            return false;
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
        {
            throw Failure($"timed out waiting for {wanted}");
        }
    }

    private AssertionException Failure(string what) => new($"{what}; unread: '{Segmented.Show(_buffer.AsSpan(_start, _end - _start))}'");
}

using System.Buffers.Text;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Turbo.Tests.Soak;

/// <summary>How a response ended.</summary>
internal enum AnswerEnd
{
    /// <summary>Where its framing says.</summary>
    Whole,
    /// <summary>By the connection's end before that.</summary>
    Broken,
    /// <summary>By the client, that has read enough.</summary>
    Left,
}

internal sealed record Answer(int Status, string Head, string Content, AnswerEnd End)
{
    public bool Closes => Head.Contains("\r\nConnection: close\r\n", StringComparison.OrdinalIgnoreCase);
}

/// <summary>Where a client connects, and how it shakes hands; null is no TLS.</summary>
internal sealed record SoakServer(IPEndPoint EndPoint, SslClientAuthenticationOptions? Tls);

/// <summary>A client's connection, in TLS or not: sends bytes, reads responses, ends well or badly.</summary>
internal sealed class SoakConnection : IDisposable
{
    private readonly Socket _socket;
    private SslStream? _tls;
    private byte[] _buffer = new byte[8192];
    private int _start, _end;

    private SoakConnection(Socket socket) => _socket = socket;

    public static async Task<SoakConnection> OpenAsync(SoakServer server, CancellationToken cancellation)
    {
        SoakConnection connection = await OpenBareAsync(server, cancellation);
        if (server.Tls is not { } tls) return connection;
        try
        {
            connection._tls = new SslStream(new NetworkStream(connection._socket, ownsSocket: false));
            await connection._tls.AuthenticateAsClientAsync(tls, cancellation);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Without TLS, whatever the server speaks.</summary>
    public static async Task<SoakConnection> OpenBareAsync(SoakServer server, CancellationToken cancellation)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(server.EndPoint, cancellation);
            return new SoakConnection(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Begins to shake hands and sends no more than that many bytes of it.</summary>
    public async Task ShakeHandsInPartAsync(SoakServer server, int bytes, CancellationToken cancellation)
    {
        _tls = new SslStream(new CutStream(_socket, bytes));
        try
        {
            await _tls.AuthenticateAsClientAsync(server.Tls!, cancellation);
        }
        catch (Exception e) when (IsEnd(e))
        {
            // As far as it was to go.
        }
    }

    /// <summary>Whether <see cref="Dispose"/> tells the server in TLS that nothing more comes, as it should.</summary>
    public bool EndsTls { get; set; } = true;

    /// <summary>Whether nothing was sent yet.</summary>
    public bool IsFresh { get; private set; } = true;

    /// <summary>False when the server takes no more.</summary>
    public async Task<bool> SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        IsFresh = false;
        try
        {
            if (_tls is not null) await _tls.WriteAsync(bytes, cancellation);
            else while (!bytes.IsEmpty) bytes = bytes[await _socket.SendAsync(bytes, cancellation)..];
            return true;
        }
        catch (Exception e) when (IsEnd(e))
        {
            return false;
        }
    }

    /// <summary>Past TLS, which the server then cannot read.</summary>
    public async Task SendBareAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        try
        {
            while (!bytes.IsEmpty) bytes = bytes[await _socket.SendAsync(bytes, cancellation)..];
        }
        catch (Exception e) when (IsEnd(e))
        {
            // Ended already.
        }
    }

    /// <summary>In TLS after a close_notify, or without one, as <see cref="EndsTls"/> says.</summary>
    public async Task FinAsync()
    {
        try
        {
            if (_tls is { IsAuthenticated: true } && EndsTls) await _tls.ShutdownAsync();
            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (IsEnd(e))
        {
            // Ended already.
        }
    }

    /// <summary>Ends with a reset.</summary>
    public void Rst()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }

    public void Dispose()
    {
        if (_tls is null) _socket.Dispose();
        else _ = EndTlsAsync(_tls);
    }

    private async Task EndTlsAsync(SslStream tls)
    {
        try
        {
            if (tls.IsAuthenticated && EndsTls) await tls.ShutdownAsync();
        }
        catch (Exception e) when (IsEnd(e))
        {
            // Ended already, or left in the middle of a record.
        }
        _socket.Dispose();
        await tls.DisposeAsync();
    }

    /// <summary>What reads, writes and handshakes throw when the other side, or this one, has ended the connection.</summary>
    public static bool IsEnd(Exception e) =>
        e is SocketException or IOException or ObjectDisposedException or InvalidOperationException or System.Security.Authentication.AuthenticationException;

    /// <summary>Reads and drops what comes until the server ends the connection.</summary>
    public async Task ReadToEndAsync(CancellationToken cancellation)
    {
        _start = _end = 0;
        while (await FillAsync(cancellation)) _start = _end = 0;
    }

    /// <summary>
    /// The next final response; null when the connection ends before there is one. It is left once
    /// <paramref name="stopAfter"/> bytes of content came.
    /// </summary>
    public async Task<Answer?> ReadAsync(bool isHead, CancellationToken cancellation, int stopAfter = int.MaxValue)
    {
        while (true)
        {
            if (await ReadHeadAsync(cancellation) is not { } head) return null;
            int status = int.Parse(head.AsSpan(9, 3), System.Globalization.CultureInfo.InvariantCulture);
            if (status is >= 100 and < 200 and not 101) continue;
            StringBuilder content = new();
            AnswerEnd end = isHead || status is 101 or 204 or 304 ? AnswerEnd.Whole : await ReadContentAsync(head, content, stopAfter, null, cancellation);
            return new Answer(status, head, content.ToString(), end);
        }
    }

    /// <summary>The head of a response whose content is read by <see cref="ReadUntilAsync"/>; null at the end.</summary>
    public Task<string?> OpenStreamAsync(CancellationToken cancellation) => ReadHeadAsync(cancellation);

    /// <summary>Reads a stream's content until <paramref name="until"/> is in it; false when it ends before.</summary>
    public async Task<bool> ReadUntilAsync(string head, string until, CancellationToken cancellation) =>
        await ReadContentAsync(head, new StringBuilder(), int.MaxValue, until, cancellation) == AnswerEnd.Left;

    /// <summary>One WebSocket frame of the server; null at the end.</summary>
    public async Task<(int Opcode, string Payload)?> ReadFrameAsync(CancellationToken cancellation)
    {
        if (!await HaveAsync(2, cancellation)) return null;
        int length = _buffer[_start + 1], header = 2;
        if (length == 126)
        {
            if (!await HaveAsync(4, cancellation)) return null;
            length = _buffer[_start + 2] << 8 | _buffer[_start + 3];
            header = 4;
        }
        if (!await HaveAsync(header + length, cancellation)) return null;
        int opcode = _buffer[_start] & 15;
        string payload = Encoding.UTF8.GetString(_buffer, _start + header, length);
        _start += header + length;
        return (opcode, payload);
    }

    private async Task<string?> ReadHeadAsync(CancellationToken cancellation)
    {
        while (true)
        {
            int length = _buffer.AsSpan(_start.._end).IndexOf("\r\n\r\n"u8);
            if (length >= 0)
            {
                string head = Encoding.Latin1.GetString(_buffer, _start, length + 4);
                _start += length + 4;
                return head;
            }
            if (!await FillAsync(cancellation)) return null;
        }
    }

    private async Task<AnswerEnd> ReadContentAsync(string head, StringBuilder content, int stopAfter, string? until, CancellationToken cancellation)
    {
        if (head.Contains("\r\nTransfer-Encoding: chunked\r\n", StringComparison.OrdinalIgnoreCase)) return await ReadChunksAsync(content, stopAfter, until, cancellation);
        int at = head.IndexOf("\r\nContent-Length: ", StringComparison.OrdinalIgnoreCase);
        if (at < 0) return AnswerEnd.Broken;
        int from = at + "\r\nContent-Length: ".Length;
        long left = long.Parse(head.AsSpan(from, head.IndexOf('\r', from) - from), System.Globalization.CultureInfo.InvariantCulture);
        return await TakeAsync(left, content, stopAfter, cancellation);
    }

    private async Task<AnswerEnd> TakeAsync(long left, StringBuilder content, int stopAfter, CancellationToken cancellation)
    {
        while (left > 0)
        {
            if (content.Length >= stopAfter) return AnswerEnd.Left;
            if (_start == _end && !await FillAsync(cancellation)) return AnswerEnd.Broken;
            int take = (int)Math.Min(_end - _start, left);
            // What a large answer says is not looked at.
            if (content.Length < 64 * 1024) content.Append(Encoding.Latin1.GetString(_buffer, _start, take));
            _start += take;
            left -= take;
        }
        return AnswerEnd.Whole;
    }

    private async Task<AnswerEnd> ReadChunksAsync(StringBuilder content, int stopAfter, string? until, CancellationToken cancellation)
    {
        while (true)
        {
            int line;
            while ((line = _buffer.AsSpan(_start.._end).IndexOf("\r\n"u8)) < 0)
            {
                if (!await FillAsync(cancellation)) return AnswerEnd.Broken;
            }
            if (!Utf8Parser.TryParse(_buffer.AsSpan(_start, line), out long size, out _, 'x')) return AnswerEnd.Broken;
            _start += line + 2;
            if (size == 0)
            {
                // Trailers, if any, up to the empty line.
                while (true)
                {
                    while ((line = _buffer.AsSpan(_start.._end).IndexOf("\r\n"u8)) < 0)
                    {
                        if (!await FillAsync(cancellation)) return AnswerEnd.Broken;
                    }
                    _start += line + 2;
                    if (line == 0) return AnswerEnd.Whole;
                }
            }
            AnswerEnd end = await TakeAsync(size, content, stopAfter, cancellation);
            if (end != AnswerEnd.Whole) return end;
            if (!await HaveAsync(2, cancellation)) return AnswerEnd.Broken;
            _start += 2;
            if (until is not null && content.ToString().Contains(until, StringComparison.Ordinal)) return AnswerEnd.Left;
        }
    }

    private async Task<bool> HaveAsync(int bytes, CancellationToken cancellation)
    {
        while (_end - _start < bytes)
        {
            if (!await FillAsync(cancellation)) return false;
        }
        return true;
    }

    private async Task<bool> FillAsync(CancellationToken cancellation)
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start.._end).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }
        if (_end == _buffer.Length) Array.Resize(ref _buffer, _buffer.Length * 2);
        try
        {
            Memory<byte> room = _buffer.AsMemory(_end);
            int read = await (_tls is null ? _socket.ReceiveAsync(room, cancellation) : _tls.ReadAsync(room, cancellation));
            _end += read;
            return read > 0;
        }
        catch (Exception e) when (IsEnd(e))
        {
            return false;
        }
    }

    // Takes so many bytes and then fails.
    private sealed class CutStream(Socket socket, int left) : NetworkStream(socket, ownsSocket: false)
    {
        private int _left = left;

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int take = Math.Min(_left, buffer.Length);
            _left -= take;
            await base.WriteAsync(buffer[..take], cancellationToken);
            if (take < buffer.Length) throw new IOException("cut");
        }
    }
}

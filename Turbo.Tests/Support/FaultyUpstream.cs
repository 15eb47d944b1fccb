using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Turbo.Tests.Support;

/// <summary>
/// An origin server that does what a test's script says, right or wrong: answers, stalls, trickles, resets, lies. Each
/// accepted connection runs the script on a thread of its own; what a script throws fails the test at disposal.
/// </summary>
internal sealed class FaultyUpstream : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Action<UpstreamPeer> _script;
    private readonly List<UpstreamPeer> _peers = [];
    private readonly List<Task> _running = [];
    private readonly Task _accepting;

    public FaultyUpstream(Action<UpstreamPeer> script)
    {
        _script = script;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(512);
        EndPoint = (IPEndPoint)_listener.LocalEndPoint!;
        _accepting = Task.Factory.StartNew(Accept, TaskCreationOptions.LongRunning);
    }

    public IPEndPoint EndPoint { get; }

    public int Port => EndPoint.Port;

    /// <summary>Connections accepted so far.</summary>
    public int Connections
    {
        get
        {
            lock (_peers) return _peers.Count;
        }
    }

    /// <summary>The connection accepted as number <paramref name="index"/>.</summary>
    public UpstreamPeer Peer(int index)
    {
        lock (_peers) return _peers[index];
    }

    public void Dispose()
    {
        _listener.Dispose();
        _accepting.Wait();
        UpstreamPeer[] peers;
        Task[] running;
        lock (_peers)
        {
            peers = [.. _peers];
            running = [.. _running];
        }
        foreach (UpstreamPeer peer in peers) peer.Dispose();
        // A script still waiting when its test is over ends with its socket; one that failed before says so.
        Task.WaitAll([.. running.Select(static r => r.ContinueWith(static _ => { }, TaskScheduler.Default))], TimeSpan.FromSeconds(10));
        Exception? failure = peers.Select(static p => p.Failure).FirstOrDefault(static f => f is not null);
        if (failure is not null) throw new AssertionException($"the upstream's script failed: {failure}");
    }

    private void Accept()
    {
        while (true)
        {
            Socket socket;
            try
            {
                socket = _listener.Accept();
            }
            catch (SocketException)
            {
                return;
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            lock (_peers)
            {
                UpstreamPeer peer = new(socket, _peers.Count);
                _peers.Add(peer);
                _running.Add(Task.Factory.StartNew(() => peer.Run(_script), TaskCreationOptions.LongRunning));
            }
        }
    }
}

/// <summary>One connection at the origin's side; every wait is bounded.</summary>
internal sealed class UpstreamPeer : IDisposable
{
    private readonly Socket _socket;
    private readonly byte[] _buffer = new byte[256 * 1024];
    private readonly ManualResetEventSlim _ended = new();
    private readonly ManualResetEventSlim _cue = new();
    private int _start, _end;
    private long _taken;
    private volatile string _lastHead = "";
    private volatile bool _isDisposed, _isWaiting, _hasClosed;

    public UpstreamPeer(Socket socket, int index)
    {
        _socket = socket;
        _socket.NoDelay = true;
        _socket.ReceiveTimeout = 15_000;
        _socket.SendTimeout = 15_000;
        Index = index;
    }

    /// <summary>0 for the first connection of the test.</summary>
    public int Index { get; }

    public Exception? Failure { get; private set; }

    /// <summary>Everything received and read so far, head and framing included.</summary>
    public StringBuilder Received { get; } = new();

    /// <summary>Set when the relay's side closed or reset, seen by <see cref="WaitForEnd"/>.</summary>
    public bool HasEnded => _ended.IsSet;

    /// <summary>The last request head.</summary>
    public string LastHead => _lastHead;

    /// <summary>Whether the script does nothing more until the relay, or the test, does something.</summary>
    public bool IsWaiting => _isWaiting;

    /// <summary>Whether this side has closed or reset.</summary>
    public bool HasClosed => _hasClosed;

    /// <summary>A request head as received, its empty line included.</summary>
    public string ReadHead()
    {
        while (true)
        {
            int end = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n\r\n"u8);
            if (end >= 0)
            {
                string head = Take(end + 4);
                _taken = 0;
                return _lastHead = head;
            }
            Receive();
        }
    }

    /// <summary>Exactly that many bytes, as Latin-1.</summary>
    public string Take(int count)
    {
        while (_end - _start < count) Receive();
        string taken = Encoding.Latin1.GetString(_buffer, _start, count);
        _start += count;
        _taken += count;
        Received.Append(taken);
        return taken;
    }

    /// <summary>A request and its Content-Length or chunked content, framing and all.</summary>
    public string ReadRequest()
    {
        string head = ReadHead();
        string? length = head.Split("\r\n").FirstOrDefault(static l => l.StartsWith("content-length:", StringComparison.OrdinalIgnoreCase));
        if (length is not null) return head + Take(int.Parse(length.AsSpan(15).Trim(), CultureInfo.InvariantCulture));
        if (!head.Contains("transfer-encoding:", StringComparison.OrdinalIgnoreCase)) return head;
        StringBuilder body = new(head);
        while (true)
        {
            string line = ReadLine();
            body.Append(line);
            if (line == "0\r\n") break;
            body.Append(Take(int.Parse(line.AsSpan().TrimEnd(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture) + 2));
        }
        while (true)
        {
            string trailer = ReadLine();
            body.Append(trailer);
            if (trailer == "\r\n") return body.ToString();
        }
    }

    public string ReadLine()
    {
        while (true)
        {
            int end = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n"u8);
            if (end >= 0) return Take(end + 2);
            Receive();
        }
    }

    /// <summary>Reads that many bytes and checks that they repeat <paramref name="block"/>; gives their number.</summary>
    public long Drop(long count, ReadOnlySpan<byte> block)
    {
        long got = 0;
        while (got < count)
        {
            if (_start == _end) Receive();
            int at = (int)(got % block.Length);
            int take = (int)Math.Min(Math.Min(count - got, _end - _start), block.Length - at);
            if (!_buffer.AsSpan(_start, take).SequenceEqual(block.Slice(at, take))) throw new InvalidDataException($"the content differs after {got} bytes");
            _start += take;
            got += take;
        }
        return got;
    }

    /// <summary>Reads a chunked body without keeping it; gives the length of its content.</summary>
    public long DropChunked()
    {
        long total = 0;
        while (true)
        {
            int size = int.Parse(ReadLine().AsSpan().TrimEnd(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            total += size;
            for (int left = size; left > 0;)
            {
                if (_start == _end) Receive();
                int take = Math.Min(left, _end - _start);
                _start += take;
                left -= take;
            }
            if (ReadLine() != "\r\n") throw new InvalidDataException("chunk-data without its CRLF");
            if (size == 0) return total;
        }
    }

    /// <summary>
    /// Reads what is left of the last request's content without keeping it, by its length or up to a last chunk: its data
    /// must have no such line.
    /// </summary>
    public UpstreamPeer DropAll()
    {
        string? length = _lastHead.Split("\r\n").FirstOrDefault(static l => l.StartsWith("content-length:", StringComparison.OrdinalIgnoreCase));
        long left = length is null ? long.MaxValue : long.Parse(length.AsSpan(15).Trim(), CultureInfo.InvariantCulture) - _taken;
        while (left > 0)
        {
            if (_start == _end) Receive();
            if (length is null && _buffer.AsSpan(_start, _end - _start).EndsWith("\r\n0\r\n\r\n"u8)) left = _end - _start;
            // The start of a last chunk may be all that has come of it.
            int take = (int)Math.Min(left, length is null && left > _end - _start ? Math.Max(_end - _start - 6, 0) : _end - _start);
            _start += take;
            left -= take;
            if (take == 0) Receive();
        }
        return this;
    }

    public UpstreamPeer Send(string wire) => Send(Encoding.Latin1.GetBytes(wire));

    public UpstreamPeer Send(ReadOnlySpan<byte> wire)
    {
        try
        {
            while (!wire.IsEmpty) wire = wire[_socket.Send(wire)..];
        }
        catch (SocketException)
        {
            _ended.Set();
            throw new RelayLeft();
        }
        return this;
    }

    public void Close()
    {
        _hasClosed = true;
        _socket.Close();
    }

    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        Close();
    }

    /// <summary>FIN; the other direction goes on.</summary>
    public UpstreamPeer EndOutput()
    {
        _socket.Shutdown(SocketShutdown.Send);
        return this;
    }

    /// <summary>Waits, without reading, until the test says so.</summary>
    public void WaitForCue()
    {
        _isWaiting = true;
        _cue.Wait(Until.Deadline);
        _isWaiting = false;
    }

    public void GiveCue() => _cue.Set();

    /// <summary>Waits until the relay's side closes or resets; other bytes that come are dropped.</summary>
    public void WaitForEnd()
    {
        _isWaiting = true;
        try
        {
            while (_socket.Receive(_buffer) > 0) { }
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // An end as well.
        }
        _ended.Set();
    }

    public void Run(Action<UpstreamPeer> script)
    {
        try
        {
            script(this);
        }
        catch (RelayLeft)
        {
            // Its own to do: a test that minds looks at what was received.
        }
        catch (Exception) when (_isDisposed)
        {
            // Cut off by the test's end.
        }
        catch (Exception e)
        {
            Failure = e;
            _socket.Close();
        }
    }

    public void Dispose()
    {
        _isDisposed = true;
        _socket.Dispose();
    }

    private void Receive()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }
        int read;
        try
        {
            read = _socket.Receive(_buffer.AsSpan(_end));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            read = 0;
        }
        if (read == 0)
        {
            _ended.Set();
            // Between requests, or within one that was cancelled: the relay is done with this connection.
            throw new RelayLeft();
        }
        _end += read;
    }

    private sealed class RelayLeft : Exception;
}

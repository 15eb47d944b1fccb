using System.Net.Sockets;

namespace Turbo.Bench.Load;

/// <summary>A client's connection on a <see cref="LoadLoop"/>.</summary>
internal abstract class LoadConnection
{
    private LoadLoop _loop = null!;
    private byte[] _unsent = [];
    private int _unsentAt;

    public Socket Socket { get; private set; } = null!;

    public int Descriptor { get; private set; }

    public bool IsClosed { get; internal set; }

    /// <summary>What came; an <see cref="InvalidDataException"/> is a failure.</summary>
    public abstract void OnReceived(Span<byte> bytes, long now);

    internal void Attach(LoadLoop loop, Socket socket, int descriptor) => (_loop, Socket, Descriptor) = (loop, socket, descriptor);

    /// <summary>Sends, at once as far as the socket takes it.</summary>
    protected void Send(byte[] bytes)
    {
        if (IsClosed) return;
        if (_unsent.Length > _unsentAt) throw new InvalidOperationException("one request at a time");
        int sent = _loop.Send(this, bytes);
        if (sent == bytes.Length) return;
        (_unsent, _unsentAt) = (bytes, sent);
        _loop.AwaitRoom(this, true);
    }

    /// <summary>Sends on, now that there is room.</summary>
    internal void Continue()
    {
        _unsentAt += _loop.Send(this, _unsent.AsSpan(_unsentAt));
        if (_unsentAt < _unsent.Length || IsClosed) return;
        _unsent = [];
        _unsentAt = 0;
        _loop.AwaitRoom(this, false);
    }
}
